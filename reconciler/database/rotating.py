"""The sealed passwords of a database, as a rotation of keys goes through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Engine, bindparam, select, update

from reconciler.database import bulk
from reconciler.database.engine import transaction
from reconciler.database.passwords import where
from reconciler.database.tables import mail_server
from reconciler.secrets.rotate import SealedRow

_C = mail_server.c


class SealedPasswords:
    """The passwords of mail servers; every question and every batch is a transaction."""

    def __init__(self, engine: Engine, database: str) -> None:
        """`database` is the id of the database, which is a part of what they are sealed with."""
        self._engine = engine
        self._database = database

    def after(self, number: int, count: int) -> Sequence[SealedRow]:
        """The next rows above `number` with something in place of a password, at most `count`."""
        query = (
            select(_C.id, _C.password_sealed, _C.password_fingerprint)
            .where(_C.id > number, _C.password_sealed.is_not(None))
            .order_by(_C.id)
            .limit(count)
        )
        with transaction(self._engine) as connection:
            return [
                SealedRow(row, where(self._database, row), sealed, fingerprint)
                for row, sealed, fingerprint in bulk.fetch(connection, query)
            ]

    def replace(self, rows: Sequence[tuple[SealedRow, SealedRow]]) -> int:
        """Put the second of each pair in place of the first, unless it was changed meanwhile."""
        statement = (
            update(mail_server)
            .where(_C.id == bindparam("number"), _C.password_sealed == bindparam("before"))
            .values(
                password_sealed=bindparam("sealed"), password_fingerprint=bindparam("fingerprint")
            )
        )
        names = ("number", "before", "sealed", "fingerprint")
        values = [(old.number, old.sealed, new.sealed, new.fingerprint) for old, new in rows]
        with transaction(self._engine) as connection:
            touched, _given = bulk.execute(connection, statement, names, values)
        return touched


def texts(connection: Connection) -> Iterator[str]:
    """Everything that stands in place of a password."""
    query = select(_C.password_sealed).where(_C.password_sealed.is_not(None))
    return (text for (text,) in bulk.fetch(connection, query))
