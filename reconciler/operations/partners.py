"""Partner by partner: observed, compared, judged by the guards, and counted."""

from __future__ import annotations

import uuid
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.database import passwords as kept
from reconciler.database import unchanged as recorded
from reconciler.desired.compare import Comparison, compare
from reconciler.desired.match import may_be_swapped
from reconciler.diagnostics.problem import Place, Problem
from reconciler.diagnostics.words import N_
from reconciler.ledger import last_applied, restore
from reconciler.ledger.last_applied import LastApplied
from reconciler.manifests import secrets
from reconciler.manifests.partner import PartnerDeclaration, elsewhere, owners
from reconciler.model.coverage import Coverage
from reconciler.model.state import EMPTY, State
from reconciler.model.unchanged import Unchanged
from reconciler.operations.unchanged import Recorder
from reconciler.plan.alarm import DEFAULT_THRESHOLDS, Case, Thresholds
from reconciler.plan.cause import Cause
from reconciler.plan.guards import Acceptance, alarms, decide
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

Declarations = Mapping[str, PartnerDeclaration]
"""What each partner declares, by its id."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a plan is asked for. `now` is the time by the clock of the database, and `lifetime` how
    long the plan can be applied; `acceptances` are those of the command line and the settings;
    `older_than` is the last applied commit where this one does not descend from it.

    With `sealing` the plan lists the passwords that the database keeps sealed.

    `unchanged` has the partners that are known to be left as they are; with a `recorder`, what the
    plan leads to is recorded for later plans. `rules` say which secrets are whose.
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
    unchanged: Mapping[str, Unchanged] = field(default_factory=dict)
    sealing: bool = False
    recorder: Recorder | None = None
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class PlannedPartners:
    """A plan, what was noticed on the way, and which partners it leaves unchanged afterwards.

    With an error among `problems` the plan is not to be used. `skipped` counts companies that `all`
    and `branches_of` left out for having no document import.
    """

    plan: Plan
    problems: tuple[Problem, ...]
    skipped: int
    unchanged: tuple[Unchanged, ...] = ()


class _Outcome(NamedTuple):
    """What comes of one partner, and the fact that is recorded of it, where there is one."""

    part: PartnerPlan
    problems: tuple[Problem, ...]
    skipped: int
    fact: Unchanged | None = None
    passwords: tuple[Password, ...] = ()


def plan_partners(
    declarations: Declarations,
    connection: Connection | None,
    target: DatabaseTarget,
    request: Request,
) -> PlannedPartners:
    """Plan everything that is selected. Without a connection the database is empty."""
    names = _partners(declarations, connection, request)
    remaining = [name for name in names if name not in request.unchanged]
    used = _used(declarations, connection, remaining)
    scopes = _scopes(declarations, connection, request)
    ledger = LastApplied(connection) if connection else None
    outcomes = {name: _unchanged(fact, request) for name, fact in request.unchanged.items()}
    for batch in _batches(declarations, connection, remaining, hashing=bool(request.recorder)):
        comparisons = _comparisons(declarations, batch, ledger, request)
        changes = {item.partner: item.changes for item in comparisons}
        causes = last_applied.causes(ledger, changes) if ledger else {}
        for comparison, observed in zip(comparisons, batch, strict=True):
            known = causes.get(comparison.partner, ())
            undone = restore.undone(connection, comparison.changes, known) if connection else {}
            part, noticed = judged(comparison, known, undone, used, request)
            outside = secrets.problems(comparison.declaration, scopes)
            outcomes[comparison.partner] = _Outcome(
                part,
                (*comparison.desired.problems, *outside, *noticed),
                comparison.desired.skipped,
                _fact(comparison, part, observed, request),
                tuple(_passwords(comparison, request)),
            )
    return _planned([outcomes[name] for name in names], connection, target, request)


def _planned(
    outcomes: Sequence[_Outcome],
    connection: Connection | None,
    target: DatabaseTarget,
    request: Request,
) -> PlannedPartners:
    parts = [outcome.part for outcome in outcomes]
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    problems += acceptance_problems(request.acceptances, parts)
    passwords = [password for outcome in outcomes for password in outcome.passwords]
    if connection and request.sealing:
        passwords += _unchanged_passwords(connection, request)
    plan = replace(plan_of(parts, target, request), passwords=tuple(sorted(passwords)))
    facts = tuple(outcome.fact for outcome in outcomes if outcome.fact)
    return PlannedPartners(plan, tuple(problems), sum(item.skipped for item in outcomes), facts)


def _passwords(comparison: Comparison, request: Request) -> Iterator[Password]:
    """The passwords of the selected servers that a partner's manifests declare.

    A password that is left to other programs is sealed once, when its server is created.
    """
    if not request.sealing:
        return
    partner, selection = comparison.partner, request.selection
    for name, server in comparison.desired.state.servers.items():
        selected = not selection.named() or partner in selection.partners
        if not (selected or (partner, name) in selection.servers):
            continue
        if "password_reference" in server.ignore_changes and name in comparison.before.servers:
            continue
        if server.password_reference and request.coverage.declares(server):
            yield Password(partner, name, server.password_reference)


def _unchanged_passwords(connection: Connection, request: Request) -> Iterator[Password]:
    """The passwords of what the manifests of unchanged partners declare."""
    coverage = request.coverage
    references = kept.references(connection, sorted(request.unchanged), coverage.project)
    for partner, name, reference, file in references:
        if file in coverage.files:
            yield Password(partner, name, reference)


def _unchanged(fact: Unchanged, request: Request) -> _Outcome:
    """What comes of a partner that is known to be left as it is.

    Without changes no guard looks at anything; all that can be said is about acceptances.
    """
    part = PartnerPlan(fact.partner, (), unchanged=fact.unchanged, left_alone=fact.left_alone)
    acceptances = acceptances_for(fact.partner, request.acceptances)
    decision = decide(fact.partner, (), acceptances, frozenset(), request.now.date())
    return _Outcome(part, _without_unselected(decision.problems, request), fact.skipped)


def _fact(
    comparison: Comparison, part: PartnerPlan, observed: _Observed, request: Request
) -> Unchanged | None:
    """The fact that the partner is unchanged, at once or after its changes."""
    recorder = request.recorder
    if recorder is None or part.refusals:
        return None
    if not part.changes:
        return recorder.fact(comparison, observed.state, observed.digest, request.coverage)
    return recorder.fact_after(comparison, request.coverage)


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
    declarations: Declarations, connection: Connection | None, request: Request
) -> list[str]:
    if selected := request.selection.named():
        return sorted(selected)
    if connection is None:
        return sorted(declarations)
    named = declarations.keys() | request.unchanged.keys()
    return sorted(named | observe.partners_of(connection, request.coverage))


def _used(
    declarations: Declarations, connection: Connection | None, names: Iterable[str]
) -> frozenset[Accepted]:
    accepting = [name for name in names if name in declarations and declarations[name].acceptances]
    if connection is None or not accepting:
        return frozenset()
    return observe.used_acceptances(connection, accepting)


def _scopes(declarations: Declarations, connection: Connection | None, request: Request) -> Scopes:
    """Which secrets are whose, among all partners that are known."""
    registered = observe.partners(connection) if connection else []
    return Scopes(request.rules, {*declarations, *request.unchanged, *registered})


class _Observed(NamedTuple):
    """What the database has of a partner; `elsewhere` are CNPJs that another partner has."""

    partner: str
    state: State
    elsewhere: frozenset[str]
    digest: str | None
    """Of the rows that the state was read from, where that matters."""


def _batches(
    declarations: Declarations,
    connection: Connection | None,
    names: Sequence[str],
    *,
    hashing: bool,
) -> Iterator[list[_Observed]]:
    """What the database has, some partners at a time."""
    owned = owners(declarations)
    for start in range(0, len(names), observe.BATCH):
        batch = names[start : start + observe.BATCH]
        states = dict.fromkeys(batch, EMPTY)
        digests: dict[str, str | None] = {}
        for name, rows in observe.rows(connection, batch) if connection else ():
            states[name] = observe.understood(rows).state
            if hashing:
                digests[name] = recorded.digest(rows)
        unknown = {name: _unknown(name, declarations, states[name]) for name in batch}
        registered = {}
        if connection:
            asked = sorted(set().union(*unknown.values()))
            registered = observe.owners_of(connection, asked)
        known = ChainMap(registered, owned)
        yield [
            _Observed(name, states[name], elsewhere(name, unknown[name], known), digests.get(name))
            for name in batch
        ]


def _unknown(name: str, declarations: Declarations, state: State) -> set[str]:
    """The CNPJs that a partner's manifests name and that the database does not have for it."""
    declaration = declarations.get(name)
    return declaration.named_cnpjs() - state.companies.keys() if declaration else set()


