"""The gate of `apply`: mailboxes are tested before the transaction, and the plan follows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Protocol

from reconciler.database import clock, observe, verdicts
from reconciler.database.engine import transaction
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.model.state import EMPTY, State
from reconciler.operations.context import Context
from reconciler.operations.inputs import Inputs
from reconciler.operations.plan import thresholds
from reconciler.operations.request import acceptances_for
from reconciler.operations.transaction import Work
from reconciler.plan.guards import Acceptance
from reconciler.plan.plan import PartnerPlan, Plan
from reconciler.probes import gate
from reconciler.probes.credentials import Credentials
from reconciler.probes.results import Level, ProbeOutcome, ProbeResult
from reconciler.probes.run import verdict_of, without_secrets
from reconciler.probes.schedule import Consumer, Prober
from reconciler.probes.select import numbers_of
from reconciler.secrets.read import Stores

KEPT_SECONDS = 10
"""How long to wait for the locks of others when verdicts are written."""


class Verification(NamedTuple):
    """How far mailboxes are tested, and whether one that fails is applied inactive."""

    level: Level
    deactivate: bool = False


class GateAudience(Protocol):
    """Who is told of the tests before an apply."""

    def testing(self, count: int) -> AbstractContextManager[Consumer]:
        """Tests of `count` mail servers begin; each result is passed to what this yields."""

    def warn(self, problems: Sequence[Problem]) -> None:
        """Tell of problems that stop nothing."""

    def failed(self, failure: Failure) -> None:
        """Tell of a failure that does not end the run."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The results of the tests before an apply."""

    context: Context
    verification: Verification
    results: tuple[ProbeResult, ...]

    @classmethod
    def of(
        cls, plan: Plan, verification: Verification, context: Context, audience: GateAudience
    ) -> Gate:
        """Test what `plan` is about to make active."""
        settings, results = context.settings, list[ProbeResult]()
        with ExitStack() as stack:
            redactor = context.redacting()
            stores = stack.enter_context(Stores(settings.secrets, context.environ, redactor))
            partners = {part.partner for part in plan.partners}
            with context.reading() as connection:
                partners |= set(observe.partners(connection)) if connection else set()
            credentials = Credentials(settings.secrets, stores, partners)
            before = _states(context, sorted({item.partner for item in plan.changed_passwords}))
            to_companies = settings.probes.not_to_itself
            targets = gate.targets(plan, verification.level, credentials, to_companies, before)
            if targets:
                tell = stack.enter_context(audience.testing(len(targets)))

                def consume(result: ProbeResult) -> None:
                    shown = without_secrets(result, redactor.redact)
                    results.append(shown)
                    tell(shown)

                prober = Prober(settings.probes.policy(), settings.probes.pace())
                asyncio.run(prober.run(targets, consume))
        return cls(context, verification, tuple(results))

    @property
    def failing(self) -> dict[str, list[str]]:
        """The servers that failed, as `partner/id`, by their partner."""
        names: dict[str, list[str]] = {}
        for result in self.results:
            if result.outcome is ProbeOutcome.FAILED:
                for name in result.names:
                    names.setdefault(name.partition("/")[0], []).append(name)
        return names

    def passing(
        self,
        work: Work,
        acceptances: tuple[Acceptance, ...],
        inputs: Inputs | None,
        audience: GateAudience,
    ) -> Work:
        """What is left of the work, without partners of failing servers or with these inactive."""
        plan, failing = work.plan, self.failing
        left = tuple(fact for fact in work.unchanged if fact.partner not in failing)
        if not self.verification.deactivate:
            audience.warn([_left_out(partner, names) for partner, names in sorted(failing.items())])
            return work._replace(plan=gate.without(plan, failing), unchanged=left)
        known = {part.partner: part for part in plan.partners}
        before = _states(self.context, sorted(failing))
        declared = inputs.declared if inputs else {}
        today = clock.now_of(self.context.engine(writes=False)).date()
        inactive = [
            gate.deactivating(
                known.get(name, PartnerPlan(name, ())),
                failing[name],
                before.get(name, EMPTY),
                plan.project,
                thresholds(self.context.settings),
                [
                    *(declared[name].acceptances if name in declared else ()),
                    *acceptances_for(name, acceptances),
                ],
                today,
            )
            for name in sorted(failing)
        ]
        for name in chain.from_iterable(failing.values()):
            audience.warn([Problem("MBX858", None, {"name": name})])
        return work._replace(plan=gate.with_parts(plan, inactive), unchanged=left)

    def keep(self, plan: Plan, audience: GateAudience) -> None:
        """Write the verdicts on the servers that were applied as they were tested."""
        applied = set(gate.names_of(plan))
        engine = self.context.engine(writes=True, wait=KEPT_SECONDS)
        with transaction(engine, only_reads=True) as connection:
            numbers = numbers_of(connection, applied)
        tested = [
            (numbers[name], verdict_of(result))
            for result in self.results
            for name in result.names
            if name in numbers
        ]
        try:
            verdicts.keep(engine, tested)
        except Failure as failure:  # what was applied stays applied
            audience.failed(failure)


def _states(context: Context, partners: Sequence[str]) -> Mapping[str, State]:
    """What the database has of these partners, by their names."""
    with context.reading() as connection:
        observed = observe.read(connection, partners) if connection and partners else ()
        return {name: item.state for name, item in observed}


def _left_out(partner: str, names: list[str]) -> Problem:
    values = {"partner": partner, "count": len(names), "names": ", ".join(sorted(names))}
    return Problem("MBX857", None, values)
