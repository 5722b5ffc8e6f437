"""A revision of the ledger → the plan that leads back, as ordinary as any other.

Its changes come from comparing what is there with the same after the revision was undone, and the
guards judge it like every plan. It restores rows, not secrets: the ledger has references only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import clock, observe, schema
from reconciler.desired.compare import Comparison, between
from reconciler.desired.desire import Desired
from reconciler.diagnostics.problem import Place, Problem
from reconciler.ledger import last_applied, revisions
from reconciler.ledger.last_applied import Key, LastApplied, Renames
from reconciler.ledger.restore import Since, restore
from reconciler.ledger.revisions import Revision
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model import as_json
from reconciler.model.coverage import Coverage
from reconciler.model.state import MailServer, State
from reconciler.operations import secrets
from reconciler.operations.batch import judged
from reconciler.operations.commits import revert_command
from reconciler.operations.context import Context
from reconciler.operations.partners import PlannedPartners, acceptance_problems, plan_of
from reconciler.operations.plan import all_acceptances, thresholds
from reconciler.operations.request import PlanRequest
from reconciler.plan.accept import Acceptance
from reconciler.plan.diff import Change
from reconciler.plan.plan import DatabaseTarget, PartnerPlan, Password, Plan, Selection


class RolledBack(NamedTuple):
    """The plan of the way back, what was noticed, and how the manifests go back with it.

    `files` are the manifests that it is about; `command` is Git's, where the ledger has a commit.
    """

    plan: Plan
    problems: tuple[Problem, ...]
    files: tuple[str, ...]
    command: str | None


def rollback(context: Context, name: str, acceptances: tuple[Acceptance, ...] = ()) -> RolledBack:
    """Plan to undo the revision of this number, or that this plan was applied as.

    Raises:
        Failure: the database is new, or its ledger has no such revision.
    """
    with context.existing() as connection:
        status, engine = schema.status_of(connection), connection.engine
        undone = revisions.revision_called(connection, name)
        request = _request(context, acceptances, connection)
        planned = plan_rollback(connection, undone, context.target(status, engine), request)
        before = revisions.commit_before(connection, undone)
    files = tuple(sorted({file for change in planned.plan.changes for file in _files(change)}))
    command = revert_command(Path(), undone.commit, before) if files else None
    return RolledBack(planned.plan, planned.problems, files, command)


def _request(
    context: Context, acceptances: tuple[Acceptance, ...], connection: Connection
) -> PlanRequest:
    settings = context.settings
    return PlanRequest(
        coverage=Coverage(settings.project, frozenset(), whole=False),
        selection=Selection(),
        manifest_digest="",
        now=clock.now(connection),
        lifetime=settings.plan_lifetime,
        thresholds=thresholds(settings),
        acceptances=all_acceptances(settings, acceptances),
        sealing=secrets.are_sealed(context),
    )


def _files(change: Change) -> Iterator[str]:
    """The manifests that a row is declared in, before and after."""
    for row in (change.before, change.after):
        if file := getattr(row, "file", None):
            yield str(file)


def plan_rollback(
    connection: Connection, revision: Revision, target: DatabaseTarget, request: PlanRequest
) -> PlannedPartners:
    """Plan to undo `revision`. What stays as it is, and why, is among the problems."""
    ledger = LastApplied(connection)
    changes, problems = _by_partner(connection, revision.number)
    parts: list[PartnerPlan] = []
    names = sorted(changes)
    for start in range(0, len(names), observe.BATCH):
        batch = names[start : start + observe.BATCH]
        renames = ledger.renames(batch)
        comparisons = []
        for name, observed in observe.read(connection, batch):
            known = renames.get(name, Renames({}))
            undone = _Undone(name, changes.pop(name), known, revision.number)
            comparisons.append(_comparison(undone, observed.state, ledger))
        causes = last_applied.causes(ledger, {item.partner: item.changes for item in comparisons})
        for comparison in comparisons:
            known_causes = causes.get(comparison.partner, ())
            part, noticed = judged(comparison, known_causes, {}, frozenset(), request)
            problems += [*comparison.desired.problems, *noticed]
            parts.append(part)
    problems += acceptance_problems(request.acceptances, parts)
    plan = plan_of(parts, target, request, rolls_back=revision.number)
    if request.sealing:
        plan = replace(plan, passwords=tuple(_passwords(plan.changes)))
    return PlannedPartners(plan, tuple(problems), skipped=0)


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


def _comparison(undone: _Undone, state: State, ledger: LastApplied) -> Comparison:
    restored = restore(undone.changes, state, undone.name_now)
    problems = (*_changed_since(restored.since, undone, ledger), *restored.problems)
    desired = Desired(restored.state, restored.new_names, problems, skipped=0)
    return between(PartnerDeclaration(undone.partner, Place("")), state, desired)


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
