"""Databases as new for every test.

Making one takes long beside what a test does with it, so one whose tables are still as they were is
emptied and handed out again.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from reconciler.database import schema, tables
from reconciler.database.engine import engine_of, transaction
from tests.support.servers import SQLITE
from tests.support.servers.runs import Run

_TEMPLATE = "reconciler_template"
_KEPT = ("alembic_version", "database_identity")
"""The tables whose rows belong to the database itself."""
_NUMBERED = (tables.mail_server.c.id, tables.revision.c.number)


@dataclass(frozen=True)
class Database:
    """A database that a test has for itself, and its URL on every node of its server."""

    kind: str
    url: str
    others: tuple[str, ...] = ()


class Databases:
    """The databases of one process, on the servers of a run."""

    def __init__(self, run: Run, process: str) -> None:
        self._run = run
        self._process = process
        self._pools: dict[str, _Pool] = {}

    @contextmanager
    def migrated(self, kind: str, folder: Path, name: str = "reconciler") -> Iterator[Database]:
        """A database with all tables; SQLite's is a file in `folder`."""
        if kind == SQLITE:
            file = folder / f"{name}.db"
            file.write_bytes(sqlite_template())
            yield Database(kind, f"sqlite:///{file}")
            return
        pool = self._pool(kind)
        taken = pool.take()
        yield pool.database(taken)
        pool.give_back(taken)

    @contextmanager
    def new(self, kind: str, folder: Path, name: str = "new") -> Iterator[Database]:
        """A database with nothing in it; SQLite's is a file that is not there."""
        if kind == SQLITE:
            yield Database(kind, f"sqlite:///{folder / name}.db")
            return
        pool = self._pool(kind)
        made = pool.new()
        yield pool.database(made)
        pool.throw_away(made)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool(self, kind: str) -> _Pool:
        if kind not in self._pools:
            urls = [make_url(url) for url in self._run.urls(kind)]
            maker = _Postgres if kind.startswith("postgres") else _MariaDb
            with self._run.alone(kind):
                self._pools[kind] = _Pool(kind, urls, self._process, maker(urls[0]))
        return self._pools[kind]


