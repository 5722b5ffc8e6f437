"""`rollback`: a revision of the ledger → the plan that leads back, as ordinary as any other.

Its changes come from comparing what the database has with the same after the revision was undone,
and the guards judge it like every plan. It restores rows, not secrets: the ledger has references
only.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import clock, observe, schema
from reconciler.database.observe import Observed
from reconciler.desired.desire import Comparison, Desired, between
from reconciler.diagnostics.problem import Place, Problem
from reconciler.ledger import last_applied, revisions
from reconciler.ledger.last_applied import LastApplied
from reconciler.ledger.restore import ChangedSince, restore
from reconciler.ledger.revisions import LedgerEntry, Revision
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model import as_json
from reconciler.model.coverage import Coverage
from reconciler.model.state import MailServer
from reconciler.operations import secrets
from reconciler.operations.batch import judged
from reconciler.operations.commits import revert_command
from reconciler.operations.context import Context
from reconciler.operations.partners import PlannedPartners, acceptance_problems, plan_of
from reconciler.operations.plan import all_acceptances, thresholds
from reconciler.operations.request import PlanRequest
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change
from reconciler.plan.guards import Acceptance
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
    """Plan to undo the revision of this number, or that the plan of this id was applied as.

    Raises:
        Failure: the database is new, or its ledger has no such revision.
    """
    # Everything lives until the process ends, and soon: collecting would only walk over it.
    gc.disable()
    settings = context.settings
    with context.existing() as connection:
        status, engine = schema.status_of(connection), connection.engine
        revision = revisions.revision_called(connection, name)
        request = PlanRequest(
            coverage=Coverage(settings.project, frozenset(), whole=False),
            selection=Selection(),
            manifest_digest="",
            now=clock.now(connection),
            lifetime=settings.plan_lifetime,
            thresholds=thresholds(settings),
            acceptances=all_acceptances(settings, acceptances),
            sealing=secrets.are_sealed(context),
        )
        planned = plan_rollback(connection, revision, context.target(status, engine), request)
        before = revisions.commit_before(connection, revision)
    files = tuple(sorted({file for change in planned.plan.changes for file in _files(change)}))
    command = revert_command(Path(), revision.commit, before) if files else None
    return RolledBack(planned.plan, planned.problems, files, command)


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
    later = ledger.partners(since=revision.number)
    last = Cause("manifest", revision.number, revision.applied_at, revision.rolls_back)
    entries, problems = _by_partner(connection, revision.number)
    parts: list[PartnerPlan] = []
    names = sorted(entries)
    for start in range(0, len(names), observe.BATCH):
        comparisons = [
            _comparison(revision.number, entries.pop(name), observed, ledger)
            for name, observed in observe.read(connection, names[start : start + observe.BATCH])
        ]
        changes = {item.partner: item.changes for item in comparisons if item.partner in later}
        causes = last_applied.causes(ledger, changes)
        for comparison in comparisons:
            made_last = () if comparison.partner in later else (last,) * len(comparison.changes)
            causes_of = causes.get(comparison.partner, made_last)
            part, noticed = judged(comparison, causes_of, {}, frozenset(), request)
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
        row, old = change.after, getattr(change.before, "password_reference", None)
        if not isinstance(row, MailServer) or row.project is None:
            continue
        if row.password_reference and row.password_reference != old:
            yield Password(change.partner, change.name, row.password_reference)


def _by_partner(
    connection: Connection, number: int
) -> tuple[dict[str, list[LedgerEntry]], list[Problem]]:
    """The entries of a revision by partner; those that cannot be read are problems."""
    entries: dict[str, list[LedgerEntry]] = {}
    problems = []
    for entry in revisions.entries(connection, number):
        if entry.whole:
            entries.setdefault(entry.partner, []).append(entry)
        else:
            problems.append(Problem("MBX576", None, {"address": entry.key.address}))
    return entries, problems


def _comparison(
    number: int, entries: Sequence[LedgerEntry], observed: Observed, ledger: LastApplied
) -> Comparison:
    """What is there now compared with the same after a partner's entries were undone."""
    changes = [entry.change for entry in entries if entry.change]
    restored = restore(changes, observed.state, _names_now(entries, observed, ledger))
    problems = (*_changed_since(restored.since, number, ledger), *restored.problems)
    desired = Desired(restored.state, restored.new_names, problems, skipped=0)
    declaration = PartnerDeclaration(entries[0].partner, Place(""))
    return between(declaration, observed.state, desired)


def _names_now(
    entries: Sequence[LedgerEntry], observed: Observed, ledger: LastApplied
) -> Mapping[str, str]:
    """What servers are called now, by what the entries call them.

    One whose row is gone is the one that was made under its last name since, as by a rollback; but
    not one that was there before, or had another name, and was renamed to it.
    """
    partner = entries[0].partner
    row_ids = {entry.key.server: entry.row_id for entry in entries if entry.row_id is not None}
    names = {number: name for name, number in observed.row_ids.items()}
    gone = ledger.names_of(partner, set(row_ids.values()) - names.keys())
    heirs = {observed.row_ids[last] for _, last in gone.values() if last in observed.row_ids}
    made_as = {number: first for number, (first, _) in ledger.names_of(partner, heirs).items()}
    for number, (_, last) in gone.items():
        heir = observed.row_ids.get(last)
        # Numbers count up, and none is given twice.
        if heir is None or (heir > number and made_as.get(heir, last) == last):
            names[number] = last
    return {server: names[number] for server, number in row_ids.items() if number in names}


def _changed_since(
    since: Sequence[ChangedSince], number: int, ledger: LastApplied
) -> Iterator[Problem]:
    """Each row that changed since revision `number`, in which fields, and by what."""
    newest = ledger.newest(item.key for item in since)
    for key, row_left, row_now in since:
        left, now = as_json.differing(row_left, row_now)
        values = {"address": key.address, "number": number, "left": left, "now": now}
        last = newest.get(key)
        if last and last.revision.number > number:
            yield Problem("MBX570", None, {**values, "later": last.revision.number})
        else:
            yield Problem("MBX577", None, values)
