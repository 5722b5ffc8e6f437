"""Where changes are written, for people and for documents."""

from __future__ import annotations

from reconciler.desired.written_at import Places
from reconciler.diagnostics.problem import Source
from reconciler.operations.inputs import Inputs
from reconciler.plan.diff import Change


class Locator:
    """Finds where changes are written, in the manifests of a run; of one partner after another."""

    def __init__(self, inputs: Inputs | None) -> None:
        self._inputs = inputs
        self._places: dict[str, Places] = {}

    def source(self, change: Change) -> Source | None:
        """File, line and column of a change; None where no manifest has it."""
        if self._inputs is None or change.partner not in self._inputs.declared:
            return None
        if change.partner not in self._places:
            self._places = {change.partner: Places(self._inputs.declared[change.partner])}
        place = self._places[change.partner].of(change)
        if place is None:
            return None
        mark = self._inputs.sources.mark(place)
        return Source(self._inputs.sources.shown(place.file), mark.line, mark.column)

    def line(self, change: Change) -> str:
        """`file:line` of a change; empty where no manifest has it."""
        source = self.source(change)
        return f"{source.file}:{source.line}" if source else ""
