"""What the ledger last applied: found for every row, under whatever name the ledger has it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from reconciler.database.engine import transaction
from reconciler.database.tables import revision, revision_change
from reconciler.ledger.last_applied import LastApplied, LastAppliedRow
from reconciler.model.state import EMPTY, MailServer, Partner, Row, RowKey, State
from reconciler.operations import transaction as transaction_
from reconciler.operations.transaction import Work
from reconciler.plan.diff import diff
from tests.laws.test_laws import WITH_DATABASE
from tests.support.estates import (
    NOW,
    PARTNER,
    cnpj,
    company,
    fetch,
    link,
    memory_database,
    plan_of,
    put,
    server,
    state,
)
from tests.support.strategies import transitions

FIRST, SECOND = cnpj(1), cnpj(2)
COMPANIES = [company(FIRST), company(SECOND)]


def newest(engine: Engine, *names: tuple[str, str]) -> list[tuple[int, Row | None] | None]:
    """Revision and row of the newest entry about each kind and name; None for an unknown one.

    Revisions are counted from 1: some databases leave numbers out.
    """
    keys = [RowKey(PARTNER, kind, name) for kind, name in names]
    with transaction(engine) as connection:
        found = LastApplied(connection).newest(keys)
    counted = {number: place for place, number in enumerate(numbers(engine), 1)}
    return [_told(found.get(key), counted) for key in keys]


def _told(applied: LastAppliedRow | None, counted: dict[int, int]) -> tuple[int, Row | None] | None:
    return applied and (counted[applied.revision.number], applied.row)


def numbers(engine: Engine) -> list[int]:
    return [number for (number,) in fetch(engine, "SELECT number FROM revision ORDER BY number")]


def settle(
    engine: Engine, before: State, after: State, new_names: dict[str, str] | None = None
) -> None:
    put(engine, *diff(PARTNER, before.renamed(new_names or {}), after))


def owned(partner: str, servers: list[MailServer]) -> State:
    return state(servers=servers, partner=Partner(partner, ""))


def rows_of(wanted: State) -> dict[tuple[str, str], Row]:
    """Every row of a state by its kind and name."""
    changes = diff(PARTNER, EMPTY, wanted)
    return {(change.kind, change.name): change.row for change in changes}


@pytest.mark.slow
@settings(WITH_DATABASE, max_examples=40)
@given(st.data())
def test_the_ledger_knows_every_row_as_it_is(data: st.DataObject) -> None:
    with memory_database() as engine:
        now = EMPTY
        for _ in range(4):
            step = data.draw(transitions(now))
            settle(engine, now, step.after, step.new_names)
            now = step.after
            with transaction(engine) as connection:
                ledger = LastApplied(connection)
                everything = ledger.everything([PARTNER])
                assert ledger.newest(everything) == everything
            left = {key[1:]: item.row for key, item in everything.items() if item.row is not None}
            assert left == rows_of(now)


def test_every_change_of_a_row_is_newer(engine: Engine) -> None:
    first = state(COMPANIES, [server("a")], {"a": [link(FIRST)]})
    second = state(COMPANIES, [server("a", nickname="Outro")], {"a": [link(FIRST)]})
    third = state(COMPANIES, [server("a", nickname="Outro")])
    settle(engine, EMPTY, first)
    settle(engine, first, second)
    settle(engine, second, third)
    names = [("server", "a"), ("link", f"a/{FIRST}"), ("company", FIRST), ("server", "b")]
    assert newest(engine, *names) == [(2, second.servers["a"]), (3, None), (1, COMPANIES[0]), None]


def test_links_are_found_under_the_old_name_of_their_server(engine: Engine) -> None:
    first = state(COMPANIES, [server("a")], {"a": [link(FIRST), link(SECOND)]})
    second = state(COMPANIES, [server("b")], {"b": [link(FIRST), link(SECOND, active=False)]})
    settle(engine, EMPTY, first)
    settle(engine, first, second, {"a": "b"})
    names = [("server", "a"), ("server", "b"), ("link", f"b/{FIRST}"), ("link", f"b/{SECOND}")]
    assert newest(engine, *names) == [
        None,
        (2, second.servers["b"]),
        (1, link(FIRST)),
        (2, link(SECOND, active=False)),
    ]


def test_two_servers_that_swapped_their_names(engine: Engine) -> None:
    first = state(COMPANIES, [server("a"), server("b")], {"a": [link(FIRST)], "b": [link(SECOND)]})
    second = state(
        COMPANIES,
        [server("a", username="b"), server("b", username="a")],
        {"b": [link(FIRST)], "a": [link(SECOND)]},
    )
    settle(engine, EMPTY, first)
    settle(engine, first, second, {"a": "b", "b": "a"})
    names = [("link", f"{name}/{number}") for name in "ab" for number in (FIRST, SECOND)]
    assert newest(engine, *names) == [None, (1, link(SECOND)), (1, link(FIRST)), None]


def test_what_another_server_did_under_the_name_is_not_mistaken(engine: Engine) -> None:
    one = state(COMPANIES, [server("a"), server("b")], {"a": [link(FIRST)], "b": [link(FIRST)]})
    two = state(COMPANIES, [server("a"), server("b")], {"b": [link(FIRST)]})
    three = state(COMPANIES, [server("b")], {"b": [link(FIRST)]})
    four = state(COMPANIES, [server("a", username="b")], {"a": [link(FIRST)]})
    settle(engine, EMPTY, one)
    settle(engine, one, two)
    settle(engine, two, three)
    settle(engine, three, four, {"b": "a"})
    assert newest(engine, ("link", f"a/{FIRST}"), ("link", f"b/{FIRST}")) == [
        (1, link(FIRST)),
        None,
    ]


def test_a_name_that_is_used_again(engine: Engine) -> None:
    one = state(COMPANIES, [server("a")], {"a": [link(FIRST)]})
    two = state(COMPANIES, [server("b")], {"b": [link(FIRST)]})
    three = state(COMPANIES, [server("a", username="new"), server("b")], {"b": [link(FIRST)]})
    settle(engine, EMPTY, one)
    settle(engine, one, two, {"a": "b"})
    settle(engine, two, three)
    assert newest(engine, ("server", "a"), ("link", f"a/{FIRST}"), ("link", f"b/{FIRST}")) == [
        (3, three.servers["a"]),
        None,
        (1, link(FIRST)),
    ]


def test_the_last_names_that_servers_had(engine: Engine) -> None:
    one = state(servers=[server("a"), server("b"), server("c")])
    two = state(servers=[server("b"), server("a"), server("d")])
    three = state(servers=[server("b"), server("a"), server("e")])
    settle(engine, EMPTY, one)
    settle(engine, one, two, {"a": "b", "b": "a", "c": "d"})
    settle(engine, two, three, {"d": "e"})
    with transaction(engine) as connection:
        former = LastApplied(connection).former_names([PARTNER, "beta"])
    assert former == {PARTNER: {"a": "b", "b": "a", "e": "d"}}


def test_partners_do_not_mix(engine: Engine) -> None:
    for partner in (PARTNER, "beta"):
        put(engine, *diff(partner, EMPTY, owned(partner, [server("a", nickname=partner)])))
    with transaction(engine) as connection:
        ledger = LastApplied(connection)
        found = ledger.newest([RowKey("beta", "server", "a")])
        assert ledger.knows([PARTNER, "gamma"]) == {PARTNER}
    assert [item.row for item in found.values()] == [server("a", nickname="beta")]


def test_a_revision_says_when_it_was_applied_and_what_it_rolls_back(engine: Engine) -> None:
    for number, nickname in enumerate(["one", "two"]):
        before = state(servers=[server("a", nickname="one")]) if number else EMPTY
        changes = diff(PARTNER, before, state(servers=[server("a", nickname=nickname)]))
        with transaction(engine) as connection:
            transaction_.write(
                connection, Work(plan_of(changes)), "test", NOW + timedelta(hours=number)
            )
    first, last = numbers(engine)
    with transaction(engine) as connection:
        is_last = revision.c.number == last
        connection.execute(update(revision).where(is_last).values(rolls_back=first))
        (found,) = LastApplied(connection).newest([RowKey(PARTNER, "server", "a")]).values()
    assert found.revision == (last, NOW + timedelta(hours=1), first)


def test_more_rows_than_one_query_asks_for(engine: Engine) -> None:
    wanted = {
        partner: owned(partner, [server(f"s{number}") for number in range(250)])
        for partner in ("acme", "beta", "gamma")
    }
    for partner, rows in wanted.items():
        put(engine, *diff(partner, EMPTY, rows))
    keys = [
        RowKey(partner, "server", name) for partner in wanted for name in wanted[partner].servers
    ]
    with transaction(engine) as connection:
        found = LastApplied(connection).newest(keys)
    assert found.keys() == set(keys)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"nickname": 1}'])
def test_an_entry_that_was_tampered_with_is_still_read(engine: Engine, text: str) -> None:
    settle(engine, EMPTY, state(servers=[server("a")]))
    with transaction(engine) as connection:
        connection.execute(update(revision_change).values(after=text))
    ((number, row),) = (found for found in newest(engine, ("server", "a")) if found)
    assert number == 1
    assert type(row) is type(server("a"))


@pytest.mark.databases("sqlite")
def test_nothing_is_asked_where_nothing_was_applied(engine: Engine) -> None:
    keys = [RowKey(PARTNER, "server", f"s{number}") for number in range(1000)]
    assert _queries(engine, keys) == 1
    assert _queries(engine, []) == 0


def _queries(engine: Engine, keys: list[RowKey]) -> int:
    asked: list[str] = []
    with transaction(engine) as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.set_trace_callback(asked.append)
        assert LastApplied(connection).newest(keys) == {}
        raw.set_trace_callback(None)
    return len(asked)