def _comparisons(
    declarations: Declarations,
    batch: list[_Observed],
    ledger: LastApplied | None,
    request: Request,
) -> list[Comparison]:
    pairs = [
        (declarations.get(item.partner) or PartnerDeclaration(item.partner, Place("")), item)
        for item in batch
    ]
    names = _former_names(pairs, ledger)
    comparisons = (
        compare(
            declaration,
            item.state,
            request.coverage,
            item.elsewhere,
            names.get(item.partner, {}),
        )
        for declaration, item in pairs
    )
    return [_selected(comparison, request.selection) for comparison in comparisons]


def _former_names(
    pairs: Iterable[tuple[PartnerDeclaration, _Observed]], ledger: LastApplied | None
) -> dict[str, dict[str, str]]:
    """The last old ids of servers by their ids now, of partners where that may matter."""
    asking = [
        item.partner for declaration, item in pairs if may_be_swapped(declaration, item.state)
    ]
    return ledger.former_names(asking) if ledger and asking else {}


def _selected(comparison: Comparison, selection: Selection) -> Comparison:
    """The comparison without the changes that a selection of servers leaves out."""
    servers = selection.servers_of(comparison.partner)
    if not servers:
        return comparison
    after = comparison.desired.state
    return comparison._replace(
        changes=select(comparison.changes, servers, comparison.before, after)
    )


