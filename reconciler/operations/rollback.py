"""A revision of the ledger → the plan that leads back, as ordinary as any other.

Its changes come from comparing what is there with the same after the revision was undone, and the
guards judge it like every plan. It restores rows, not secrets: the ledger has references only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.desired.desire import Desired
from reconciler.diagnostics.problem import Place, Problem
from reconciler.ledger import last_applied, revisions
from reconciler.ledger.last_applied import Key, LastApplied, Renames
from reconciler.ledger.restore import Since, restore
from reconciler.ledger.revisions import Revision
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model import as_json
from reconciler.model.state import MailServer, State
from reconciler.operations.plan import Draft, Planned, Request, given_acceptances, judged, plan_of
from reconciler.plan.diff import Change, diff
from reconciler.plan.plan import DatabaseTarget, PartnerPlan, Password


def plan_rollback(
    connection: Connection, revision: Revision, target: DatabaseTarget, request: Request
) -> Planned:
    """Plan to undo `revision`. What stays as it is, and why, is among the problems."""
    ledger = LastApplied(connection)
    undoing, problems = _by_partner(connection, revision.number)
    parts: list[PartnerPlan] = []
    names = sorted(undoing)
    for start in range(0, len(names), observe.BATCH):
        batch = names[start : start + observe.BATCH]
        renames = ledger.renames(batch)
        drafts = []
        for name, found in observe.read(connection, batch):
            known = renames.get(name, Renames({}))
            undone = _Undone(name, undoing.pop(name), known, revision.number)
            drafts.append(_draft(undone, found.state, ledger))
        causes = last_applied.causes(
            ledger, {draft.wanted.partner: draft.changes for draft in drafts}
        )
        for draft in drafts:
            told = causes.get(draft.wanted.partner, ())
            part, noticed = judged(draft, told, {}, frozenset(), request)
            problems += [*draft.desired.problems, *noticed]
            parts.append(part)
    problems += given_acceptances(request.acceptances, parts)
    plan = plan_of(parts, target, request, rolls_back=revision.number)
    if request.sealing:
        plan = replace(plan, passwords=tuple(_passwords(plan.changes)))
    return Planned(plan, tuple(problems), skipped=0)


def _passwords(changes: Iterable[Change]) -> Iterator[Password]:
    """The passwords of servers that come back, or that are elsewhere again."""
    for change in changes:
        before, after = change.before, change.after
        if isinstance(after, MailServer) and after.password_reference and after.project is not None:
            same = isinstance(before, MailServer) and (
                before.password_reference == after.password_reference
            )
            if not same:
                yield Password(change.partner, change.name, after.password_reference)


def _by_partner(
    connection: Connection, number: int
) -> tuple[dict[str, list[Change]], list[Problem]]:
    """The changes of a revision by partner; entries that cannot be read are problems."""
    changes: dict[str, list[Change]] = {}
    problems = []
    for entry in revisions.entries(connection, number):
        if entry.change is not None and entry.whole:
            changes.setdefault(entry.partner, []).append(entry.change)
        else:
            problems.append(Problem("MBX576", None, {"address": entry.address}))
    return changes, problems


class _Undone(NamedTuple):
    """What a revision did to one partner, and how its servers were renamed over time."""

    partner: str
    changes: list[Change]
    renames: Renames
    number: int

    def name_now(self, server: str) -> str | None:
        """What a server is called now that the revision left under this name."""
        key = self.renames.followed(Key(self.partner, "server", server), self.number)
        return key.name if key else None


def _draft(undone: _Undone, state: State, ledger: LastApplied) -> Draft:
    restored = restore(undone.changes, state, undone.name_now)
    before = state.renamed(restored.new_names)
    changes = diff(undone.partner, before, restored.state)
    problems = (*_changed_since(restored.since, undone, ledger), *restored.problems)
    return Draft(
        wanted=PartnerDeclaration(undone.partner, Place("")),
        before=before,
        desired=Desired(restored.state, restored.new_names, problems, skipped=0),
        changes=changes,
        differing=sum(1 for change in changes if change.after is not None),
    )


def _changed_since(
    since: Sequence[Since], undone: _Undone, ledger: LastApplied
) -> Iterator[Problem]:
    """Each row that changed since, in which fields, and by what."""
    keys = [Key(undone.partner, item.change.kind, item.name) for item in since]
    newest = ledger.newest(keys)
    for key, item in zip(keys, since, strict=True):
        left, now = as_json.differing(item.left, item.now)
        values = {
            "address": f"{key.kind}.{key.partner}/{key.name}",
            "number": undone.number,
            "left": left,
            "now": now,
        }
        last = newest.get(key)
        if last and last.revision.number > undone.number:
            yield Problem("MBX570", None, {**values, "later": last.revision.number})
        else:
            yield Problem("MBX577", None, values)
