"""Whether a plan may be applied here and now, or is stale: every reason for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from reconciler.diagnostics.problem import Failure, Problem, Stale
from reconciler.diagnostics.words import _
from reconciler.model import as_json
from reconciler.model.state import (
    EMPTY,
    Company,
    HeadOffice,
    HostProfile,
    Link,
    MailServer,
    Row,
    State,
)
from reconciler.plan.diff import Change
from reconciler.plan.plan import DatabaseTarget, Plan, new_names


def require(plan: Plan, current: DatabaseTarget, now: datetime, *, empty: bool) -> None:
    """Refuse a plan whose time is over, or that was made for another database or schema.

    `now` is the time by the clock of the `current` database, and `empty` whether nothing was ever
    applied to it. A plan for a new database fits every schema.

    Raises:
        Stale: it must be made anew.
    """
    require_target(plan, current, empty=empty)
    if now >= plan.expires_at:
        raise Stale.of("MBX550", until=_text(plan.expires_at), now=_text(now))
    planned = plan.target
    if planned.id is not None and planned.schema_revision != current.schema_revision:
        raise Stale.of("MBX555", planned=planned.schema_revision, found=current.schema_revision)


def require_target(plan: Plan, current: DatabaseTarget, *, empty: bool) -> None:
    """Refuse a plan for another database than the `current` one.

    One that was new may have got its tables since, as long as it is `empty`.

    Raises:
        Stale: it is for another database.
    """
    planned = plan.target
    same = planned.id == current.id or (planned.id is None and empty)
    if not (same and planned.dialect == current.dialect):
        raise Stale.of("MBX522", planned=_name(planned), found=_name(current))


def _name(target: DatabaseTarget) -> str:
    return f"{target.dialect} {target.id or _('a new one')}"


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def require_unapplied(revision: int | None) -> None:
    """Refuse a plan that was applied before, as that revision.

    Raises:
        Stale: it was.
    """
    if revision is not None:
        raise Stale.of("MBX527", number=revision)


class StaleRow(NamedTuple):
    """A change whose row is not as expected, and the row as it is `now`."""

    change: Change
    now: Row | None


def require_fresh(rows: Iterable[StaleRow]) -> None:
    """Refuse a plan of which rows no longer read as it was planned from.

    Raises:
        Stale: there are such rows; each is a problem.
    """
    if problems := tuple(_problems("MBX520", rows)):
        raise Stale(problems)


def require_written(rows: Iterable[StaleRow]) -> None:
    """Refuse to commit rows that do not read as they were written.

    Raises:
        Failure: there are such rows; each is a problem.
    """
    if problems := tuple(_problems("MBX525", rows)):
        raise Failure(problems)


def _problems(code: str, rows: Iterable[StaleRow]) -> Iterator[Problem]:
    for change, now in rows:
        before, current, after = as_json.differing(change.before, now, change.after)
        values = {"address": change.address, "before": before, "now": current, "after": after}
        yield Problem(code, None, values)


def stale_rows(changes: Iterable[Change], current: State) -> tuple[StaleRow, ...]:
    """The rows that `changes` touch, or that justified them, and that no longer read as planned."""
    planned = tuple(changes)
    if current == EMPTY:
        return tuple(StaleRow(change, None) for change in planned if change.before is not None)
    current = current.renamed(new_names(planned))
    rows = _Rows(current)
    stale = []
    for change in planned:
        now = rows.of(change)
        if now != change.before:
            stale.append(StaleRow(change, now))
        elif change.after is None and isinstance(change.before, MailServer):
            stale.extend(StaleRow(change, link) for link in current.links.get(change.name, ()))
    return tuple(stale)


def unwritten_rows(changes: Iterable[Change], current: State) -> tuple[StaleRow, ...]:
    """The rows that do not read as desired after `changes` were made."""
    rows = _Rows(current)
    return tuple(
        StaleRow(change, now) for change in changes if (now := rows.of(change)) != change.after
    )


class _Rows:
    """The rows of a state by the changes that are about them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._links: dict[str, dict[str, Link]] = {}

    def of(self, change: Change) -> Row | None:
        """The row that a change is about; None where it is not there."""
        state, row = self._state, change.row
        if type(row) is Link:  # nine of ten are, and matching costs more than looking
            server = change.server
            if server not in self._links:
                self._links[server] = {link.cnpj: link for link in state.links.get(server, ())}
            return self._links[server].get(row.cnpj)
        match row:
            case MailServer():
                return state.servers.get(change.name)
            case Company(cnpj=cnpj):
                return state.companies.get(cnpj)
            case HeadOffice(root=root):
                return state.head_offices.get(root)
            case HostProfile(host=host, protocol=protocol):
                return state.hosts.get((host, protocol))
            case _:
                return state.partner
