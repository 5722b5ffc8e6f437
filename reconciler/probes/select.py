"""Which mail servers are tested: the names and filters asked for → numbers of rows, in batches."""

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
from reconciler.probes.results import Level
from reconciler.probes.shards import Shard
from reconciler.probes.target import Target

BATCH = 500
"""How many servers are read together; more only where they share one mailbox."""
_KEY_BITS = 64


class MailboxFilter(NamedTuple):
    """Which servers are asked for: by default all active ones, with `inactive` the others too.

    `partners` and `servers` (`partner/id`; active or not) add up; the other filters all apply.
    `changed` are partners and ids.
    """

    partners: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    cnpj: str | None = None
    company: str = ""
    changed: frozenset[tuple[str, str]] | None = None
    failed: bool = False
    inactive: bool = False


def select_servers(
    connection: Connection, mailboxes: MailboxFilter, shard: Shard
) -> list[tuple[int, ...]]:
    """The rows asked for, of this shard, in an order that mixes hosts and never changes; all that
    share a mailbox are in one batch. Raises `Failure` where a partner or server is unknown, or
    several partners have such a server.
    """
    return list(_batches(sorted(_keys(connection, mailboxes, shard))))


def numbers_of(connection: Connection, names: Collection[tuple[str, str]]) -> dict[str, int]:
    """The rows of servers by partner and id, as `partner/id`; without those that do not exist."""
    c = mail_server.c
    partners = sorted({partner for partner, _name in names})
    numbers: dict[str, int] = {}
    for start in range(0, len(partners), BATCH):
        query = select(c.partner, c.stable_id, c.id).where(
            c.partner.in_(partners[start : start + BATCH])
        )
        for partner, name, number in bulk.fetch(connection, query):
            if (partner, name) in names:
                numbers[f"{partner}/{name}"] = number
    return numbers


def rows_of(connection: Connection, numbers: Iterable[int]) -> list[Listed]:
    """The rows with these numbers, as far as they still exist."""
    return list(listing.read(connection, mail_server.c.id.in_(tuple(numbers))))


def _keys(connection: Connection, mailboxes: MailboxFilter, shard: Shard) -> Iterator[int]:
    """The key of each mailbox and the number of its row, in one number to be sorted by."""
    query = select(mail_server.c.id).where(*_conditions(connection, mailboxes))
    numbers = [number for (number,) in bulk.fetch(connection, query)]
    by_company = ServerFilter(company=mailboxes.company)
    linked = listing.linked_to(connection, by_company) if mailboxes.company else set(numbers)
    for start in range(0, len(numbers), BATCH):
        for row in rows_of(connection, numbers[start : start + BATCH]):
            name = (row.partner, row.server.stable_id)
            is_changed = mailboxes.changed is None or name in mailboxes.changed
            target = Target(row.server, (row.address,), Level.SEND)
            if is_changed and row.row_id in linked and target.in_shard(*shard):
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


def _conditions(connection: Connection, mailboxes: MailboxFilter) -> Iterator[ColumnElement[bool]]:
    c = mail_server.c
    named = _named(connection, mailboxes.servers)
    active = true() if mailboxes.inactive else listing.is_active()
    if mailboxes.partners:
        _require_partners(connection, mailboxes.partners)
        yield or_(c.id.in_(named), and_(c.partner.in_(mailboxes.partners), active))
    elif mailboxes.servers:
        yield c.id.in_(named)
    else:
        yield active
    yield from listing.conditions_of(ServerFilter(cnpj=mailboxes.cnpj, failed=mailboxes.failed))


def _named(connection: Connection, servers: Iterable[str]) -> list[int]:
    numbers: list[int] = []
    problems: list[Problem] = []
    for name in servers:
        try:
            numbers.append(listing.find(connection, name).row_id)
        except Failure as failure:
            problems += failure.problems
    if problems:
        raise Failure(problems)
    return numbers


def _require_partners(connection: Connection, names: Iterable[str]) -> None:
    problems: list[Problem] = []
    for name in names:
        if not observe.has_partner(connection, name):
            values = {"name": name, "suggestion": closest(name, observe.partners(connection))}
            problems.append(Problem("MBX606", None, values))
    if problems:
        raise Failure(problems)