@cache
def sqlite_template() -> bytes:
    """An empty database with all tables; making one costs a hundred times its copy."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.db"
        _migrate(f"sqlite:///{file}")
        return file.read_bytes()


def _migrate(url: str) -> None:
    engine = engine_of(url, writes=True)
    with transaction(engine) as connection:
        schema.upgrade(connection)
    engine.dispose()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _connect(url: URL) -> Connection:
    """A connection of which each statement is committed at once."""
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect()


class _Maker(ABC):
    """How a kind of server makes databases."""

    system = ""
    """The database to be connected to while others are made."""

    def __init__(self, server: URL) -> None:
        self.admin = _connect(server.set(database=self.system))
        if not self._is_there(_TEMPLATE):
            self.create(_TEMPLATE)
            _migrate(_text(server.set(database=_TEMPLATE)))

    @abstractmethod
    def _is_there(self, name: str) -> bool: ...

    def create(self, name: str) -> None:
        self.admin.exec_driver_sql(f"CREATE DATABASE {name}")

    @abstractmethod
    def copy(self, name: str) -> None:
        """Make a database like the template."""

    def drop(self, name: str) -> None:
        self.admin.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")

    @abstractmethod
    def restart_numbers(self, connection: Connection) -> None:
        """Let the numbers of new rows begin at 1 again."""

    @abstractmethod
    def shape(self, connection: Connection) -> Any:
        """Everything but rows that a test may have changed."""


class _Postgres(_Maker):
    system = "postgres"

    def _is_there(self, name: str) -> bool:
        query = f"SELECT 1 FROM pg_database WHERE datname = '{name}'"
        return self.admin.exec_driver_sql(query).first() is not None

    def copy(self, name: str) -> None:
        self.admin.exec_driver_sql(
            f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy"
        )

    def drop(self, name: str) -> None:
        self.admin.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def restart_numbers(self, connection: Connection) -> None:
        for column in _NUMBERED:
            sequence = f"pg_get_serial_sequence('{column.table.name}', '{column.name}')"
            connection.exec_driver_sql(f"SELECT setval({sequence}, 1, false)")

    def shape(self, connection: Connection) -> Any:
        query = (
            "SELECT relname, attname, atttypid, attnotnull, attisdropped, atthasdef"
            " FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
            " WHERE relnamespace = 'public'::regnamespace"
            " UNION ALL SELECT tgname, tgrelid::regclass::text, 0, true, true, true"
            " FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
        )
        return connection.exec_driver_sql(query).all()


class _MariaDb(_Maker):
    def __init__(self, server: URL) -> None:
        super().__init__(server)
        self.admin.exec_driver_sql(f"USE {_TEMPLATE}")
        shown = self.admin.exec_driver_sql("SHOW FULL TABLES").all()
        # The view comes last.
        names = [name for name, _ in sorted(shown, key=lambda row: str(row[1]))]
        made = [self.admin.exec_driver_sql(f"SHOW CREATE TABLE {name}").one() for name in names]
        self._definitions = [str(row[1]) for row in made]

    def _is_there(self, name: str) -> bool:
        return bool(self.admin.exec_driver_sql(f"SHOW DATABASES LIKE '{name}'").first())

    def copy(self, name: str) -> None:
        """`CREATE TABLE … LIKE` would leave out the foreign keys."""
        self.create(name)
        rows = [f"INSERT INTO {table} SELECT * FROM {_TEMPLATE}.{table}" for table in _KEPT]
        before = (f"USE {name}", "SET foreign_key_checks = 0")
        for statement in (*before, *self._definitions, *rows):
            self.admin.exec_driver_sql(statement)

    def restart_numbers(self, connection: Connection) -> None:
        for column in _NUMBERED:
            connection.exec_driver_sql(f"ALTER TABLE {column.table.name} AUTO_INCREMENT = 1")

    def shape(self, connection: Connection) -> Any:
        query = (
            "SELECT table_name, column_name, column_type, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_schema = database()"
            " UNION ALL SELECT trigger_name, event_object_table, '', '', ''"
            " FROM information_schema.triggers WHERE trigger_schema = database() ORDER BY 1, 2"
        )
        return connection.exec_driver_sql(query).all()


class _Pool:
    """The databases of one process on one server, and a connection to each."""

    def __init__(self, kind: str, nodes: Sequence[URL], process: str, maker: _Maker) -> None:
        self._kind = kind
        self._nodes = nodes
        self._maker = maker
        self._names = (f"test_{process}_{number}" for number in count(1))
        self._connections: dict[str, Connection] = {}
        self._free: list[str] = []
        with _connect(nodes[0].set(database=_TEMPLATE)) as connection:
            self._as_new = self._look(connection)

    def database(self, name: str) -> Database:
        urls = [_text(node.set(database=name)) for node in self._nodes]
        return Database(self._kind, urls[0], tuple(urls[1:]))

    def new(self) -> str:
        name = next(self._names)
        self._maker.create(name)
        return name

    def take(self) -> str:
        if self._free:
            return self._free.pop()
        name = next(self._names)
        self._maker.copy(name)
        self._connections[name] = _connect(self._nodes[0].set(database=name))
        return name

    def give_back(self, name: str) -> None:
        connection = self._connections[name]
        if self._look(connection) == self._as_new:
            self._empty(connection)
            self._free.append(name)
        else:
            self._connections.pop(name).close()
            self.throw_away(name)

    def throw_away(self, name: str) -> None:
        self._maker.drop(name)

    def close(self) -> None:
        for connection in (self._maker.admin, *self._connections.values()):
            connection.close()

    def _look(self, connection: Connection) -> Any:
        """All that must be as the template has it."""
        try:
            rows = [connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in _KEPT]
        except DBAPIError:
            return None
        return self._maker.shape(connection), rows

    def _empty(self, connection: Connection) -> None:
        for table in reversed(tables.metadata.sorted_tables):
            if table.name not in _KEPT:
                connection.execute(table.delete())
        self._maker.restart_numbers(connection)
