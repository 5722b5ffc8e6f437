"""Committing a plan: under a lock, again after a conflict, with an answer even if it was lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from reconciler.database import clock, lock, schema, tables
from reconciler.database.dialects import dialect_for
from reconciler.database.engine import Conflict, ConnectionLost, transaction
from reconciler.database.lock import Claim, Lock
from reconciler.database.retry import attempts
from reconciler.database.schema import Condition
from reconciler.diagnostics.problem import Failure, Locked
from reconciler.ledger import record
from reconciler.operations import transaction as transaction_
from reconciler.operations.transaction import Work
from reconciler.plan.plan import Password, Plan

_LOOKS = 30
_LOOK_SECONDS = 1.0

Prepare = Callable[[Connection], bool]
"""Checks that it is the database which was planned for and makes its tables; whether it was new."""


class Applied(NamedTuple):
    """A revision that was committed, and the passwords that were sealed anew with it; None where
    there was nothing left to write.

    `created` is whether the tables were made for it, and `answer_lost` whether the connection broke
    before the database could say so.
    """

    revision: int | None
    sealed: tuple[Password, ...] = ()
    created: bool = False
    answer_lost: bool = False


def commit(engine: Engine, work: Work, prepare: Prepare, claim: Claim, seconds: float) -> Applied:
    """Apply a plan in one transaction, holding the locks that `claim` names.

    Waits at most `seconds` for whoever holds one of them. A transaction that the database undid
    because of another one is begun anew, and checks everything again.

    Raises:
        Locked: somebody else holds a lock, or others got in the way all the time.
        Stale: the plan no longer fits.
        Failure: nothing was applied, or it is not known whether it was.
    """
    made = False
    if not dialect_for(engine).transactional_ddl:
        with transaction(engine) as connection:
            made = prepare(connection)
    deadline = time.monotonic() + seconds
    for left in attempts():
        held = _take(engine, claim, seconds)
        try:
            applied = _attempt(engine, work, prepare, claim, held)
            return applied._replace(created=applied.created or made)
        except ConnectionLost as failure:
            if failure.committing:
                return _look_up(engine, work.plan, held)
            _drop(engine, held)
            raise
        except Locked as failure:
            _drop(engine, held)
            in_the_way = isinstance(failure, Conflict) or time.monotonic() < deadline
            if not left or not in_the_way:
                raise
        except BaseException:
            _drop(engine, held)
            raise
    raise AssertionError("the last attempt returns or raises")


def _take(engine: Engine, claim: Claim, seconds: float) -> Lock | None:
    """The locks; a database without tables has none, and nobody could be using it."""
    if schema.status(engine).condition is Condition.NEW:
        return None
    return lock.take(engine, claim, seconds)


def _drop(engine: Engine, held: Lock | None) -> None:
    if held:
        held.drop(engine)


def _attempt(
    engine: Engine, work: Work, prepare: Prepare, claim: Claim, held: Lock | None
) -> Applied:
    with transaction(engine) as connection:
        if held:
            held.give_back(connection)
        created = prepare(connection)
        unseen = tables.metadata.sorted_tables if created else ()
        with dialect_for(engine).keys_checked_once(connection, unseen):
            now = clock.now(connection)
            done = transaction_.write(connection, work, claim.who, now)
    return Applied(*done, created)


def _look_up(engine: Engine, plan: Plan, held: Lock | None) -> Applied:
    """Whether a plan was applied whose COMMIT had no answer: the ledger knows."""
    for _left in attempts(_LOOKS, (_LOOK_SECONDS, _LOOK_SECONDS)):
        try:
            with transaction(engine) as connection:
                if held:
                    held.wait(connection)
                number = record.revision_of(connection, plan.id)
        except Failure:
            continue
        if number is None:
            _drop(engine, held)
            raise Failure.of("MBX545")
        return Applied(number, answer_lost=True)
    raise Failure.of("MBX546", plan=plan.id)
