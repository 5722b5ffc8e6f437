"""Mail servers are told apart by the numbers of their rows, whatever they and others are called."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, update

from reconciler.database.engine import transaction
from reconciler.database.tables import mail_server
from reconciler.ledger import drift, revisions
from reconciler.ledger.revisions import RevisionFilter
from reconciler.plan.plan import PartnerPlan, Selection
from tests.cli.test_rollback import Told, of, out, planned, roll_back, settle, told
from tests.support.estates import (
    FILE,
    PARTNER,
    cnpj,
    company,
    link,
    read_back,
    row_ids,
    server,
    state,
)
from tests.support.servers import MAIN

pytestmark = pytest.mark.databases(*MAIN)
ONE, TWO = cnpj(1), cnpj(2)
COMPANIES = [company(ONE), company(TWO)]
BEFORE = state(COMPANIES, [server("a"), server("b")], {"a": [link(ONE)], "b": [link(TWO)]})
SWAPPED = state(
    COMPANIES,
    [server("b", username="new-a", port=1), server("a", username="new-b", port=2)],
    {"b": [link(ONE)], "a": [link(TWO, active=False)]},
)
"""Both have the other's id, and another mailbox; so has one of their links."""


@pytest.fixture
def swapped(engine: Engine) -> Engine:
    """A database in which two servers swapped their ids while both were edited."""
    settle(engine, BEFORE)
    settle(engine, SWAPPED, {"a": "b", "b": "a"})
    return engine


def swap_by_hand(engine: Engine, **ports: int) -> None:
    """Another program swaps the ids of the two servers, and gives them these ports."""
    numbers = row_ids(engine)
    with transaction(engine) as connection:
        for names in ({"a": None, "b": None}, {"a": "b", "b": "a"}):
            for old, new in names.items():
                row = update(mail_server).where(mail_server.c.id == numbers[old])
                connection.execute(row.values(stable_id=new))
        for name, port in ports.items():
            row = update(mail_server).where(mail_server.c.stable_id == name)
            connection.execute(row.values(port=port))


def history(engine: Engine, name: str) -> list[int]:
    """The revisions of a server of the partner, newest first."""
    conditions = RevisionFilter(server=(PARTNER, name))
    with transaction(engine) as connection:
        listed = revisions.revisions(connection, conditions, 100)
    return [revision.number for revision in listed.revisions]


def drifted(engine: Engine) -> PartnerPlan:
    with transaction(engine) as connection:
        (part,) = drift.find(connection, "", Selection())
    return part


def test_history_of_two_that_swapped(swapped: Engine) -> None:
    edited = server("b", username="new-a", port=3)
    settle(swapped, state(COMPANIES, [edited, SWAPPED.servers["a"]], SWAPPED.links))
    unlinked = {"b": SWAPPED.links["b"]}
    settle(swapped, state(COMPANIES, [edited, SWAPPED.servers["a"]], unlinked))
    assert history(swapped, "a") == [4, 2, 1]
    assert history(swapped, "b") == [3, 2, 1]
    swap_by_hand(swapped, a=4, b=5)
    assert history(swapped, "b") == [4, 2, 1]
    assert history(swapped, "a") == [3, 2, 1]


def test_drift_of_two_that_swapped(swapped: Engine) -> None:
    assert drifted(swapped).changes == ()
    with transaction(swapped) as connection:
        connection.exec_driver_sql("UPDATE mail_server SET port = port + 10")
        connection.exec_driver_sql("UPDATE link SET sender_name = 'X'")
    assert {
        (change.address, change.before, cause.revision)
        for change, cause in drifted(swapped).explained
    } == {
        ("server.acme/a", SWAPPED.servers["a"], 2),
        ("server.acme/b", SWAPPED.servers["b"], 2),
        (f"link.acme/a/{TWO}", link(TWO, active=False), 2),
        (f"link.acme/b/{ONE}", link(ONE), 1),
    }


