"""One mail server in the database with its links, as `show` shows it."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, literal, or_, select

from reconciler.database.bulk import fetch
from reconciler.database.dialects import flag
from reconciler.database.listing import Listed, read, readable
from reconciler.database.tables import company, link, mail_server
from reconciler.diagnostics.problem import Failure
from reconciler.model.state import Link, id_of

_ROW_NUMBER = re.compile(r"#([0-9]{1,18})")


class ShownLink(NamedTuple):
    """A link, and the nickname of its company; None where the database has no such company."""

    link: Link
    company: str | None


def find(connection: Connection, address: str) -> Listed:
    """The mail server called `partner/id`, or by an id alone that only one partner has.

    Raises:
        Failure: there is none, or several partners have one.
    """
    rows = read(connection, _may_be_called(address))
    found = [row for row in rows if address in (row.address, row.server.stable_id)]
    if not found:
        raise Failure.of("MBX615", name=address)
    if len(found) > 1:
        partners = ", ".join(sorted(row.partner for row in found))
        raise Failure.of("MBX608", name=address, partners=partners)
    return found[0]


def _may_be_called(address: str) -> ColumnElement[bool]:
    """Which rows come into question: other programs' ids may have slashes, or be missing."""
    steps = address.split("/")
    ids = [id_of("/".join(steps[start:])) for start in range(len(steps))]
    has_id = mail_server.c.stable_id.in_(ids)
    number = _ROW_NUMBER.fullmatch(steps[-1])
    if not number:
        return has_id
    return or_(has_id, mail_server.c.id == literal(int(number[1]), BigInteger))


def links_of(connection: Connection, row_id: int) -> list[ShownLink]:
    """The links of the mail server in this row, by CNPJ."""
    query = (
        select(company.c.nickname, *(link.c[name] for name in Link._fields))
        .select_from(link.outerjoin(company))
        .where(link.c.mail_server_id == row_id)
        .order_by(link.c.cnpj)
    )
    found = []
    for values in fetch(connection, query):
        nickname, cnpj, sender_name, active, *declared = map(readable, values)
        found.append(ShownLink(Link(cnpj, sender_name, bool(flag(active)), *declared), nickname))
    return found
