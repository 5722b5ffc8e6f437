"""Engines and connections, and all that differs between databases.

SQLite: foreign keys are off unless each connection asks for them; the driver would open its
transactions too late to lock, so they are begun here; a connection that only reads is told so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool

from reconciler.diagnostics import Failure, Locked

BUSY_SECONDS = 5
_BUSY_WORDS = ("database is locked", "database table is locked")


def engine_of(text: str, *, writes: bool) -> Engine:
    """The engine of a database URL.

    Raises:
        Failure: it is no URL, of an unknown kind, or its driver is not installed.
    """
    try:
        url = make_url(text)
        engine = create_engine(url, poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise Failure.of("MBX538") from None
    except ImportError as error:
        raise Failure.of("MBX537", driver=error.name or "") from None
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, writes=writes)
    return engine


def shown_url(url: URL) -> str:
    """A URL without its password, and without its query, which may hold another."""
    return url.set(query={}).render_as_string(hide_password=True)


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite URL; None for another database or one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def is_missing(engine: Engine) -> bool:
    """Whether it is a SQLite file that is not there yet; connecting would create it."""
    file = sqlite_file(engine.url)
    return file is not None and not file.exists()


def _prepare_sqlite(engine: Engine, *, writes: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA foreign_keys = ON")
        if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
            raise Failure.of("MBX536")
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        else:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end, rolled back on any exception.

    Raises:
        Locked: another process holds the database.
        Failure: it cannot be reached, or fails in between.
    """
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except OperationalError as error:
        raise _failure(error, engine) from None
    except DBAPIError as error:
        raise Failure.of("MBX539", reason=_reason(error)) from None


def _failure(error: OperationalError, engine: Engine) -> Failure:
    reason = _reason(error)
    if any(words in reason for words in _BUSY_WORDS):
        return Locked.of("MBX535", seconds=BUSY_SECONDS)
    if error.statement is None:
        return Failure.of("MBX531", url=shown_url(engine.url), reason=reason)
    return Failure.of("MBX539", reason=reason)


def _reason(error: DBAPIError) -> str:
    """The driver's own words, without the statement and its values."""
    return str(error.orig).splitlines()[0][:300] if error.orig else ""