def test_rollback_of_two_that_swapped(swapped: Engine) -> None:
    numbers = row_ids(swapped)
    assert told(roll_back(swapped, 2)) == []
    assert read_back(swapped) == BEFORE
    assert row_ids(swapped) == {"a": numbers["b"], "b": numbers["a"]}


def test_rollback_of_an_edit_before_others_swapped(swapped: Engine) -> None:
    """The edit was of the row, not of whatever is called as the row was."""
    edited = [server("b", username="new-a", port=3), SWAPPED.servers["a"]]
    settle(swapped, state(COMPANIES, edited, SWAPPED.links))
    swap_by_hand(swapped)
    assert told(roll_back(swapped, 3)) == []
    ports = {name: row.port for name, row in read_back(swapped).servers.items()}
    assert ports == {"a": 1, "b": 2}


def test_rollback_of_what_others_swapped_and_edited(swapped: Engine) -> None:
    swap_by_hand(swapped, a=4, b=5)
    made = planned(swapped, 2)
    servers = [problem for problem in made.problems if "server." in str(problem.values["address"])]
    assert told(made)[-2:] == [("MBX577", "server.acme/a"), ("MBX577", "server.acme/b")]
    assert {(problem.values["left"], problem.values["now"]) for problem in servers} == {
        ('{"port": 1, "stable_id": "b"}', '{"port": 4, "stable_id": "a"}'),
        ('{"port": 2, "stable_id": "a"}', '{"port": 5, "stable_id": "b"}'),
    }


def test_a_swap_that_was_rolled_back_is_seen_in_the_manifests_again(engine: Engine) -> None:
    """Both mailboxes are new, so that only the ledger can tell that the swap is to be made."""
    one = of(ONE, a=out(companies=[ONE]), b=out("b"))
    two = of(
        ONE,
        a=out("new-b", renamed_from="b", password={"env": "ACME_PASSWORD"}),
        b=out("new-a", renamed_from="a", companies=[ONE]),
    )
    told_ = Told(engine, one, two)
    assert told_.undone(one) == {}
    assert told_.undone(two) == {"2": ["server.acme/a", "server.acme/b"]}
    changes = told_.estate.plan({FILE: two}).plan.changes
    assert {change.name: change.renamed_from for change in changes} == {"a": "b", "b": "a"}


def test_the_number_of_a_server_that_is_gone_is_not_used_again(engine: Engine) -> None:
    settle(engine, state(servers=[server("a"), server("b")]))
    numbers = row_ids(engine)
    settle(engine, state())
    settle(engine, state(servers=[server("a", username="new")]))
    assert row_ids(engine)["a"] > max(numbers.values())


def test_a_server_that_a_rollback_made_again_is_the_one_that_went(engine: Engine) -> None:
    """So its link comes back too, and what has come back is not found missing."""
    before = state(COMPANIES, [server("a")], {"a": [link(ONE)]})
    settle(engine, before)
    settle(engine, state(COMPANIES, [server("a", port=1)]))
    settle(engine, state(COMPANIES))
    for number in (3, 2):
        assert told(roll_back(engine, number)) == []
        again = planned(engine, number)
        assert (told(again), again.plan.partners) == ([], ())
    assert read_back(engine) == before
    assert history(engine, "a") == [5, 4, 3, 2, 1]


def test_a_server_that_was_renamed_to_an_id_is_not_the_one_that_went(engine: Engine) -> None:
    settle(engine, state(COMPANIES, [server("a"), server("b")], {"a": [link(ONE)]}))
    settle(engine, state(COMPANIES, [server("a", port=1), server("b")]))
    settle(engine, state(COMPANIES, [server("b")]))
    settle(engine, state(COMPANIES, [server("a", username="b")]), {"b": "a"})
    made = planned(engine, 2)
    assert told(made) == [("MBX570", "server.acme/a"), ("MBX575", f"link.acme/a/{ONE}")]
    assert made.plan.partners == ()
    assert history(engine, "a") == [4, 3, 2, 1]