def judged(
    comparison: Comparison,
    causes: tuple[Cause, ...],
    undone: Mapping[str, int],
    used: frozenset[Accepted],
    request: Request,
) -> tuple[PartnerPlan, tuple[Problem, ...]]:
    """The plan of a partner after its guards; `undone` is that of a `Case`."""
    name, after = comparison.partner, comparison.desired.state
    case = Case(
        comparison.changes,
        comparison.before,
        after,
        request.coverage,
        request.thresholds,
        request.older_than,
        causes,
        undone,
    )
    acceptances = [
        *comparison.declaration.acceptances,
        *acceptances_for(name, request.acceptances),
    ]
    decision = decide(name, alarms(case), acceptances, used, request.now.date())
    part = PartnerPlan(
        name,
        comparison.changes,
        decision.refusals,
        decision.accepted,
        causes,
        unchanged=comparison.unchanged,
        left_alone=after.left_alone(request.coverage.project),
    )
    return part, _without_unselected(decision.problems, request)


def acceptances_for(partner: str, acceptances: Iterable[Acceptance]) -> list[Acceptance]:
    """Those of `acceptances` that name this partner or none."""
    return [item for item in acceptances if item.partner in ("", partner)]


def acceptance_problems(
    acceptances: Iterable[Acceptance], parts: Sequence[PartnerPlan]
) -> Iterator[Problem]:
    """What is wrong with the acceptances of the command line and the settings.

    One without a partner holds only where one partner is affected.
    """
    for item in acceptances:
        affected = [part.partner for part in parts if item.guard in part.guards()]
        if item.partner == "" and len(affected) > 1:
            text, partners = f"{item.guard}={item.count}", ", ".join(affected)
            yield Problem("MBX610", None, {"text": text, "partners": partners})
        elif item.partner not in affected and (item.partner or not affected):
            partner = item.partner or N_("all partners")
            values = {"partner": partner, "guard": item.guard, "count": item.count}
            yield Problem("MBX511", None, values)


def _without_unselected(problems: tuple[Problem, ...], request: Request) -> tuple[Problem, ...]:
    """A selection may leave out what an acceptance is for; it is not called unused then."""
    if not request.selection.named():
        return problems
    return tuple(problem for problem in problems if problem.code != "MBX511")
