"""Changes → statements, one bulk of each kind, in an order that every foreign key allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, select, update
from sqlalchemy.sql.dml import UpdateBase

from reconciler.database import bulk
from reconciler.database.rows import name_of
from reconciler.database.tables import company, host_profile, link, mail_server, partner
from reconciler.model.state import (
    Company,
    HeadOffice,
    HostProfile,
    Link,
    MailServer,
    Origins,
    Partner,
    Row,
    id_of,
)
from reconciler.plan.diff import Change

Values = tuple[Any, ...]
_IN = 500


class RowsMissing(Exception):  # noqa: N818 - what happened; the caller knows what it means
    """A statement touched fewer rows than it was given."""


class Writer:
    """Writes changes through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._before: dict[tuple[str, str], int] = {}
        self.numbers: dict[tuple[str, str], int] = {}
        """The numbers of servers' rows, by partner and by what the servers will be called."""

    def know(self, owner: str, row_ids: Mapping[str, int]) -> None:
        """Remember the number of the row behind each name of a partner's servers."""
        numbers = {(owner, name): number for name, number in row_ids.items()}
        self._before.update(numbers)
        self.numbers.update(numbers)

    def write(self, changes: Iterable[Change]) -> None:
        """Make all `changes`.

        Raises:
            RowsMissing: a row to be updated or deleted is not there, or the server of a new link.
            sqlalchemy.exc.IntegrityError: a row is in the way, or still needed.
        """
        sort = _Sorted(changes)
        self._insert(partner, ("id", "project"), map(_partner, sort.created(Partner)))
        self._insert(company, _COMPANY, map(_company, sort.created(Company)))
        self._update(company, _COMPANY, 1, map(_company, sort.updated(Company)))
        self._move_head_offices(sort.all(HeadOffice))
        self._insert(host_profile, _PROFILE, map(_owned, sort.created(HostProfile)))
        self._update(host_profile, _PROFILE, 3, map(_owned, sort.updated(HostProfile)))
        self._update_servers(sort.updated(MailServer))
        self._insert(mail_server, _SERVER, map(_owned, sort.created(MailServer)))
        self._learn(sort.created(MailServer))
        self._insert(link, _LINK, map(self._link, sort.created(Link)))
        self._update(link, _LINK, 2, map(self._link, sort.updated(Link)))
        self._delete(link, _LINK[:2], [self._link(item)[:2] for item in sort.deleted(Link)])
        self._delete(mail_server, ("id",), map(self._number, sort.deleted(MailServer)))

    def _insert(self, table: Table, names: Sequence[str], rows: Iterable[Values]) -> None:
        bulk.load(self._connection, table, names, rows)

    def _update(
        self, table: Table, names: Sequence[str], keys: int, rows: Iterable[Values]
    ) -> None:
        """Update rows by the first `keys` of their values."""
        matches = [table.c[name] == bindparam(f"key_{name}") for name in names[:keys]]
        values: dict[str, Any] = {name: bindparam(name) for name in names[keys:]}
        parameters = (*(f"key_{name}" for name in names[:keys]), *names[keys:])
        self._run(update(table).where(*matches).values(values), parameters, rows)

    def _delete(self, table: Table, names: Sequence[str], rows: Iterable[Values]) -> None:
        matches = [table.c[name] == bindparam(f"key_{name}") for name in names]
        self._run(delete(table).where(*matches), [f"key_{name}" for name in names], rows)

    def _run(self, statement: UpdateBase, names: Sequence[str], rows: Iterable[Values]) -> None:
        touched, rows_given = bulk.execute(self._connection, statement, names, rows)
        if touched != rows_given:
            raise RowsMissing

    def _move_head_offices(self, changes: Sequence[Change]) -> None:
        """Take the mark off every company of the root, then put it on the one that gets it."""
        off = [
            (cnpj, False)
            for change in changes
            if isinstance(change.before, HeadOffice)
            for cnpj in change.before.cnpj.split()
        ]
        on = [
            (change.after.cnpj, True) for change in changes if isinstance(change.after, HeadOffice)
        ]
        self._update(company, ("cnpj", "head_office"), 1, chain(off, on))

    def _update_servers(self, changes: Sequence[Change]) -> None:
        """Update by number. Names are let go first, so that two servers can swap theirs."""
        renamed = [(*self._number(change), None) for change in changes if _is_renamed(change)]
        self._update(mail_server, ("id", "stable_id"), 1, renamed)
        self._update(mail_server, ("id", *_SERVER), 1, map(self._server, changes))
        for change in changes:
            self.numbers[change.partner, change.name] = self._number(change)[0]

    def _server(self, change: Change) -> Values:
        """A server that was there before; one that is called by its number again gets no id."""
        owner, name, *values = _owned(change)
        return (*self._number(change), owner, id_of(name), *values)

    def _learn(self, created: Sequence[Change]) -> None:
        """Ask for the numbers that new rows have got."""
        owners = sorted({change.partner for change in created})
        columns = (mail_server.c.partner, mail_server.c.stable_id, mail_server.c.id)
        for start in range(0, len(owners), _IN):
            is_theirs = mail_server.c.partner.in_(owners[start : start + _IN])
            for owner, name, number in bulk.fetch(
                self._connection, select(*columns).where(is_theirs)
            ):
                self.numbers[owner, name_of(name, number)] = number

    def _number(self, change: Change) -> tuple[int]:
        """The row of a server that was there before, by the name it had."""
        assert isinstance(change.before, MailServer)
        return (self._before[change.partner, change.before.stable_id],)

    def _link(self, change: Change) -> Values:
        """A link, by the name that its server has by now.

        Raises:
            RowsMissing: the server is not there.
        """
        row: Values = change.row
        number = self.numbers.get((change.partner, change.name.rpartition("/")[0]))
        if number is None:
            raise RowsMissing
        return (number, *row)


class _Sorted:
    """Changes by the kind of their row and by what they do."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._found: dict[tuple[type[Row], bool, bool], list[Change]] = {}
        for change in changes:
            key = (type(change.row), change.before is not None, change.after is not None)
            self._found.setdefault(key, []).append(change)

    def created(self, kind: type[Row]) -> list[Change]:
        return self._found.get((kind, False, True), [])

    def updated(self, kind: type[Row]) -> list[Change]:
        return self._found.get((kind, True, True), [])

    def deleted(self, kind: type[Row]) -> list[Change]:
        return self._found.get((kind, True, False), [])

    def all(self, kind: type[Row]) -> list[Change]:
        return [*self.created(kind), *self.updated(kind), *self.deleted(kind)]


_COMPANY = (Company._fields[0], "partner", *Company._fields[1:])
_PROFILE = ("partner", *HostProfile._fields)
_SERVER = ("partner", *MailServer._fields)
_LINK = ("mail_server_id", *Link._fields)


def _is_renamed(change: Change) -> bool:
    return isinstance(change.before, MailServer) and change.before.stable_id != change.name


def _partner(change: Change) -> Values:
    return tuple(change.row)


def _company(change: Change) -> Values:
    cnpj, *values = map(column_value, change.row)
    return (cnpj, change.partner, *values)


def _owned(change: Change) -> Values:
    return (change.partner, *map(column_value, change.row))


def column_value(field: Any) -> Any:
    """A field as its column holds it."""
    if type(field) is Origins:
        return str(field)
    return " ".join(field) if isinstance(field, tuple) else field
