"""The way from what was loaded to a plan: observe, desire, compare, guard, partner by partner."""

from __future__ import annotations

import uuid
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.database import passwords as stored
from reconciler.database import unchanged as settled
from reconciler.desired import secrets
from reconciler.desired.desire import Desired, desire
from reconciler.desired.match import may_be_swapped
from reconciler.diagnostics.problem import Place, Problem
from reconciler.diagnostics.words import N_
from reconciler.ledger import last_applied, undoing
from reconciler.ledger.last_applied import LastApplied
from reconciler.manifests.partner import PartnerDeclaration, elsewhere, owners
from reconciler.model.coverage import Coverage
from reconciler.model.state import EMPTY, State
from reconciler.model.unchanged import Proof
from reconciler.operations.proving import Proving
from reconciler.plan.accept import Acceptance, judge
from reconciler.plan.alarm import DEFAULT_THRESHOLDS, Case, Thresholds
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change, diff
from reconciler.plan.guards import alarms
from reconciler.plan.plan import (
    Accepted,
    DatabaseTarget,
    PartnerPlan,
    Password,
    Plan,
    Selection,
    select,
)
from reconciler.secrets.scope import Rules, Scopes


@dataclass(frozen=True, slots=True)
class Request:
    """What a plan is asked for. `now` is the time by the clock of the database, and `lifetime` how
    long the plan can be applied; `acceptances` are those of the command line and the settings;
    `older_than` is the last applied commit where this one does not descend from it.

    With `sealing` the plan lists the passwords that the database keeps sealed.

    `settled` has the partners that are proven to be left as they are; with `proving`, the plan gets
    proofs of what it leads to. `rules` say which secrets are whose.
    """

    coverage: Coverage
    selection: Selection
    manifest_digest: str
    now: datetime
    lifetime: timedelta
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    acceptances: tuple[Acceptance, ...] = ()
    commit: str | None = None
    older_than: str | None = None
    settled: Mapping[str, Proof] = field(default_factory=dict)
    sealing: bool = False
    proving: Proving | None = None
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and what was noticed on the way; with an error among it the plan is not to be used."""

    plan: Plan
    problems: tuple[Problem, ...]
    skipped: int


def make_plan(
    declared: dict[str, PartnerDeclaration],
    connection: Connection | None,
    target: DatabaseTarget,
    request: Request,
) -> Planned:
    """Plan everything that is selected. Without a connection the database is empty."""
    names = _partners(declared, connection, request)
    remaining = [name for name in names if name not in request.settled]
    used = _used(declared, connection, remaining)
    scopes = _scopes(declared, connection, request)
    ledger = LastApplied(connection) if connection else None
    outcomes = {name: _settled(proof, request) for name, proof in request.settled.items()}
    for batch in _batches(declared, connection, remaining, proving=bool(request.proving)):
        drafts = _drafts(declared, batch, ledger, request)
        changes = {draft.wanted.partner: draft.changes for draft in drafts}
        causes = last_applied.causes(ledger, changes) if ledger else {}
        for draft, seen in zip(drafts, batch, strict=True):
            found = causes.get(draft.wanted.partner, ())
            undone = undoing.undone(connection, draft.changes, found) if connection else {}
            part, told = judged(draft, found, undone, used, request)
            outside = secrets.problems(draft.wanted, scopes)
            problems = (*draft.desired.problems, *outside, *told)
            proof = _proof(draft, part, seen, request)
            passwords = tuple(_passwords(draft, request))
            outcomes[seen.partner] = _Outcome(
                part, problems, draft.desired.skipped, proof, passwords
            )
    ordered = [outcomes[name] for name in names]
    parts = [outcome.part for outcome in ordered]
    noticed = [problem for outcome in ordered for problem in outcome.problems]
    noticed += given_acceptances(request.acceptances, parts)
    proofs = tuple(outcome.proof for outcome in ordered if outcome.proof)
    listed = [password for outcome in ordered for password in outcome.passwords]
    if connection and request.sealing:
        listed += _settled_passwords(connection, request)
    plan = replace(plan_of(parts, target, request), proofs=proofs, passwords=tuple(sorted(listed)))
    return Planned(plan, tuple(noticed), sum(outcome.skipped for outcome in ordered))


class _Outcome(NamedTuple):
    """What comes of one partner, and the proof of what that leads to, where one is to be had."""

    part: PartnerPlan
    problems: tuple[Problem, ...]
    skipped: int
    proof: Proof | None = None
    passwords: tuple[Password, ...] = ()


def _passwords(draft: Draft, request: Request) -> Iterator[Password]:
    """The passwords of the servers that a partner's manifests declare, and that are selected.

    One that is left to other programs is so from when the server is there.
    """
    if not request.sealing:
        return
    partner, selection = draft.wanted.partner, request.selection
    for name, server in draft.desired.state.servers.items():
        selected = not selection.named() or partner in selection.partners
        if not (selected or (partner, name) in selection.servers):
            continue
        if "password_reference" in server.ignore_changes and name in draft.before.servers:
            continue
        if server.password_reference and request.coverage.declares(server):
            yield Password(partner, name, server.password_reference)


def _settled_passwords(connection: Connection, request: Request) -> Iterator[Password]:
    """The passwords of what the manifests of settled partners declare."""
    coverage = request.coverage
    found = stored.references(connection, sorted(request.settled), coverage.project)
    for partner, name, reference, file in found:
        if file in coverage.files:
            yield Password(partner, name, reference)


def _settled(proof: Proof, request: Request) -> _Outcome:
    """What comes of a partner that is proven to be left as it is.

    Without changes no guard looks at anything; all that can be said is about acceptances.
    """
    part = PartnerPlan(proof.partner, (), unchanged=proof.unchanged, left_alone=proof.left_alone)
    offers = offers_for(proof.partner, request.acceptances)
    judgement = judge(proof.partner, (), offers, frozenset(), request.now.date())
    return _Outcome(part, _told(judgement.problems, request), proof.skipped)


def _proof(draft: Draft, part: PartnerPlan, seen: _Seen, request: Request) -> Proof | None:
    """The proof that the partner is settled, at once or after its changes."""
    proving = request.proving
    if proving is None or part.refusals:
        return None
    if not part.changes:
        return proving.proof(draft.wanted, seen.state, seen.digest, request.coverage)
    rows = settled.rows_of(part.partner, draft.desired.state, proving.flag)
    state, digest = observe.understood(rows).state, settled.digest(rows)
    return proving.proof(draft.wanted, state, digest, request.coverage)


def plan_of(
    parts: Sequence[PartnerPlan],
    target: DatabaseTarget,
    request: Request,
    rolls_back: int | None = None,
) -> Plan:
    """The plan of these partners; `rolls_back` is the revision that it undoes, if it does."""
    return Plan(
        id=str(uuid.uuid4()),
        created_at=request.now,
        expires_at=request.now + request.lifetime,
        project=request.coverage.project,
        target=target,
        manifest_digest=request.manifest_digest,
        selection=request.selection,
        partners=tuple(part for part in parts if part.changes or part.refusals),
        unchanged=sum(part.unchanged for part in parts),
        left_alone=sum(part.left_alone for part in parts),
        commit=request.commit,
        rolls_back=rolls_back,
    )


def _partners(
    declared: dict[str, PartnerDeclaration], connection: Connection | None, request: Request
) -> list[str]:
    if selected := request.selection.named():
        return sorted(selected)
    if connection is None:
        return sorted(declared)
    given = declared.keys() | request.settled.keys()
    return sorted(given | observe.partners_of(connection, request.coverage))


def _used(
    declared: dict[str, PartnerDeclaration], connection: Connection | None, names: Iterable[str]
) -> frozenset[Accepted]:
    accepting = [name for name in names if name in declared and declared[name].acceptances]
    if connection is None or not accepting:
        return frozenset()
    return observe.used_acceptances(connection, accepting)


def _scopes(
    declared: dict[str, PartnerDeclaration], connection: Connection | None, request: Request
) -> Scopes:
    """Which secrets are whose, among all partners that there are."""
    there = observe.partners(connection) if connection else []
    return Scopes(request.rules, {*declared, *request.settled, *there})


class _Seen(NamedTuple):
    """What the database has of a partner; `elsewhere` are CNPJs that another partner has."""

    partner: str
    state: State
    elsewhere: frozenset[str]
    digest: str | None
    """Of the rows that the state was read from, where that matters."""


def _batches(
    declared: dict[str, PartnerDeclaration],
    connection: Connection | None,
    names: Sequence[str],
    *,
    proving: bool,
) -> Iterator[list[_Seen]]:
    """What the database has, some partners at a time."""
    owned = owners(declared)
    for start in range(0, len(names), observe.BATCH):
        batch = names[start : start + observe.BATCH]
        states = dict.fromkeys(batch, EMPTY)
        digests: dict[str, str | None] = {}
        for name, rows in observe.rows(connection, batch) if connection else ():
            states[name] = observe.understood(rows).state
            if proving:
                digests[name] = settled.digest(rows)
        unknown = {name: _unknown(name, declared, states[name]) for name in batch}
        registered = {}
        if connection:
            asked = sorted(set().union(*unknown.values()))
            registered = observe.owners_of(connection, asked)
        known = ChainMap(registered, owned)
        yield [
            _Seen(name, states[name], elsewhere(name, unknown[name], known), digests.get(name))
            for name in batch
        ]


def _unknown(name: str, declared: dict[str, PartnerDeclaration], state: State) -> set[str]:
    """The CNPJs that a partner's manifests name and that the database does not have for it."""
    item = declared.get(name)
    return item.named_cnpjs() - state.companies.keys() if item else set()


