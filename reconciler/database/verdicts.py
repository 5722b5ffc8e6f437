"""The last verdict on each mail server: what a test found, and since when that is so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select

from reconciler.database import bulk, clock
from reconciler.database.engine import transaction
from reconciler.database.retry import attempts
from reconciler.database.tables import mail_server, probe_result
from reconciler.diagnostics.problem import Locked

PASSED, FAILED, NOT_TESTED = "passed", "failed", "not-tested"
BATCH = 500
"""As many verdicts are written with one transaction."""
_LINE = 400


class TestVerdict(NamedTuple):
    """What a test found: how far it was to go, and where it failed the code and the step of that,
    and the server's own `line`, without secrets.
    """

    verdict: str
    level: str
    code: str | None = None
    step: str | None = None
    line: str | None = None


class Last(NamedTuple):
    """The last verdict on a server: when it was found, and since when there has been no other.

    Both are in UTC, by the clock of the database; None where the row has no such time.
    """

    verdict: TestVerdict
    tried_at: datetime | None
    since: datetime | None


COLUMNS = [
    *(probe_result.c[name] for name in TestVerdict._fields),
    probe_result.c.tried_at,
    probe_result.c.since,
]
"""What `last_of` is made of, for a query that joins the table."""


def last_of(values: Sequence[Any]) -> Last | None:
    """The values of `COLUMNS` as they come from the driver; None where there is no row."""
    *of_verdict, tried_at, since = values
    if of_verdict[0] is None:
        return None
    verdict, level, *failure = of_verdict
    texts = [None if value is None else str(value) for value in failure]
    return Last(TestVerdict(str(verdict), str(level), *texts), _moment(tried_at), _moment(since))


def keep(engine: Engine, verdicts: Iterable[tuple[int, TestVerdict]]) -> None:
    """Write verdicts by the number of the server's row, in transactions of their own.

    A server that is gone by now is passed over. What is the same as before keeps its `since`.

    Raises:
        Failure: they cannot be written.
    """
    remaining = iter(verdicts)
    while batch := dict(islice(remaining, BATCH)):
        _keep(engine, batch)


def _keep(engine: Engine, batch: dict[int, TestVerdict]) -> None:
    for left in attempts():
        try:
            with transaction(engine) as connection:
                _write(connection, batch)
        except Locked:
            if not left:
                raise
        else:
            return


def _write(connection: Connection, batch: dict[int, TestVerdict]) -> None:
    c = probe_result.c
    numbers = select(mail_server.c.id).where(mail_server.c.id.in_(batch))
    # Held, so that none of them goes and no other run writes of it before this is committed.
    held = numbers.order_by(mail_server.c.id).with_for_update(key_share=True)
    held_numbers = [number for (number,) in bulk.fetch(connection, held)]
    query = select(c.mail_server_id, c.verdict, c.code, c.since).where(
        c.mail_server_id.in_(held_numbers)
    )
    before = {number: values for number, *values in bulk.fetch(connection, query)}
    now = clock.now(connection).replace(tzinfo=None)
    statement = delete(probe_result).where(c.mail_server_id == bindparam("number"))
    bulk.execute(connection, statement, ("number",), ((number,) for number in before))
    names = ("mail_server_id", *TestVerdict._fields, "tried_at", "since")
    rows = (_row(number, batch[number], before.get(number), now) for number in held_numbers)
    bulk.execute(connection, insert(probe_result), names, rows)


def _row(
    number: int, verdict: TestVerdict, before: Sequence[Any] | None, now: datetime
) -> tuple[Any, ...]:
    result, code, since = before or (None, None, now)
    same = (result, code) == (verdict.verdict, verdict.code)
    line = verdict.line and verdict.line[:_LINE]
    return (number, *verdict._replace(line=line), now, since if same else now)


def _moment(value: object) -> datetime | None:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC)
