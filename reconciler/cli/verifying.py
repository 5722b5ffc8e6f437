"""The gate of `apply`: testing before the transaction, telling it, and what it does to the plan."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from sqlalchemy import Engine

from reconciler.cli import inputs, output, redacting
from reconciler.cli.inputs import Inputs
from reconciler.cli.planning import reading, thresholds
from reconciler.cli.progress import Progress
from reconciler.cli.reporting import KEPT_SECONDS, report
from reconciler.database import clock, observe, verdicts
from reconciler.database.engine import transaction
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.diagnostics.words import n_
from reconciler.model.state import EMPTY, State
from reconciler.operations.plan import offers_for
from reconciler.plan.accept import Acceptance
from reconciler.plan.plan import PartnerPlan, Plan
from reconciler.probes import gate as verifying
from reconciler.probes.credentials import Credentials
from reconciler.probes.results import Level, Outcome, ProbeResult
from reconciler.probes.run import verdict_of, without_secrets
from reconciler.probes.schedule import Prober
from reconciler.probes.select import numbers_of
from reconciler.secrets.stores.open import Stores
from reconciler.settings import Settings


@dataclass
class Gate:
    """What the tests before an apply have found."""

    url: str
    settings: Settings
    results: list[ProbeResult] = field(default_factory=list)

    @property
    def failing(self) -> dict[str, list[str]]:
        """The servers that failed, as `partner/id`, by their partner."""
        found: dict[str, list[str]] = {}
        for result in self.results:
            if result.outcome is Outcome.FAILED:
                for name in result.names:
                    found.setdefault(name.partition("/")[0], []).append(name)
        return found

    def plan(
        self, plan: Plan, on_failure: str, acceptances: Iterable[Acceptance], given: Inputs | None
    ) -> Plan:
        """What is left of the plan, which is told."""
        failing = self.failing
        if on_failure == "refuse":
            problems = [_left(partner, names) for partner, names in sorted(failing.items())]
            output.show_problems(problems, output.NO_SOURCES)
            return verifying.without(plan, failing)
        known = {part.partner: part for part in plan.partners}
        parts = [known.get(name, PartnerPlan(name, ())) for name in sorted(failing)]
        inactive = self._inactive(plan, parts, tuple(acceptances), given)
        for names in failing.values():
            for name in names:
                output.show_problems([Problem("MBX858", None, {"name": name})], output.NO_SOURCES)
        return verifying.with_others(plan, inactive)

    def keep(self, plan: Plan) -> None:
        """Keep what was found of the servers that were applied as they were tested."""
        applied = set(verifying.names_of(plan))
        engine = inputs.engine(self.url, self.settings, writes=True, wait=KEPT_SECONDS)
        with transaction(engine, only_reads=True) as connection:
            numbers = numbers_of(connection, applied)
        found = [
            (numbers[name], verdict_of(result))
            for result in self.results
            for name in result.names
            if name in numbers
        ]
        try:
            verdicts.keep(engine, found)
        except Failure as failure:  # what was applied stays applied
            output.show_failure(failure)

    def _inactive(
        self,
        plan: Plan,
        parts: list[PartnerPlan],
        acceptances: tuple[Acceptance, ...],
        given: Inputs | None,
    ) -> list[PartnerPlan]:
        engine = inputs.engine(self.url, self.settings, writes=False)
        names = [part.partner for part in parts]
        before = _states(engine, names)
        today = clock.now_of(engine).date()
        return [
            verifying.deactivating(
                part,
                self.failing[part.partner],
                before.get(part.partner, EMPTY),
                plan.project,
                thresholds(self.settings),
                [*_declared(given, part.partner), *offers_for(part.partner, acceptances)],
                today,
            )
            for part in parts
        ]


def passed(plan: Plan, level: Level, url: str, settings: Settings) -> Gate:
    """Test what `plan` is about to make active, and tell what was found."""
    gate = Gate(url, settings)
    engine = inputs.engine(url, settings, writes=False)
    with ExitStack() as stack:
        redactor = redacting.begin()
        stores = stack.enter_context(Stores(settings.secrets, os.environ, redactor))
        known = {part.partner for part in plan.partners} | _partners(engine)
        credentials = Credentials.of(settings.secrets, stores, known)
        hosts = settings.probes.not_to_itself
        changing = sorted({item.partner for item in plan.changed_passwords})
        states = _states(engine, changing)
        targets = verifying.targets(plan, level, credentials, hosts, states)
        if not targets:
            return gate
        count = len(targets)
        text = n_("Testing {count} mail server …", "Testing {count} mail servers …", count)
        output.say(f"\n{text}")
        told = stack.enter_context(report("text", None))
        progress = Progress(count, lines=False)

        def consume(result: ProbeResult) -> None:
            shown = without_secrets(result, redactor.redact)
            gate.results.append(shown)
            progress.clear()
            told.add(shown)
            progress.add(shown)

        prober = Prober(settings.probes.policy(), settings.probes.pace())
        try:
            asyncio.run(prober.run(targets, consume))
        finally:
            progress.clear()
    return gate


def _states(engine: Engine, partners: Sequence[str]) -> dict[str, State]:
    """What the database has of these partners."""
    with reading(engine) as connection:
        found = observe.read(connection, partners) if connection and partners else ()
        return {name: seen.state for name, seen in found}


def _left(partner: str, names: list[str]) -> Problem:
    values = {"partner": partner, "count": len(names), "names": ", ".join(sorted(names))}
    return Problem("MBX857", None, values)


def _partners(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        return set(observe.partners(connection)) if connection else set()


def _declared(given: Inputs | None, partner: str) -> Iterable[Acceptance]:
    declared = given.declared.get(partner) if given else None
    return declared.acceptances if declared else ()
