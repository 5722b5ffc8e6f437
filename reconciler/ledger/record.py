"""The ledger: one revision for each applied plan, with every change that it made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from reconciler import __version__
from reconciler.database import bulk
from reconciler.database.tables import (
    partner,
    revision,
    revision_acceptance,
    revision_change,
    revision_password,
)
from reconciler.ledger.last_applied import LastApplied
from reconciler.model import as_json
from reconciler.model.state import RowKey
from reconciler.plan.plan import PartnerPlan, Password, Plan, summarise

Numbers = Mapping[tuple[str, str], int]
"""The numbers of mail servers' rows, by partner and by what the servers are called."""


class Made(NamedTuple):
    """What becomes a revision: changes that were made, changes of other programs that stay, and
    passwords that were sealed anew, with the number of each one's row.
    """

    applied: tuple[PartnerPlan, ...]
    agreed: tuple[PartnerPlan, ...]
    sealed: Mapping[Password, int]
    numbers: Numbers

    @property
    def parts(self) -> tuple[PartnerPlan, ...]:
        return (*self.applied, *self.agreed)


_CHANGE = (
    *("revision", "position", "partner", "kind", "row_id", "name", "action"),
    *("renamed_from", "before", "after"),
)
_PASSWORD = ("revision", "partner", "server", "row_id")
_ACCEPTANCE = ("revision", "partner", "guard", "count", "reason", "until")


def record(connection: Connection, plan: Plan, made: Made, applied_by: str, now: datetime) -> int:
    """Write the revision of what was made of `plan`; its number is returned."""
    numbers = {**_gone(connection, made), **made.numbers}
    connection.execute(
        insert(revision).values(
            plan_id=plan.id,
            applied_at=now.replace(tzinfo=None),
            applied_by=applied_by,
            project=plan.project,
            commit_id=plan.commit,
            rolls_back=plan.rolls_back,
            tool_version=__version__,
            manifest_digest=plan.manifest_digest,
            selection=json.dumps(plan.selection._asdict()),
            summary=json.dumps(summarise(made.parts, made.sealed)._asdict()),
        )
    )
    number = revision_of(connection, plan.id)
    assert number is not None
    bulk.load(connection, revision_change, _CHANGE, _changes(number, made.parts, numbers))
    passwords = (
        (number, item.partner, item.server, row_id) for item, row_id in made.sealed.items()
    )
    bulk.load(connection, revision_password, _PASSWORD, passwords)
    accepted = (
        (number, *(getattr(item, name) for name in _ACCEPTANCE[1:]))
        for part in made.parts
        for item in part.accepted
    )
    bulk.load(connection, revision_acceptance, _ACCEPTANCE, accepted)
    return number


def is_empty(connection: Connection) -> bool:
    """Whether nothing was ever applied to this database, and no program has a partner in it."""
    queries = (select(column).limit(1) for column in (revision.c.number, partner.c.id))
    return not any(connection.execute(query).first() for query in queries)


def revision_of(connection: Connection, plan_id: str) -> int | None:
    """The revision that a plan was applied as; None where it was not."""
    query = select(revision.c.number).where(revision.c.plan_id == plan_id)
    return connection.execute(query).scalar()


def _gone(connection: Connection, made: Made) -> Numbers:
    """The numbers of servers that others deleted: only the ledger still has them."""
    servers = {
        RowKey(part.partner, "server", change.server)
        for part in made.agreed
        for change in part.changes
        if change.server and (part.partner, change.server) not in made.numbers
    }
    newest = LastApplied(connection).newest(servers)
    return {
        (key.partner, key.name): last.row_id
        for key, last in newest.items()
        if last.row_id is not None
    }


def _changes(
    number: int, parts: tuple[PartnerPlan, ...], numbers: Numbers
) -> Iterator[tuple[Any, ...]]:
    changes = (change for part in parts for change in part.changes)
    for position, change in enumerate(changes, 1):
        server = change.server
        yield (
            *(number, position, change.partner, change.kind),
            numbers.get((change.partner, server)) if server else None,
            *(change.name, str(change.action), change.renamed_from),
            *(as_json.text(change.before), as_json.text(change.after)),
        )
