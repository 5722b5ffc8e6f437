"""What differs between the kinds of databases, and what most of them have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, ClassVar, Literal, NamedTuple

from sqlalchemy import URL, ColumnElement, Connection, Engine, Table, false
from sqlalchemy.exc import DBAPIError

Tls = Literal["require", "verify"]
ONLY_READS = "reconciler_only_reads"
"""The option of a connection of which the next transaction writes nothing."""


class Access(NamedTuple):
    """How a database is used: whether it is written to, how many seconds to wait for a lock, and
    what is asked of the connection; `ca_file` holds the authorities that may sign its certificate.
    """

    writes: bool
    wait: float
    tls: Tls | None = None
    ca_file: str | None = None


class Trouble(Enum):
    """What an error of a database means for the transaction that it ended."""

    CONFLICT = auto()  # another transaction was in the way: the same can be tried again
    BUSY = auto()  # a lock was not free in time
    LOST = auto()  # the connection is gone, and the answer with it
    OTHER = auto()


class Dialect(ABC):
    """One kind of database, and what most of them have in common."""

    driver: ClassVar[str]
    transactional_ddl: ClassVar[bool] = True

    def url(self, url: URL) -> URL:
        """The URL with the one driver that is used, whichever another program names in it."""
        return url.set(drivername=self.driver)

    @abstractmethod
    def options(self, access: Access) -> dict[str, Any]:
        """Arguments of `create_engine`."""

    def prepare(self, engine: Engine, access: Access) -> None:  # noqa: B027 - some need nothing
        """Say what every connection or transaction must be told."""

    @abstractmethod
    def trouble(self, error: DBAPIError) -> Trouble:
        """What an error means, by the number that the database gave it."""

    def lock(self, connection: Connection, keys: Iterable[int]) -> None:  # noqa: B027 - as above
        """Take locks that the database frees by itself when the transaction ends."""

    def is_cluster(self, connection: Connection) -> bool:  # noqa: ARG002 - of those that can be
        """Whether the locks of a transaction are unknown to others that write elsewhere."""
        return False

    def copy(self, cursor: Any, table: str, names: Sequence[str], rows: Any) -> bool:  # noqa: ARG002
        """Load rows by a way that is faster than INSERT; False where there is none."""
        return False

    def among(self, column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
        """That a column has one of these texts."""
        return column.in_(values)

    def has_bytes(self, column: ColumnElement[Any]) -> ColumnElement[bool]:  # noqa: ARG002
        """That bytes stand in a column of texts."""
        return false()

    def share_snapshot(self, connection: Connection) -> str | None:  # noqa: ARG002
        """A name of what this transaction sees, while it lasts; None where it can have none."""
        return None

    def see_snapshot(self, connection: Connection, name: str) -> None:  # noqa: B027 - as above
        """See in a transaction that begins what the one sees that has given it this name."""

    @contextmanager
    def keys_checked_once(self, connection: Connection, tables: Iterable[Table]) -> Iterator[None]:  # noqa: ARG002
        """Check foreign keys at the end, where that helps: for tables that nobody else sees yet."""
        yield
