"""The lock of each partner: one holder, whom others can see, and nobody to clean up after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from reconciler.database import lock
from reconciler.database.engine import Conflict, transaction
from reconciler.database.lock import Claim, Lock
from reconciler.diagnostics.problem import Locked
from tests.support.estates import opened, plain_sql
from tests.support.servers import MAIN
from tests.support.servers.databases import Database

pytestmark = pytest.mark.databases(*MAIN, "galera")


def claim(*partners: str, changes: int = 1) -> Claim:
    return Claim(partners, "maria", "host-1, process 7", changes)


def rows(url: str, columns: str = "partner, holder") -> list[tuple[object, ...]]:
    with plain_sql(url) as program:
        query = f"SELECT {columns} FROM partner_lock ORDER BY partner"
        return [tuple(row) for row in program.execute(query)]


def end_time(url: str) -> None:
    with plain_sql(url) as program:
        program.execute("UPDATE partner_lock SET until = '2000-01-01 00:00:00'")


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    with opened(database.url, wait=0) as made:
        yield made


def given_back(engine: Engine, held: Lock) -> None:
    with transaction(engine) as connection:
        held.give_back(connection)


def test_a_lock_that_is_given_back_is_free(engine: Engine, database: Database) -> None:
    held = lock.take(engine, claim("beta", "acme"), 0)
    assert rows(database.url) == [("acme", held.holder), ("beta", held.holder)]
    given_back(engine, held)
    assert rows(database.url) == [("acme", None), ("beta", None)]
    lock.take(engine, claim("acme"), 0)


def test_who_holds_it_is_told(engine: Engine) -> None:
    lock.take(engine, claim("acme"), 0)
    with pytest.raises(Locked) as raised:
        lock.take(engine, claim("beta", "acme"), 0)
    (problem,) = raised.value.problems
    assert problem.code == "MBX547"
    told = {name: problem.values[name] for name in ("partner", "who", "place", "seconds")}
    assert told == {"partner": "acme", "who": "maria", "place": "host-1, process 7", "seconds": "0"}


def test_all_locks_are_taken_or_none(engine: Engine, database: Database) -> None:
    held = lock.take(engine, claim("beta"), 0)
    with pytest.raises(Locked):
        lock.take(engine, claim("acme", "beta", "zeta"), 0)
    assert [row for row in rows(database.url) if row[1]] == [("beta", held.holder)]


def test_others_do_not_wait(engine: Engine) -> None:
    lock.take(engine, claim("acme"), 0)
    lock.take(engine, claim("beta"), 0)


def test_a_lock_whose_time_is_over_goes_to_the_next(engine: Engine, database: Database) -> None:
    first = lock.take(engine, claim("acme"), 0)
    end_time(database.url)
    second = lock.take(engine, claim("acme"), 0)
    with pytest.raises(Conflict):
        given_back(engine, first)
    assert rows(database.url) == [("acme", second.holder)]
    given_back(engine, second)


def test_dropped_after_it_went_to_another_it_stays_there(
    engine: Engine, database: Database
) -> None:
    first = lock.take(engine, claim("acme"), 0)
    end_time(database.url)
    second = lock.take(engine, claim("acme"), 0)
    first.drop(engine)
    assert rows(database.url) == [("acme", second.holder)]
    second.drop(engine)
    assert rows(database.url) == [("acme", None)]


def test_the_serial_counts_every_step(engine: Engine, database: Database) -> None:
    for _ in range(2):
        given_back(engine, lock.take(engine, claim("acme"), 0))
    assert rows(database.url, "serial") == [(4,)]


class _Refused(Exception):  # noqa: N818 - what ends a transaction here
    pass


def test_a_transaction_that_is_rolled_back_keeps_the_lock(
    engine: Engine, database: Database
) -> None:
    held = lock.take(engine, claim("acme"), 0)
    with suppress(_Refused), transaction(engine) as connection:
        held.give_back(connection)
        raise _Refused
    assert rows(database.url) == [("acme", held.holder)]
    given_back(engine, held)


def test_many_partners_at_once(engine: Engine, database: Database) -> None:
    names = [f"partner-{number:04}" for number in range(1203)]
    held = lock.take(engine, claim(*reversed(names)), 0)
    assert len(rows(database.url)) == len(names)
    given_back(engine, held)
    assert {holder for _, holder in rows(database.url)} == {None}


@pytest.mark.databases("galera")
def test_two_nodes_do_not_both_get_it(engine: Engine, database: Database) -> None:
    lock.take(engine, claim("acme"), 0)
    for url in database.others:
        with opened(url, wait=0) as other, pytest.raises(Locked):
            lock.take(other, claim("acme"), 0)


@pytest.mark.databases("mariadb", "galera")
def test_on_a_cluster_it_lasts_for_the_work(engine: Engine, database: Database) -> None:
    lock.take(engine, claim("acme", changes=500_000), 0)
    ((since, until),) = rows(database.url, "since, until")
    lasts = datetime.fromisoformat(str(until)) - datetime.fromisoformat(str(since))
    assert lasts == timedelta(seconds=105 if database.kind == "galera" else 5)
