"""`list`: the mail servers in the database."""

from __future__ import annotations

from reconciler.database import listing
from reconciler.database.listing import Listed, ServerFilter
from reconciler.operations.context import Context


def servers(context: Context, server_filter: ServerFilter) -> list[Listed] | None:
    """The mail servers that pass the filter; None where the database is new."""
    with context.reading() as connection:
        return None if connection is None else listing.servers(connection, server_filter)


def mailboxes(context: Context, cnpj: str) -> list[Listed] | None:
    """The mail servers that a company sees; None where the database is new."""
    with context.reading() as connection:
        return None if connection is None else listing.seen_by(connection, cnpj)
