"""What others changed, and the manifests say by now too.

Nothing is left to change in such a row, so no change of a plan tells the ledger of it, and it would
be drift for ever. An apply records it: what was last applied is what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, select

from reconciler.database.bulk import fetch
from reconciler.database.tables import company
from reconciler.ledger import drift
from reconciler.ledger.drift import Scope
from reconciler.ledger.last_applied import LastApplied
from reconciler.model.state import HeadOffice, Partner
from reconciler.model.unchanged import Unchanged
from reconciler.plan.diff import Change
from reconciler.plan.plan import PartnerPlan, Plan, Selection


def agreed(
    connection: Connection, plan: Plan, unchanged: Iterable[Unchanged]
) -> tuple[PartnerPlan, ...]:
    """The rows that `plan` leaves as others made them: from as they were applied to as they are.

    That they are as the manifests say is known of partners that are `unchanged` after it, and of
    rows that one of their files declares, or declared.
    """
    files = {fact.partner: {name for name, _ in fact.files} for fact in unchanged}
    names = tuple(sorted(files.keys() & LastApplied(connection).partners())) if files else ()
    if not names:
        return ()
    planned = {_name(change) for change in plan.changes}
    renamed = {(change.partner, change.renamed_from) for change in plan.changes}
    parts = []
    for part in drift.find(connection, Scope(plan.project, Selection(names))):
        declared = (
            change
            for change in part.changes
            if _name(change) not in planned
            and (change.partner, change.server) not in renamed
            and files[part.partner].issuperset(_files(connection, change, plan.project))
        )
        parts.append(PartnerPlan(part.partner, tuple(declared)))
    return tuple(part for part in parts if part.changes)


def _name(change: Change) -> tuple[str, str, str]:
    return change.partner, change.kind, change.name


def _files(connection: Connection, change: Change, project: str) -> Iterator[str | None]:
    """The files that have a say in a row; None for each that this project has not."""
    row = change.row
    match row:
        case Partner():
            yield None
        case HeadOffice():
            query = select(company.c.file).where(
                company.c.cnpj.in_(row.cnpj.split()), company.c.project == project
            )
            found = [file for (file,) in fetch(connection, query)]
            yield from found or [None]
        case _:
            yield row.file if row.project == project else None
