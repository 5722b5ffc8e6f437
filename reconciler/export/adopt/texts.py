"""The manifests of a partner while they are edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.diagnostics.problem import Place, Problem
from reconciler.export.adopt.edits import Edit, edited
from reconciler.manifests.declaration import FileDeclaration
from reconciler.manifests.edit import Sheet
from reconciler.manifests.load import parse
from reconciler.manifests.partner import PartnerDeclaration, by_partner
from reconciler.manifests.read import ReadLimits
from reconciler.model.coverage import Coverage
from reconciler.secrets.scope import Scopes


@dataclass(frozen=True, slots=True)
class Manifests:
    """The manifests of one partner: what each declares, how its bytes are had, how it is read.

    `paths` are the folders that the settings bind partners to, `elsewhere` the CNPJs of others, and
    `scopes` know all partners.
    """

    files: Mapping[str, FileDeclaration]
    read: Callable[[str], bytes]
    limits: ReadLimits
    coverage: Coverage
    paths: Mapping[str, tuple[str, ...]]
    elsewhere: frozenset[str]
    scopes: Scopes


class Rewritten(NamedTuple):
    """A manifest before and after; None before where it is new."""

    file: str
    before: bytes | None
    after: bytes


@dataclass(slots=True)
class Texts:
    """Manifests by name, each read when it is first asked for."""

    manifests: Manifests
    declarations: dict[str, FileDeclaration] = field(init=False)
    problems: list[Problem] = field(default_factory=list)
    _before: dict[str, bytes | None] = field(default_factory=dict)
    _now: dict[str, bytes] = field(default_factory=dict)
    _sheets: dict[str, Sheet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.declarations = dict(self.manifests.files)

    def sheet(self, file: str) -> Sheet:
        """A manifest to look at, or to edit a copy of."""
        if file not in self._sheets:
            self._sheets[file] = Sheet(self._bytes(file))
        return self._sheets[file]

    def edit(self, file: str, todo: Iterable[Edit]) -> None:
        """Edit a manifest."""
        self._put(file, edited(self._bytes(file), todo))

    def create(self, file: str, text: str) -> None:
        """Make a manifest that is not there."""
        self._before[file] = None
        self._put(file, text.encode())

    def _bytes(self, file: str) -> bytes:
        if file not in self._now:
            self._now[file] = self.manifests.read(file)
            self._before[file] = self._now[file]
        return self._now[file]

    def _put(self, file: str, data: bytes) -> None:
        given = self.manifests
        declaration, problems = parse(data, file, given.limits, given.coverage.project)
        self.problems += problems
        if declaration:
            self.declarations[file] = declaration
        self._now[file] = data
        self._sheets.pop(file, None)

    def declared(self, partner: str) -> PartnerDeclaration:
        """What the manifests declare as they are now."""
        declared, problems = by_partner(self.declarations.values(), self.manifests.paths)
        self.problems += problems
        return declared.get(partner) or PartnerDeclaration(partner, Place(""))

    def coverage(self) -> Coverage:
        """What the run covers, a new manifest with it."""
        given = self.manifests.coverage
        files = given.files | self.declarations.keys()
        return Coverage(given.project, files, given.whole, given.folders)

    def rewritten(self) -> tuple[Rewritten, ...]:
        """The manifests that are other than they were."""
        return tuple(
            Rewritten(file, before, self._now[file])
            for file, before in sorted(self._before.items())
            if before != self._now[file]
        )
