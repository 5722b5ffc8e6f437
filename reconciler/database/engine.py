"""Engines and transactions: what every kind of database has in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from reconciler.database.dialect import ONLY_READS, Access, Tls, Trouble
from reconciler.database.dialects import dialect_for, dialect_of
from reconciler.diagnostics.problem import Failure, Locked

WAIT_SECONDS = 5
"""How long to wait for the locks of others, where nobody says otherwise."""


class Conflict(Locked):
    """Another transaction was in the way of this one, which the database has undone."""


class ConnectionLost(Failure):
    """The connection to the database broke; `committing` says whether at the very end."""

    committing = False


def engine_of(
    text: str,
    *,
    writes: bool,
    wait: float | None = None,
    tls: Tls | None = None,
    ca_file: str | None = None,
) -> Engine:
    """The engine of a database URL.

    Raises:
        Failure: it is no URL, of an unknown kind, or its driver is not installed.
    """
    access = Access(writes, WAIT_SECONDS if wait is None else wait, tls, ca_file)
    try:
        url = make_url(text)
        dialect = dialect_of(url)
        if dialect is None:
            raise Failure.of("MBX538")
        engine = create_engine(dialect.url(url), poolclass=NullPool, **dialect.options(access))
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise Failure.of("MBX538") from None
    except ImportError as error:
        raise Failure.of("MBX537", driver=error.name or "") from None
    except OSError as error:
        raise Failure.of("MBX542", file=ca_file or "", reason=error.strerror or "") from None
    dialect.prepare(engine, access)
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


@contextmanager
def transaction(engine: Engine, *, only_reads: bool = False) -> Iterator[Connection]:
    """One transaction: committed at the end, rolled back on any exception.

    One that `only_reads` waits for nobody who writes.

    Raises:
        Conflict: another transaction was in the way; this one can be tried again.
        Locked: another process holds the database, or a row that is needed.
        ConnectionLost: the connection broke, before the end or while committing.
        Failure: it cannot be reached, or it refuses.
    """
    begun, committing = False, False
    try:
        with engine.connect() as connected:
            connection = connected.execution_options(**{ONLY_READS: only_reads})
            with connection.begin() as work:
                begun = True
                yield connection
                committing = True
                work.commit()
    except DBAPIError as error:
        raise _failure(error, engine, begun=begun, committing=committing) from None


def _failure(error: DBAPIError, engine: Engine, *, begun: bool, committing: bool) -> Failure:
    reason = _reason(error)
    trouble = _trouble(error, engine)
    if trouble is Trouble.CONFLICT:
        return Conflict.of("MBX543", reason=reason)
    if trouble is Trouble.BUSY:
        return Locked.of("MBX535")
    if not begun:
        return Failure.of("MBX531", url=shown_url(engine.url), reason=reason)
    if trouble is Trouble.LOST:
        lost = ConnectionLost.of("MBX544", reason=reason)
        assert isinstance(lost, ConnectionLost)
        lost.committing = committing
        return lost
    return Failure.of("MBX539", reason=reason)


def _trouble(error: DBAPIError, engine: Engine) -> Trouble:
    trouble = dialect_for(engine).trouble(error)
    if trouble is Trouble.OTHER and error.connection_invalidated:
        return Trouble.LOST
    return trouble


def _reason(error: DBAPIError) -> str:
    """The driver's own words, without the statement and its values."""
    lines = str(error.orig).splitlines() if error.orig else []
    return lines[0][:300] if lines else ""
