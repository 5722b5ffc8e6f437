"""What a plan is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.diagnostics.problem import Problem
from reconciler.model.coverage import Coverage
from reconciler.model.unchanged import Unchanged
from reconciler.operations.unchanged import Recorder
from reconciler.plan.alarm import DEFAULT_THRESHOLDS, Thresholds
from reconciler.plan.guards import Acceptance
from reconciler.plan.plan import Selection
from reconciler.secrets.scope import Rules


@dataclass(frozen=True, slots=True)
class PlanRequest:
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

    def without_unselected(self, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
        """A selection may leave out what an acceptance is for; it is not called unused then."""
        if not self.selection.named():
            return problems
        return tuple(problem for problem in problems if problem.code != "MBX511")


def acceptances_for(partner: str, acceptances: Iterable[Acceptance]) -> list[Acceptance]:
    """Those of `acceptances` that name this partner or none."""
    return [item for item in acceptances if item.partner in ("", partner)]
