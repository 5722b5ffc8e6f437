"""The mail servers in the database, as `list` and `show` show them.

Rows of other programs too: whoever looks wants to see the strange ones above all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    column,
    func,
    literal,
    or_,
    select,
    table,
    true,
)

from reconciler.database.bulk import fetch
from reconciler.database.observe import has_id
from reconciler.database.rows import columns, name_of, read_link, read_server, readable
from reconciler.database.tables import company, link, mail_server, probe_result
from reconciler.database.verdicts import COLUMNS, FAILED, Last, last_of
from reconciler.diagnostics.problem import Failure
from reconciler.model.state import Link, MailServer, id_of

_BATCH = 500
"""As many servers are read with one query."""
_LINKED = link.c.mail_server_id
_ROWS = mail_server.outerjoin(probe_result)
_VIEW = table("company_mailbox", column("mail_server_id"), column("cnpj"), column("sender_name"))
_FIELDS = len(MailServer._fields)
_ROW_NUMBER = re.compile(r"#([0-9]{1,18})")


class ServerFilter(NamedTuple):
    """Which mail servers are meant; what is empty or None leaves none out.

    `partners` and `cnpj`, which is bare, are exact. `company` (the nickname of one that is linked),
    `email` (username or sender) and `nickname` match parts, whatever their case and accents. With
    `failed` the last test of it failed.
    """

    partners: tuple[str, ...] = ()
    cnpj: str | None = None
    direction: str | None = None
    active: bool | None = None
    company: str = ""
    email: str = ""
    nickname: str = ""
    failed: bool = False


class Listed(NamedTuple):
    """A mail server, the number of its row, how many companies are linked to it, and its last test
    if there was one.
    """

    partner: str
    row_id: int
    server: MailServer
    companies: int
    last: Last | None

    @property
    def address(self) -> str:
        """What `show` finds it by."""
        return f"{self.partner}/{self.server.stable_id}"


class ShownLink(NamedTuple):
    """A link, and the nickname of its company; None where the database has no such company."""

    link: Link
    company: str | None


def servers(connection: Connection, server_filter: ServerFilter) -> Iterator[Listed]:
    """The mail servers that pass the filter, by partner and id; those without an id come last.

    Only some are in memory at a time. They are put in order here, since each kind of database has
    an order of its own.
    """
    linked = linked_to(connection, server_filter) if server_filter.company else None
    for row in _ordered(connection, *conditions_of(server_filter)):
        if (
            server_filter.active in (None, row.server.active)
            and (linked is None or row.row_id in linked)
            and _contains(server_filter.nickname, row.server.nickname)
            and _contains(server_filter.email, row.server.username, row.server.sender_email)
        ):
            yield row


def seen_by(connection: Connection, cnpj: str) -> Iterator[Listed]:
    """What the company with this bare CNPJ sees: active, and with the sender name it has there."""
    seen = select(_VIEW.c.mail_server_id, _VIEW.c.sender_name).where(_VIEW.c.cnpj == cnpj)
    names = dict(map(readable, fetch(connection, seen)))
    # A link that appears between the two queries has no name yet: it is left out.
    is_seen = mail_server.c.id.in_(seen.with_only_columns(_VIEW.c.mail_server_id))
    for row in _ordered(connection, is_seen):
        if row.row_id in names:
            yield row._replace(server=row.server._replace(sender_name=names[row.row_id]))


def find(connection: Connection, address: str) -> Listed:
    """The mail server called `partner/id`, or by an id alone that only one partner has.

    Raises:
        Failure: there is none, or several partners have one.
    """
    rows = read(connection, _may_be_called(connection, address))
    matching = [row for row in rows if address in (row.address, row.server.stable_id)]
    if not matching:
        raise Failure.of("MBX615", name=address)
    if len(matching) > 1:
        partners = ", ".join(sorted(row.partner for row in matching))
        raise Failure.of("MBX608", name=address, partners=partners)
    return matching[0]


def _may_be_called(connection: Connection, address: str) -> ColumnElement[bool]:
    """Which rows come into question: other programs' ids may have slashes, or be missing."""
    steps = address.split("/")
    is_named = has_id(connection, [id_of("/".join(steps[at:])) for at in range(len(steps))])
    number = _ROW_NUMBER.fullmatch(steps[-1])
    if not number:
        return is_named
    return or_(is_named, mail_server.c.id == literal(int(number[1]), BigInteger))


