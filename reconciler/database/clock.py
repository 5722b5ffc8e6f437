"""What time it is by the clock of the database, which all who use it share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, DateTime, Engine, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from reconciler.database import bulk
from reconciler.database.engine import is_missing, transaction


class _UtcNow(FunctionElement[datetime]):
    """The time of the statement, in UTC and without a time zone."""

    type = DateTime()
    inherit_cache = True


@compiles(_UtcNow, "sqlite")
def _of_sqlite(*_arguments: Any, **_options: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f', 'now')"


@compiles(_UtcNow, "postgresql")
def _of_postgresql(*_arguments: Any, **_options: Any) -> str:
    """`now()` would be the time at which the transaction began."""
    return "(clock_timestamp() AT TIME ZONE 'UTC')"


@compiles(_UtcNow, "mariadb")
def _of_mariadb(*_arguments: Any, **_options: Any) -> str:
    return "UTC_TIMESTAMP(6)"


def now(connection: Connection) -> datetime:
    """The time by the database's clock, in UTC."""
    ((text,),) = bulk.fetch(connection, select(_UtcNow()))
    moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC)


def now_of(engine: Engine) -> datetime:
    """The same of a database without a connection; a file that is missing has this machine's."""
    if is_missing(engine):
        return datetime.now(UTC)
    with transaction(engine) as connection:
        return now(connection)
