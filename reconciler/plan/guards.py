"""The guards: they stop what is probably a mistake, until it is accepted by name and exact count.

Each looks at the changes of one partner and names the rows that worry it. A new one is an entry in
a module of its theme and a line in `GUARDS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from reconciler.diagnostics.problem import Place, Problem
from reconciler.plan import guards_change, guards_loss
from reconciler.plan.alarm import AcceptedIn, Alarm, Case, Concern, Concerns, Guard
from reconciler.plan.plan import Accepted, Refusal

GUARDS = {
    guard.name: guard
    for guard in (
        guards_loss.linked_delete,
        guards_loss.mass_delete,
        guards_loss.mass_unlink,
        guards_loss.mass_deactivate,
        guards_loss.lost_input,
        guards_change.suspected_rename,
        guards_loss.orphaned_company,
        guards_change.takeover,
        guards_change.credential_moved,
        guards_change.older_commit,
        guards_change.undoes_rollback,
        guards_change.lost_password,
    )
}
"""Every guard by its name, in the order in which alarms are shown."""


IN_MANIFESTS = tuple(
    guard.name for guard in GUARDS.values() if guard.accepted is AcceptedIn.ANYWHERE
)
"""The names of the guards that a manifest can accept."""
ELSEWHERE = tuple(
    guard.name for guard in GUARDS.values() if guard.accepted is not AcceptedIn.NOWHERE
)
"""The names of the guards that the settings and the command line can accept."""


def alarms(case: Case) -> tuple[Alarm, ...]:
    """Every guard that the case sets off, in the order of `GUARDS`."""
    if not case.changes:
        return ()
    only_creates = all(change.before is None for change in case.changes)
    return tuple(
        Alarm(guard.name, len(concerns), concerns)
        for guard in GUARDS.values()
        if guard.on_creates or not only_creates
        for concerns in _alarming(guard, tuple(guard.check(case)))
    )


def _alarming(guard: Guard, concerns: Concerns) -> Iterable[Concerns]:
    """What each alarm of a guard is raised for."""
    if not guard.by_server:
        return [concerns] if concerns else []
    servers: dict[str, list[Concern]] = {}
    for concern in concerns:
        servers.setdefault(concern.server, []).append(concern)
    return map(tuple, servers.values())


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A guard that a change may pass.

    One of a manifest has a place, and counts for the manifest's partner. One of the command line or
    the settings names its partner, or none where only one is affected.
    """

    guard: str
    count: int
    reason: str = ""
    until: date | None = None
    place: Place | None = None
    partner: str = ""


class Decision(NamedTuple):
    """What became of one partner's alarms, and what is wrong with its acceptances."""

    refusals: tuple[Refusal, ...]
    accepted: tuple[Accepted, ...]
    problems: tuple[Problem, ...]


def decide(
    partner: str,
    alarms: Iterable[Alarm],
    acceptances: Iterable[Acceptance],
    used: frozenset[Accepted],
    today: date,
) -> Decision:
    """Hold each alarm against the acceptances of its partner.

    `used` are the manifests' acceptances that an earlier revision has used; `today` is in UTC.
    """
    valid, problems = [], []
    for acceptance in acceptances:
        if problem := _problem_of(partner, acceptance, used, today):
            problems.append(problem)
        else:
            valid.append(acceptance)
    refusals, accepted, spent = [], [], set[Acceptance]()
    for alarm in alarms:
        named = [acceptance for acceptance in valid if acceptance.guard == alarm.guard]
        exact = next((item for item in named if item.count == alarm.count), None)
        if exact and alarm.guard in ELSEWHERE:
            accepted.append(_record(partner, exact))
            spent.add(exact)
        else:
            refusals.append(Refusal(partner, alarm, named[0].count if named else None))
    refused = {refusal.alarm.guard for refusal in refusals}
    problems += [
        _problem("MBX511", partner, acceptance)
        for acceptance in valid
        if acceptance.place and acceptance not in spent and acceptance.guard not in refused
    ]
    return Decision(tuple(refusals), tuple(accepted), tuple(problems))


def _record(partner: str, acceptance: Acceptance) -> Accepted:
    until = acceptance.until.isoformat() if acceptance.until else ""
    return Accepted(partner, acceptance.guard, acceptance.count, acceptance.reason, until)


def _problem_of(
    partner: str, acceptance: Acceptance, used: frozenset[Accepted], today: date
) -> Problem | None:
    """Why an acceptance does not count, if it does not."""
    if acceptance.until and acceptance.until < today:
        return _problem("MBX512", partner, acceptance, until=acceptance.until.isoformat())
    if acceptance.place and _record(partner, acceptance) in used:
        return _problem("MBX513", partner, acceptance)
    return None


def _problem(code: str, partner: str, acceptance: Acceptance, **values: str) -> Problem:
    named = {"partner": partner, "guard": acceptance.guard, "count": acceptance.count}
    return Problem(code, acceptance.place, {**named, **values})
