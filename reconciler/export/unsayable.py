"""Rows that no manifest can say, which field is the reason, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Problem
from reconciler.diagnostics.words import Word, _
from reconciler.manifests.read import FORBIDDEN
from reconciler.model.cnpj import masked
from reconciler.model.state import Company, MailServer, Row, State
from reconciler.secrets.references import is_text

RowName = tuple[str, str]
"""The kind of a row and its name below its partner, as a change has them."""
PARTNER: RowName = ("partner", "")

_COLUMNS = {"password": "password_reference", "sender": "sender_email"}
_SETTINGS = frozenset({"MBX661"})
"""Problems that are mended in the settings."""
_NOT_WRITTEN = frozenset({"origins", "project", "file"})
_LONGEST = 1000
"""No field of a manifest may be as long as this."""
_LOST = "\ufffd"
"""What stands for bytes that are no text."""
_STRANGE = re.compile(f"{FORBIDDEN.pattern}|[\r\n{_LOST}]")


class Unfit(NamedTuple):
    """A row that no manifest can say; `reason` is in the words of the problem with this code.

    A difference names the value that the field would get as `becomes`.
    """

    kind: str
    name: str
    field: str
    code: str
    reason: str
    becomes: str = ""

    @property
    def row(self) -> RowName:
        return (self.kind, self.name)

    def shown(self, partner: str) -> str:
        """The row as people read it."""
        match self.kind:
            case "partner":
                return partner
            case "company":
                return masked(self.name)
            case "link":
                server, _slash, cnpj = self.name.rpartition("/")
                return f"{partner}/{server} ↔ {masked(cnpj)}"
            case _:
                return f"{partner}/{self.name}"


def of_problem(kind: str, name: str, field: str, problem: Problem) -> Unfit:
    """A row that a problem is about."""
    return Unfit(kind, name, field, problem.code, words(problem))


def words(problem: Problem) -> str:
    """What is wrong and why, in one line; and what to do, where that is not to correct the row."""
    message = MESSAGES[problem.code]
    values = {
        name: _(value) if isinstance(value, Word) else str(value)
        for name, value in problem.values.items()
    }
    texts = [message.title, message.cause, *([message.repair] if problem.code in _SETTINGS else [])]
    title, *others = (_(text).format_map(values) for text in texts)
    return f"{problem.code}: {title}. {' '.join(others)}"


def problems(found: Iterable[tuple[str, Unfit]], *, left_out: bool) -> list[Problem]:
    """What is to be said of rows, each with its partner: once for all that have the same reason.

    They are warnings where the rows were `left_out`.
    """
    rows: dict[tuple[str, str], list[str]] = {}
    for partner, item in found:
        shown = item.shown(partner)
        shown = f"{shown} ({item.becomes})" if item.becomes else shown
        rows.setdefault((item.field, item.reason), []).append(shown)
    return [
        Problem(
            "MBX701" if left_out else "MBX700",
            None,
            {
                "field": field,
                "reason": reason,
                "count": len(names),
                "rows": ", ".join(sorted(names)),
            },
        )
        for (field, reason), names in rows.items()
    ]


def column(steps: Iterable[object], default: str) -> str:
    """The column that a path below a row is about."""
    keys = [step for step in steps if isinstance(step, str)]
    if keys[:2] == ["sender", "name"]:
        return "sender_name"
    return _COLUMNS.get(keys[0], keys[0]) if keys else default


def unwritable(state: State) -> Iterator[Unfit]:
    """The rows that would spoil a whole file, or must not get into one."""
    for kind, name, row in _rows(state):
        if _is_harmless(row):
            continue
        for field, value in row._asdict().items():
            if field in _NOT_WRITTEN:
                continue
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str) and (problem := _unwritable(field, text)):
                    yield of_problem(kind, name, field, problem)
    for name, server in state.servers.items():
        for link in state.links.get(name, ()):
            if server.company and link.cnpj != server.company:
                yield of_problem("link", f"{name}/{link.cnpj}", "cnpj", Problem("MBX704"))


def unwritable_partner(name: str) -> Iterator[Unfit]:
    """The partner, where its very name would spoil a file."""
    if problem := _unwritable("id", name):
        yield of_problem(*PARTNER, "id", problem)


def _rows(state: State) -> Iterator[tuple[str, str, Row]]:
    for cnpj, company in state.companies.items():
        yield "company", cnpj, company
    for key, profile in state.hosts.items():
        yield "host", "/".join(key), profile
    for name, server in state.servers.items():
        yield "server", name, server
        for link in state.links.get(name, ()):
            yield "link", f"{name}/{link.cnpj}", link


def _is_harmless(row: Row) -> bool:
    """Whether nothing in a row can be unwritable, which is soon seen of most rows."""
    texts = " ".join([value for value in row if type(value) is str])
    if len(texts) > _LONGEST or _STRANGE.search(texts) or isinstance(row, Company):
        return False
    if not isinstance(row, MailServer) or row.password_reference is None:
        return True
    return is_text(row.password_reference)


def _unwritable(field: str, text: str) -> Problem | None:
    if field == "password_reference" and not is_text(text):
        return Problem("MBX703")
    if len(text) > _LONGEST:
        return Problem("MBX206", None, {"key": field, "limit": _LONGEST})
    if _LOST in text:
        return Problem("MBX705")
    if found := FORBIDDEN.search(text):
        return Problem("MBX104", None, {"character": f"U+{ord(found.group()):04X}"})
    if "\n" in text or "\r" in text:
        return Problem("MBX225", None, {"key": field})
    return None
