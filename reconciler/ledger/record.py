"""The ledger: one revision for each applied plan, with every change that it made."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
from reconciler.model import as_json
from reconciler.plan.plan import PartnerPlan, Password, Plan
from reconciler.plan.summary import summarise


class Made(NamedTuple):
    """What becomes a revision: the changes of these parts, and passwords that were sealed anew."""

    parts: tuple[PartnerPlan, ...]
    sealed: tuple[Password, ...] = ()


_FIRST = ((revision, "number"), (partner, "id"))
_CHANGE = (
    *("revision", "position", "partner", "kind", "name", "action"),
    *("renamed_from", "before", "after"),
)
_PASSWORD = ("revision", "partner", "server")
_ACCEPTANCE = ("revision", "partner", "guard", "count", "reason", "until")


def record(connection: Connection, plan: Plan, made: Made, applied_by: str, now: datetime) -> int:
    """Write the revision of what was made of `plan`; its number is returned."""
    applied, sealed = made
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
            summary=json.dumps(summarise(applied, sealed)._asdict()),
        )
    )
    query = select(revision.c.number).where(revision.c.plan_id == plan.id)
    number = int(connection.execute(query).scalar_one())
    bulk.load(connection, revision_change, _CHANGE, _changes(number, applied))
    passwords = ((number, item.partner, item.server) for item in sealed)
    bulk.load(connection, revision_password, _PASSWORD, passwords)
    bulk.load(connection, revision_acceptance, _ACCEPTANCE, _acceptances(number, applied))
    return number


def is_empty(connection: Connection) -> bool:
    """Whether nothing was ever applied to this database, and no program has a partner in it."""
    queries = (select(table.c[column]).limit(1) for table, column in _FIRST)
    return not any(connection.execute(query).first() for query in queries)


def revision_of(connection: Connection, plan_id: str) -> int | None:
    """The revision that a plan was applied as; None where it was not."""
    query = select(revision.c.number).where(revision.c.plan_id == plan_id)
    return connection.execute(query).scalar()


def _changes(number: int, parts: tuple[PartnerPlan, ...]) -> Iterator[tuple[Any, ...]]:
    position = 0
    for part in parts:
        for change in part.changes:
            position += 1
            yield (
                number,
                position,
                part.partner,
                change.kind,
                change.name,
                str(change.action),
                change.renamed_from,
                as_json.text(change.before),
                as_json.text(change.after),
            )


def _acceptances(number: int, parts: tuple[PartnerPlan, ...]) -> Iterator[tuple[Any, ...]]:
    for part in parts:
        for item in part.accepted:
            yield (number, item.partner, item.guard, item.count, item.reason, item.until)