@dataclass(frozen=True, slots=True)
class Draft:
    """What a partner is to become and what leads there, before anybody judges it."""

    wanted: PartnerDeclaration
    before: State
    desired: Desired
    changes: tuple[Change, ...]
    differing: int
    """How many rows are to be another way; a selection may leave some of their changes out."""


def _drafts(
    declared: dict[str, PartnerDeclaration],
    batch: list[_Seen],
    ledger: LastApplied | None,
    request: Request,
) -> list[Draft]:
    wanted = [
        declared.get(seen.partner) or PartnerDeclaration(seen.partner, Place("")) for seen in batch
    ]
    names = _applied_names(zip(wanted, batch, strict=True), ledger)
    return [
        _draft(item, seen, names.get(seen.partner, {}), request)
        for item, seen in zip(wanted, batch, strict=True)
    ]


def _applied_names(
    pairs: Iterable[tuple[PartnerDeclaration, _Seen]], ledger: LastApplied | None
) -> dict[str, dict[str, str]]:
    """The last old ids of servers by their ids now, of partners where that may matter."""
    asking = [seen.partner for item, seen in pairs if may_be_swapped(item, seen.state)]
    if ledger is None or not asking:
        return {}
    return {name: renames.last() for name, renames in ledger.renames(asking).items()}


