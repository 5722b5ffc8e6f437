"""Rows that no manifest can declare, which field is the reason, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Problem
from reconciler.diagnostics.words import Word, _
from reconciler.manifests.read import FORBIDDEN
from reconciler.model.cnpj import masked
from reconciler.model.state import Company, MailServer, Row, State, split_link
from reconciler.secrets.references import is_text

LocalKey = tuple[str, str]
"""The kind of a row and its name below its partner, as a change has them."""
PARTNER: LocalKey = ("partner", "")

_NOT_WRITTEN = frozenset({"origins", "project", "file"})
_LONGEST = 1000
"""More characters than any field of a manifest may have."""
_UNDECODABLE = "\ufffd"
"""Replaces bytes that are no text."""
_STRANGE = re.compile(f"{FORBIDDEN.pattern}|[\r\n{_UNDECODABLE}]")


class Unsayable(NamedTuple):
    """A row that no manifest can declare; `reason` is the message of the problem with this code.

    If the field would get another value, `becomes` shows the old and the new one.
    """

    key: LocalKey
    field: str
    code: str
    reason: str
    becomes: str = ""

    @classmethod
    def of(cls, problem: Problem, key: LocalKey, field: str) -> Unsayable:
        return cls(key, field, problem.code, words(problem))

    def shown(self, partner: str) -> str:
        """The row as people read it."""
        kind, name = self.key
        match kind:
            case "partner":
                return partner
            case "company":
                return masked(name)
            case "link":
                server, cnpj = split_link(name)
                return f"{partner}/{server} ↔ {masked(cnpj)}"
            case _:
                return f"{partner}/{name}"


def words(problem: Problem) -> str:
    """The message of a problem on one line, with its repair only if that is in the settings."""
    message = MESSAGES[problem.code]
    values = {
        name: _(value) if isinstance(value, Word) else str(value)
        for name, value in problem.values.items()
    }
    texts = [message.title, message.cause]
    if problem.code == "MBX661":
        texts.append(message.repair)
    title, *others = (_(text).format_map(values) for text in texts)
    return f"{problem.code}: {title}. {' '.join(others)}"


def problems(rows: Iterable[tuple[str, Unsayable]], *, left_out: bool) -> list[Problem]:
    """One problem for all rows, each with its partner, that have the same field and reason.

    They are warnings if the rows were `left_out`.
    """
    grouped: dict[tuple[str, str], list[str]] = {}
    for partner, row in rows:
        text = row.shown(partner) + (f" ({row.becomes})" if row.becomes else "")
        grouped.setdefault((row.field, row.reason), []).append(text)
    result = []
    for (field, reason), names in grouped.items():
        shown = {"field": field, "reason": reason}
        values = {**shown, "count": len(names), "rows": ", ".join(sorted(names))}
        result.append(Problem("MBX701" if left_out else "MBX700", None, values))
    return result


def unwritable(state: State) -> Iterator[Unsayable]:
    """The rows that would spoil a whole file, or must not get into one."""
    for key, row in _rows(state):
        if _is_harmless(row):
            continue
        for field, value in row._asdict().items():
            if field not in _NOT_WRITTEN:
                for text in value if isinstance(value, tuple) else (value,):
                    if isinstance(text, str) and (problem := _unwritable(field, text)):
                        yield Unsayable.of(problem, key, field)
    for name, server in state.servers.items():
        for link in state.links.get(name, ()):
            if server.company and link.cnpj != server.company:
                yield Unsayable.of(Problem("MBX704"), ("link", f"{name}/{link.cnpj}"), "cnpj")


def unwritable_partner(name: str) -> Iterator[Unsayable]:
    """The partner, if its very name would spoil a file."""
    if problem := _unwritable("id", name):
        yield Unsayable.of(problem, PARTNER, "id")


def _rows(state: State) -> Iterator[tuple[LocalKey, Row]]:
    for cnpj, company in state.companies.items():
        yield ("company", cnpj), company
    for key, profile in state.hosts.items():
        yield ("host", "/".join(key)), profile
    for name, server in state.servers.items():
        yield ("server", name), server
        for link in state.links.get(name, ()):
            yield ("link", f"{name}/{link.cnpj}"), link


def _is_harmless(row: Row) -> bool:
    """A quick check that clears most rows."""
    texts = " ".join([value for value in row if type(value) is str])
    if len(texts) > _LONGEST or _STRANGE.search(texts) or isinstance(row, Company):
        return False
    reference = row.password_reference if isinstance(row, MailServer) else None
    return reference is None or is_text(reference)


def _unwritable(field: str, text: str) -> Problem | None:
    if field == "password_reference" and not is_text(text):
        return Problem("MBX703")
    if len(text) > _LONGEST:
        return Problem("MBX206", None, {"key": field, "limit": _LONGEST})
    if _UNDECODABLE in text:
        return Problem("MBX705")
    if match := FORBIDDEN.search(text):
        return Problem("MBX104", None, {"character": f"U+{ord(match.group()):04X}"})
    if "\n" in text or "\r" in text:
        return Problem("MBX225", None, {"key": field})
    return None
