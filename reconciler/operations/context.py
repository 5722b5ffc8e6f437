"""What an operation works with: the settings, the environment, and the database they lead to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import settings as settings_
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Failure, Problem, Severity, Stale
from reconciler.diagnostics.words import N_, _
from reconciler.plan.plan import DatabaseTarget
from reconciler.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from reconciler.database.schema import Status
    from reconciler.plan.file.sign import PlanKey

_CURRENT_FOLDER = Path()
_LONGEST_KEY = 1 << 16


@dataclass(frozen=True, slots=True)
class Context:
    """The settings of a run, its environment, and the database URL of the command line, if any."""

    settings: Settings
    environ: Mapping[str, str]
    database: str | None = None

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        settings_file: Path | None = None,
        database: str | None = None,
        root: Path | None = None,
    ) -> Context:
        """Read the settings: from the file given, RECONCILER_SETTINGS, `root`, the current folder.

        Raises:
            Failure: a settings file that is named is missing, or one is not valid.
        """
        named = settings_file or environ.get("RECONCILER_SETTINGS")
        folders = (root, _CURRENT_FOLDER) if root else (_CURRENT_FOLDER,)
        file = settings_.find(Path(named) if named else None, folders)
        settings = settings_.load(Path(os.path.relpath(file)) if file else None, environ)
        return cls(settings, environ, database)

    @property
    def url(self) -> str:
        """The URL of the database.

        Raises:
            Failure: none is configured and CI is set, where there is no default (MBX530).
        """
        if url := self.database or self.settings.database:
            return url
        if self.environ.get("CI"):
            raise Failure.of("MBX530")
        return settings_.DEFAULT_DATABASE

    def engine(self, *, writes: bool, wait: float | None = None) -> Engine:
        """The engine of the database, reached as the settings say; `wait` is in seconds."""
        from reconciler.database.engine import engine_of  # noqa: PLC0415 - validate does without

        tls, ca_file = self.settings.database_tls, self.settings.database_ca
        return engine_of(self.url, writes=writes, wait=wait, tls=tls, ca_file=ca_file)

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """A connection that only reads; None where the database has none of our tables."""
        from reconciler.database.engine import transaction  # noqa: PLC0415 - as in `engine`
        from reconciler.database.schema import Condition, status  # noqa: PLC0415

        engine = self.engine(writes=False)
        if status(engine).condition is Condition.NEW:
            yield None
            return
        with transaction(engine) as connection:
            yield connection

    def target(self, status: Status, engine: Engine) -> DatabaseTarget:
        """The database as a plan names it.

        Raises:
            Failure: its schema is older or newer.
            Stale: it is not the one that the settings name (MBX534).
        """
        from reconciler.database.schema import require  # noqa: PLC0415 - as in `engine`

        require(status)
        wanted = self.settings.database_id
        if wanted and status.database_id != wanted:
            raise Stale.of("MBX534", wanted=wanted, found=status.database_id or "new")
        return DatabaseTarget(status.database_id, engine.dialect.name, status.revision)

    def plan_key(self) -> PlanKey | None:
        """The key that plans are signed with; None where none is configured.

        One that is set but empty is an error: nobody should take an unchecked plan for a checked
        one.

        Raises:
            Failure: it is too short (MBX650), or its file cannot be read (MBX652).
        """
        from reconciler.plan.file.sign import PlanKey  # noqa: PLC0415 - most commands do without

        text = self.environ.get("RECONCILER_PLAN_KEY")
        if text is not None:
            return PlanKey(os.fsencode(text), "RECONCILER_PLAN_KEY")
        file = self.settings.plan_key_file
        return PlanKey(_key_in(file), file) if file else None


def has_errors(problems: Sequence[Problem]) -> bool:
    """Whether any of them is more than a warning."""
    return any(MESSAGES[problem.code].severity is Severity.ERROR for problem in problems)


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
