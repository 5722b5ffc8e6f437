"""A plan out of what comes of each partner."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.database import passwords as kept
from reconciler.diagnostics.problem import Problem
from reconciler.diagnostics.words import N_
from reconciler.manifests.partner import owners
from reconciler.model.unchanged import Unchanged
from reconciler.operations.batch import Declarations, Neighbours, PartnerOutcome, outcomes
from reconciler.operations.request import PlanRequest, acceptances_for
from reconciler.plan.guards import Acceptance, decide
from reconciler.plan.plan import DatabaseTarget, PartnerPlan, Password, Plan
from reconciler.secrets.scope import Scopes


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


def plan_partners(
    declarations: Declarations,
    connection: Connection | None,
    target: DatabaseTarget,
    request: PlanRequest,
) -> PlannedPartners:
    """Plan everything that is selected. Without a connection the database is empty."""
    names = names_of(declarations, connection, request)
    remaining = [name for name in names if name not in request.unchanged]
    known = known_partners(declarations, connection, request)
    neighbours = Neighbours(owners(declarations), Scopes(request.rules, known))
    made = outcomes(declarations, remaining, connection, request, neighbours)
    return put_together(names, made, connection, target, request)


def put_together(
    names: Iterable[str],
    made: Iterable[PartnerOutcome],
    connection: Connection | None,
    target: DatabaseTarget,
    request: PlanRequest,
) -> PlannedPartners:
    """The plan of the partners of these names, of which all but unchanged ones were `made`."""
    by_name = {name: _unchanged(fact, request) for name, fact in request.unchanged.items()}
    by_name |= {outcome.part.partner: outcome for outcome in made}
    ordered = [by_name[name] for name in names]
    parts = [outcome.part for outcome in ordered]
    problems = [problem for outcome in ordered for problem in outcome.problems]
    problems += acceptance_problems(request.acceptances, parts)
    passwords = [password for outcome in ordered for password in outcome.passwords]
    if connection and request.sealing:
        passwords += _unchanged_passwords(connection, request)
    plan = replace(plan_of(parts, target, request), passwords=tuple(sorted(passwords)))
    facts = tuple(outcome.fact for outcome in ordered if outcome.fact)
    return PlannedPartners(plan, tuple(problems), sum(item.skipped for item in ordered), facts)


def _unchanged_passwords(connection: Connection, request: PlanRequest) -> Iterator[Password]:
    """The passwords of what the manifests of unchanged partners declare."""
    references = kept.references(connection, sorted(request.unchanged), request.coverage.project)
    for partner, name, reference, file in references:
        if file in request.coverage.files:
            yield Password(partner, name, reference)


def _unchanged(fact: Unchanged, request: PlanRequest) -> PartnerOutcome:
    """What comes of a partner that is known to be left as it is.

    Without changes no guard looks at anything; all that can be said is about acceptances.
    """
    part = PartnerPlan(fact.partner, (), unchanged=fact.unchanged, left_alone=fact.left_alone)
    acceptances = acceptances_for(fact.partner, request.acceptances)
    decision = decide(fact.partner, (), acceptances, frozenset(), request.now.date())
    return PartnerOutcome(part, request.without_unselected(decision.problems), fact.skipped)


def plan_of(
    parts: Sequence[PartnerPlan],
    target: DatabaseTarget,
    request: PlanRequest,
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


def names_of(
    declared: Collection[str], connection: Connection | None, request: PlanRequest
) -> list[str]:
    """The partners that a plan is about, in order: selected ones, or all that there are."""
    if selected := request.selection.named():
        return sorted(selected)
    if connection is None:
        return sorted(declared)
    named = {*declared, *request.unchanged}
    return sorted(named | observe.partners_of(connection, request.coverage))


def known_partners(
    declared: Collection[str], connection: Connection | None, request: PlanRequest
) -> frozenset[str]:
    """All partners, wherever they are: they decide which secrets are whose."""
    registered = observe.partners(connection) if connection else []
    return frozenset({*declared, *request.unchanged, *registered})


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
