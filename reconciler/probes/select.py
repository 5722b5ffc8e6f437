"""Which mail servers are tested: the names that somebody gave → numbers of rows, in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, or_, select, true

from reconciler.database import bulk, listing, observe
from reconciler.database.listing import Listed, ServerFilter
from reconciler.database.tables import mail_server
from reconciler.diagnostics.closest import closest
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.probes.documents import Shard
from reconciler.probes.results import Level
from reconciler.probes.target import Target

BATCH = 500
"""As many servers are read together, or one mailbox with all the servers that share it."""
_KEY_BITS = 64


class MailboxFilter(NamedTuple):
    """Which servers are meant, among the active ones unless `inactive`; by default all.

    `partners` and `servers` (`partner/id`; active or not) add up; the rest leaves what fits all of
    it. `changed` are partners and ids.
    """

    partners: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    cnpj: str | None = None
    company: str = ""
    changed: frozenset[tuple[str, str]] | None = None
    failed: bool = False
    inactive: bool = False


class SelectedServers(NamedTuple):
    """The rows that are tested, by mailbox, in an order that mixes hosts and never changes."""

    batches: tuple[tuple[int, ...], ...]

    @property
    def servers(self) -> int:
        """How many rows they are."""
        return sum(map(len, self.batches))


def select_servers(connection: Connection, wanted: MailboxFilter, shard: Shard) -> SelectedServers:
    """The servers that are meant, of this shard; all that share a mailbox are in one batch.

    Raises:
        Failure: a partner or server is unknown, or several partners have such a server.
    """
    keys = sorted(_keys(connection, wanted, shard))
    return SelectedServers(tuple(_batches(keys)))


def numbers_of(connection: Connection, names: Collection[tuple[str, str]]) -> dict[str, int]:
    """The rows of servers by partner and id, as `partner/id`; without those that are not there."""
    c = mail_server.c
    partners = sorted({owner for owner, _name in names})
    found: dict[str, int] = {}
    for start in range(0, len(partners), BATCH):
        query = select(c.partner, c.stable_id, c.id).where(
            c.partner.in_(partners[start : start + BATCH])
        )
        for owner, name, number in bulk.fetch(connection, query):
            if (owner, name) in names:
                found[f"{owner}/{name}"] = number
    return found


def rows(connection: Connection, numbers: Iterable[int]) -> list[Listed]:
    """These rows, as far as they are still there."""
    return list(listing.read(connection, mail_server.c.id.in_(tuple(numbers))))


def _keys(connection: Connection, wanted: MailboxFilter, shard: Shard) -> Iterator[int]:
    """The key of each mailbox and the number of its row, in one number to be sorted by."""
    conditions = _conditions(connection, wanted)
    query = select(mail_server.c.id).where(*conditions)
    numbers = [number for (number,) in bulk.fetch(connection, query)]
    linked = _linked(connection, wanted)
    for start in range(0, len(numbers), BATCH):
        for row in rows(connection, numbers[start : start + BATCH]):
            if wanted.changed is not None and not _is_changed(row, wanted.changed):
                continue
            if linked is not None and row.row_id not in linked:
                continue
            target = Target(row.server, (row.address,), Level.SEND)
            if target.in_shard(*shard):
                yield target.key << _KEY_BITS | row.row_id


def _batches(keys: list[int]) -> Iterator[tuple[int, ...]]:
    batch: list[int] = []
    for _key, group in groupby(keys, lambda key: key >> _KEY_BITS):
        batch += [key & (1 << _KEY_BITS) - 1 for key in group]
        if len(batch) >= BATCH:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)


def _conditions(connection: Connection, wanted: MailboxFilter) -> Iterator[ColumnElement[bool]]:
    c = mail_server.c
    named = _named(connection, wanted.servers)
    active = true() if wanted.inactive else listing.is_active()
    if wanted.partners:
        _require_partners(connection, wanted.partners)
        yield or_(c.id.in_(named), and_(c.partner.in_(wanted.partners), active))
    elif wanted.servers:
        yield c.id.in_(named)
    else:
        yield active
    yield from listing.conditions_of(ServerFilter(cnpj=wanted.cnpj, failed=wanted.failed))


def _named(connection: Connection, servers: Iterable[str]) -> list[int]:
    found: list[int] = []
    problems: list[Problem] = []
    for name in servers:
        try:
            found.append(listing.find(connection, name).row_id)
        except Failure as failure:
            problems += failure.problems
    if problems:
        raise Failure(problems)
    return found


def _require_partners(connection: Connection, names: Iterable[str]) -> None:
    problems: list[Problem] = []
    for name in names:
        if not observe.has_partner(connection, name):
            values = {"name": name, "suggestion": closest(name, observe.partners(connection))}
            problems.append(Problem("MBX606", None, values))
    if problems:
        raise Failure(problems)


def _linked(connection: Connection, wanted: MailboxFilter) -> set[int] | None:
    """The rows that are linked to a company of the nickname that is wanted, if one is."""
    if not wanted.company:
        return None
    return listing.linked_to(connection, ServerFilter(company=wanted.company))


def _is_changed(row: Listed, changed: frozenset[tuple[str, str]]) -> bool:
    return (row.partner, row.server.stable_id) in changed
