"""Which changes would undo a rollback: manifests that say again what was rolled back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from reconciler.ledger import revisions
from reconciler.ledger.last_applied import Key, LastApplied, Renames, keys_of
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change


def undone(
    connection: Connection, changes: Sequence[Change], causes: Sequence[Cause]
) -> Mapping[str, int]:
    """The revision that was rolled back, for each of a partner's `changes` that undoes that.

    They are keyed by address; `causes` are those of the changes, or none.
    """
    if not any(cause.rolls_back is not None for cause in causes):
        return {}
    suspects = {
        (key, cause.revision): change
        for key, change, cause in zip(keys_of(changes), changes, causes, strict=True)
        if key is not None and cause.rolls_back is not None
    }
    rolled_back = {cause.revision: cause.rolls_back for cause in causes}
    partners = {key.partner for key, _ in suspects}
    renames = LastApplied(connection).renames(partners)
    found: dict[str, int] = {}
    for number in {number for _, number in suspects if number is not None}:
        for entry in revisions.entries(connection, number, partners):
            named = Key(entry.partner, entry.kind, entry.name)
            key = renames.get(entry.partner, Renames({})).followed(named, number)
            change = suspects.get((key, number)) if key else None
            if change and entry.change and undoes(change, entry.change):
                found[change.address] = rolled_back[number] or 0
    return found


def undoes(change: Change, rollback: Change) -> bool:
    """Whether `change` takes back what `rollback` did to the same row, all of it or a part."""
    if rollback.before is None:
        return change.after is None
    if rollback.after is None:
        return change.before is None
    if change.before is None or change.after is None:
        return False
    fields = zip(rollback.before, rollback.after, change.before, change.after, strict=True)
    return any(
        taken == wanted and restored == now and taken != restored
        for taken, restored, now, wanted in fields
    )
