"""All that differs between the databases, each difference with its reason.

Everything else is written once, in SQLAlchemy's words. A database is known here by the name of its
SQLAlchemy dialect: `sqlite`, `postgresql` or `mariadb`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ARRAY,
    URL,
    ColumnElement,
    Connection,
    Engine,
    String,
    Table,
    any_,
    bindparam,
    event,
    func,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import AddConstraint, DropConstraint

from reconciler.database.dialect import ONLY_READS, Access, Dialect, Trouble
from reconciler.diagnostics.problem import Failure

_CONNECT_SECONDS = 10


class Sqlite(Dialect):
    """Foreign keys are off unless each connection asks for them; the driver would open its
    transactions too late to lock, so they are begun here; a connection that only reads is told so.
    """

    driver = "sqlite"

    def options(self, access: Access) -> dict[str, Any]:
        return {"connect_args": {"timeout": access.wait}}

    def prepare(self, engine: Engine, access: Access) -> None:
        @event.listens_for(engine, "connect")
        def _connected(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA foreign_keys = ON")
            if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
                raise Failure.of("MBX536")
            if access.writes:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
            else:
                connection.execute("PRAGMA query_only = ON")

        @event.listens_for(engine, "begin")
        def _begun(connection: Connection) -> None:
            reads = not access.writes or connection.get_execution_options().get(ONLY_READS)
            connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    def trouble(self, error: DBAPIError) -> Trouble:
        """SQLITE_BUSY is 5 and SQLITE_LOCKED 6; the higher bits say more."""
        code = getattr(error.orig, "sqlite_errorcode", None) or 0
        return Trouble.BUSY if code & 0xFF in (5, 6) else Trouble.OTHER

    def has_bytes(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Any column takes any value, whatever its type says."""
        return func.typeof(column) == "blob"


class Postgres(Dialect):
    """Settings are given for a transaction, and nothing is prepared on the server, since a pooler
    may hand the next transaction another connection. What is read is one snapshot.
    """

    driver = "postgresql+psycopg"
    _CONFLICTS = ("40001", "40P01")
    _BUSY = ("55P03",)
    _LOST = ("57P01", "57P02", "57P03", "08")

    def options(self, access: Access) -> dict[str, Any]:
        tls = {
            None: {},
            "require": {"sslmode": "require"},
            "verify": {"sslmode": "verify-full", "sslrootcert": access.ca_file or "system"},
        }[access.tls]
        return {
            "isolation_level": "READ COMMITTED" if access.writes else "REPEATABLE READ",
            "connect_args": {
                "connect_timeout": _CONNECT_SECONDS,
                "application_name": "reconciler",
                "prepare_threshold": None,
                **tls,
            },
        }

    def prepare(self, engine: Engine, access: Access) -> None:
        @event.listens_for(engine, "begin")
        def _begun(connection: Connection) -> None:
            if access.writes:
                # 0 would wait for ever.
                milliseconds = str(max(int(access.wait * 1000), 1))
                statement = "SELECT set_config('lock_timeout', %s, true)"
                connection.exec_driver_sql(statement, (milliseconds,))
            else:
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    def trouble(self, error: DBAPIError) -> Trouble:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state in self._CONFLICTS:
            return Trouble.CONFLICT
        if state in self._BUSY:
            return Trouble.BUSY
        return Trouble.LOST if state.startswith(self._LOST) else Trouble.OTHER

    def lock(self, connection: Connection, keys: Iterable[int]) -> None:
        """Advisory locks of this transaction, which a pooler keeps with it, in one order."""
        for key in sorted(keys):
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s, %s)", (_OURS, key))

    def copy(self, cursor: Any, table: str, names: Sequence[str], rows: Any) -> bool:
        """COPY takes a tenth of the time that INSERT does, row by row."""
        columns = ", ".join(f'"{name}"' for name in names)
        with cursor.copy(f'COPY "{table}" ({columns}) FROM STDIN') as stream:
            for row in rows:
                stream.write_row(row)
        return True

    def among(self, column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
        """An array is one parameter; hundreds take the driver longer than the query does."""
        return column == any_(bindparam(None, list(values), ARRAY(String)))

    def share_snapshot(self, connection: Connection) -> str | None:
        return str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())

    def see_snapshot(self, connection: Connection, name: str) -> None:
        connection.execute(
            text("SET TRANSACTION SNAPSHOT :name").bindparams(
                bindparam("name", name, literal_execute=True)
            )
        )

    @contextmanager
    def keys_checked_once(self, connection: Connection, tables: Iterable[Table]) -> Iterator[None]:
        """COPY asks for every row whether its key is there; adding the key asks with one join.

        The keys stay part of their tables, which may be made once more in this process.
        """
        keys = [key for table in tables for key in table.foreign_key_constraints]
        for key in keys:
            connection.execute(DropConstraint(key))
        yield
        for key in keys:
            # Isolated, it would be missing from the next database that this process makes.
            connection.execute(AddConstraint(key, isolate_from_table=False))


