"""The manifests of a partner while they are edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reconciler.diagnostics.problem import Path, Problem
from reconciler.export.read_back import ReadBack, Terms, read_back
from reconciler.manifests.atomic import Rewrite
from reconciler.manifests.declaration import FileDeclaration
from reconciler.manifests.edit import Cursor, Sheet
from reconciler.model.coverage import Coverage
from reconciler.model.state import State


@dataclass(frozen=True, slots=True)
class PartnerManifests:
    """The manifests of one partner: what each declares, how to read its bytes, and the run."""

    files: Mapping[str, FileDeclaration]
    read: Callable[[str], bytes]
    coverage: Coverage
    terms: Terms


class Sheets:
    """Manifests by name, each read when it is first asked for."""

    def __init__(self, manifests: PartnerManifests) -> None:
        self._manifests = manifests
        self.declarations = dict(manifests.files)
        self._problems: list[Problem] = []
        self._before: dict[str, bytes | None] = {}
        self._now: dict[str, bytes] = {}
        self._sheets: dict[str, Sheet] = {}

    def at(self, file: str, path: Path) -> Cursor:
        """A place in a manifest; what is written there is in effect once all is read back."""
        if file not in self._sheets:
            if file not in self._now:
                self._before[file] = self._now[file] = self._manifests.read(file)
            self._sheets[file] = Sheet(self._now[file])
        return Cursor(self._sheets[file], path)

    def create(self, file: str, text: str) -> None:
        """Add a manifest that does not exist yet."""
        self._before[file] = None
        self._update(file, text.encode())

    @property
    def is_edited(self) -> bool:
        """Whether there are edits that were not read back."""
        return any(sheet.is_edited for sheet in self._sheets.values())

    def read_back(self, partner: str, state: State) -> ReadBack:
        """Make all edits, and compare what the manifests declare now with the database."""
        for file, sheet in list(self._sheets.items()):
            if sheet.is_edited:
                self._update(file, self._sheets.pop(file).data())
        files, terms = self.declarations.values(), self._manifests.terms
        return read_back(partner, files, self._problems, state, self.coverage, terms)

    @property
    def coverage(self) -> Coverage:
        """What the run covers, including new manifests."""
        coverage = self._manifests.coverage
        return replace(coverage, files=coverage.files | self.declarations.keys())

    def rewrites(self) -> tuple[Rewrite, ...]:
        """The manifests that are not as they were, by name."""
        return tuple(
            Rewrite(file, before, self._now[file])
            for file, before in sorted(self._before.items())
            if before != self._now[file]
        )

    def _update(self, file: str, data: bytes) -> None:
        declaration, problems = self._manifests.terms.parse(file, data)
        self._problems += problems
        if declaration:
            self.declarations[file] = declaration
        self._now[file] = data
