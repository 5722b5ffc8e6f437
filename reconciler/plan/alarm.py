"""What guards look at, and what they say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.model.coverage import Coverage
from reconciler.model.state import State
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change


class Concern(NamedTuple):
    """A row that worries a guard; `detail` is what else there is to know, such as its file.

    `nickname` is that of the company which the row is, or links.
    """

    name: str
    detail: str = ""
    file: str | None = None
    nickname: str = ""


Concerns = tuple[Concern, ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A guard that a partner's changes set off; `count` is what an acceptance must name."""

    guard: str
    count: int
    concerns: Concerns


@dataclass(frozen=True, slots=True)
class Thresholds:
    """More than `most` rows, or at least `least` and over `percent` of what the partner has."""

    most: int = 10
    least: int = 3
    percent: int = 30

    def exceeded(self, count: int, of: int) -> bool:
        return count > self.most or (count >= self.least and count * 100 > self.percent * of)


DEFAULT_THRESHOLDS = Thresholds()


@dataclass(frozen=True, slots=True)
class Case:
    """What the guards judge: one partner's changes, between the two states they lead across.

    `causes` are those of `changes`, in their order; none where the ledger knows no row of them.
    `older_than` is the last applied commit, where the one of this run does not descend from it.
    `undone` has the revision that was rolled back for each change that undoes its rollback, by
    address.
    """

    changes: tuple[Change, ...]
    before: State
    after: State
    coverage: Coverage
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    older_than: str | None = None
    causes: tuple[Cause, ...] = ()
    undone: Mapping[str, int] = field(default_factory=dict)
