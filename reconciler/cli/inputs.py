"""From arguments to what a command works on: settings, manifests, database."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import settings as settings_
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Failure, Problem, Severity
from reconciler.diagnostics.words import N_, _
from reconciler.manifests.files import Scope, scope_of
from reconciler.manifests.load import NO_PROOFS, Loaded, Manifests, Sources
from reconciler.manifests.partner import PartnerDeclaration, by_partner
from reconciler.manifests.read import ReadLimits
from reconciler.model.coverage import Coverage
from reconciler.model.unchanged import Proof
from reconciler.plan.file.sign import PlanKey
from reconciler.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

HERE = Path()


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was given to a run, read and put together."""

    settings: Settings
    loaded: Loaded
    declared: dict[str, PartnerDeclaration]
    problems: tuple[Problem, ...]
    sources: Sources

    @property
    def coverage(self) -> Coverage:
        """What the run may delete or unlink."""
        return _coverage(self.settings, self.loaded.scope, self.loaded.names)


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run is given, while it is being read."""

    settings: Settings
    manifests: Manifests
    hashing: bool
    """Whether manifests are hashed first, since proofs may spare parsing them."""

    @property
    def coverage(self) -> Coverage:
        """What the run may delete or unlink."""
        return _coverage(self.settings, self.manifests.scope, self.manifests.names)

    def inputs(self, proofs: Mapping[str, Proof] = NO_PROOFS) -> Inputs:
        """Everything, but for what partners declare of which `proofs` are.

        Where anything is wrong, it is everything, so that all problems are seen.
        """
        given = self._inputs(proofs)
        return self._inputs(NO_PROOFS) if proofs and has_errors(given.problems) else given

    def _inputs(self, proofs: Mapping[str, Proof]) -> Inputs:
        loaded = self.manifests.loaded(proofs)
        folders = {partner: tuple(paths) for partner, paths in self.settings.paths.items()}
        declared, problems = by_partner(loaded.files, folders)
        sources = Sources(loaded.scope.root, loaded.found, loaded.limits)
        return Inputs(self.settings, loaded, declared, (*loaded.problems, *problems), sources)


def read(paths: Sequence[Path], root: Path | None, settings_file: Path | None) -> Inputs:
    """Read settings and manifests; without paths, those of the current folder."""
    return begin(paths, root, settings_file).inputs()


def begin(
    paths: Sequence[Path], root: Path | None, settings_file: Path | None, *, hashing: bool = False
) -> Begun:
    """Read settings, and begin to parse manifests, or to hash them.

    Many manifests are read by other processes, and there is time to import what comes next.
    """
    # Everything lives until the process ends, and soon: collecting would only walk over it.
    gc.disable()
    given = paths or (HERE,)
    missing = [path for path in given if not path.exists() and not path.is_symlink()]
    if missing:
        raise Failure(Problem("MBX120", None, {"path": str(path)}) for path in missing)
    scope = scope_of(given, root)
    settings = read_settings(settings_file, scope)
    manifests = Manifests(given, scope, limits(settings), settings.project)
    if hashing:
        manifests.begin_hashing()
    else:
        manifests.begin_parsing()
    return Begun(settings, manifests, hashing)


def _coverage(settings: Settings, scope: Scope, names: frozenset[str]) -> Coverage:
    return Coverage(settings.project, names, scope.whole, scope.folders)


def read_settings(settings_file: Path | None, scope: Scope | None = None) -> Settings:
    """The settings of a run: the file given, RECONCILER_SETTINGS, the root's, this folder's."""
    named = settings_file or os.environ.get("RECONCILER_SETTINGS")
    folders = (scope.root, HERE) if scope else (HERE,)
    file = settings_.find(Path(named) if named else None, folders)
    return settings_.load(Path(os.path.relpath(file)) if file else None, os.environ)


def limits(settings: Settings) -> ReadLimits:
    """How large one manifest may be."""
    given = settings.limits
    return ReadLimits(given.file_bytes, given.scalar_bytes, given.depth)


def has_errors(problems: Sequence[Problem]) -> bool:
    """Whether any of them is more than a warning."""
    return any(MESSAGES[problem.code].severity is Severity.ERROR for problem in problems)


def engine(url: str, settings: Settings, *, writes: bool, wait: float | None = None) -> Engine:
    """The engine of a database, reached as the settings say."""
    from reconciler.database.engine import engine_of  # noqa: PLC0415 - validate does without

    tls, ca_file = settings.database_tls, settings.database_ca
    return engine_of(url, writes=writes, wait=wait, tls=tls, ca_file=ca_file)


def database_url(given: str | None, settings: Settings) -> str:
    """The URL of the database; where CI is set there is no default."""
    if url := given or settings.database:
        return url
    if os.environ.get("CI"):
        raise Failure.of("MBX530")
    return settings_.DEFAULT_DATABASE


_LONGEST_KEY = 1 << 16


def plan_key(settings: Settings) -> PlanKey | None:
    """The key that plans are signed with; None where none is configured.

    One that is set but empty is an error: nobody should take an unchecked plan for a checked one.
    """
    text = os.environ.get("RECONCILER_PLAN_KEY")
    if text is not None:
        return PlanKey(os.fsencode(text), "RECONCILER_PLAN_KEY")
    file = settings.plan_key_file
    return PlanKey(_key_in(file), file) if file else None


def _key_in(file: str) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            text = stream.read(_LONGEST_KEY + 1)
    except OSError as error:
        reason = error.strerror or ""
        raise Failure.of("MBX652", file=file, reason=f"{_('The system says')}: {reason}") from None
    if len(text) > _LONGEST_KEY:
        raise Failure.of("MBX652", file=file, reason=N_("It is too large."))
    return text
