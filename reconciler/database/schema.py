"""Which schema a database has, and bringing it up to date."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine, inspect, select, text

from reconciler.database import tables
from reconciler.database.dialects import dialect_for
from reconciler.database.engine import is_missing, transaction
from reconciler.diagnostics.problem import Failure

_LOCK = -1
"""The advisory lock of the schema; partners have those from 0."""
MIGRATIONS = Path(__file__).parent / "migrations"


class Condition(StrEnum):
    NEW = "new"
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"


class Status(NamedTuple):
    """The schema of a database: how it stands to this version, its migration and its identity."""

    condition: Condition
    revision: str | None
    database_id: str | None


NEW = Status(Condition.NEW, None, None)


def status(engine: Engine) -> Status:
    """The schema of a database; nothing is written, and a missing file stays missing."""
    if is_missing(engine):
        return NEW
    with transaction(engine, only_reads=True) as connection:
        return status_of(connection)


def status_of(connection: Connection) -> Status:
    """The schema that is there on this connection."""
    present = set(inspect(connection).get_table_names())
    if "alembic_version" not in present:
        ours = present & {name for name in tables.metadata.tables if name != "link"}
        return NEW if not ours else Status(Condition.OLDER, None, None)
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is None:
        return NEW
    identity = None
    if "database_identity" in present:
        identity = connection.execute(select(tables.database_identity.c.id)).scalar()
    return Status(_condition(str(revision)), str(revision), identity)


def _condition(revision: str) -> Condition:
    if revision == tables.SCHEMA_REVISION:
        return Condition.CURRENT
    return Condition.OLDER if revision < tables.SCHEMA_REVISION else Condition.NEWER


def require(status: Status) -> None:
    """Refuse a schema that this version does not know.

    Raises:
        Failure: the command to run is in its message.
    """
    if status.condition is Condition.OLDER:
        raise Failure.of("MBX532", revision=status.revision or "?", wanted=tables.SCHEMA_REVISION)
    if status.condition is Condition.NEWER:
        raise Failure.of("MBX533", revision=status.revision or "?", wanted=tables.SCHEMA_REVISION)


def lock(connection: Connection) -> None:
    """Keep others from changing the schema until the transaction ends, where that can be."""
    dialect_for(connection.engine).lock(connection, [_LOCK])


def upgrade(connection: Connection) -> None:
    """Run all migrations that are missing, in the transaction of `connection`.

    Where DDL commits by itself each migration does, and one that was cut off can be run again.

    Raises:
        Failure: another process does the same at this moment.
    """
    from alembic import command  # noqa: PLC0415 - only `db upgrade` and a first apply need it
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise Failure.of("MBX548") from None
