"""What the ledger last applied, row by row.

A row is asked for by partner, kind and the name it has now. The ledger has it under the name it had
then: where a server was renamed since, its entries and those of its links are found under the names
it had before, and what another server did under the same name is not mistaken for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from reconciler.database.bulk import fetch
from reconciler.database.tables import revision, revision_change
from reconciler.model import as_json
from reconciler.model.state import Partner, Row
from reconciler.plan import plan
from reconciler.plan.cause import Cause, compared, unknown
from reconciler.plan.diff import Change

_PARTNER = revision_change.c.partner
_NAMES = 300
"""How many names are asked for with one query."""
_MANY = 100


class Key(NamedTuple):
    """A row by its name: `kind` and `name` as a `Change` has them."""

    partner: str
    kind: str
    name: str

    @property
    def server(self) -> str | None:
        """The server that the row is, or belongs to; None for other kinds."""
        if self.kind == "server":
            return self.name
        return self.name.rpartition("/")[0] if self.kind == "link" else None

    def of_server(self, name: str) -> Key:
        """The same row, where its server is called so."""
        rest = f"/{self.name.rpartition('/')[2]}" if self.kind == "link" else ""
        return self._replace(name=name + rest)


_GONE = Key("", "", "")
LATEST = 2**31 - 1
"""The last number that a revision can have."""


class Span(NamedTuple):
    """A row by one of its names, and the first and last revision in which it had that name."""

    key: Key
    first: int
    last: int


class Revision(NamedTuple):
    """A revision of the ledger; `rolls_back` is the one that it undid, if it is a rollback."""

    number: int
    applied_at: datetime
    rolls_back: int | None


class LastAppliedRow(NamedTuple):
    """The newest entry of the ledger about a row, and the row as it left it, as JSON."""

    revision: Revision
    kind: str
    text: str | None

    @property
    def row(self) -> Row | None:
        """The row as the revision left it; None where that deleted it.

        An entry that was tampered with reads as a row of nothing.
        """
        try:
            return as_json.row(self.kind, self.text)
        except ValueError:
            kind = as_json.TYPES[self.kind]
            return kind._make([None] * len(kind._fields))


class LastApplied:
    """Reads the ledger by rows, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._revisions: dict[int, Revision] = {}

    @cached_property
    def is_empty(self) -> bool:
        """Whether nothing was ever applied."""
        return not any(fetch(self._connection, select(revision.c.number).limit(1)))

    def partners(self) -> set[str]:
        """All partners that anything was ever applied to."""
        return {name for (name,) in fetch(self._connection, select(_PARTNER).distinct())}

    def partners_with(self, server: str, partner: str = "") -> set[str]:
        """The partners that ever had a server of this id; with `partner`, whether that one had."""
        query = select(_PARTNER).where(
            revision_change.c.kind == "server", revision_change.c.name == server
        )
        if partner:
            query = query.where(_PARTNER.in_([partner]))
        return {name for (name,) in fetch(self._connection, query.distinct())}

    def knows(self, partners: Sequence[str]) -> set[str]:
        """Which of `partners` have any entry."""
        query = select(_PARTNER).where(_PARTNER.in_(partners)).distinct()
        return {name for (name,) in fetch(self._connection, query)}

    def renames(self, partners: Iterable[str]) -> dict[str, Renames]:
        """How the servers of `partners` were renamed; a partner without renames is left out."""
        c = revision_change.c
        query = select(c.partner, c.revision, c.renamed_from, c.name).where(
            c.partner.in_(list(partners)), c.kind == "server", c.renamed_from.is_not(None)
        )
        found: dict[str, dict[int, dict[str, str]]] = {}
        for partner, number, old, new in fetch(self._connection, query):
            found.setdefault(partner, {}).setdefault(number, {})[old] = new
        return {partner: Renames(revisions) for partner, revisions in found.items()}

    def newest(self, keys: Iterable[Key]) -> dict[Key, LastAppliedRow]:
        """What was last applied to these rows; one that the ledger does not know is left out."""
        wanted = set(keys)
        if not wanted or self.is_empty:
            return {}
        renames = self.renames({key.partner for key in wanted})
        groups = _groups(name for key in wanted for name in _names(key, renames))
        found = self._found(_batches(groups), renames)
        return self._applied({key: found[key] for key in wanted if key in found})

    def everything(self, partners: Sequence[str]) -> dict[Key, LastAppliedRow]:
        """What was last applied to every row that the ledger knows of these partners."""
        condition = _PARTNER.in_(partners)
        return self._applied(self._found([condition], self.renames(partners)))

    def _found(
        self, conditions: Iterable[ColumnElement[bool]], renames: Mapping[str, Renames]
    ) -> dict[Key, tuple[int, str | None]]:
        """Number and text of the newest entries, by what the rows are called now."""
        newest: dict[Key, tuple[int, str | None]] = {}
        for condition in conditions:
            for *named, number, text in fetch(self._connection, _entries(condition)):
                key = Key(*named)
                if key.partner in renames:
                    key = renames[key.partner].followed(key, number) or _GONE
                if key not in newest or newest[key][0] < number:
                    newest[key] = (number, text)
        newest.pop(_GONE, None)
        return newest

    def _applied(self, found: Mapping[Key, tuple[int, str | None]]) -> dict[Key, LastAppliedRow]:
        self._learn({number for number, _ in found.values()})
        return {
            key: LastAppliedRow(self._revisions[number], key.kind, text)
            for key, (number, text) in found.items()
        }

    def _learn(self, numbers: set[int]) -> None:
        missing = sorted(numbers - self._revisions.keys())
        c = revision.c
        for start in range(0, len(missing), _NAMES):
            query = select(c.number, c.applied_at, c.rolls_back).where(
                c.number.in_(missing[start : start + _NAMES])
            )
            for number, applied_at, rolls_back in self._connection.execute(query):
                when = applied_at.replace(tzinfo=UTC)
                self._revisions[number] = Revision(number, when, rolls_back)


