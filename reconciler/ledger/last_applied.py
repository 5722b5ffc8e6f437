"""What the ledger last applied, row by row.

A row is asked for by its last name in the ledger, which tells servers, and links by their servers,
apart by the numbers of their rows. Those never change: so an entry is found whatever its server was
called at the time, and is never that of another one which once had the same name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from reconciler.database.bulk import fetch
from reconciler.database.tables import revision, revision_change
from reconciler.model import as_json
from reconciler.model.state import Partner, Row, RowKey
from reconciler.plan import plan
from reconciler.plan.cause import Cause, compared, unknown
from reconciler.plan.diff import Change

_CHANGE = revision_change.c
_PARTNER = _CHANGE.partner
_BATCH = 300
"""How many rows or revisions are asked for with one query."""
_GROUP = itemgetter(0, 1)
_MANY = 100
"""So many rows of a partner, and reading all of them costs less than asking for each."""


class RevisionRef(NamedTuple):
    """A revision, when it was applied, in UTC, and which one it undid, if it is a rollback."""

    number: int
    applied_at: datetime
    rolls_back: int | None


class LastAppliedRow(NamedTuple):
    """A row as the newest entry about it left it, in JSON; `row_id` is its server's number."""

    revision: RevisionRef
    kind: str
    text: str | None
    row_id: int | None

    @property
    def row(self) -> Row | None:
        """The row as the revision left it; None where that deleted it.

        An entry that was tampered with reads as a row of nothing.
        """
        if readable := as_json.readable(self.kind, self.text):
            return readable.row
        kind = as_json.TYPES[self.kind]
        return kind._make([None] * len(kind._fields))


class _Entry(NamedTuple):
    """An entry of the ledger; `name` is what the row was called at the time."""

    partner: str
    kind: str
    name: str
    row_id: int | None
    number: int
    text: str | None


def _age(entry: _Entry) -> tuple[int, bool]:
    """What orders entries; of one revision, that of a row that comes is the newer."""
    return entry.number, entry.text is not None


def row_identity(kind: str, name: str, row_id: int | None) -> tuple[str, str, int | None]:
    """What a row of a partner is known by under all of its names."""
    if row_id is not None:
        name = name.rpartition("/")[2] if kind == "link" else ""
    return kind, name, row_id


