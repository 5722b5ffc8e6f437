"""Why each change is there: the manifests changed since the last apply, the database did, or both.

Three rows are compared: what was last applied, what the database has, and what is desired. A row
that the database still has as it was applied was changed by the manifests; one that is desired as
it was applied was changed in the database.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from reconciler.model.state import MailServer, Row
from reconciler.plan.diff import Change

Changed = Literal["manifest", "database", "both"]


class Cause(NamedTuple):
    """Why one change is there; `fields` says it by field, where fields differ in that.

    `revision` is the last that touched the row, `applied_at` that time, in UTC; both are None where
    the ledger does not know the row. It was a rollback where `rolls_back` has a number.
    """

    changed: Changed
    revision: int | None = None
    applied_at: datetime | None = None
    rolls_back: int | None = None
    fields: tuple[tuple[str, Changed], ...] = ()


NEW = Cause("manifest")
"""The manifests declare what nobody has ever made."""
FOREIGN = Cause("database")
"""Another program made the row, and nothing was ever applied to it."""


def unknown(change: Change) -> Cause:
    """The cause of a change of a row that the ledger does not know."""
    return NEW if change.before is None else FOREIGN


def compared(change: Change, last: Row | None) -> Cause:
    """The cause of a change of a row that was last applied as `last`, without its revision."""
    before, after = change.before, change.after
    last = as_left(last, before, after)
    if before is None or after is None or last is None:
        return Cause(_changed(last != before, last != after))
    fields = {
        name: _changed(was != is_, was != desired)
        for name, was, is_, desired in zip(last._fields, last, before, after, strict=True)
        if is_ != desired
    }
    if len(set(fields.values())) == 1:
        return Cause(next(iter(fields.values())))
    return Cause("both", fields=tuple(sorted(fields.items())))


def _changed(theirs: bool, ours: bool) -> Changed:
    if theirs and ours:
        return "both"
    return "database" if theirs else "manifest"


def as_left(last: Row | None, now: Row | None, desired: Row | None = None) -> Row | None:
    """`last` with the fields as they are `now` that it, or `desired`, leaves to others."""
    if not (isinstance(last, MailServer) and isinstance(now, MailServer)):
        return last
    names = set(last.ignore_changes or ())
    if isinstance(desired, MailServer):
        names.update(desired.ignore_changes)
    return last.keeping(names, now) if names else last


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
        taken == desired and restored == now and taken != restored
        for taken, restored, now, desired in fields
    )