_OURS = 0x4D4258
"""The first half of an advisory lock's number, which tells ours from those of other programs."""


class MariaDb(Dialect):
    """DDL commits by itself. Nothing is locked that a statement did not find (READ COMMITTED), or
    unrelated rows would wait. On a Galera cluster a row lock holds on one node only, a conflict
    shows at COMMIT, and a node may lag behind unless it is asked to wait.
    """

    driver = "mariadb+pymysql"
    transactional_ddl = False
    _CONFLICTS = (1213, 1020)
    _BUSY = (1205,)
    _LOST = (2006, 2013, 2014, 1047, 1053, 1180, 1927)

    def options(self, access: Access) -> dict[str, Any]:
        return {
            "isolation_level": "READ COMMITTED" if access.writes else "REPEATABLE READ",
            "connect_args": {
                "connect_timeout": _CONNECT_SECONDS,
                "charset": "utf8mb4",
                **_tls_context(access),
            },
        }

    def prepare(self, engine: Engine, access: Access) -> None:
        @event.listens_for(engine, "connect")
        def _connected(connection: Any, _record: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
                cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {int(access.wait)}")
                if not access.writes:
                    cursor.execute("SET SESSION TRANSACTION READ ONLY")
                if _is_on(cursor, "wsrep_on"):
                    cursor.execute("SET SESSION wsrep_sync_wait = 7")

    def trouble(self, error: DBAPIError) -> Trouble:
        number = (getattr(error.orig, "args", ()) or (0,))[0]
        if number in self._CONFLICTS:
            return Trouble.CONFLICT
        if number in self._BUSY:
            return Trouble.BUSY
        # PyMySQL has no number for a connection that it has closed itself.
        return Trouble.LOST if number in (*self._LOST, 0) else Trouble.OTHER

    def is_cluster(self, connection: Connection) -> bool:
        cursor = connection.connection.cursor()
        try:
            return _is_on(cursor, "wsrep_on")
        finally:
            cursor.close()


def _is_on(cursor: Any, variable: str) -> bool:
    cursor.execute("SHOW VARIABLES LIKE %s", (variable,))
    row = cursor.fetchone()
    return row is not None and row[1] == "ON"


def _tls_context(access: Access) -> dict[str, Any]:
    """What PyMySQL is given: it checks no certificate unless a context of its own kind does."""
    if access.tls is None:
        return {}
    context = ssl.create_default_context(cafile=access.ca_file)
    if access.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


_DIALECTS: dict[str, Dialect] = {
    "sqlite": Sqlite(),
    "postgresql": Postgres(),
    "postgres": Postgres(),
    "mariadb": MariaDb(),
    "mysql": MariaDb(),
}


def dialect_of(url: URL) -> Dialect | None:
    """The dialect of a URL; None where it is of a database that is not supported."""
    return _DIALECTS.get(url.get_backend_name())


def dialect_for(engine: Engine) -> Dialect:
    """The dialect of an engine that was made for one of them."""
    return _DIALECTS[engine.dialect.name]