def _draft(
    wanted: PartnerDeclaration, seen: _Seen, names: dict[str, str], request: Request
) -> Draft:
    desired = desire(wanted, seen.state, request.coverage, seen.elsewhere, applied_names=names)
    before = seen.state.renamed(desired.new_names)
    changes = diff(wanted.partner, before, desired.state)
    differing = sum(1 for change in changes if change.after is not None)
    selection = request.selection
    servers = [server for partner, server in selection.servers if partner == wanted.partner]
    if servers and wanted.partner not in selection.partners:
        changes = select(changes, servers, before, desired.state)
    return Draft(wanted, before, desired, changes, differing)


def judged(
    draft: Draft,
    causes: tuple[Cause, ...],
    undone: Mapping[str, int],
    used: frozenset[Accepted],
    request: Request,
) -> tuple[PartnerPlan, tuple[Problem, ...]]:
    """The plan of a partner after its guards; `undone` is that of a `Case`."""
    name, after = draft.wanted.partner, draft.desired.state
    case = Case(
        draft.changes,
        draft.before,
        after,
        request.coverage,
        request.thresholds,
        request.older_than,
        causes,
        undone,
    )
    offers = [*draft.wanted.acceptances, *offers_for(name, request.acceptances)]
    judgement = judge(name, alarms(case), offers, used, request.now.date())
    part = PartnerPlan(
        name,
        draft.changes,
        judgement.refusals,
        judgement.accepted,
        causes,
        unchanged=after.size - draft.differing,
        left_alone=after.left_alone(request.coverage.project),
    )
    return part, _told(judgement.problems, request)


def offers_for(partner: str, acceptances: Iterable[Acceptance]) -> list[Acceptance]:
    """Those of `acceptances` that name this partner or none."""
    return [offer for offer in acceptances if offer.partner in ("", partner)]


def given_acceptances(
    acceptances: Iterable[Acceptance], parts: Sequence[PartnerPlan]
) -> Iterator[Problem]:
    """What is wrong with the acceptances of the command line and the settings.

    One without a partner holds only where one partner is affected.
    """
    for offer in acceptances:
        affected = [part.partner for part in parts if offer.guard in part.guards()]
        if offer.partner == "" and len(affected) > 1:
            text, partners = f"{offer.guard}={offer.count}", ", ".join(affected)
            yield Problem("MBX610", None, {"text": text, "partners": partners})
        elif offer.partner not in affected and (offer.partner or not affected):
            partner = offer.partner or N_("all partners")
            values = {"partner": partner, "guard": offer.guard, "count": offer.count}
            yield Problem("MBX511", None, values)


def _told(problems: tuple[Problem, ...], request: Request) -> tuple[Problem, ...]:
    """A selection may leave out what an acceptance is for; it is not called unused then."""
    if not request.selection.named():
        return problems
    return tuple(problem for problem in problems if problem.code != "MBX511")
