"""The gate of `apply`: what is tested before a plan is applied, and what becomes of the plan."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from reconciler.model.coverage import Coverage
from reconciler.model.state import EMPTY, MailServer, State
from reconciler.plan.alarm import Case, Thresholds
from reconciler.plan.cause import unknown
from reconciler.plan.diff import Change
from reconciler.plan.guards import Acceptance, alarms, decide
from reconciler.plan.plan import PartnerPlan, Plan, new_names
from reconciler.probes.credentials import Credentials, SecretRequest
from reconciler.probes.results import Level
from reconciler.probes.target import Target

_TESTED_FIELDS = (
    *("protocol", "host", "port", "security", "verify_certificate", "ca_file", "timeout"),
    *("ehlo_name", "auth", "username", "password_reference", "sender_email", "folder"),
)
"""The fields of a server that can make its test fail."""
_OF_DEACTIVATING = ("mass-deactivate", "orphaned-company")


def targets(
    plan: Plan,
    level: Level,
    credentials: Credentials,
    to_companies: Collection[str],
    states: Mapping[str, State],
) -> tuple[Target, ...]:
    """What is tested: every server that will be active and that the plan creates, activates or
    changes in a field that can make its test fail, its password included.

    `states` is what the database has of the partners whose passwords change.

    A partner that a guard stops is left out: above all no password goes to another host
    (`credential-moved`) that nobody has accepted. From the hosts `to_companies`, on which no
    mailbox may write to itself, nothing is sent.
    """
    requests = [
        SecretRequest(_name(change), change.partner, change.after)
        for part in plan.applicable
        for change in part.changes
        if isinstance(change.after, MailServer) and _needs_test(change.before, change.after)
    ]
    requests += _with_new_passwords(plan, states, {item.key for item in requests})
    secrets = credentials.batch(requests)
    by_name: dict[Hashable, Target] = {}
    for name, _partner, server, _sealed in requests:
        may_send = server.host.lower() not in to_companies
        reach = level if may_send else min(level, Level.LOGIN)
        by_name[name] = Target(server, (str(name),), reach, secrets.source(name))
    return secrets.distinct(by_name)


def _with_new_passwords(
    plan: Plan, states: Mapping[str, State], known: Collection[Hashable]
) -> Iterator[SecretRequest]:
    """The active servers of which nothing but the value of the password changes."""
    names = {part.partner: new_names(part.changes) for part in plan.partners}
    for item in plan.changed_passwords:
        state = states.get(item.partner, EMPTY).renamed(names.get(item.partner, {}))
        server = state.servers.get(item.server)
        if server and server.active and item.address not in known:
            yield SecretRequest(item.address, item.partner, server)


def without(plan: Plan, partners: Collection[str]) -> Plan:
    """The plan with these partners left as they are."""
    parts = tuple(part for part in plan.partners if part.partner not in partners)
    passwords = tuple(item for item in plan.passwords if item.partner not in partners)
    return replace(plan, partners=parts, passwords=passwords)


def with_parts(plan: Plan, parts: Iterable[PartnerPlan]) -> Plan:
    """The plan with these parts in place of those of the same partners; empty ones are dropped."""
    by_partner = {part.partner: part for part in (*plan.partners, *parts)}
    merged = tuple(by_partner[name] for name in sorted(by_partner) if by_partner[name].changes)
    return replace(plan, partners=merged)


def deactivating(
    part: PartnerPlan,
    failing: Collection[str],
    before: State,
    project: str,
    thresholds: Thresholds,
    acceptances: Iterable[Acceptance],
    today: date,
) -> PartnerPlan:
    """The part with only the servers `failing` inactive, judged by the guards once more.

    `before` is what the database has of the partner; `today` is in UTC.
    """
    renamed = before.renamed(new_names(part.changes))
    explained = [(_inactive(change, failing), cause) for change, cause in part.explained]
    explained = [(change, cause) for change, cause in explained if change.before != change.after]
    switched = _switched_off(part, failing, renamed)
    explained += [(change, unknown(change)) for change in switched]
    changes = tuple(change for change, _cause in explained)
    causes = tuple(cause for _change, cause in explained) if part.causes else ()
    coverage = Coverage(project, frozenset(), whole=False)
    known = {(item.guard, item.count) for item in part.accepted}
    new = [
        alarm
        for alarm in alarms(Case(changes, renamed, EMPTY, coverage, thresholds))
        if alarm.guard in _OF_DEACTIVATING and (alarm.guard, alarm.count) not in known
    ]
    decision = decide(part.partner, new, acceptances, frozenset(), today)
    return replace(
        part,
        changes=changes,
        causes=causes,
        refusals=(*part.refusals, *decision.refusals),
        accepted=(*part.accepted, *decision.accepted),
    )


def _switched_off(part: PartnerPlan, failing: Collection[str], state: State) -> Iterator[Change]:
    """The failing servers that no change is about, as only their password is another."""
    changed = {change.name for change in part.changes if isinstance(change.row, MailServer)}
    for name, server in state.servers.items():
        if f"{part.partner}/{name}" in failing and name not in changed:
            yield Change(part.partner, name, server, server._replace(active=False))


def names_of(plan: Plan) -> Iterator[tuple[str, str]]:
    """Partner and id of every server that a plan creates or changes."""
    for part in plan.applicable:
        for change in part.changes:
            if isinstance(change.after, MailServer):
                yield change.partner, change.after.stable_id


def _needs_test(before: object, after: MailServer) -> bool:
    if not after.active:
        return False
    if not isinstance(before, MailServer) or not before.active:
        return True
    return any(getattr(before, name) != getattr(after, name) for name in _TESTED_FIELDS)


def _inactive(change: Change, failing: Collection[str]) -> Change:
    if not isinstance(change.after, MailServer) or _name(change) not in failing:
        return change
    return change._replace(after=change.after._replace(active=False))


def _name(change: Change) -> str:
    return f"{change.partner}/{change.name}"
