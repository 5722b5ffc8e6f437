"""`show`: one mail server in the database, with its links."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.database import listing
from reconciler.database.listing import Listed, ShownLink
from reconciler.operations.context import Context


class Shown(NamedTuple):
    """A mail server and the companies linked to it."""

    server: Listed
    links: list[ShownLink]


def show(context: Context, address: str) -> Shown:
    """The mail server that is called `partner/id`, `id`, or `partner/#number`.

    Raises:
        Failure: there is none, several are called so, or the database is new.
    """
    with context.existing() as connection:
        server = listing.find(connection, address)
        return Shown(server, listing.links_of(connection, server.row_id))