class LastApplied:
    """Reads the ledger by rows, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._revisions: dict[int, RevisionRef] = {}

    @cached_property
    def is_empty(self) -> bool:
        """Whether nothing was ever applied."""
        return not any(fetch(self._connection, select(revision.c.number).limit(1)))

    def partners(self, since: int | None = None) -> set[str]:
        """All partners that anything was ever applied to, or after revision `since`."""
        return self._partners(*([] if since is None else [_CHANGE.revision > since]))

    def partners_with(self, server: str, partner: str = "") -> set[str]:
        """The partners that ever had a server of this id; with `partner`, whether that one had."""
        owner = [_CHANGE.partner == partner] if partner else []
        return self._partners(_CHANGE.kind == "server", _CHANGE.name == server, *owner)

    def knows(self, partners: Sequence[str]) -> set[str]:
        """Which of `partners` have any entry."""
        return self._partners(_PARTNER.in_(partners))

    def _partners(self, *conditions: ColumnElement[bool]) -> set[str]:
        query = select(_PARTNER).where(*conditions).distinct()
        return {name for (name,) in fetch(self._connection, query)}

    def former_names(self, partners: Sequence[str]) -> dict[str, dict[str, str]]:
        """For each partner, what its renamed servers were called before, by their names now.

        A rename that was rolled back is none, and nor is the rollback's own.
        """
        c, undone = _CHANGE, revision.alias()
        taken_back = and_(undone.c.number == revision.c.rolls_back, undone.c.rolls_back.is_(None))
        query = select(c.partner, c.row_id, c.name, c.renamed_from, undone.c.number)
        query = query.where(c.partner.in_(partners), c.renamed_from.is_not(None))
        query = query.join(revision).outerjoin(undone, taken_back).order_by(c.revision)
        newest: dict[int, tuple[str, str, str]] = {}
        for partner, row_id, new, old, rolled_back in fetch(self._connection, query):
            newest.pop(row_id, None)
            if rolled_back is None:
                newest[row_id] = (partner, new, old)
        names: dict[str, dict[str, str]] = {}
        for partner, new, old in newest.values():
            names.setdefault(partner, {})[new] = old
        return names

    def newest(self, keys: Iterable[RowKey]) -> dict[RowKey, LastAppliedRow]:
        """What was last applied to these rows; one that the ledger does not know is left out."""
        asked = set(keys)
        if not asked or self.is_empty:
            return {}
        counts = Counter(key.partner for key in asked)
        whole = [partner for partner, count in counts.items() if count > _MANY]
        few = [key for key in asked if counts[key.partner] <= _MANY]
        conditions = [_PARTNER.in_(whole)] if whole else []
        newest = self._newest([*conditions, *self._conditions(few)])
        return self._rows({key: newest[key] for key in asked if key in newest})

    def everything(self, partners: Sequence[str]) -> dict[RowKey, LastAppliedRow]:
        """What was last applied to every row that the ledger knows of these partners."""
        return self._rows(self._newest([_PARTNER.in_(partners)]))

    def names_of(self, partner: str, row_ids: Collection[int]) -> dict[int, tuple[str, str]]:
        """The first and the last name of servers in the ledger, by the numbers of their rows."""
        c = _CHANGE
        names: dict[int, tuple[str, str]] = {}
        for condition in _batches(((partner, "server", row_id) for row_id in row_ids), c.row_id):
            query = select(c.row_id, c.name).where(condition)
            in_order = query.order_by(c.revision, c.position.desc())
            for row_id, name in fetch(self._connection, in_order):
                first, _last = names.get(row_id, (name, name))
                names[row_id] = (first, name)
        return names

    def _conditions(self, keys: Sequence[RowKey]) -> Iterator[ColumnElement[bool]]:
        """Conditions for all entries about these rows, and about the servers of links."""
        servers = {key._replace(kind="server", name=key.server) for key in keys if key.server}
        kinds = {key.kind for key in keys if key.server} | {"server"}
        numbers: set[tuple[str, str, int]] = set()
        for condition in _batches(servers, _CHANGE.name):
            query = select(_PARTNER, _CHANGE.row_id).where(condition).distinct()
            for partner, row_id in fetch(self._connection, query):
                numbers.update((partner, kind, row_id) for kind in kinds)
        yield from _batches(numbers, _CHANGE.row_id)
        yield from _batches((key for key in keys if not key.server), _CHANGE.name)

    def _newest(self, conditions: Iterable[ColumnElement[bool]]) -> dict[RowKey, _Entry]:
        """The newest entry about each row, by what it is called now.

        Of several servers that were last called so, it is the one that was so last.
        """
        c = _CHANGE
        newest: dict[tuple[Any, ...], _Entry] = {}
        for condition in conditions:
            query = select(c.partner, c.kind, c.name, c.row_id, c.revision, c.after)
            for entry in map(_Entry._make, fetch(self._connection, query.where(condition))):
                partner, kind, name, row_id, _number, _text = entry
                identity = (partner, *row_identity(kind, name, row_id))
                other = newest.setdefault(identity, entry)
                if other is not entry and _age(other) < _age(entry):
                    newest[identity] = entry
        return _by_name(newest)

    def _rows(self, entries: Mapping[RowKey, _Entry]) -> dict[RowKey, LastAppliedRow]:
        c = revision.c
        missing = iter({entry.number for entry in entries.values()} - self._revisions.keys())
        while some := [*islice(missing, _BATCH)]:
            query = select(c.number, c.applied_at, c.rolls_back).where(c.number.in_(some))
            for number, applied_at, rolls_back in self._connection.execute(query):
                when = applied_at.replace(tzinfo=UTC)
                self._revisions[number] = RevisionRef(number, when, rolls_back)
        return {
            key: LastAppliedRow(self._revisions[number], kind, text, row_id)
            for key, (_, kind, _, row_id, number, text) in entries.items()
        }


def _by_name(newest: Mapping[tuple[Any, ...], _Entry]) -> dict[RowKey, _Entry]:
    """Entries, which are by identity, by what their rows are called now, links by their servers."""
    rows = sorted((entry for entry in newest.values() if entry.kind != "link"), key=_age)
    named = {RowKey(*entry[:3]): entry for entry in rows}
    names = {entry.row_id: entry.name for entry in named.values() if entry.kind == "server"}
    superseded = {entry.row_id for entry in rows if entry.kind == "server"} - names.keys()
    for (partner, kind, cnpj, row_id), entry in newest.items():
        if kind == "link" and row_id not in superseded:
            name = f"{names[row_id]}/{cnpj}" if row_id in names else entry.name
            named[RowKey(partner, kind, name)] = entry
    return named


def causes(
    ledger: LastApplied, changes: Mapping[str, tuple[Change, ...]]
) -> dict[str, tuple[Cause, ...]]:
    """Why the changes of each partner are there; partners that the ledger knows no row of are not.

    Nothing is asked about a partner that is new in the ledger too.
    """
    if not any(changes.values()) or ledger.is_empty:
        return {}
    new = {
        change.partner
        for made in changes.values()
        for change in made
        if change.before is None and isinstance(change.after, Partner)
    }
    new -= ledger.knows([*new])
    keys = {name: [*keys_of(made)] for name, made in changes.items() if name not in new}
    newest = ledger.newest(key for asked in keys.values() for key in asked if key)
    same: dict[Cause, Cause] = {}
    explained = {}
    for partner, asked in keys.items():
        lasts = [newest.get(key) if key else None for key in asked]
        if any(lasts):
            reasons = map(_cause, changes[partner], lasts)
            explained[partner] = tuple(same.setdefault(cause, cause) for cause in reasons)
    return explained


def keys_of(changes: Sequence[Change]) -> Iterator[RowKey | None]:
    """The rows of changes by the names they have until then; None for one that has none yet."""
    new_names = plan.new_names(changes)
    old_names = {new: old for old, new in new_names.items()}
    for change in changes:
        key = change.key
        server = key.server if new_names else ""
        if server in old_names:
            yield key.of_server(old_names[server])
        else:
            yield None if server in new_names else key


def _cause(change: Change, last: LastAppliedRow | None) -> Cause:
    if last is None:
        return unknown(change)
    if last.text == as_json.text(change.before):
        return Cause("manifest", *last.revision)
    cause = compared(change, last.row)
    return Cause(cause.changed, *last.revision, cause.fields)


def _batches(
    values: Iterable[tuple[str, str, Any]], column: ColumnElement[Any]
) -> Iterator[ColumnElement[bool]]:
    """Conditions for the entries of each partner, kind and value of a column, some at a time."""
    remaining = iter(sorted(values, key=_GROUP))
    while some := list(islice(remaining, _BATCH)):
        conditions = (
            and_(
                partner == _PARTNER, _CHANGE.kind == kind, column.in_([item[-1] for item in group])
            )
            for (partner, kind), group in groupby(some, _GROUP)
        )
        yield or_(*conditions)
