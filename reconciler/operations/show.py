"""`show`: one mail server in the database, with its links."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.database import showing
from reconciler.database.listing import Listed
from reconciler.database.showing import ShownLink
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
        server = showing.find(connection, address)
        return Shown(server, showing.links_of(connection, server.row_id))
