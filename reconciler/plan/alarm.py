"""What a guard is, what it looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from reconciler.diagnostics.messages.message import Message
from reconciler.model.coverage import Coverage
from reconciler.model.state import State, split_link
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change


class Concern(NamedTuple):
    """A row that worries a guard; for some guards a file or a commit.

    `name` is what it is called below its partner, as in a `Change`. `detail` and `number` are what
    else the guard knows of it, `file` is where it was declared, and `nickname` that of the company
    which the row is, or links.
    """

    name: str
    detail: str = ""
    file: str | None = None
    nickname: str = ""
    kind: str = "server"
    number: int | None = None

    @property
    def server(self) -> str:
        """The mail server of a link."""
        return split_link(self.name)[0]


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
    """What guards look at: one partner's changes, and the states before and after all of them.

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


class AcceptedIn(StrEnum):
    """Where somebody can accept a guard, in the words of the documentation."""

    ANYWHERE = "anywhere"
    SETTINGS = "command line or settings"
    NOWHERE = "never"


@dataclass(frozen=True, slots=True)
class Guard:
    """All there is to say of a guard; it decorates its check, and `plan.guards` registers it.

    `message` may name `{count}`, `{list}`, `{accept}`, `{renames}`, `{revisions}` and `{edit}`.
    """

    name: str
    code: str
    stops: str
    """What it stops, for the README."""
    message: Message
    check: Callable[[Case], Iterable[Concern]]
    accepted: AcceptedIn = AcceptedIn.ANYWHERE
    instead: str = ""
    """What to do where it is never accepted, for the README."""
    on_creates: bool = False
    """Whether changes that only create rows can set it off; else it does not look at them."""
    by_server: bool = False
    """Whether each mail server sets it off by itself, rather than all that it finds together."""
    any_kind: bool = False
    """Whether its rows may be of any kind, so that documents give their addresses."""
    item: str = "{row}"
    """How a concern is listed; it may name the values of `render.refusals`, as `{row}`."""
    items: Mapping[str, str] = field(default_factory=dict)
    """The same by the `detail` of the concern, where that makes a difference."""
    edits: Mapping[str, str] = field(default_factory=dict)
    """By `detail`: what to edit; it may name `{server}` and `{files}`."""