class Renames:
    """How the servers of one partner were renamed, revision by revision.

    All renames of one revision happen at once, so that servers can swap their names.
    """

    def __init__(self, revisions: Mapping[int, Mapping[str, str]]) -> None:
        """`revisions` has the new names by the old ones, for each number of a revision."""
        self._revisions = sorted(revisions.items())

    def followed(self, key: Key, number: int) -> Key | None:
        """What the row is called now that revision `number` called so; None if it is gone."""
        server = key.server
        if server is None:
            return key
        for later, new_names in self._revisions:
            if later > number:
                if server in new_names:
                    server = new_names[server]
                elif server in new_names.values():
                    return None
        return key.of_server(server)

    def earlier(self, key: Key) -> Iterator[Key]:
        """The row by its name and by those that its server may have had before."""
        yield key
        server = key.server
        for _number, new_names in reversed(self._revisions):
            for old, new in new_names.items():
                if new == server:
                    server = old
                    yield key.of_server(server)
                    break

    def spans(self, key: Key, number: int = LATEST) -> Iterator[Span]:
        """Every name of the row that is called so after revision `number`, and when it had it."""
        server = key.server
        if server is None:
            yield Span(key, 1, LATEST)
            return
        for name, first, last in self._spans(server, number):
            yield Span(key.of_server(name), first, last)

    def _spans(self, server: str, number: int) -> Iterator[tuple[str, int, int]]:
        """The names of a server, from the one it has after revision `number`: back, then on."""
        name, last = server, self._left(server, number)
        for at, new_names in reversed(self._revisions):
            if at > number:
                continue
            old = next((old for old, new in new_names.items() if new == name), None)
            if old is not None:
                yield name, at, last
                name, last = old, at - 1
            elif name in new_names:  # what was called so before is called something else since
                yield name, at, last
                break
        else:
            yield name, 1, last
        for at, new_names in self._revisions:
            if at > number:
                if server in new_names:
                    server = new_names[server]
                    yield server, at, self._left(server, at)
                elif server in new_names.values():
                    return

    def _left(self, server: str, number: int) -> int:
        """The last revision in which the server is called so that is called so after `number`."""
        for later, new_names in self._revisions:
            if later > number and (server in new_names or server in new_names.values()):
                return later - 1
        return LATEST

    def last_called(self, key: Key) -> int:
        """The last revision after which some row is called so that is called otherwise now."""
        server = key.server
        for number, new_names in reversed(self._revisions):
            if server in new_names:
                return number - 1
        return LATEST

    def last(self) -> dict[str, str]:
        """The last old name of each server that was renamed, by its name now."""
        found: dict[str, str] = {}
        for _number, new_names in self._revisions:
            staying = {new: old for new, old in found.items() if new not in new_names}
            found = staying | {new: old for old, new in new_names.items()}
        return found