def links_of(connection: Connection, row_id: int) -> list[ShownLink]:
    """The links of the mail server in this row, by CNPJ."""
    query = (
        select(company.c.nickname, *columns(Link))
        .select_from(link.outerjoin(company))
        .where(link.c.mail_server_id == row_id)
        .order_by(link.c.cnpj)
    )
    rows = map(readable, fetch(connection, query))
    return [ShownLink(read_link(values), nickname) for nickname, *values in rows]


def _ordered(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[Listed]:
    c = mail_server.c
    query = select(c.id, c.partner, c.stable_id).where(*conditions)
    keys = sorted(
        (partner, row_id if stable_id is None else 0, name_of(stable_id, row_id), row_id)
        for row_id, partner, stable_id in fetch(connection, query)
    )
    numbers = [key[-1] for key in keys]
    del keys
    for start in range(0, len(numbers), _BATCH):
        batch = numbers[start : start + _BATCH]
        rows = {row.row_id: row for row in read(connection, c.id.in_(batch))}
        yield from (rows[number] for number in batch if number in rows)


def read(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[Listed]:
    """The mail servers that meet all `conditions`, in no order."""
    counting = select(_LINKED, func.count()).group_by(_LINKED)
    if conditions:
        counting = counting.where(_LINKED.in_(select(mail_server.c.id).where(*conditions)))
    counts = dict(fetch(connection, counting))
    c = mail_server.c
    query = select(c.partner, c.id, *columns(MailServer), *COLUMNS).select_from(_ROWS)
    for partner, row_id, stable_id, *values in fetch(connection, query.where(*conditions)):
        server = read_server([name_of(stable_id, row_id), *values[: _FIELDS - 1]])
        last = last_of(readable(values[_FIELDS - 1 :]))
        yield Listed(partner, row_id, server, counts.get(row_id, 0), last)


def conditions_of(server_filter: ServerFilter) -> Iterator[ColumnElement[bool]]:
    """What the filter asks of a row, its links and tests, as far as the database can tell."""
    c = mail_server.c
    if server_filter.partners:
        yield c.partner.in_(server_filter.partners)
    if server_filter.cnpj is not None:
        yield c.id.in_(select(_LINKED).where(link.c.cnpj == server_filter.cnpj))
    if server_filter.direction is not None:
        yield c.direction == server_filter.direction
    if server_filter.failed:
        last = select(probe_result.c.mail_server_id)
        yield c.id.in_(last.where(probe_result.c.verdict == FAILED))


def is_active() -> ColumnElement[bool]:
    """Whether a server is not switched off."""
    return mail_server.c.active == true()


def linked_to(connection: Connection, server_filter: ServerFilter) -> set[int]:
    """The rows that are linked to a company of the nickname of the filter."""
    query = select(company.c.cnpj, company.c.nickname)
    if server_filter.partners:
        query = query.where(company.c.partner.in_(server_filter.partners))
    cnpjs = [
        cnpj
        for cnpj, nickname in map(readable, fetch(connection, query))
        if _contains(server_filter.company, nickname)
    ]
    numbers: set[int] = set()
    for start in range(0, len(cnpjs), _BATCH):
        is_linked = link.c.cnpj.in_(cnpjs[start : start + _BATCH])
        numbers.update(row_id for (row_id,) in fetch(connection, select(_LINKED).where(is_linked)))
    return numbers


def _contains(part: str, *texts: str | None) -> bool:
    return not part or any(_folded(part) in _folded(text) for text in texts if text)


def _folded(text: str) -> str:
    """`text` without its case and accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))
