"""What an operation works with: the settings, the environment, and the database they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import settings as settings_
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Failure, Problem, Severity, Stale
from reconciler.diagnostics.words import N_, _
from reconciler.manifests.files import Base, base_of
from reconciler.plan.plan import DatabaseTarget
from reconciler.secrets.redact import Redactor
from reconciler.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from reconciler.database.schema import Status
    from reconciler.plan.file.write import PlanKey

_CURRENT_FOLDER = Path()
_LONGEST_KEY = 1 << 16


@dataclass(frozen=True, slots=True)
class Context:
    """The settings and the environment of a run, and what it was given.

    `paths` are its manifests, named relative to the root of `base`; `database` is a URL that takes
    precedence over that of the settings. `redacting` begins to hide every secret that is read from
    then on.
    """

    settings: Settings
    environ: Mapping[str, str]
    database: str | None
    paths: tuple[Path, ...]
    base: Base
    redacting: Callable[[], Redactor] = Redactor

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        *,
        paths: Sequence[Path] = (),
        root: Path | None = None,
        settings_file: Path | None = None,
        database: str | None = None,
        redacting: Callable[[], Redactor] = Redactor,
        making: bool = False,
    ) -> Context:
        """Read the settings: of the file given, RECONCILER_SETTINGS, the root, the current folder.

        Without `paths` the manifests are those of the current folder. With `making` they need not
        be there yet.

        Raises:
            Failure: a path or a settings file that is named is missing, or settings are not valid.
        """
        manifests = tuple(paths) or (_CURRENT_FOLDER,)
        missing = [path for path in manifests if not path.exists() and not path.is_symlink()]
        if missing and not making:
            raise Failure(Problem("MBX120", None, {"path": str(path)}) for path in missing)
        base = base_of(manifests, root)
        named = settings_file or environ.get("RECONCILER_SETTINGS")
        file = settings_.find(Path(named) if named else None, (base.root, _CURRENT_FOLDER))
        settings = settings_.load(Path(os.path.relpath(file)) if file else None, environ)
        return cls(settings, environ, database, manifests, base, redacting)

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
        return engine_for(self.url, self.settings, writes=writes, wait=wait)

    def status(self) -> Status:
        """The schema of the database, which may be a new one.

        Raises:
            Failure: this version does not know its schema.
            Stale: it is not the database that the settings name (MBX534).
        """
        from reconciler.database.schema import status  # noqa: PLC0415 - validate does without

        engine = self.engine(writes=False)
        current = status(engine)
        self.target(current, engine)
        return current

    def target(self, status: Status, engine: Engine) -> DatabaseTarget:
        """The database as a plan names it; raises as `status`."""
        from reconciler.database.schema import require  # noqa: PLC0415 - validate does without

        require(status)
        named = self.settings.database_id
        if named and status.database_id != named:
            raise Stale.of("MBX534", wanted=named, found=status.database_id or "new")
        return DatabaseTarget(status.database_id, engine.dialect.name, status.revision)

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """A connection that only reads; None where the database has none of our tables."""
        from reconciler.database.engine import transaction  # noqa: PLC0415 - validate does without
        from reconciler.database.schema import Condition  # noqa: PLC0415

        if self.status().condition is Condition.NEW:
            yield None
            return
        with transaction(self.engine(writes=False)) as connection:
            yield connection

    @contextmanager
    def existing(self) -> Iterator[Connection]:
        """A connection that only reads; a database without our tables is a failure (MBX541)."""
        with self.reading() as connection:
            if connection is None:
                raise Failure.of("MBX541")
            yield connection

    def plan_key(self) -> PlanKey | None:
        """The key that plans are signed with; None where none is configured.

        One that is set but empty is an error: nobody should take an unchecked plan for a checked
        one.

        Raises:
            Failure: it is too short (MBX650), or its file cannot be read (MBX652).
        """
        from reconciler.plan.file.write import PlanKey  # noqa: PLC0415 - most commands do without

        text = self.environ.get("RECONCILER_PLAN_KEY")
        if text is not None:
            return PlanKey(os.fsencode(text), "RECONCILER_PLAN_KEY")
        file = self.settings.plan_key_file
        return PlanKey(_key_in(file), file) if file else None


def engine_for(url: str, settings: Settings, *, writes: bool, wait: float | None = None) -> Engine:
    """The engine of a database, reached as the settings say; `wait` is in seconds."""
    from reconciler.database.engine import engine_of  # noqa: PLC0415 - validate does without

    tls, ca_file = settings.database_tls, settings.database_ca
    return engine_of(url, writes=writes, wait=wait, tls=tls, ca_file=ca_file)


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
