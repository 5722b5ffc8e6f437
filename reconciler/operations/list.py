"""`list`: the mail servers in the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.database import listing
from reconciler.database.listing import Listed, ServerFilter
from reconciler.operations.context import Context


@contextmanager
def servers(
    context: Context, server_filter: ServerFilter, seen_by: str | None = None
) -> Iterator[Iterator[Listed] | None]:
    """The mail servers that pass the filter, read as they are asked for.

    With `seen_by`, those that the company with this bare CNPJ sees; None where the database is new.
    """
    with context.reading() as connection:
        if connection is None:
            yield None
        elif seen_by:
            yield listing.seen_by(connection, seen_by)
        else:
            yield listing.servers(connection, server_filter)
