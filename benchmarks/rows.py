"""Every row that a plan reads, through a plain cursor of the database's own driver."""

from __future__ import annotations

TYPE_CHECKING = False  # as in `floor`
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

TABLES = ("partner", "company", "host_profile", "mail_server", "link")
_BATCH = 5000


def batches(connection: Any) -> Iterator[list[tuple[Any, ...]]]:
    """All rows of all tables that plans read, some at a time."""
    cursor = connection.cursor()
    for table in TABLES:
        cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - one of those above
        while rows := cursor.fetchmany(_BATCH):
            yield rows


def connected(url: str) -> Any:
    """A connection for `sqlite:///FILE`, or for a URL of PostgreSQL."""
    if url.startswith("sqlite:///"):
        import sqlite3  # noqa: PLC0415 - only the driver that is used

        return sqlite3.connect(url.removeprefix("sqlite:///"))
    import psycopg  # noqa: PLC0415

    return psycopg.connect(url.replace("+psycopg", ""))
