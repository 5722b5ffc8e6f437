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
from reconciler.diagnostics.problem import Failure, Problem, Stale
from reconciler.ledger import record
from reconciler.model import as_json
from reconciler.model.unchanged import Proof
from reconciler.operations.passwords import NOTHING_TO_SEAL, Sealer
from reconciler.plan.plan import Moved, PartnerPlan, Password, Plan, moved, unsettled


class Done(NamedTuple):
    """The revision that was written, and the passwords that were sealed anew with it; None and none
    where all that it was for has changed by now.
    """

    revision: int | None
    sealed: tuple[Password, ...] = ()


def apply(
    connection: Connection,
    plan: Plan,
    applied_by: str,
    now: datetime,
    sealer: Sealer = NOTHING_TO_SEAL,
) -> Done:
    """Write all partners of `plan` that can be applied; the caller commits.

    Raises:
        Stale: the plan was applied before, a row no longer reads as planned, or a link appeared
            on a server to be deleted.
        Failure: the rows do not read as planned afterwards.
    """
    if number := record.revision_of(connection, plan.id):
        raise Stale.of("MBX527", number=number)
    writer = Writer(connection)
    _fail_for(_moved(connection, plan.applicable, writer), Stale, "MBX520")
    try:
        writer.write(change for part in plan.applicable for change in part.changes)
    except (IntegrityError, RowsMissing):
        raise Stale.of("MBX540") from None
    sealed = sealer.write(connection, plan)
    applied = (*plan.applicable, *_agreed(connection, plan))
    if (plan.agreed or plan.to_seal) and not (applied or sealed):
        return Done(None)
    number = record.record(connection, plan, record.Made(applied, sealed), applied_by, now)
    _fail_for(_unsettled(connection, plan), Failure, "MBX525")
    unchanged.write(connection, plan.project, plan.proofs)
    return Done(number, sealed)


def check(connection: Connection, plan: Plan) -> None:
    """See whether `plan` could be applied now, without holding anything.

    Raises:
        Stale: as for `apply`.
    """
    if number := record.revision_of(connection, plan.id):
        raise Stale.of("MBX527", number=number)
    by_name = {part.partner: part for part in plan.applicable}
    found = observe.read(connection, list(by_name))
    current = (item for name, now in found for item in moved(by_name[name].changes, now.state))
    _fail_for(current, Stale, "MBX520")


def _moved(connection: Connection, parts: Iterable[PartnerPlan], writer: Writer) -> Iterator[Moved]:
    by_name = {part.partner: part for part in parts}
    for name, found in observe.read(connection, list(by_name), lock=True):
        writer.know(name, found.row_ids)
        yield from moved(by_name[name].changes, found.state)


def _agreed(connection: Connection, plan: Plan) -> Iterator[PartnerPlan]:
    """The rows that stay as others changed them, if all rows of their partner are as proven."""
    by_name, proofs = {part.partner: part for part in plan.agreed}, _proofs(plan)
    for name, rows in observe.rows(connection, list(by_name), lock=True):
        if unchanged.holds(proofs[name], rows):
            changes = by_name[name].changes
            others = {item.change for item in unsettled(changes, observe.understood(rows).state)}
            if left := tuple(change for change in changes if change not in others):
                yield PartnerPlan(name, left)


def _unsettled(connection: Connection, plan: Plan) -> Iterator[Moved]:
    """The rows that do not read as wanted; none of a partner whose proof holds, which says that
    all of its rows do.
    """
    by_name, proofs = {part.partner: part for part in plan.applicable}, _proofs(plan)
    for name, rows in observe.rows(connection, list(by_name)):
        proof = proofs.get(name)
        if proof is None or not unchanged.holds(proof, rows):
            yield from unsettled(by_name[name].changes, observe.understood(rows).state)


def _proofs(plan: Plan) -> dict[str, Proof]:
    return {proof.partner: proof for proof in plan.proofs}


def _fail_for(found: Iterable[Moved], failure: type[Failure], code: str) -> None:
    problems = [Problem(code, None, _values(item)) for item in found]
    if problems:
        raise failure(problems)


def _values(moved_row: Moved) -> dict[str, str]:
    """The row's name, and what was planned from, is there now, and was wanted."""
    change, now = moved_row
    before, there, after = as_json.differing(change.before, now, change.after)
    return {"address": change.address, "before": before, "now": there, "after": after}
