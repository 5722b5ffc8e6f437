"""Changes → plan: what is selected, and what is refused.

A plan is plain data, one part for each partner. A partner with a refusal is left whole as it was;
the others can be applied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from reconciler.model.state import Company, HostProfile, Link, MailServer, Partner, State
from reconciler.plan.alarm import Alarm
from reconciler.plan.cause import Cause, unknown
from reconciler.plan.diff import Action, Change


class Refusal(NamedTuple):
    """An alarm that nobody accepted; `miscounted` is another count that somebody did accept."""

    partner: str
    alarm: Alarm
    miscounted: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A guard that was accepted, and by what, for the ledger."""

    partner: str
    guard: str
    count: int
    reason: str
    until: str


class Selection(NamedTuple):
    """What a run is limited to: whole partners, and single servers by partner and id."""

    partners: tuple[str, ...] = ()
    servers: tuple[tuple[str, str], ...] = ()

    def named(self) -> set[str]:
        """The partners that are selected, whole or in part; empty where all are."""
        return {*self.partners, *(partner for partner, _ in self.servers)}

    def servers_of(self, partner: str) -> list[str]:
        """The servers of a partner that are selected; none where all of them are."""
        if partner in self.partners:
            return []
        return [server for owner, server in self.servers if owner == partner]


@dataclass(frozen=True, slots=True)
class PartnerPlan:
    """What happens to one partner.

    `causes` are those of `changes`, in their order; none where the ledger knows no row of them.
    `unchanged` and `left_alone` count rows while a plan is made; a saved plan has their sums only.
    """

    partner: str
    changes: tuple[Change, ...]
    refusals: tuple[Refusal, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    causes: tuple[Cause, ...] = ()
    unchanged: int = field(default=0, compare=False)
    left_alone: int = field(default=0, compare=False)

    @property
    def explained(self) -> Iterator[tuple[Change, Cause]]:
        """The changes, each with its cause."""
        return zip(self.changes, self.causes or map(unknown, self.changes), strict=True)

    def guards(self) -> set[str]:
        """The guards that were set off, accepted or not."""
        refused = {refusal.alarm.guard for refusal in self.refusals}
        return refused | {item.guard for item in self.accepted}


class PasswordState(StrEnum):
    """What is known of a password, beside what the database keeps of it."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    NOT_CHECKED = "not checked"
    FOREIGN = "foreign"
    """Another program stored it, in a form of its own; it is left alone."""


class Password(NamedTuple):
    """Where the password of a mail server is, as in `env:NAME`; `server` is the name it gets."""

    partner: str
    server: str
    reference: str
    state: PasswordState = PasswordState.NOT_CHECKED

    @property
    def address(self) -> str:
        return f"{self.partner}/{self.server}"


@dataclass(frozen=True, slots=True)
class DatabaseTarget:
    """The database a plan is for; `id` is None where it is still new."""

    id: str | None
    dialect: str
    schema_revision: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run would do. `partners` has those with changes or refusals, by name.

    `rolls_back` is the revision that the plan undoes, if it is a rollback.

    `passwords` are those that an apply compares with what the database keeps sealed.

    `created_at` and `expires_at` are in UTC, by the clock of the database.
    """

    id: str
    created_at: datetime
    expires_at: datetime
    project: str
    target: DatabaseTarget
    manifest_digest: str
    selection: Selection
    partners: tuple[PartnerPlan, ...]
    unchanged: int
    left_alone: int
    commit: str | None = None
    rolls_back: int | None = None
    passwords: tuple[Password, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether applying may write anything."""
        return bool(self.applicable or self.to_seal)

    @property
    def changed_passwords(self) -> tuple[Password, ...]:
        """The passwords that are known to have changed, which an apply seals."""
        return tuple(item for item in self.to_seal if item.state is PasswordState.CHANGED)

    @property
    def to_seal(self) -> tuple[Password, ...]:
        """The passwords that an apply seals, or first compares with what is sealed."""
        refused = {part.partner for part in self.partners if part.refusals}
        open_states = (PasswordState.CHANGED, PasswordState.NOT_CHECKED)
        return tuple(
            item
            for item in self.passwords
            if item.state in open_states and item.partner not in refused
        )

    @property
    def applicable(self) -> tuple[PartnerPlan, ...]:
        """The partners that can be applied."""
        return tuple(part for part in self.partners if part.changes and not part.refusals)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(refusal for part in self.partners for refusal in part.refusals)

    @property
    def changes(self) -> Iterator[Change]:
        """The changes of all partners, refused ones too."""
        for part in self.partners:
            yield from part.changes


def select(
    changes: tuple[Change, ...], servers: Iterable[str], before: State, after: State
) -> tuple[Change, ...]:
    """The changes of some servers, with those that they depend on."""
    names = _with_occupants(changes, set(servers))
    rows = [row for state in (before, after) for name in names if (row := state.servers.get(name))]
    hosts = {(row.host.lower(), row.protocol) for row in rows}
    cnpjs = {link.cnpj for name in names for link in after.links.get(name, ())}
    cnpjs |= {row.company for row in rows if row.company}
    return tuple(change for change in changes if _belongs(change, names, hosts, cnpjs))


def _with_occupants(changes: tuple[Change, ...], names: set[str]) -> set[str]:
    """`names` and those of every server whose row now has a name that one of them is to get."""
    occupants = {
        change.before.stable_id: change.name
        for change in changes
        if isinstance(change.before, MailServer) and change.before.stable_id != change.name
    }
    for name in list(names):
        while (occupant := occupants.get(name)) and occupant not in names:
            names.add(occupant)
            name = occupant  # noqa: PLW2901 - a chain of renames, followed to its end
    return names


def _belongs(
    change: Change, servers: set[str], hosts: set[tuple[str, str]], cnpjs: set[str]
) -> bool:
    match change.row:
        case MailServer() | Link():
            return change.server in servers
        case HostProfile(host=host, protocol=protocol):
            return (host.lower(), protocol) in hosts
        case Company(cnpj=cnpj):
            return cnpj in cnpjs
        case Partner():
            return True
        case _:
            return False


def new_names(changes: Iterable[Change]) -> Mapping[str, str]:
    """What servers are called before and after `changes`, where that differs."""
    return {
        change.before.stable_id: change.name
        for change in changes
        if isinstance(change.before, MailServer) and isinstance(change.after, MailServer)
        if change.before.stable_id != change.name
    }


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
