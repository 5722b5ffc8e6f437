"""The mail servers in the database, as `list` shows them.

Read leniently, rows of other programs too: whoever looks wants to see the strange ones above all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, column, func, select, table, true

from reconciler.database.bulk import fetch
from reconciler.database.dialects import flag
from reconciler.database.tables import company, link, mail_server, probe_result
from reconciler.database.verdicts import COLUMNS, FAILED, Last, last_of
from reconciler.model.state import MailServer, Origins, called

_IN = 500
_LINKED = link.c.mail_server_id
_COLUMNS = [mail_server.c.partner, mail_server.c.id]
_COLUMNS += [mail_server.c[name] for name in MailServer._fields]
_ROWS = mail_server.outerjoin(probe_result)
_VIEW = table("company_mailbox", column("mail_server_id"), column("cnpj"), column("sender_name"))
_FIELDS = len(MailServer._fields)
_FLAGS = ("active", "verify_certificate", "importable")


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


def servers(connection: Connection, wanted: ServerFilter) -> list[Listed]:
    """The mail servers that `wanted` means, by partner and id; those without an id come last."""
    linked = linked_to(connection, wanted) if wanted.company else None
    rows = (
        row
        for row in read(connection, *conditions_of(wanted))
        if wanted.active in (None, row.server.active)
        and (linked is None or row.row_id in linked)
        and _contains(wanted.nickname, row.server.nickname)
        and _contains(wanted.email, row.server.username, row.server.sender_email)
    )
    return sorted(rows, key=_order)


def seen_by(connection: Connection, cnpj: str) -> list[Listed]:
    """What the company with this bare CNPJ sees: active, and with the sender name it has there."""
    seen = select(_VIEW.c.mail_server_id, _VIEW.c.sender_name).where(_VIEW.c.cnpj == cnpj)
    names = dict(fetch(connection, seen))
    # A link that appears between the two queries has no name yet: it is left out.
    is_seen = mail_server.c.id.in_(seen.with_only_columns(_VIEW.c.mail_server_id))
    return [
        row._replace(server=row.server._replace(sender_name=names[row.row_id]))
        for row in sorted(read(connection, is_seen), key=_order)
        if row.row_id in names
    ]


def read(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[Listed]:
    """The mail servers that meet all `conditions`, in no order."""
    counting = select(_LINKED, func.count()).group_by(_LINKED)
    if conditions:
        counting = counting.where(_LINKED.in_(select(mail_server.c.id).where(*conditions)))
    counts = dict(fetch(connection, counting))
    query = select(*_COLUMNS, *COLUMNS).select_from(_ROWS).where(*conditions)
    for partner, row_id, *values in fetch(connection, query):
        server, last = values[:_FIELDS], map(readable, values[_FIELDS:])
        count = counts.get(row_id, 0)
        yield Listed(partner, row_id, _server(row_id, server), count, last_of([*last]))


def conditions_of(wanted: ServerFilter) -> Iterator[ColumnElement[bool]]:
    """What `wanted` asks of a row and its links and tests, as far as the database can tell."""
    c = mail_server.c
    if wanted.partners:
        yield c.partner.in_(wanted.partners)
    if wanted.cnpj is not None:
        yield c.id.in_(select(_LINKED).where(link.c.cnpj == wanted.cnpj))
    if wanted.direction is not None:
        yield c.direction == wanted.direction
    if wanted.failed:
        last = select(probe_result.c.mail_server_id)
        yield c.id.in_(last.where(probe_result.c.verdict == FAILED))


def is_active() -> ColumnElement[bool]:
    """Whether a server is not switched off."""
    return mail_server.c.active == true()


def linked_to(connection: Connection, wanted: ServerFilter) -> set[int]:
    """The rows that are linked to a company of the nickname that is wanted."""
    query = select(company.c.cnpj, company.c.nickname)
    if wanted.partners:
        query = query.where(company.c.partner.in_(wanted.partners))
    cnpjs = [
        cnpj
        for cnpj, nickname in fetch(connection, query)
        if _contains(wanted.company, readable(nickname))
    ]
    found: set[int] = set()
    for start in range(0, len(cnpjs), _IN):
        is_linked = link.c.cnpj.in_(cnpjs[start : start + _IN])
        found.update(row_id for (row_id,) in fetch(connection, select(_LINKED).where(is_linked)))
    return found


def _contains(part: str, *texts: str | None) -> bool:
    return not part or any(_folded(part) in _folded(text) for text in texts if text)


def _folded(text: str) -> str:
    """`text` without its case and accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _order(row: Listed) -> tuple[str, int, str]:
    name = row.server.stable_id
    return (row.partner, row.row_id if name == f"#{row.row_id}" else 0, name)


def _server(row_id: int, values: list[Any]) -> MailServer:
    fields = dict(zip(MailServer._fields, map(readable, values), strict=True))
    fields["origins"] = Origins.parse(fields["origins"])
    fields["ignore_changes"] = tuple((fields["ignore_changes"] or "").split())
    fields["stable_id"] = called(fields["stable_id"], row_id)
    for name in _FLAGS:
        fields[name] = flag(fields[name])
    return MailServer(**fields)


def readable(value: Any) -> Any:
    """Bytes, which SQLite takes where a text should be, as text; all else as it is."""
    return value.decode(errors="backslashreplace") if type(value) is bytes else value