def causes(
    ledger: LastApplied, changes: Mapping[str, tuple[Change, ...]]
) -> dict[str, tuple[Cause, ...]]:
    """Why the changes of each partner are there; partners that the ledger knows no row of are not.

    Nothing is asked about a partner that is new in the ledger too.
    """
    if not any(changes.values()) or ledger.is_empty:
        return {}
    new = [partner for partner, made in changes.items() if any(map(_is_new_partner, made))]
    unknown_partners = set(new) - ledger.knows(new)
    keys = {
        partner: [*keys_of(made)]
        for partner, made in changes.items()
        if partner not in unknown_partners
    }
    newest = ledger.newest(key for asked in keys.values() for key in asked if key)
    same: dict[Cause, Cause] = {}
    found = {}
    for partner, asked in keys.items():
        lasts = [newest.get(key) if key else None for key in asked]
        if any(lasts):
            told = map(_cause, changes[partner], lasts)
            found[partner] = tuple(same.setdefault(cause, cause) for cause in told)
    return found


def _is_new_partner(change: Change) -> bool:
    return change.before is None and isinstance(change.after, Partner)


def keys_of(changes: Sequence[Change]) -> Iterator[Key | None]:
    """The rows of changes by the names they have until then; None for one that has none yet."""
    new_names = plan.new_names(changes)
    old_names = {new: old for old, new in new_names.items()}
    for change in changes:
        key = Key(change.partner, change.kind, change.name)
        server = key.server if new_names else None
        if server in old_names:
            yield key.of_server(old_names[server])
        else:
            yield None if server in new_names else key


def _cause(change: Change, last: LastAppliedRow | None) -> Cause:
    if last is None:
        return unknown(change)
    if last.text == as_json.text(change.before):
        return Cause("manifest", *last.revision)
    found = compared(change, last.row)
    return Cause(found.changed, *last.revision, found.fields)


def _names(key: Key, renames: Mapping[str, Renames]) -> Iterable[Key]:
    return renames[key.partner].earlier(key) if key.partner in renames else (key,)


Groups = dict[tuple[str, str], set[str]]


def _groups(keys: Iterable[Key]) -> Groups:
    """The names by partner and kind."""
    groups: Groups = {}
    for key in keys:
        groups.setdefault((key.partner, key.kind), set()).add(key.name)
    return groups


def _batches(groups: Groups) -> Iterator[ColumnElement[bool]]:
    """The conditions of queries that are not too long.

    Where many rows of a partner are wanted, all of the kind cost less than those by name.
    """
    c = revision_change.c
    whole: dict[str, list[str]] = {}
    batch: list[ColumnElement[bool]] = []
    room = _NAMES
    for (partner, kind), names in sorted(groups.items()):
        if len(names) > _MANY:
            whole.setdefault(kind, []).append(partner)
            continue
        if len(names) > room:
            yield or_(*batch)
            batch, room = [], _NAMES
        batch.append(and_(c.partner == partner, c.kind == kind, c.name.in_(sorted(names))))
        room -= len(names)
    if batch:
        yield or_(*batch)
    for kind, partners in whole.items():
        yield and_(c.partner.in_(partners), c.kind == kind)


def _entries(condition: ColumnElement[bool]) -> Select[tuple[str, str, str, int, str | None]]:
    c = revision_change.c
    return select(c.partner, c.kind, c.name, c.revision, c.after).where(condition)
