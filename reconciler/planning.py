"""The way from what was loaded to a plan: observe, desire, compare, guard, partner by partner."""

from __future__ import annotations

import uuid
from collections import ChainMap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from sqlalchemy import Connection

from reconciler import observed
from reconciler.acceptance import judge
from reconciler.alarms import DEFAULT_THRESHOLDS, Case, Thresholds
from reconciler.coverage import Coverage
from reconciler.declaration import Acceptance
from reconciler.declared import Declared, elsewhere, owners
from reconciler.desired import Desired, desire
from reconciler.diagnostics import Place, Problem
from reconciler.diff import diff
from reconciler.guards import alarms
from reconciler.model import EMPTY, Company, HostProfile, MailServer, State
from reconciler.plan import Accepted, PartnerPlan, Plan, Selection, Target, select
from reconciler.words import N_


@dataclass(frozen=True, slots=True)
class Request:
    """What a plan is asked for. `acceptances` are those of the command line and the settings;
    `older_than` is the last applied commit where this one does not descend from it.
    """

    coverage: Coverage
    selection: Selection
    manifest_digest: str
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    acceptances: tuple[Acceptance, ...] = ()
    commit: str | None = None
    older_than: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and what was noticed on the way; with an error among it the plan is not to be used."""

    plan: Plan
    problems: tuple[Problem, ...]
    skipped: int


def make_plan(
    declared: dict[str, Declared], connection: Connection | None, target: Target, request: Request
) -> Planned:
    """Plan everything that is selected. Without a connection the database is empty."""
    names = _partners(declared, connection, request)
    used = _used(declared, connection, names)
    parts, problems, skipped = [], [], 0
    for name, state, there in _states(declared, connection, names):
        wanted = declared.get(name) or Declared(name, Place(""))
        desired = desire(wanted, state, request.coverage, there)
        part, noticed = _plan_partner(wanted, state, desired, used, request)
        problems += [*desired.problems, *noticed]
        skipped += desired.skipped
        parts.append(part)
    problems += _given_acceptances(request.acceptances, parts)
    plan = Plan(
        id=str(uuid.uuid4()),
        created_at=datetime.now(UTC),
        project=request.coverage.project,
        target=target,
        manifest_digest=request.manifest_digest,
        selection=request.selection,
        partners=tuple(part for part in parts if part.changes or part.refusals),
        unchanged=sum(part.unchanged for part in parts),
        left_alone=sum(part.left_alone for part in parts),
        commit=request.commit,
    )
    return Planned(plan, tuple(problems), skipped)


def _partners(
    declared: dict[str, Declared], connection: Connection | None, request: Request
) -> list[str]:
    if selected := request.selection.named():
        return sorted(selected)
    if connection is None:
        return sorted(declared)
    return sorted(declared.keys() | observed.partners_of(connection, request.coverage))


def _used(
    declared: dict[str, Declared], connection: Connection | None, names: Iterable[str]
) -> frozenset[Accepted]:
    accepting = [name for name in names if name in declared and declared[name].acceptances]
    if connection is None or not accepting:
        return frozenset()
    return observed.used_acceptances(connection, accepting)


def _states(
    declared: dict[str, Declared], connection: Connection | None, names: Sequence[str]
) -> Iterator[tuple[str, State, frozenset[str]]]:
    """Each partner's state, with the CNPJs of its manifests that another partner has."""
    owned = owners(declared)
    if connection is None:
        for name in names:
            yield name, EMPTY, elsewhere(name, _unknown(name, declared, EMPTY), owned)
        return
    for start in range(0, len(names), observed.BATCH):
        batch = names[start : start + observed.BATCH]
        states = {name: found.state for name, found in observed.read(connection, batch)}
        unknown = {name: _unknown(name, declared, states[name]) for name in batch}
        asked = sorted(set().union(*unknown.values()))
        registered = observed.owners_of(connection, asked)
        for name in batch:
            there = elsewhere(name, unknown[name], ChainMap(registered, owned))
            yield name, states.pop(name), there


def _unknown(name: str, declared: dict[str, Declared], state: State) -> set[str]:
    """The CNPJs that a partner's manifests name and that the database does not have for it."""
    item = declared.get(name)
    return item.named_cnpjs() - state.companies.keys() if item else set()


def _plan_partner(
    declared: Declared,
    state: State,
    desired: Desired,
    used: frozenset[Accepted],
    request: Request,
) -> tuple[PartnerPlan, tuple[Problem, ...]]:
    name, project = declared.partner, request.coverage.project
    before, after = state.renamed(desired.new_names), desired.state
    changes = diff(name, before, after)
    total = _rows(after)
    part = PartnerPlan(
        name,
        changes,
        unchanged=total - sum(1 for change in changes if change.after is not None),
        left_alone=_left_alone(after, project),
    )
    servers = [server for partner, server in request.selection.servers if partner == name]
    if servers and name not in request.selection.partners:
        part = replace(part, changes=select(changes, servers, before, after))
    case = Case(
        part.changes, before, after, request.coverage, request.thresholds, request.older_than
    )
    offers = [*declared.acceptances, *_offers(name, request.acceptances)]
    judgement = judge(name, alarms(case), offers, used, _today())
    part = replace(part, refusals=judgement.refusals, accepted=judgement.accepted)
    return part, _told(judgement.problems, request)


def _offers(partner: str, acceptances: Iterable[Acceptance]) -> list[Acceptance]:
    return [offer for offer in acceptances if offer.partner in ("", partner)]


def _given_acceptances(
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


def _today() -> date:
    return datetime.now(UTC).date()


def _rows(state: State) -> int:
    return (
        (state.partner is not None)
        + len(state.companies)
        + len(state.head_offices)
        + len(state.hosts)
        + len(state.servers)
        + sum(map(len, state.links.values()))
    )


def _left_alone(state: State, project: str) -> int:
    """How many rows another program made and keeps."""
    rows: list[MailServer | Company | HostProfile] = [
        *state.servers.values(),
        *state.companies.values(),
        *state.hosts.values(),
    ]
    links = (row for links in state.links.values() for row in links)
    return sum(_is_foreign(row, project) for row in rows) + sum(
        1 for row in links if row.project != project
    )


def _is_foreign(row: MailServer | Company | HostProfile, project: str) -> bool:
    """Whether another program made it; what the tool has released is nobody's."""
    released = row.project is None and row.file is not None
    return row.project != project and not released
