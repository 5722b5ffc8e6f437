"""The gate of `apply`: what is tested before a plan is applied, and what becomes of the plan."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from reconciler.model.coverage import Coverage
from reconciler.model.state import EMPTY, MailServer, State
from reconciler.plan.accept import Acceptance, decide
from reconciler.plan.alarm import Case, Thresholds
from reconciler.plan.cause import Cause, unknown
from reconciler.plan.diff import Change
from reconciler.plan.guards import alarms
from reconciler.plan.plan import PartnerPlan, Plan, new_names
from reconciler.probes.credentials import Asking, Credentials
from reconciler.probes.results import Level
from reconciler.probes.target import Target

_MATTERING = (
    *("protocol", "host", "port", "security", "verify_certificate", "ca_file", "timeout"),
    *("ehlo_name", "auth", "username", "password_reference", "sender_email", "folder"),
)
"""The fields of a server that a test may fail for."""
_OF_DEACTIVATING = ("mass-deactivate", "orphaned-company")


def targets(
    plan: Plan,
    level: Level,
    credentials: Credentials,
    to_companies: Collection[str] = (),
    states: Mapping[str, State] | None = None,
) -> tuple[Target, ...]:
    """What is tested: of the partners that can be applied, every server that will be active and
    that the plan creates, activates or changes in what a test may fail for, its password included.

    `states` is what the database has of the partners whose passwords change.

    A partner that a guard stops is not among them: above all no password goes to another host
    (`credential-moved`) that nobody has accepted. From hosts where nobody may write to itself
    nothing is sent.
    """
    changes = [
        change
        for part in plan.applicable
        for change in part.changes
        if isinstance(change.after, MailServer) and _needs_test(change.before, change.after)
    ]
    asking = [Asking(_name(change), change.partner, _server(change)) for change in changes]
    asking += _with_new_passwords(plan, states or {}, {item.key for item in asking})
    secrets = credentials.batch(asking)
    made: dict[Hashable, Target] = {}
    for name, _partner, server, _sealed in asking:
        may_send = server.host.lower() not in to_companies
        far = level if may_send else min(level, Level.LOGIN)
        made[name] = Target(server, (str(name),), far, secrets.source(name))
    return secrets.distinct(made)


def _with_new_passwords(
    plan: Plan, states: Mapping[str, State], known: Collection[Hashable]
) -> Iterator[Asking]:
    """The active servers that change in nothing but the value of their password."""
    names = {part.partner: new_names(part.changes) for part in plan.partners}
    for item in plan.changed_passwords:
        state = states.get(item.partner, EMPTY).renamed(names.get(item.partner, {}))
        server = state.servers.get(item.server)
        if server and server.active and item.address not in known:
            yield Asking(item.address, item.partner, server)


def without(plan: Plan, partners: Collection[str]) -> Plan:
    """The plan with these partners left as they are."""
    return replace(
        plan,
        partners=tuple(part for part in plan.partners if part.partner not in partners),
        passwords=tuple(item for item in plan.passwords if item.partner not in partners),
    )


def with_others(plan: Plan, parts: Iterable[PartnerPlan]) -> Plan:
    """The plan with these in place of those of the same partners; one without changes is gone."""
    new = {part.partner: part for part in parts}
    mixed = {part.partner: part for part in plan.partners} | new
    partners = tuple(mixed[name] for name in sorted(mixed) if mixed[name].changes)
    return replace(plan, partners=partners)


def deactivating(
    part: PartnerPlan,
    failing: Collection[str],
    before: State,
    project: str,
    thresholds: Thresholds,
    acceptances: Iterable[Acceptance],
    today: date,
) -> PartnerPlan:
    """The part with just the servers `failing` inactive, as far as the guards let it.

    `before` is what the database has of the partner; `today` is in UTC.
    """
    kept = [
        (made, cause)
        for change, cause in part.explained
        if (made := _inactive(change, failing)).before != made.after
    ]
    there = before.renamed(new_names(part.changes))
    kept += [(change, unknown(change)) for change in _switched_off(part, failing, there)]
    changes = tuple(change for change, _cause in kept)
    case = Case(
        changes,
        there,
        EMPTY,
        Coverage(project, frozenset(), whole=False),
        thresholds,
    )
    known = {(item.guard, item.count) for item in part.accepted}
    new = [
        alarm
        for alarm in alarms(case)
        if alarm.guard in _OF_DEACTIVATING and (alarm.guard, alarm.count) not in known
    ]
    decision = decide(part.partner, new, acceptances, frozenset(), today)
    accepted = (*part.accepted, *decision.accepted)
    return replace(
        part,
        changes=changes,
        causes=_causes(part, kept),
        refusals=(*part.refusals, *decision.refusals),
        accepted=accepted,
    )


def _switched_off(part: PartnerPlan, failing: Collection[str], there: State) -> Iterator[Change]:
    """Those that failed and that no change is about: only their password is another."""
    touched = {change.name for change in part.changes if isinstance(change.row, MailServer)}
    for name, server in there.servers.items():
        if f"{part.partner}/{name}" in failing and name not in touched:
            yield Change(part.partner, name, server, server._replace(active=False))


def _causes(part: PartnerPlan, kept: list[tuple[Change, Cause]]) -> tuple[Cause, ...]:
    return tuple(cause for _change, cause in kept) if part.causes else ()


def names_of(plan: Plan) -> Iterator[tuple[str, str]]:
    """The partner and id of every server that a plan leaves there, of those it touches."""
    for part in plan.applicable:
        for change in part.changes:
            if isinstance(change.after, MailServer):
                yield change.partner, change.after.stable_id


def _needs_test(before: object, after: MailServer) -> bool:
    if not after.active:
        return False
    if not isinstance(before, MailServer) or not before.active:
        return True
    return any(getattr(before, name) != getattr(after, name) for name in _MATTERING)


def _inactive(change: Change, failing: Collection[str]) -> Change:
    if not isinstance(change.after, MailServer) or _name(change) not in failing:
        return change
    return change._replace(after=change.after._replace(active=False))


def _name(change: Change) -> str:
    return f"{change.partner}/{change.name}"


def _server(change: Change) -> MailServer:
    assert isinstance(change.after, MailServer)
    return change.after
