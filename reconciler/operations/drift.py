"""`drift`: what other programs changed since the last apply."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator

from reconciler.database import clock
from reconciler.database.engine import transaction
from reconciler.ledger.drift import Reports, find
from reconciler.ledger.last_applied import LastApplied
from reconciler.operations import select
from reconciler.operations.context import Context
from reconciler.operations.plan import Ask
from reconciler.plan.plan import PartnerPlan, Summary, summarise


class Drift:
    """Drift partner by partner, counted on its way to whoever shows it."""

    def __init__(self, parts: Iterable[PartnerPlan]) -> None:
        self._parts = parts
        self.unchanged = 0
        self.summary = Summary(0, 0, 0, 0, 0, 0)

    def __iter__(self) -> Iterator[PartnerPlan]:
        for part in self._parts:
            self.unchanged += part.unchanged
            if part.changes:
                self.summary = Summary(
                    *map(sum, zip(self.summary, summarise((part,)), strict=True))
                )
                yield part

    def __bool__(self) -> bool:
        """Whether there was any, once all parts were taken."""
        return any(self.summary)


Show = Callable[[Drift, Reports | None], None]


def drift(context: Context, ask: Ask, show: Show, *, since_last: bool = False) -> bool:
    """Show drift partner by partner, as it is read; whether there was any is returned.

    With `since_last` it is what no earlier report of this kind had, and is remembered.
    """
    # Each partner is let go of once it is shown, and nothing holds it in a circle.
    gc.disable()
    with context.reading() as connection:
        if connection is None:
            show(Drift(()), None)
            return False
        ledger = LastApplied(connection)
        selection = select.resolve(ask.partners, ask.servers, {}, connection, ledger)
        project = context.settings.project
        reports = Reports(connection, project, selection) if since_last else None
        parts = find(connection, project, selection)
        result = Drift(reports.new(parts) if reports else parts)
        show(result, reports)
    if reports:
        # Only now: what nobody has read is still new next time.
        with transaction(context.engine(writes=True)) as connection:
            reports.remember(connection, clock.now(connection))
    return bool(result)
