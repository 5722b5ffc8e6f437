"""The manifests of a run: found, parsed by as many processes as help, and put together."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from reconciler.diagnostics.problem import Place, Problem
from reconciler.manifests.files import Base, Manifest
from reconciler.manifests.load import NONE_UNCHANGED, Loaded, Manifests, Parsed, Sources, parse_file
from reconciler.manifests.partner import PartnerDeclaration, by_partner
from reconciler.manifests.read import ReadLimits
from reconciler.model.coverage import Coverage
from reconciler.model.unchanged import Unchanged
from reconciler.operations.context import Context, has_errors
from reconciler.settings import Settings

_KEPT = 4
"""Of how many partners declarations are kept that were parsed when somebody asked."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all manifests of a run say, by partner, and what is wrong with them."""

    settings: Settings
    loaded: Loaded
    declared: Mapping[str, PartnerDeclaration]
    problems: tuple[Problem, ...]
    sources: Sources

    @property
    def coverage(self) -> Coverage:
        """What the run may delete or unlink."""
        return _coverage(self.settings, self.loaded.base, self.loaded.names)


@dataclass(frozen=True, slots=True)
class Reading:
    """The manifests of a run while other processes read them.

    With `hashing` they are hashed first, since facts about unchanged partners may spare parsing.
    """

    settings: Settings
    manifests: Manifests
    hashing: bool

    @property
    def coverage(self) -> Coverage:
        """What the run may delete or unlink."""
        return _coverage(self.settings, self.manifests.base, self.manifests.names)

    def inputs(self, unchanged: Mapping[str, Unchanged] = NONE_UNCHANGED) -> Inputs:
        """Everything but what `unchanged` partners declare; where anything is wrong, that too."""
        inputs = self._inputs(unchanged)
        return self._inputs(NONE_UNCHANGED) if unchanged and has_errors(inputs.problems) else inputs

    def _inputs(self, unchanged: Mapping[str, Unchanged]) -> Inputs:
        loaded = self.manifests.loaded(unchanged)
        declared, problems = by_partner(loaded.files, folders(self.settings))
        return self._made(loaded, declared, (*loaded.problems, *problems))

    def unread(
        self, unchanged: Mapping[str, Unchanged], files: Mapping[str, Sequence[Manifest]]
    ) -> Inputs:
        """Everything, with declarations that are parsed when somebody asks for one of a partner.

        `files` has those of each partner that is not `unchanged`.
        """
        loaded = self.manifests.unread(unchanged)
        parse = partial(parse_file, limits=loaded.limits, project=self.settings.project)
        return self._made(loaded, _Parsing(files, parse, folders(self.settings)), loaded.problems)

    def _made(
        self,
        loaded: Loaded,
        declared: Mapping[str, PartnerDeclaration],
        problems: tuple[Problem, ...],
    ) -> Inputs:
        sources = Sources(loaded.base.root, loaded.manifests, loaded.limits)
        return Inputs(self.settings, loaded, declared, problems, sources)


class _Parsing(Mapping[str, PartnerDeclaration]):
    """What partners declare, parsed when it is asked for; the last few are kept."""

    def __init__(
        self,
        files: Mapping[str, Sequence[Manifest]],
        parse: Callable[[Manifest], Parsed],
        folders: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._files = files
        self._parse = parse
        self._folders = folders
        self._read = lru_cache(maxsize=_KEPT)(self._declared)

    def __getitem__(self, partner: str) -> PartnerDeclaration:
        if partner not in self._files:
            raise KeyError(partner)
        return self._read(partner)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def _declared(self, partner: str) -> PartnerDeclaration:
        parsed = map(self._parse, self._files[partner])
        files = (one.declaration for one in parsed if one.declaration)
        declared, _problems = by_partner(files, self._folders)
        # A file may have changed since it was planned.
        return declared.get(partner) or PartnerDeclaration(partner, Place(""))


def read(context: Context) -> Inputs:
    """Read the manifests of a context."""
    return begin(context).inputs()


def begin(context: Context, *, hashing: bool = False) -> Reading:
    """Begin to parse the manifests of a context, or to hash them.

    Many manifests are read by other processes, and there is time to import what comes next.
    """
    # Everything lives until the process ends, and soon: collecting would only walk over it.
    gc.disable()
    settings, base = context.settings, context.base
    manifests = Manifests(context.paths, base, limits(settings), settings.project)
    if hashing:
        manifests.begin_hashing()
    else:
        manifests.begin_parsing()
    return Reading(settings, manifests, hashing)


def folders(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The folders that partners are bound to."""
    return {partner: tuple(paths) for partner, paths in settings.paths.items()}


def limits(settings: Settings) -> ReadLimits:
    """How large one manifest may be."""
    bounds = settings.limits
    return ReadLimits(bounds.file_bytes, bounds.scalar_bytes, bounds.depth)


def _coverage(settings: Settings, base: Base, names: frozenset[str]) -> Coverage:
    return Coverage(settings.project, names, base.whole, base.folders)
