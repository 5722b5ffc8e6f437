"""A mail server in the database → manifests that say of it what the database has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.database.observe import Observed
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.export.adopt.new_entry import add_entry
from reconciler.export.adopt.sheets import PartnerManifests, Sheets
from reconciler.export.adopt.write_back import AdoptedRow, write_back
from reconciler.export.blame import reasons, shown, whole_row
from reconciler.export.read_back import ReadBack
from reconciler.export.unsayable import unwritable, words
from reconciler.manifests.atomic import Rewrite
from reconciler.manifests.declaration import FileDeclaration, ServerDeclaration
from reconciler.model.cnpj import masked
from reconciler.model.state import Link, State
from reconciler.plan.alarm import Alarm, Case
from reconciler.plan.guards import alarms
from reconciler.plan.ownership import Difference
from reconciler.plan.plan import select

_ROUNDS = 6
"""How often edits may cause new differences: a host has options, a port implies a security."""


class Adoption(NamedTuple):
    """What must be written for the manifests to say what the database has of a mail server.

    `name` is its id. A plan for it then has `changes`, all of ownership, and sets off `alarms`. No
    manifest can declare the links of `undeclarable` companies, by their CNPJs as people write them.
    """

    name: str
    files: tuple[Rewrite, ...]
    changes: int
    alarms: tuple[Alarm, ...]
    undeclarable: tuple[str, ...]


def adopt(
    partner: str, row_name: str, observed: Observed, manifests: PartnerManifests, into: str | None
) -> Adoption:
    """Make the manifests of `partner` say what the database has of one mail server.

    `row_name` is its name in the state; `into` is the manifest for it if none declares it.

    Raises:
        Failure: no manifest can say it, or it cannot be written without changing others.
    """
    attempt = _Attempt(partner, row_name, observed, manifests, into)
    adoption = attempt.adopt(hosts=True) or attempt.adopt(hosts=False)
    if adoption is None:
        raise Failure.of("MBX724", name=attempt.address)
    return adoption


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The adoption of one mail server."""

    partner: str
    row_name: str
    observed: Observed
    manifests: PartnerManifests
    into: str | None

    @property
    def address(self) -> str:
        return f"{self.partner}/{self.row_name}"

    def adopt(self, *, hosts: bool) -> Adoption | None:
        """The adoption; None if it would change others. `hosts` lets it edit `hosts:`."""
        sheets, terms = Sheets(self.manifests), self.manifests.terms
        first = result = self._read_back(sheets)
        name = first.comparison.desired.new_names.get(self.row_name, self.row_name)
        self._require_writable()
        if name not in first.comparison.declaration.servers:
            old, coverage = self.observed.state.servers[self.row_name], self.manifests.coverage
            if old.project == coverage.project and not coverage.holds(old):  # others declare it
                raise Failure.of("MBX725", name=self.address, file=old.file or "–")
            prefix = terms.scopes.prefix("env", self.partner)
            name = add_entry(sheets, self.partner, self.row_name, self.observed, self.into, prefix)
            result, hosts = self._read_back(sheets), False
        for _round in range(_ROUNDS):
            row = AdoptedRow(name, result.comparison, sheets, terms.project)
            write_back(row, _own(result, name), hosts=hosts)
            if not sheets.is_edited:
                break
            result, hosts = self._read_back(sheets), False
        if remaining := _own(result, name):
            raise Failure(map(self._unsettled, remaining))
        declared = result.comparison.declaration.servers[name]
        same = all(
            _beside(declared, sheets.declarations[file]) == _beside(declared, item)
            for file, item in self.manifests.files.items()
        )
        if not same or _others(result, name) - _others(first, name):
            return None
        return self._adoption(name, sheets, result)

    def _read_back(self, sheets: Sheets) -> ReadBack:
        result = sheets.read_back(self.partner, self.observed.state)
        if result.errors and not sheets.rewrites():
            raise Failure(result.errors)
        self._require_none(reasons(result.errors))
        return result

    def _require_writable(self) -> None:
        row = self.observed.state.servers[self.row_name]
        links = self.observed.state.links.get(self.row_name, ())
        alone = State(servers={self.row_name: row}, links={self.row_name: links})
        rows = (item for item in unwritable(alone) if item.code != "MBX704")
        self._require_none((item.field, item.reason) for item in rows)

    def _require_none(self, columns: Iterable[tuple[str, str]]) -> None:
        if problems := [self._unsayable(column, reason) for column, reason in columns]:
            raise Failure(problems)

    def _unsayable(self, column: str, reason: str) -> Problem:
        return Problem("MBX720", None, {"name": self.address, "field": column, "reason": reason})

    def _unsettled(self, difference: Difference) -> Problem:
        change, field, before, after = difference
        if field:
            values = {"field": field, "before": shown(before), "after": shown(after)}
            return Problem("MBX723", None, {"address": change.address, **values})
        if isinstance(change.row, Link):
            return Problem("MBX729", None, {"address": change.address})
        return self._unsayable("stable_id", words(whole_row(difference)))

    def _adoption(self, name: str, sheets: Sheets, result: ReadBack) -> Adoption:
        before, after = result.comparison.before, result.comparison.desired.state
        changes = select(result.comparison.changes, [name], before, after)
        case = Case(changes, before, after, sheets.coverage)
        project = self.manifests.terms.project
        links = after.links.get(name, ())
        undeclarable = tuple(masked(link.cnpj) for link in links if link.project != project)
        return Adoption(name, sheets.rewrites(), len(changes), alarms(case), undeclarable)


def _own(result: ReadBack, name: str) -> tuple[Difference, ...]:
    """The differences of one mail server and its links."""
    return tuple(item for item in result.differences if item.change.server == name)


def _others(result: ReadBack, name: str) -> set[tuple[str, str]]:
    """Which fields of other rows differ."""
    others = (item for item in result.differences if item.change.server != name)
    return {(item.change.address, item.field) for item in others}


def _beside(item: ServerDeclaration, file: FileDeclaration) -> FileDeclaration:
    """What a file declares apart from one server and the options of its host."""
    name = item.server.stable_id
    host = (item.server.host, item.server.protocol)
    return file._replace(
        servers=tuple(row for row in file.servers if row.server.stable_id != name),
        imports=tuple(row for row in file.imports if row.server != name),
        hosts=tuple(row for row in file.hosts if (row.profile.host, row.profile.protocol) != host),
    )
