"""Some partners at a time: observed, compared, judged by the guards, and counted."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.database import unchanged as recorded
from reconciler.desired.desire import Comparison, compare
from reconciler.desired.match import may_be_swapped
from reconciler.diagnostics.problem import Place, Problem
from reconciler.ledger import last_applied, restore
from reconciler.ledger.last_applied import LastApplied
from reconciler.manifests import secrets
from reconciler.manifests.partner import PartnerDeclaration, elsewhere
from reconciler.model.state import EMPTY, State
from reconciler.model.unchanged import Unchanged
from reconciler.operations.request import PlanRequest, acceptances_for
from reconciler.plan.alarm import Case
from reconciler.plan.cause import Cause
from reconciler.plan.guards import alarms, decide
from reconciler.plan.plan import Accepted, PartnerPlan, Password, Selection, select
from reconciler.secrets.scope import Scopes

Declarations = Mapping[str, PartnerDeclaration]
"""What each partner declares, by its id."""


class PartnerOutcome(NamedTuple):
    """What comes of one partner, and the fact that is recorded of it, where there is one.

    `unregistered` are CNPJs that its manifests name and the database does not have for anybody.
    """

    part: PartnerPlan
    problems: tuple[Problem, ...]
    skipped: int
    fact: Unchanged | None = None
    passwords: tuple[Password, ...] = ()
    unregistered: frozenset[str] = frozenset()


class Neighbours(NamedTuple):
    """What has to be known of all partners: who declares each CNPJ, and which secrets are whose."""

    owned: dict[str, str]
    scopes: Scopes


class _ObservedPartner(NamedTuple):
    """What the database has of a partner; `elsewhere` are CNPJs that another partner has.

    `digest` is of the rows that the state was read from, where that matters.
    """

    partner: str
    state: State
    elsewhere: frozenset[str]
    unregistered: frozenset[str]
    digest: str | None


def outcomes(
    declarations: Declarations,
    names: Sequence[str],
    connection: Connection | None,
    request: PlanRequest,
    neighbours: Neighbours,
) -> Iterator[PartnerOutcome]:
    """What comes of each of these partners, in their order; without a connection all are new."""
    used = _used(declarations, connection, names)
    ledger = LastApplied(connection) if connection else None
    for start in range(0, len(names), observe.BATCH):
        batch = names[start : start + observe.BATCH]
        observed = _observed(declarations, batch, connection, request, neighbours.owned)
        comparisons = _comparisons(declarations, observed, ledger, request)
        changes = {item.partner: item.changes for item in comparisons}
        causes = last_applied.causes(ledger, changes) if ledger else {}
        for comparison, item in zip(comparisons, observed, strict=True):
            known = causes.get(comparison.partner, ())
            undone = restore.undone(connection, comparison.changes, known) if connection else {}
            part, noticed = judged(comparison, known, undone, used, request)
            outside = secrets.problems(comparison.declaration, neighbours.scopes)
            yield PartnerOutcome(
                part,
                (*comparison.desired.problems, *outside, *noticed),
                comparison.desired.skipped,
                _fact(comparison, part, item, request),
                tuple(_passwords(comparison, request)),
                item.unregistered,
            )


def _used(
    declarations: Declarations, connection: Connection | None, names: Iterable[str]
) -> frozenset[Accepted]:
    accepting = [name for name in names if name in declarations and declarations[name].acceptances]
    if connection is None or not accepting:
        return frozenset()
    return observe.used_acceptances(connection, accepting)


def _observed(
    declarations: Declarations,
    names: Sequence[str],
    connection: Connection | None,
    request: PlanRequest,
    owned: dict[str, str],
) -> list[_ObservedPartner]:
    """What the database has of these partners."""
    states = dict.fromkeys(names, EMPTY)
    digests: dict[str, str | None] = {}
    for name, rows in observe.rows(connection, names) if connection else ():
        states[name] = observe.understood(rows).state
        if request.recorder:
            digests[name] = recorded.digest(rows)
    unknown = {name: _unknown(declarations.get(name), states[name]) for name in names}
    asked = sorted(set().union(*unknown.values()))
    registered = observe.owners_of(connection, asked) if connection else {}
    known = ChainMap(registered, owned)
    return [
        _ObservedPartner(
            name,
            states[name],
            elsewhere(name, unknown[name], known),
            frozenset(unknown[name] - registered.keys()),
            digests.get(name),
        )
        for name in names
    ]


def _unknown(declaration: PartnerDeclaration | None, state: State) -> set[str]:
    """The CNPJs that a partner's manifests name and that the database does not have for it."""
    return declaration.named_cnpjs() - state.companies.keys() if declaration else set()


def _comparisons(
    declarations: Declarations,
    batch: list[_ObservedPartner],
    ledger: LastApplied | None,
    request: PlanRequest,
) -> list[Comparison]:
    pairs = [
        (declarations.get(item.partner) or PartnerDeclaration(item.partner, Place("")), item)
        for item in batch
    ]
    names = _former_names(pairs, ledger)
    return [
        _selected(
            compare(
                declaration,
                item.state,
                request.coverage,
                item.elsewhere,
                names.get(item.partner, {}),
            ),
            request.selection,
        )
        for declaration, item in pairs
    ]


def _former_names(
    pairs: Iterable[tuple[PartnerDeclaration, _ObservedPartner]], ledger: LastApplied | None
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
    request: PlanRequest,
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
    acceptances = [*comparison.declaration.acceptances, *acceptances_for(name, request.acceptances)]
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
    return part, request.without_unselected(decision.problems)


def _fact(
    comparison: Comparison, part: PartnerPlan, observed: _ObservedPartner, request: PlanRequest
) -> Unchanged | None:
    """The fact that the partner is unchanged, at once or after its changes."""
    recorder = request.recorder
    if recorder is None or part.refusals:
        return None
    if not part.changes:
        return recorder.fact(comparison, observed.state, observed.digest, request.coverage)
    return recorder.fact_after(comparison, request.coverage)


def _passwords(comparison: Comparison, request: PlanRequest) -> Iterator[Password]:
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
