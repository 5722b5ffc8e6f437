"""Alarms and what somebody accepted → refusals, and acceptances that were used up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from reconciler.diagnostics.problem import Place, Problem
from reconciler.plan.alarm import Alarm
from reconciler.plan.plan import Accepted, Refusal

NEVER = frozenset({"linked-delete", "lost-password"})
"""The guards that cannot be accepted."""


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


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one partner's alarms."""

    refusals: tuple[Refusal, ...]
    accepted: tuple[Accepted, ...]
    problems: tuple[Problem, ...]


def judge(
    partner: str,
    alarms: Iterable[Alarm],
    acceptances: Iterable[Acceptance],
    used: frozenset[Accepted],
    today: date,
) -> Judgement:
    """Hold each alarm against the acceptances of its partner.

    `used` are the manifests' acceptances that an earlier revision has used; `today` is in UTC.
    """
    offers = list(acceptances)
    valid = [offer for offer in offers if not _problem_of(partner, offer, used, today)]
    refusals, accepted, spent = [], [], set[Acceptance]()
    for alarm in alarms:
        offer = _matching(alarm, valid)
        if offer and alarm.guard not in NEVER:
            accepted.append(_record(partner, offer))
            spent.add(offer)
        else:
            refusals.append(Refusal(partner, alarm, _offered(alarm, valid)))
    miscounted = {refusal.alarm.guard for refusal in refusals}
    problems = []
    for offer in offers:
        if problem := _problem_of(partner, offer, used, today):
            problems.append(problem)
        elif offer.place and offer not in spent and offer.guard not in miscounted:
            problems.append(_unused(partner, offer))
    return Judgement(tuple(refusals), tuple(accepted), tuple(problems))


def _matching(alarm: Alarm, offers: Iterable[Acceptance]) -> Acceptance | None:
    wanted = (alarm.guard, alarm.count)
    return next((offer for offer in offers if (offer.guard, offer.count) == wanted), None)


def _offered(alarm: Alarm, offers: Iterable[Acceptance]) -> int | None:
    return next((offer.count for offer in offers if offer.guard == alarm.guard), None)


def _record(partner: str, offer: Acceptance) -> Accepted:
    until = offer.until.isoformat() if offer.until else ""
    return Accepted(partner, offer.guard, offer.count, offer.reason, until)


def _problem_of(
    partner: str, offer: Acceptance, used: frozenset[Accepted], today: date
) -> Problem | None:
    """Why an acceptance does not count, if it does not."""
    values = {"partner": partner, "guard": offer.guard, "count": offer.count}
    if offer.until and offer.until < today:
        return Problem("MBX512", offer.place, {**values, "until": offer.until.isoformat()})
    if offer.place and _record(partner, offer) in used:
        return Problem("MBX513", offer.place, values)
    return None


def _unused(partner: str, offer: Acceptance) -> Problem:
    values = {"partner": partner, "guard": offer.guard, "count": offer.count}
    return Problem("MBX511", offer.place, values)
