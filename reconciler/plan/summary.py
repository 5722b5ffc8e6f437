"""A plan in numbers: for the last line of every plan, and for the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sized
from typing import NamedTuple

from reconciler.plan.diff import Action
from reconciler.plan.plan import PartnerPlan


class Summary(NamedTuple):
    """Counts of changes; a partner with a refusal counts under `refused` only.

    `seal` are passwords whose values have changed.
    """

    create: int
    update: int
    delete: int
    link: int
    unlink: int
    refused: int
    seal: int = 0


def summarise(parts: Iterable[PartnerPlan], passwords: Sized = ()) -> Summary:
    """Count the changes of `parts`, and the `passwords` that have changed."""
    counts: Counter[Action] = Counter()
    refused = 0
    for part in parts:
        refused += len(part.refusals)
        if not part.refusals:
            counts.update(change.action for change in part.changes)
    done = {action.value: counts[action] for action in Action}
    return Summary(**done, refused=refused, seal=len(passwords))
