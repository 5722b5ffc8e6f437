"""Plan → one transaction and its revision.

Every row that the plan touches is read again under lock, the changes are written in bulk, and the
same rows must then read as planned, before anything is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from reconciler.database import observe, unchanged
from reconciler.database.write import RowsMissing, Writer
from reconciler.diagnostics.problem import Stale
from reconciler.ledger import record
from reconciler.model.unchanged import Unchanged
from reconciler.operations.seal import NOTHING_TO_SEAL, Sealer
from reconciler.plan import freshness
from reconciler.plan.freshness import StaleRow, stale_rows, unwritten_rows
from reconciler.plan.plan import PartnerPlan, Password, Plan


class Work(NamedTuple):
    """A plan, what seals the passwords that were read for it, and the facts it leads to.

    `agreed` are rows that stay as others changed them: from as they were applied to as they are.
    """

    plan: Plan
    sealer: Sealer = NOTHING_TO_SEAL
    unchanged: tuple[Unchanged, ...] = ()
    agreed: tuple[PartnerPlan, ...] = ()

    @property
    def facts(self) -> dict[str, Unchanged]:
        return {fact.partner: fact for fact in self.unchanged}


class Done(NamedTuple):
    """The revision that was written, and the passwords that were sealed anew with it; None and none
    where everything that it was for has changed by now.
    """

    revision: int | None
    sealed: tuple[Password, ...] = ()


def write(connection: Connection, work: Work, applied_by: str, now: datetime) -> Done:
    """Write all partners of a plan that can be applied; the caller commits.

    Raises:
        Stale: the plan was applied before, a row no longer reads as planned, or a link appeared
            on a server to be deleted.
        Failure: the rows do not read as planned afterwards.
    """
    plan = work.plan
    freshness.require_unapplied(record.revision_of(connection, plan.id))
    writer = Writer(connection)
    freshness.require_fresh(_stale(connection, plan.applicable, writer))
    try:
        writer.write(change for part in plan.applicable for change in part.changes)
    except (IntegrityError, RowsMissing):
        raise Stale.of("MBX540") from None
    sealed = work.sealer.write(connection, plan)
    agreed = tuple(_agreed(connection, work, writer))
    if not (plan.applicable or agreed or sealed):
        unchanged.write(connection, plan.project, work.unchanged)
        return Done(None)
    made = record.Made(plan.applicable, agreed, sealed, writer.numbers)
    number = record.record(connection, plan, made, applied_by, now)
    freshness.require_written(_unwritten(connection, work))
    unchanged.write(connection, plan.project, work.unchanged)
    return Done(number, tuple(sealed))


def check(connection: Connection, plan: Plan) -> None:
    """See whether `plan` could be applied now, without holding anything.

    Raises:
        Stale: as for `apply`.
    """
    freshness.require_unapplied(record.revision_of(connection, plan.id))
    by_name = {part.partner: part for part in plan.applicable}
    partners = observe.read(connection, list(by_name))
    freshness.require_fresh(
        row for name, now in partners for row in stale_rows(by_name[name].changes, now.state)
    )


def _stale(
    connection: Connection, parts: Iterable[PartnerPlan], writer: Writer
) -> Iterator[StaleRow]:
    by_name = {part.partner: part for part in parts}
    for name, observed in observe.read(connection, list(by_name), lock=True):
        writer.know(name, observed.row_ids)
        yield from stale_rows(by_name[name].changes, observed.state)


def _agreed(connection: Connection, work: Work, writer: Writer) -> Iterator[PartnerPlan]:
    """The rows that stay as others changed them, if all rows of their partner are as planned."""
    by_name, facts = {part.partner: part for part in work.agreed}, work.facts
    for name, rows in observe.rows(connection, list(by_name), lock=True):
        if unchanged.holds(facts[name], rows):
            changes, now = by_name[name].changes, observe.understood(rows)
            writer.know(name, now.row_ids)
            others = {item.change for item in unwritten_rows(changes, now.state)}
            if left := tuple(change for change in changes if change not in others):
                yield PartnerPlan(name, left)


def _unwritten(connection: Connection, work: Work) -> Iterator[StaleRow]:
    """The rows that do not read as desired; none of a partner whose fact holds, which says that
    all of its rows do.
    """
    by_name, facts = {part.partner: part for part in work.plan.applicable}, work.facts
    for name, rows in observe.rows(connection, list(by_name)):
        fact = facts.get(name)
        if fact is None or not unchanged.holds(fact, rows):
            yield from unwritten_rows(by_name[name].changes, observe.understood(rows).state)
