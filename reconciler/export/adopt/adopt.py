"""A mail server in the database → manifests that say of it what the database has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.database.observe import Observed
from reconciler.desired.desire import desire
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Failure, Problem, Severity
from reconciler.export.adopt.edits import Edit
from reconciler.export.adopt.new_entry import declare
from reconciler.export.adopt.texts import Manifests, Rewritten, Texts
from reconciler.export.adopt.write_back import Scene, edits
from reconciler.export.unsayable import column, unwritable, words
from reconciler.manifests import secrets
from reconciler.manifests.declaration import FileDeclaration, ServerDeclaration
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model.cnpj import masked
from reconciler.model.state import Link, State
from reconciler.plan.alarm import Alarm, Case
from reconciler.plan.diff import Change, diff
from reconciler.plan.guards import alarms
from reconciler.plan.ownership import Difference, differences
from reconciler.plan.plan import select

_ROUNDS = 6
"""How often edits may bring up new differences: a host brings its options, a port its security."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is to be written so that the manifests say what the database has of a server.

    `name` is its id. A plan for it then has `changes`, all of ownership, and sets off `alarms`.
    `left` are the companies whose links no manifest can declare.
    """

    name: str
    files: tuple[Rewritten, ...]
    changes: int
    alarms: tuple[Alarm, ...]
    left: tuple[str, ...]


class _Planned(NamedTuple):
    """What the manifests lead to, and what in it is more than ownership."""

    declared: PartnerDeclaration
    before: State
    after: State
    new_names: Mapping[str, str]
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]

    def of(self, name: str) -> tuple[Difference, ...]:
        """The differences of one mail server and its links."""
        return tuple(item for item in self.differences if item.change.server == name)

    def of_others(self, name: str) -> set[tuple[str, str]]:
        """Which fields of other rows differ."""
        return {
            (item.change.address, item.field)
            for item in self.differences
            if item.change.server != name
        }


def adopt(
    partner: str, row_name: str, found: Observed, manifests: Manifests, into: str | None
) -> Adoption:
    """What makes the manifests of `partner` say what the database has of one mail server.

    `row_name` is what the server is called in the state; `into` is the manifest that gets it where
    none declares it.

    Raises:
        Failure: no manifest can say it, or it cannot be written without changing others.
    """
    work = _Work(partner, row_name, found, manifests, into)
    return work.adopt(hosts=True) or work.adopt(hosts=False) or work.fail()


@dataclass(frozen=True, slots=True)
class _Work:
    """The adoption of one mail server."""

    partner: str
    row_name: str
    found: Observed
    manifests: Manifests
    into: str | None

    def adopt(self, *, hosts: bool) -> Adoption | None:
        """The adoption; None if it would change others. `hosts` lets it edit what they share."""
        texts = Texts(self.manifests)
        first = planned = self._plan(texts)
        name = first.new_names.get(self.row_name, self.row_name)
        self._require_writable()
        if name not in first.declared.servers:
            self._require_given()
            name = declare(texts, self.partner, self.row_name, self.found, self.into)
            planned, hosts = self._plan(texts), False
        for _round in range(_ROUNDS):
            found = self._edits(name, texts, planned, hosts=hosts)
            if not found:
                break
            for file, todo in found.items():
                texts.edit(file, todo)
            planned, hosts = self._plan(texts), False
        self._require_settled(name, planned)
        worse = planned.of_others(name) - first.of_others(name)
        if worse or not _same_beside(planned.declared.servers[name], self.manifests, texts):
            return None
        return self._adoption(name, texts, planned)

    def fail(self) -> Adoption:
        raise Failure.of("MBX724", name=self._address)

    @property
    def _address(self) -> str:
        return f"{self.partner}/{self.row_name}"

    def _plan(self, texts: Texts) -> _Planned:
        declared = texts.declared(self.partner)
        coverage = texts.coverage()
        desired = desire(declared, self.found.state, coverage, self.manifests.elsewhere)
        outside = secrets.problems(declared, self.manifests.scopes)
        self._require_valid([*texts.problems, *desired.problems, *outside], texts)
        before = self.found.state.renamed(desired.new_names)
        changes = diff(self.partner, before, desired.state)
        return _Planned(
            declared,
            before,
            desired.state,
            desired.new_names,
            changes,
            tuple(differences(changes, coverage.project)),
        )

    def _edits(
        self, name: str, texts: Texts, planned: _Planned, *, hosts: bool
    ) -> dict[str, list[Edit]]:
        project = self.manifests.coverage.project
        scene = Scene(name, planned.declared, texts.sheet, planned.before, planned.after, project)
        by_file: dict[str, list[Edit]] = {}
        for file, edit in edits(scene, planned.of(name), hosts=hosts):
            by_file.setdefault(file, []).append(edit)
        return by_file

    def _require_given(self) -> None:
        """Another manifest of the project may declare the server."""
        row, coverage = self.found.state.servers[self.row_name], self.manifests.coverage
        if row.project == coverage.project and not coverage.holds(row):
            raise Failure.of("MBX725", name=self._address, file=row.file or "–")

    def _require_writable(self) -> None:
        row = self.found.state.servers[self.row_name]
        links = self.found.state.links.get(self.row_name, ())
        alone = State(servers={self.row_name: row}, links={self.row_name: links})
        self._fail((item.field, item.reason) for item in unwritable(alone) if item.code != "MBX704")

    def _require_valid(self, problems: Iterable[Problem], texts: Texts) -> None:
        wrong = [item for item in problems if MESSAGES[item.code].severity is Severity.ERROR]
        if not texts.rewritten():
            if wrong:
                raise Failure(wrong)
            return
        self._fail((_column(problem), words(problem)) for problem in wrong)

    def _fail(self, reasons: Iterable[tuple[str, str]]) -> None:
        problems = [
            Problem("MBX720", None, {"name": self._address, "field": field, "reason": reason})
            for field, reason in reasons
        ]
        if problems:
            raise Failure(problems)

    def _require_settled(self, name: str, planned: _Planned) -> None:
        left = planned.of(name)
        if left:
            raise Failure(map(self._unsettled, left))

    def _unsettled(self, item: Difference) -> Problem:
        change, field, before, after = item
        address = change.address
        if field:
            there, wanted = _shown(before), _shown(after)
            given = {"address": address, "field": field, "before": there, "after": wanted}
            return Problem("MBX723", None, given)
        if isinstance(change.row, Link):
            return Problem("MBX729", None, {"address": address})
        reason = words(Problem("MBX706" if before is None else "MBX707"))
        values = {"name": self._address, "field": "stable_id", "reason": reason}
        return Problem("MBX720", None, values)

    def _adoption(self, name: str, texts: Texts, planned: _Planned) -> Adoption:
        before, after = planned.before, planned.after
        changes = select(planned.changes, [name], before, after)
        case = Case(changes, before, after, texts.coverage())
        project = self.manifests.coverage.project
        left = tuple(
            masked(link.cnpj) for link in after.links.get(name, ()) if link.project != project
        )
        return Adoption(name, texts.rewritten(), len(changes), alarms(case), left)


def _same_beside(item: ServerDeclaration, manifests: Manifests, texts: Texts) -> bool:
    """Whether the manifests declare what they did, beside one server and its host's options."""
    before = _beside(item, manifests.files)
    after = _beside(item, texts.declarations)
    return all(after[file] == declaration for file, declaration in before.items())


def _beside(
    item: ServerDeclaration, files: Mapping[str, FileDeclaration]
) -> dict[str, FileDeclaration]:
    name = item.server.stable_id
    host = (item.server.host, item.server.protocol)
    return {
        file: declaration._replace(
            servers=tuple(row for row in declaration.servers if row.server.stable_id != name),
            imports=tuple(row for row in declaration.imports if row.server != name),
            hosts=tuple(
                row for row in declaration.hosts if (row.profile.host, row.profile.protocol) != host
            ),
        )
        for file, declaration in files.items()
    }


def _column(problem: Problem) -> str:
    """The column that a problem of an entry is about."""
    path = problem.place.path if problem.place else ()
    return column(path[2:] or [problem.values.get("key")], "stable_id")


def _shown(value: object) -> str:
    return "–" if value is None else str(value)
