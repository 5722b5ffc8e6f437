"""`history`: what was applied, by whom, and what it changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.diagnostics.problem import Failure
from reconciler.ledger import revisions
from reconciler.ledger.revisions import LedgerEntry, Revision, RevisionFilter, Revisions
from reconciler.operations.context import Context
from reconciler.plan.plan import Accepted, Password


class History(NamedTuple):
    """One revision whole; `entries` are read from the database as they are taken."""

    revision: Revision
    entries: Iterator[LedgerEntry]
    accepted: tuple[Accepted, ...]
    sealed: tuple[Password, ...]


def history(
    context: Context, revision_filter: RevisionFilter, server: str | None, limit: int
) -> Revisions:
    """The newest revisions that the filter and `server` (`partner/id` or `id`) mean.

    Raises:
        Failure: the database is new, or no partner, or several, have such a server.
    """
    with context.existing() as connection:
        if server is not None:
            named = _server(connection, revision_filter.partner, server)
            revision_filter = revision_filter._replace(server=named)
        return revisions.revisions(connection, revision_filter, limit)


@contextmanager
def revision(context: Context, name: str) -> Iterator[History]:
    """The revision of this number, or that this plan was applied as, while it is shown.

    Raises:
        Failure: the database is new, or its ledger has none.
    """
    with context.existing() as connection:
        called = revisions.revision_called(connection, name)
        yield History(
            called,
            revisions.entries(connection, called.number),
            revisions.acceptances(connection, called.number),
            revisions.sealed(connection, called.number),
        )


def _server(connection: Connection, partner: str | None, text: str) -> tuple[str, str]:
    """Partner and id of a server; its id alone is enough where only one partner has it."""
    owner, slash, name = text.partition("/")
    if slash:
        return owner, name
    if partner is not None:
        return partner, text
    owners = sorted(observe.partners_with(connection, text))
    if not owners:
        raise Failure.of("MBX615", name=text)
    if len(owners) > 1:
        raise Failure.of("MBX608", name=text, partners=", ".join(owners))
    return owners[0], text
