"""From arguments to what a command works on: settings, manifests, database."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler import settings as settings_
from reconciler.coverage import Coverage
from reconciler.declared import Declared, by_partner
from reconciler.diagnostics import Failure, Problem, Severity
from reconciler.manifests import loading
from reconciler.manifests.files import Scope, scope_of
from reconciler.manifests.loading import Loaded, Sources
from reconciler.manifests.reading import Limits
from reconciler.messages import MESSAGES
from reconciler.settings import Settings

HERE = Path()


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was given to a run, read and put together."""

    settings: Settings
    loaded: Loaded
    declared: dict[str, Declared]
    problems: tuple[Problem, ...]
    sources: Sources

    @property
    def coverage(self) -> Coverage:
        """What the run may delete or unlink."""
        scope = self.loaded.scope
        return Coverage(self.settings.project, self.loaded.names, scope.whole, scope.folders)


def read(paths: Sequence[Path], root: Path | None, settings_file: Path | None) -> Inputs:
    """Read settings and manifests; without paths, those of the current folder."""
    return begin(paths, root, settings_file)()


def begin(
    paths: Sequence[Path], root: Path | None, settings_file: Path | None
) -> Callable[[], Inputs]:
    """Begin to read settings and manifests; what is returned waits for the end.

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
    finish = loading.begin(given, scope, _limits(settings), settings.project)
    return lambda: _inputs(settings, finish())


def _inputs(settings: Settings, loaded: Loaded) -> Inputs:
    folders = {partner: tuple(paths) for partner, paths in settings.paths.items()}
    declared, problems = by_partner(loaded.files, folders)
    sources = Sources(loaded.scope.root, loaded.found, loaded.limits)
    return Inputs(settings, loaded, declared, (*loaded.problems, *problems), sources)


def read_settings(settings_file: Path | None, scope: Scope | None = None) -> Settings:
    """The settings of a run: the file given, RECONCILER_SETTINGS, the root's, this folder's."""
    named = settings_file or os.environ.get("RECONCILER_SETTINGS")
    folders = (scope.root, HERE) if scope else (HERE,)
    file = settings_.find(Path(named) if named else None, folders)
    return settings_.load(Path(os.path.relpath(file)) if file else None, os.environ)


def _limits(settings: Settings) -> Limits:
    limits = settings.limits
    return Limits(limits.file_bytes, limits.scalar_bytes, limits.depth)


def has_errors(problems: Sequence[Problem]) -> bool:
    """Whether any of them is more than a warning."""
    return any(MESSAGES[problem.code].severity is Severity.ERROR for problem in problems)


def database_url(given: str | None, settings: Settings) -> str:
    """The URL of the database; where CI is set there is no default."""
    if url := given or settings.database:
        return url
    if os.environ.get("CI"):
        raise Failure.of("MBX530")
    return settings_.DEFAULT_DATABASE
