"""The passwords that the database keeps: where each is, its sealed text, and what tells it apart.

The sealed text, its fingerprint and the version of the secret are no part of `model`: no plan is
made of them, and no program but this one writes them in this form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Select, bindparam, select, update

from reconciler.database import bulk
from reconciler.database.engine import transaction
from reconciler.database.rows import readable
from reconciler.database.tables import mail_server
from reconciler.secrets.secret import SealedField, SealedRow

_C = mail_server.c
_ASKED = 500


def where(database: str, server: int) -> SealedField:
    """What the password of a mail server is bound to: the database's id, and the row's number."""
    return SealedField(database, mail_server.name, str(server), "password")


class Stored(NamedTuple):
    """What the row of a mail server has; `name` is None where another program gave it none."""

    number: int
    partner: str
    name: str | None
    reference: str | None
    sealed: str | None
    fingerprint: str | None
    version: str | None


class Sealed(NamedTuple):
    """What a row gets."""

    number: int
    sealed: str | None
    fingerprint: str | None
    version: str | None


FORGOTTEN = (None, None, None)
"""What is left in a row whose password is no longer kept."""
_COLUMNS = (
    *(_C.id, _C.partner, _C.stable_id, _C.password_reference),
    *(_C.password_sealed, _C.password_fingerprint, _C.password_version),
)


def read(
    connection: Connection, partners: Sequence[str], *, lock: bool = False
) -> Iterator[Stored]:
    """The rows of these partners; with `lock` nobody else can change them meanwhile."""
    for start in range(0, len(partners), _ASKED):
        query = select(*_COLUMNS).where(_C.partner.in_(partners[start : start + _ASKED]))
        locking: Select[Any] = query.with_for_update() if lock else query
        yield from map(Stored._make, map(readable, bulk.fetch(connection, locking)))


def references(
    connection: Connection, partners: Sequence[str], project: str
) -> Iterator[tuple[str, str, str, str | None]]:
    """Partner, name, reference and file of the mail servers of a project that have a password."""
    for start in range(0, len(partners), _ASKED):
        query = select(_C.partner, _C.stable_id, _C.password_reference, _C.file).where(
            _C.partner.in_(partners[start : start + _ASKED]),
            _C.project == project,
            _C.stable_id.is_not(None),
            _C.password_reference.is_not(None),
        )
        for row in bulk.fetch(connection, query):
            partner, name, reference, file = readable(row)
            yield partner, name, reference, file


def sealed(connection: Connection, numbers: Sequence[int]) -> dict[int, str]:
    """What stands in place of the passwords of these rows, where anything does."""
    query = select(_C.id, _C.password_sealed).where(
        _C.id.in_(numbers), _C.password_sealed.is_not(None)
    )
    return dict(bulk.fetch(connection, query))


def write(connection: Connection, rows: Iterable[Sealed]) -> int:
    """Put these into their rows; how many were there is returned."""
    statement = (
        update(mail_server)
        .where(_C.id == bindparam("number"))
        .values(
            password_sealed=bindparam("sealed"),
            password_fingerprint=bindparam("fingerprint"),
            password_version=bindparam("version"),
        )
    )
    touched, _given = bulk.execute(connection, statement, Sealed._fields, rows)
    return touched


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
