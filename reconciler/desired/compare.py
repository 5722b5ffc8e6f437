"""What manifests declare, what the database has → all changes between them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from reconciler.desired.desire import Desired, desire
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model.coverage import Coverage
from reconciler.model.state import State
from reconciler.plan.diff import Change, diff


class Comparison(NamedTuple):
    """One partner: its state before, under the names it will have, the one desired, and changes.

    `differing` counts the rows that are to be another way; a selection may leave out some of their
    changes.
    """

    declaration: PartnerDeclaration
    before: State
    desired: Desired
    changes: tuple[Change, ...]
    differing: int

    @property
    def partner(self) -> str:
        return self.declaration.partner

    @property
    def unchanged(self) -> int:
        """How many rows stay as they are."""
        return self.desired.state.size - self.differing


def compare(
    declaration: PartnerDeclaration,
    observed: State,
    coverage: Coverage,
    elsewhere: frozenset[str] = frozenset(),
    applied_names: Mapping[str, str] = MappingProxyType({}),
) -> Comparison:
    """Compare what a partner declares with what the database has of it; see `desire`."""
    desired = desire(declaration, observed, coverage, elsewhere, applied_names=applied_names)
    return between(declaration, observed, desired)


def between(declaration: PartnerDeclaration, observed: State, desired: Desired) -> Comparison:
    """Compare what was observed with a desired state that is already known."""
    before = observed.renamed(desired.new_names)
    changes = diff(declaration.partner, before, desired.state)
    differing = sum(change.after is not None for change in changes)
    return Comparison(declaration, before, desired, changes, differing)
