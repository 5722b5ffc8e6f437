"""How much a plan does, in numbers: the last line of every plan, and what the ledger keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from reconciler.diff import Action
from reconciler.plan import PartnerPlan


class Summary(NamedTuple):
    """Counts of changes; a partner with a refusal counts under `refused` only."""

    create: int
    update: int
    delete: int
    link: int
    unlink: int
    refused: int


def summarise(parts: Iterable[PartnerPlan]) -> Summary:
    """Count the changes of `parts`."""
    counts: Counter[Action] = Counter()
    refused = 0
    for part in parts:
        refused += len(part.refusals)
        if not part.refusals:
            counts.update(change.action for change in part.changes)
    done = {action.value: counts[action] for action in Action}
    return Summary(**done, refused=refused)
