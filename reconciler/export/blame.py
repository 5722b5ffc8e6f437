"""What is wrong with manifests that were read back → the rows and fields that are to blame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.diagnostics.problem import Place, Problem
from reconciler.export.draft import Draft
from reconciler.export.options import endpoint
from reconciler.export.unsayable import PARTNER, LocalKey, Unsayable, words
from reconciler.model.cnpj import masked
from reconciler.model.state import HeadOffice, Link, MailServer, State
from reconciler.plan.diff import Change
from reconciler.plan.ownership import Difference

_BOTH = frozenset({"MBX302", "MBX303", "MBX304", "MBX307"})
"""The problems for which both places are equally at fault."""
_FIELDS = {"MBX304": "username", "MBX307": "head_office"}
"""The fields that problems of whole entries are about."""
_COLUMNS = {"password": "password_reference", "sender": "sender_email"}


class Blame:
    """Leads from places in a draft back to the rows of the state that it was made from."""

    def __init__(self, draft: Draft, state: State) -> None:
        self._draft = draft
        self._state = state
        self._companies = {masked(cnpj): cnpj for cnpj in state.companies}
        self._owners = {file.name: file.company for file in draft.files}

    def of_problem(self, problem: Problem) -> Iterator[Unsayable]:
        """The rows that a problem is about, each with the field."""
        places = [problem.place, *problem.others] if problem.code in _BOTH else [problem.place]
        for place in places:
            if place and not place.mark:
                for key, field in self._rows(place, problem):
                    yield Unsayable.of(problem, key, _FIELDS.get(problem.code, field))

    def of_difference(self, difference: Difference) -> Iterator[Unsayable]:
        """The rows that would not stay as they are."""
        change, field, before, after = difference
        for key in self._rows_of(change):
            if field:
                becomes = f"{shown(before)} → {shown(after)}"
                yield Unsayable.of(Problem("MBX702"), key, field)._replace(becomes=becomes)
            else:
                yield Unsayable.of(whole_row(difference), key, "stable_id")

    def _rows(self, place: Place, problem: Problem) -> Iterator[tuple[LocalKey, str]]:
        match place.path:
            case ("mail_servers", str(stable_id), "companies", int(index), *rest):
                name = self._draft.names[stable_id]
                link = self._draft.links[name][index]
                yield ("link", f"{name}/{link.cnpj}"), _column(rest, "cnpj")
            case ("mail_servers", str(stable_id), *_):
                yield ("server", self._draft.names[stable_id]), server_column(problem, place)
            case ("companies", str(key), *rest):
                yield ("company", self._companies[key]), _column(rest, "cnpj")
            case ("hosts", str(host), *rest):
                yield from self._of_host(host, [str(step) for step in rest])
            case ("company",):
                only = problem.values.get("server")
                for stable_id, name in self._draft.names.items():
                    owner = self._state.servers[name].company
                    if owner == self._owners[place.file] and only in (None, stable_id):
                        yield ("server", name), "company"
            case ("partner",) if problem.code != "MBX320":  # which is about the folder
                yield PARTNER, "id"

    def _of_host(self, host: str, rest: list[str]) -> Iterator[tuple[LocalKey, str]]:
        """The profile; if the database has none, the servers whose options were put into it."""
        field = rest[1] if len(rest) > 1 else "host"
        for key, profile in self._draft.profiles.items():
            if profile.host != host or key[1] not in (rest[:1] or [key[1]]):
                continue
            if key in self._state.hosts:
                yield ("host", "/".join(key)), field
                continue
            for name in self._draft.names.values():
                row = self._state.servers[name]
                alike = field == "host" or getattr(row, field) == getattr(profile, field)
                if endpoint(row) == key and alike:
                    yield ("server", name), field

    def _rows_of(self, change: Change) -> Iterator[LocalKey]:
        """The rows of the state that a change is about, under the names they have there."""
        server = self._draft.names.get(change.server, change.server)
        match change.row:
            case Link(cnpj=cnpj) if self._state.servers[server].company != cnpj:
                yield "link", f"{server}/{cnpj}"
            case Link() | MailServer():  # a company's own mailbox is one with its link
                yield "server", server
            case HeadOffice():
                for row in (change.before, change.after):
                    for cnpj in row.cnpj.split() if isinstance(row, HeadOffice) else ():
                        yield "company", cnpj
            case _:
                yield change.kind, change.name


def server_column(problem: Problem, place: Place | None) -> str:
    """The column of a mail server that a problem at a place in its entry is about."""
    steps = place.path[2:] if place else ()
    return _column(steps or [problem.values.get("key")], "stable_id")


def whole_row(difference: Difference) -> Problem:
    """Why a row that comes or goes as a whole cannot be declared."""
    return Problem("MBX706" if difference.before is None else "MBX707")


def shown(value: object) -> str:
    """A value of a field as people read it."""
    return "–" if value is None else str(value)


def reasons(problems: Iterable[Problem]) -> Iterator[tuple[str, str]]:
    """For each problem of a mail server the column that it is about, and what is wrong with it."""
    return ((server_column(item, item.place), words(item)) for item in problems)


def _column(steps: Iterable[object], default: str) -> str:
    keys = [step for step in steps if isinstance(step, str)]
    if keys[:2] == ["sender", "name"]:
        return "sender_name"
    return _COLUMNS.get(keys[0], keys[0]) if keys else default
