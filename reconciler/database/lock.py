"""The lock of each partner: one apply at a time, in a way that holds on every database.

Two locks work together. Who holds a partner's lock is a row, written in a transaction of its own,
so that whoever waits can read who it is, since when and from where. It is taken by a statement that
names the serial it has seen, which holds on a cluster too, where row locks do not. The transaction
that then does the work begins by giving the row back, which nobody sees before it commits. So a
process that is killed leaves a row that names it until a time a few seconds away, and nothing that
anybody must clean up; and one whose row was given to another in between notices, and begins anew.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import uniform
from typing import Any, NamedTuple
from zlib import crc32

from sqlalchemy import Connection, Engine, bindparam, literal_column, null, select, update
from sqlalchemy.exc import IntegrityError

from reconciler.database import bulk, clock
from reconciler.database.dialects import dialect_for
from reconciler.database.engine import Conflict, transaction
from reconciler.database.tables import partner_lock
from reconciler.diagnostics.problem import Failure, Locked
from reconciler.diagnostics.words import N_

_IN = 500
_BUCKETS = 64
"""How many advisory locks partners are spread over: a server has room for few thousand in all."""
_IDLE_SECONDS = 5.0
"""How long a lock may be held by somebody who has not begun to write."""
_CHANGES_A_SECOND = 5000
"""How slowly, at worst, a cluster writes: its nodes do not see each other's row locks."""
_POLL_SECONDS = (0.05, 0.25)


class Claim(NamedTuple):
    """What somebody wants locks for: of which partners, who, from where, and how many changes."""

    partners: tuple[str, ...]
    who: str
    place: str
    changes: int


class _Row(NamedTuple):
    """A partner's lock; the rest is None while nobody holds it."""

    partner: str
    serial: int
    holder: str | None
    who: str | None
    place: str | None
    since: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class Lock:
    """The locks that one apply holds."""

    partners: tuple[str, ...]
    holder: str

    def give_back(self, connection: Connection) -> None:
        """Free the locks when the transaction of `connection` commits; until then they are kept.

        Raises:
            Conflict: somebody else has taken one of them in between.
        """
        keys = {crc32(name.encode()) % _BUCKETS for name in self.partners}
        dialect_for(connection.engine).lock(connection, keys)
        names = ("partner", "holder")
        statement = (
            update(partner_lock)
            .where(*(partner_lock.c[name] == bindparam(f"key_{name}") for name in names))
            .values(serial=_NEXT, **_NOBODY)
        )
        rows = ((name, self.holder) for name in self.partners)
        touched, held = bulk.execute(connection, statement, [f"key_{n}" for n in names], rows)
        if touched != held:
            raise Conflict.of("MBX543", reason=_TAKEN)

    def wait(self, connection: Connection) -> None:
        """Wait for a transaction that gave the locks back and is not heard of any more."""
        list(_rows(connection, self.partners, lock=True))

    def drop(self, engine: Engine) -> None:
        """Free the locks after the work failed; where that fails too, their time runs out."""
        try:
            with transaction(engine) as connection:
                mine = partner_lock.c.holder == self.holder
                connection.execute(update(partner_lock).where(mine).values(**_NOBODY))
        except Failure:
            return


_TAKEN = N_("another apply took the lock")
_NEXT = partner_lock.c.serial + literal_column("1")
_NOBODY: dict[str, Any] = dict.fromkeys(("holder", "who", "place", "since", "until"), null())


def take(engine: Engine, claim: Claim, seconds: float) -> Lock:
    """Take the locks of all partners of `claim`, or none; wait at most `seconds`.

    Raises:
        Locked: somebody else holds one of them; the message says who.
        Failure: the database fails.
    """
    lock = Lock(tuple(sorted(claim.partners)), str(uuid.uuid4()))
    deadline = time.monotonic() + seconds
    while True:
        try:
            with transaction(engine) as connection:
                holders = _try(connection, lock, claim)
        except Locked as failure:
            holders = _holders(engine, lock.partners)
            if time.monotonic() >= deadline and not holders:
                raise failure from None
        else:
            if not holders:
                return lock
        if time.monotonic() >= deadline:
            raise _locked(holders[0], seconds)
        time.sleep(uniform(*_POLL_SECONDS))  # noqa: S311 - so that two do not try in step


def _locked(row: _Row, seconds: float) -> Failure:
    return Locked.of("MBX547", **row._asdict(), seconds=f"{seconds:g}")


def _try(connection: Connection, lock: Lock, claim: Claim) -> list[_Row]:
    """Take all locks if nobody holds one; else who does.

    Raises:
        Conflict: somebody else has taken or made one of them at the same time.
    """
    rows = {row.partner: row for row in _rows(connection, lock.partners, lock=True)}
    now = clock.now(connection)
    if held := _held(rows.values(), now):
        return held
    missing = ((name, 0) for name in lock.partners if name not in rows)
    try:
        bulk.load(connection, partner_lock, ("partner", "serial"), missing)
    except IntegrityError:
        raise Conflict.of("MBX543", reason=_TAKEN) from None
    _put(connection, lock, claim, {name: row.serial for name, row in rows.items()}, now)
    return []


def _put(
    connection: Connection, lock: Lock, claim: Claim, serials: dict[str, int], now: datetime
) -> None:
    seconds = _IDLE_SECONDS
    if dialect_for(connection.engine).is_cluster(connection):
        seconds += claim.changes / _CHANGES_A_SECOND
    until = now + timedelta(seconds=seconds)
    c = partner_lock.c
    statement = (
        update(partner_lock)
        .where(c.partner == bindparam("key_partner"), c.serial == bindparam("key_serial"))
        .values(
            {name: bindparam(name) for name in ("holder", "who", "place", "since", "until")}
            | {"serial": _NEXT}
        )
    )
    told = (lock.holder, claim.who, claim.place, _text(now), _text(until))
    names = ("key_partner", "key_serial", "holder", "who", "place", "since", "until")
    rows = ((name, serials.get(name, 0), *told) for name in lock.partners)
    touched, held = bulk.execute(connection, statement, names, rows)
    if touched != held:
        raise Conflict.of("MBX543", reason=_TAKEN)


def _text(moment: datetime) -> str:
    """A moment, in UTC, as the table has it: as text, which every driver gives back alike."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _rows(connection: Connection, partners: Sequence[str], *, lock: bool) -> Iterator[_Row]:
    """The rows of these partners, locked in one order so that two runs never wait in a ring."""
    for start in range(0, len(partners), _IN):
        asked = partner_lock.c.partner.in_(partners[start : start + _IN])
        query = select(*(partner_lock.c[name] for name in _Row._fields)).where(asked)
        query = query.order_by(partner_lock.c.partner)
        for row in bulk.fetch(connection, query.with_for_update() if lock else query):
            yield _Row(*row)


def _held(rows: Iterable[_Row], now: datetime) -> list[_Row]:
    return [row for row in rows if row.holder and (row.until or "") > _text(now)]


def _holders(engine: Engine, partners: Sequence[str]) -> list[_Row]:
    """Who holds any of these locks. A row that is locked is held, whatever its time says."""
    with transaction(engine, only_reads=True) as connection:
        return [row for row in _rows(connection, partners, lock=False) if row.holder]
