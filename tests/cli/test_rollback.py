"""`rollback`: an ordinary plan that leads back, what it leaves as it is, and who may undo it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, update

from reconciler.database import schema
from reconciler.database.engine import transaction
from reconciler.database.tables import link as link_table
from reconciler.database.tables import mail_server, revision_change
from reconciler.diagnostics.problem import Stale
from reconciler.ledger import revisions
from reconciler.model.cnpj import masked
from reconciler.model.coverage import Coverage
from reconciler.model.state import Link, MailServer, Partner, State
from reconciler.operations import transaction as transaction_
from reconciler.operations.partners import PlannedPartners
from reconciler.operations.request import PlanRequest
from reconciler.operations.rollback import plan_rollback
from reconciler.operations.transaction import Work
from reconciler.plan.diff import diff
from reconciler.plan.guards import Acceptance
from reconciler.plan.plan import DatabaseTarget, Plan, Selection
from tests.laws.test_laws import WITH_DATABASE
from tests.support.estates import (
    FILE,
    LIFETIME,
    NOW,
    PARTNER,
    UNGUARDED,
    Cli,
    Estate,
    Manifest,
    cnpj,
    companies,
    company,
    fetch,
    link,
    manifest,
    memory_database,
    outgoing,
    plain_sql,
    profile,
    put,
    read_back,
    row_ids,
    server,
    state,
    write,
)
from tests.support.servers import MAIN
from tests.support.strategies import Transition, manifests, transitions

ONE, TWO = cnpj(1), cnpj(2)
pytestmark = pytest.mark.databases(*MAIN)
ROUNDS = 6
"""How often a rollback is repeated: names that are in each other's way take a round each."""


def settle(engine: Engine, after: State, new_names: dict[str, str] | None = None) -> None:
    """Apply what leads from what is there to `after`, as a revision of its own."""
    put(engine, *diff(PARTNER, read_back(engine).renamed(new_names or {}), after))


def planned(
    engine: Engine, number: int, *acceptances: Acceptance, project: str = ""
) -> PlannedPartners:
    """The plan that leads back from a revision."""
    request = PlanRequest(
        *(Coverage(project, frozenset(), whole=False), Selection(), "", NOW, LIFETIME),
        *(UNGUARDED, acceptances),
    )
    with transaction(engine) as connection:
        found = revisions.revision_called(connection, str(number))
        target = DatabaseTarget(schema.status_of(connection).database_id, "sqlite", "0001")
        return plan_rollback(connection, found, target, request)


def accepting(engine: Engine, number: int) -> PlannedPartners:
    """The same with every guard accepted that it sets off."""
    first = planned(engine, number)
    offers = [
        Acceptance(refusal.alarm.guard, refusal.alarm.count, partner=refusal.partner)
        for refusal in first.plan.refusals
    ]
    return planned(engine, number, *offers) if offers else first


def apply(engine: Engine, plan: Plan) -> int:
    with transaction(engine) as connection:
        number = transaction_.write(connection, Work(plan), "test", NOW).revision
    assert number is not None
    return number


def roll_back(engine: Engine, number: int) -> PlannedPartners:
    """Plan to undo a revision, with all guards accepted, and apply."""
    made = accepting(engine, number)
    assert not made.plan.refusals
    if made.plan.applicable:
        apply(engine, made.plan)
    return made


def link_foreign(connection: Connection, number: int) -> None:
    """Another program links the first company to the server in a row."""
    connection.execute(insert(link_table).values(mail_server_id=number, cnpj=ONE, sender_name="X"))


def told(made: PlannedPartners) -> list[tuple[str, str]]:
    """Code and address of each row that stays as it is, but for the partner's own."""
    return sorted(
        (problem.code, str(problem.values["address"]))
        for problem in made.problems
        if problem.code != "MBX574"
    )


# The way back


@pytest.mark.slow
@settings(WITH_DATABASE, max_examples=60)
@given(transitions())
def test_a_rollback_leads_back_but_for_what_it_tells(step: Transition) -> None:
    assume(step.before != step.after or step.new_names)  # else there is no second revision
    with memory_database() as engine:
        settle(engine, step.before)
        settle(engine, step.after, step.new_names)
        for _ in range(ROUNDS):
            made = accepting(engine, 2)
            if made.plan.refusals or not made.plan.applicable:
                break
            apply(engine, made.plan)
        guards = {refusal.alarm.guard for refusal in made.plan.refusals}
        event(f"refused: {sorted(guards)}")
        assert guards <= {"lost-password"}
        if not guards:
            assert not made.plan.applicable
            assert _changed_since(made) <= _partly_restored(step)
            _check(read_back(engine), step, {address for _, address in told(made)})


def _changed_since(made: PlannedPartners) -> set[str]:
    return {address for code, address in told(made) if code in ("MBX570", "MBX577")}


def _partly_restored(step: Transition) -> set[str]:
    """Servers that left fields to others, and then did not: the ledger cannot tell any more."""
    old_names = {new: old for old, new in step.new_names.items()}
    return {
        f"server.{PARTNER}/{old_names.get(name, name)}"
        for name, row in step.after.servers.items()
        if row.ignore_changes
    }


def _check(now: State, step: Transition, told_: set[str]) -> None:
    """Every row is as it was before, unless it was told of."""
    for kind, name, was, is_ in _rows(step.before, now):
        server_, slash, number = name.partition("/") if kind == "link" else (name, "", "")
        new = step.new_names.get(server_, server_)
        if {f"{kind}.{PARTNER}/{name}", f"{kind}.{PARTNER}/{new}{slash}{number}"} & told_:
            event(f"told of a {kind}")
        elif kind in ("company", "host") and was is None:
            assert is_.project is None
        elif kind == "server" and was is not None and is_ is not None and new in step.after.servers:
            left = step.after.servers[new]
            assert is_ == was.keeping(left.ignore_changes, left)
        else:
            assert is_ == was


def _rows(one: State, other: State) -> Iterator[tuple[str, str, Any, Any]]:
    """Every row that is in one of two states, as it is in both."""
    pairs = [
        ("company", one.companies, other.companies),
        ("head_office", one.head_offices, other.head_offices),
        ("host", _named(one.hosts), _named(other.hosts)),
        ("server", one.servers, other.servers),
        ("link", _links(one), _links(other)),
    ]
    for kind, first, second in pairs:
        for name in first.keys() | second.keys():
            yield kind, name, first.get(name), second.get(name)


def _named(hosts: Any) -> dict[str, Any]:
    return {"/".join(key): row for key, row in hosts.items()}


def _links(one: State) -> dict[str, Link]:
    return {f"{name}/{row.cnpj}": row for name, rows in one.links.items() for row in rows}


@pytest.mark.slow
@settings(WITH_DATABASE, max_examples=40)
@given(st.lists(manifests(), min_size=2, max_size=2))
def test_after_a_rollback_the_earlier_manifests_agree_and_the_later_undo_it(
    commits: list[dict[str, Manifest]],
) -> None:
    with memory_database() as engine:
        estate = Estate(engine)
        one, two = commits
        assume(not estate.settle(one).refusals and not estate.settle(two).refusals)
        assume(fetch(engine, "SELECT max(number) FROM revision") == [(2,)])
        rounds = 0
        while (made := roll_back(engine, 2)).plan.applicable:
            rounds += 1
            assert rounds < ROUNDS
        again = estate.plan(two).plan
        for part in again.partners:
            assert "undoes-rollback" in part.guards()
        assert again.partners
        if not _depends_on_companies(one):
            assert not told(made)
            assert estate.plan(one).plan.partners == ()


def _depends_on_companies(commit: dict[str, Manifest]) -> bool:
    """Whether companies that stay registered are linked too."""
    return any(
        "all" in item or "branches_of" in item
        for content in commit.values()
        for entry in content["mail_servers"].values()
        for item in entry.get("companies", ())
        if isinstance(item, dict)
    )


def test_every_field_and_owner_comes_back(engine: Engine) -> None:
    before = state(
        [company(ONE), company(TWO, project=None, file=None)],
        [server("a", port=587, security="starttls", file="old.yaml"), server("b", active=False)],
        {"a": [link(ONE, sender_name="Um"), link(TWO)]},
        [profile(timeout=20)],
        [ONE],
    )
    after = state(
        [company(ONE, nickname="Outra"), company(TWO, file="new.yaml")],
        [server("a", file="new.yaml"), server("b")],
        {"a": [link(ONE)], "b": [link(TWO)]},
        [profile(timeout=30, file="new.yaml")],
        [TWO],
    )
    settle(engine, before)
    settle(engine, after)
    made = roll_back(engine, 2)
    assert told(made) == []
    assert made.plan.rolls_back == 2
    assert read_back(engine) == before
    assert planned(engine, 2).plan.partners == ()


def test_a_rollback_can_be_rolled_back(engine: Engine) -> None:
    before, after = state(servers=[server("a")]), state(servers=[server("b", port=1)])
    settle(engine, before)
    settle(engine, after, {"a": "b"})
    roll_back(engine, 2)
    assert read_back(engine) == before
    roll_back(engine, 3)
    assert read_back(engine) == after
    roll_back(engine, 4)
    assert read_back(engine) == before
    assert fetch(engine, "SELECT number, rolls_back FROM revision") == [
        *((1, None), (2, None), (3, 2), (4, 3), (5, 4))
    ]


def test_what_the_revision_deleted_is_there_again_as_another_row(engine: Engine) -> None:
    settle(engine, state(servers=[server("a"), server("b")]))
    number = row_ids(engine)["b"]
    settle(engine, state(servers=[server("a")]))
    roll_back(engine, 2)
    assert read_back(engine).servers["b"] == server("b")
    assert row_ids(engine)["a"] != number


def test_companies_and_hosts_that_came_are_released(engine: Engine) -> None:
    settle(engine, state())
    settle(engine, state([company(ONE)], hosts=[profile()], head_offices=[ONE]))
    roll_back(engine, 2)
    now = read_back(engine)
    assert now.companies == {ONE: company(ONE, project=None)}
    assert [*now.hosts.values()] == [profile(project=None)]
    assert now.head_offices == {}
    assert planned(engine, 2).plan.partners == ()


def test_several_partners_go_back_together(engine: Engine) -> None:
    for name in ("acme", "beta"):
        put(engine, *diff(name, State(), state(servers=[server("a")], partner=Partner(name, ""))))
    changed = state(servers=[server("a", port=1)])
    put(
        engine,
        *(
            change
            for name in ("acme", "beta")
            for change in diff(name, state(servers=[server("a")]), changed)
        ),
    )
    made = roll_back(engine, 3)
    assert [part.partner for part in made.plan.partners] == ["acme", "beta"]
    for name in ("acme", "beta"):
        assert read_back(engine, name).servers["a"] == server("a")


def test_what_another_program_gave_no_id_has_none_again(engine: Engine) -> None:
    bare = {"auth": "none", "password_reference": None}
    settle(engine, state(servers=[server("a", **bare)]))
    with transaction(engine) as connection:
        foreign = update(mail_server).values(stable_id=None, project=None, file=None)
        connection.execute(foreign)
    before = read_back(engine)
    (name,) = before.servers
    assert name.startswith("#")
    settle(engine, state(servers=[server("a", **bare)]), {name: "a"})
    roll_back(engine, 2)
    assert read_back(engine) == before
    assert fetch(engine, "SELECT stable_id FROM mail_server") == [(None,)]


# What stays as it is


def test_what_a_later_revision_changed(engine: Engine) -> None:
    settle(engine, state([company(ONE)], [server("a"), server("b")]))
    settle(engine, state([company(ONE)], [server("a", port=1), server("b", port=1)]))
    settle(engine, state([company(ONE)], [server("a", port=2), server("b", port=1)]))
    made = roll_back(engine, 2)
    assert told(made) == [("MBX570", "server.acme/a")]
    (problem,) = made.problems
    assert problem.values == {
        "address": "server.acme/a",
        "number": 2,
        "later": 3,
        "left": '{"port": 1}',
        "now": '{"port": 2}',
    }
    assert read_back(engine).servers == {"a": server("a", port=2), "b": server("b")}


def test_what_another_program_changed(engine: Engine) -> None:
    settle(engine, state([company(ONE)], [server("a")], {"a": [link(ONE)]}))
    settle(engine, state([company(ONE)], [server("a", port=1)]))
    numbers = row_ids(engine)
    with transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE mail_server SET nickname = 'X'")
        link_foreign(connection, numbers["a"])
    made = planned(engine, 2)
    assert told(made) == [("MBX577", f"link.acme/a/{ONE}"), ("MBX577", "server.acme/a")]
    assert made.plan.partners == ()


def test_what_is_gone_since(engine: Engine) -> None:
    settle(engine, state([company(ONE)], [server("a")], {"a": [link(ONE)]}))
    settle(engine, state([company(ONE)], [server("a", port=1)], {"a": [link(ONE, active=False)]}))
    settle(engine, state([company(ONE)], [server("a", port=1)]))
    settle(engine, state([company(ONE)]))
    made = planned(engine, 2)
    assert told(made) == [("MBX570", f"link.acme/a/{ONE}"), ("MBX570", "server.acme/a")]
    assert {problem.values["now"] for problem in made.problems} == {"–"}


def test_a_server_that_was_renamed_since_keeps_its_new_id(engine: Engine) -> None:
    settle(engine, state([company(ONE)], [server("a")], {"a": [link(ONE)]}))
    settle(engine, state([company(ONE)], [server("a", port=1)]))
    renamed = server("a", port=1)._replace(stable_id="b")
    settle(engine, state([company(ONE)], [renamed]), {"a": "b"})
    assert told(roll_back(engine, 2)) == []
    before = renamed._replace(port=server("a").port)
    assert read_back(engine) == state([company(ONE)], [before], {"b": [link(ONE)]})


def test_servers_that_swapped_their_ids_swap_them_back(engine: Engine) -> None:
    one, other = server("a", username="one"), server("b", username="other")
    before = state([company(ONE)], [one, other], {"a": [link(ONE)]})
    swapped = [one._replace(stable_id="b"), other._replace(stable_id="a")]
    settle(engine, before)
    settle(engine, state([company(ONE)], swapped, {"b": [link(ONE)]}), {"a": "b", "b": "a"})
    numbers = row_ids(engine)
    roll_back(engine, 2)
    assert read_back(engine) == before
    assert row_ids(engine) == {"a": numbers["b"], "b": numbers["a"]}


A, B, C, NEW_A = server("a"), server("b"), server("c"), server("a", username="new")
MOVED = [A._replace(stable_id="b"), B._replace(stable_id="c")]
STAYING: dict[str, tuple[list[tuple[list[MailServer], dict[str, str]]], list[tuple[str, str]]]] = {
    "renamed by the revision, and once more since": (
        [([A], {}), ([B], {"a": "b"}), ([C], {"b": "c"})],
        [("MBX570", "server.acme/c")],
    ),
    "one of two that swapped was changed since": (
        [([A, B], {}), ([B, A], {"a": "b", "b": "a"}), ([B._replace(port=1), A], {})],
        [("MBX570", "server.acme/b"), ("MBX571", "server.acme/a")],
    ),
    "a name that another server has by now": (
        [([A, B], {}), ([B], {}), ([B, NEW_A], {})],
        [("MBX571", "server.acme/a")],
    ),
    "an id is taken by one that cannot get its own back": (
        [([A, B], {}), (MOVED, {"a": "b", "b": "c"}), ([*MOVED, NEW_A], {})],
        [("MBX571", "server.acme/b"), ("MBX571", "server.acme/c")],
    ),
}


@pytest.mark.parametrize("name", STAYING)
def test_servers_that_stay_as_they_are(engine: Engine, name: str) -> None:
    steps, problems = STAYING[name]
    for servers, new_names in steps:
        settle(engine, state(servers=servers), new_names)
    made = planned(engine, 2)
    assert told(made) == problems
    assert made.plan.partners == ()


def test_a_linked_server_goes_after_its_links(engine: Engine) -> None:
    before = state([company(ONE)])
    settle(engine, before)
    settle(engine, state([company(ONE)], [server("a")], {"a": [link(ONE)]}))
    first = roll_back(engine, 2)
    assert told(first) == [("MBX573", "server.acme/a")]
    assert read_back(engine) == state([company(ONE)], [server("a")])
    assert told(roll_back(engine, 2)) == []
    assert read_back(engine) == before


def test_a_link_of_another_program_keeps_the_server(engine: Engine) -> None:
    settle(engine, state([company(ONE)]))
    settle(engine, state([company(ONE)], [server("a")]))
    numbers = row_ids(engine)
    with transaction(engine) as connection:
        link_foreign(connection, numbers["a"])
    made = planned(engine, 2)
    assert told(made) == [("MBX573", "server.acme/a")]
    assert made.plan.partners == ()


def test_a_mailbox_that_another_server_has_by_now(engine: Engine) -> None:
    settle(engine, state(servers=[server("a"), server("b")]))
    settle(engine, state(servers=[server("b")]))
    settle(engine, state(servers=[server("b"), server("c", username=server("a").username)]))
    made = planned(engine, 2)
    assert [(item.code, item.values["other"]) for item in made.problems] == [("MBX571", "c")]


def test_the_server_that_took_the_mailbox_goes_and_the_old_one_comes(engine: Engine) -> None:
    before = state(servers=[server("a")])
    settle(engine, before)
    settle(engine, state(servers=[server("b", username=server("a").username)]))
    assert [refusal.alarm.guard for refusal in planned(engine, 2).plan.refusals] == [
        "suspected-rename"
    ]
    roll_back(engine, 2)
    assert read_back(engine) == before


def test_an_id_that_is_free_only_once_a_server_is_gone(engine: Engine) -> None:
    both = [company(ONE), company(TWO)]
    before = state(both, [server("a")], {"a": [link(ONE)]})
    renamed = server("a")._replace(stable_id="b")
    new = [renamed, server("a", username="new")]
    settle(engine, before)
    settle(engine, state(both, new, {"a": [link(TWO)], "b": [link(ONE)]}), {"a": "b"})
    assert told(roll_back(engine, 2)) == [("MBX571", "server.acme/b"), ("MBX573", "server.acme/a")]
    assert told(roll_back(engine, 2)) == [("MBX571", "server.acme/b")]
    assert told(roll_back(engine, 2)) == []
    assert read_back(engine) == before


def test_companies_that_are_gone(engine: Engine) -> None:
    owned = server("own", company=TWO)
    both = [company(ONE), company(TWO)]
    settle(engine, state(both, [server("a"), owned], {"a": [link(TWO)]}, head_offices=[TWO]))
    settle(engine, state(both, [server("a")], head_offices=[ONE]))
    with transaction(engine) as connection:
        connection.exec_driver_sql(f"DELETE FROM company WHERE cnpj = '{TWO}'")
    made = planned(engine, 2)
    assert told(made) == [
        ("MBX572", f"head_office.acme/{ONE[:8]}"),
        ("MBX572", f"link.acme/a/{TWO}"),
        ("MBX572", "server.acme/own"),
    ]
    assert {problem.values["company"] for problem in made.problems} == {masked(TWO)}


def test_a_link_whose_server_is_gone(engine: Engine) -> None:
    settle(engine, state([company(ONE)], [server("a")], {"a": [link(ONE)]}))
    settle(engine, state([company(ONE)], [server("a")]))
    settle(engine, state([company(ONE)]))
    assert told(planned(engine, 2)) == [("MBX575", f"link.acme/a/{ONE}")]


def test_the_partner_itself_stays(engine: Engine) -> None:
    settle(engine, state(servers=[server("a")]))
    made = roll_back(engine, 1)
    assert [(item.code, item.values["address"]) for item in made.problems] == [
        ("MBX574", "partner.acme")
    ]
    assert read_back(engine) == state()


def test_an_entry_that_cannot_be_read(engine: Engine) -> None:
    settle(engine, state(servers=[server("a"), server("b")]))
    settle(engine, state(servers=[server("a", port=1), server("b", port=1)]))
    with transaction(engine) as connection:
        c = revision_change.c
        broken = update(revision_change).values(before="{}")
        connection.execute(broken.where(c.revision == 2, c.name == "a"))
    made = roll_back(engine, 2)
    assert told(made) == [("MBX576", "server.acme/a")]
    assert read_back(engine).servers == {"a": server("a", port=1), "b": server("b")}


def test_fields_that_are_left_to_others(engine: Engine) -> None:
    ignoring = {"ignore_changes": ("port",), "nickname": "Outro"}
    settle(engine, state(servers=[server("a")]))
    settle(engine, state(servers=[server("a", **ignoring)]))
    with transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE mail_server SET port = 587")
    made = roll_back(engine, 2)
    assert told(made) == []
    assert read_back(engine).servers["a"] == server("a", port=587)


# Secrets


def test_a_server_stored_without_a_reference_is_refused_by_name(engine: Engine) -> None:
    for name in ("acme", "beta"):
        partner = Partner(name, "")
        bare = server("bare", password_reference=None)
        rows = [server("a"), bare] if name == "acme" else [server("a")]
        put(engine, *diff(name, State(), state(servers=rows, partner=partner)))
    put(
        engine,
        *(
            change
            for name in ("acme", "beta")
            for change in diff(
                name,
                read_back(engine, name),
                state(servers=[server("a", port=1)], partner=Partner(name, "")),
            )
        ),
    )
    made = accepting(engine, 3)
    assert [
        (refusal.partner, refusal.alarm.guard, [item.name for item in refusal.alarm.concerns])
        for refusal in made.plan.refusals
    ] == [("acme", "lost-password", ["bare"])]
    apply(engine, made.plan)
    assert read_back(engine).servers == {"a": server("a", port=1)}
    assert read_back(engine, "beta").servers == {"a": server("a")}


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ({"password_reference": None}, {}, True),
        ({"password_reference": None}, {"password_reference": None, "port": 1}, False),
        ({"password_reference": None, "auth": "none"}, {}, False),
        ({"password_reference": None, "auth": "oauth2"}, {}, True),
        ({"password_reference": None, "auth": "oauth2", "active": False}, {}, False),
        ({"password_reference": "file:a"}, {}, False),
    ],
)
def test_what_is_lost_is_a_password_that_is_needed(
    engine: Engine, before: dict[str, Any], after: dict[str, Any], lost: bool
) -> None:
    settle(engine, state(servers=[server("a", **before)]))
    settle(engine, state(servers=[server("a", **after)]))
    guards = {refusal.alarm.guard for refusal in accepting(engine, 2).plan.refusals}
    assert ("lost-password" in guards) == lost


# Guards


def test_rows_of_another_project_are_another_programs(engine: Engine) -> None:
    settle(engine, state(servers=[server("a")]))
    settle(engine, state(servers=[server("a", port=1)]))
    refusals = planned(engine, 2, project="other").plan.refusals
    assert [refusal.alarm.guard for refusal in refusals] == ["takeover"]


def test_a_plan_that_leads_back_is_stale_like_any_other(engine: Engine) -> None:
    settle(engine, state(servers=[server("a")]))
    settle(engine, state(servers=[server("a", port=1)]))
    made = planned(engine, 2)
    with transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE mail_server SET nickname = 'X'")
    with pytest.raises(Stale):
        apply(engine, made.plan)


# Undoing a rollback


class Told:
    """An estate whose second commit was rolled back."""

    def __init__(self, engine: Engine, one: Manifest, two: Manifest) -> None:
        self.estate = Estate(engine)
        self.estate.settle({FILE: one})
        self.estate.settle({FILE: two})
        while roll_back(engine, 2).plan.applicable:
            pass

    def undone(self, content: Manifest) -> dict[str, list[str]]:
        """What a plan of this manifest undoes: the revision that was rolled back, and the rows."""
        plan = self.estate.plan({FILE: content}).plan
        return {
            str(concern.number): sorted(
                f"{item.kind}.{refusal.partner}/{item.name}" for item in refusal.alarm.concerns
            )
            for refusal in plan.refusals
            if refusal.alarm.guard == "undoes-rollback"
            for concern in refusal.alarm.concerns
        }


def out(name: str = "a", **keys: Any) -> Manifest:
    return outgoing(name, **{"port": 465, "security": "tls", **keys})


def of(*numbers: str, **servers: Any) -> Manifest:
    return manifest(companies=companies(*numbers), mail_servers=servers)


def test_manifests_that_say_again_what_was_rolled_back(engine: Engine) -> None:
    one, two = of(ONE, a=out(companies=[ONE])), of(ONE, TWO, a=out(port=2465), b=out("b"))
    told_ = Told(engine, one, two)
    assert told_.undone(one) == {}
    assert told_.undone(two) == {
        "2": [f"company.acme/{TWO}", f"link.acme/a/{ONE}", "server.acme/a", "server.acme/b"]
    }


def test_another_edit_of_the_same_row_undoes_nothing(engine: Engine) -> None:
    told_ = Told(engine, of(a=out()), of(a=out(port=2465, timeout="20s")))
    assert told_.undone(of(a=out(nickname="Outro"))) == {}
    assert told_.undone(of(a=out(port=2467))) == {}
    assert told_.undone(of(a=out(nickname="Outro", timeout="20s"))) == {"2": ["server.acme/a"]}


def test_a_server_under_another_id_is_told_all_the_same(engine: Engine) -> None:
    one, two = of(ONE, a=out(companies=[ONE])), of(ONE, b=out(renamed_from="a", port=2465))
    told_ = Told(engine, one, two)
    assert told_.undone(one) == {}
    assert told_.undone(two) == {"2": [f"link.acme/b/{ONE}", "server.acme/b"]}


def test_once_it_is_accepted_it_is_over(engine: Engine) -> None:
    one, two = of(a=out()), of(a=out(port=2465))
    told_ = Told(engine, one, two)
    offer = Acceptance("undoes-rollback", 1, partner=PARTNER)
    plan = told_.estate.plan({FILE: two}, offer).plan
    assert plan.refusals == ()
    told_.estate.apply(plan)
    assert told_.undone(one) == {}


def test_a_row_that_was_changed_since_the_rollback_undoes_nothing(engine: Engine) -> None:
    told_ = Told(engine, of(a=out()), of(a=out(port=2465)))
    with transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE mail_server SET port = 2467")
    assert told_.undone(of(a=out(port=2465))) == {}


def test_a_rollback_of_the_rollback_undoes_nothing(engine: Engine) -> None:
    told_ = Told(engine, of(a=out()), of(a=out(port=2465)))
    assert planned(engine, 3).plan.refusals == ()
    roll_back(engine, 3)
    assert told_.undone(of(a=out(port=2465))) == {}
    assert told_.undone(of(a=out())) == {"3": ["server.acme/a"]}


# The command


@pytest.fixture
def cli(bare: Cli) -> Cli:
    return bare


def git(*arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(content: Manifest) -> str:
    """Commit a manifest; the commit is returned."""
    write(Path("m"), {FILE: content})
    git("add", "m")
    git("commit", "--quiet", "--message", "x")
    return git("rev-parse", "HEAD")


def applied(cli: Cli, content: Manifest) -> str:
    found = commit(content)
    assert cli("apply", "m", "--auto-approve").code == 0
    return found


@pytest.fixture
def two(cli: Cli) -> tuple[str, str]:
    """The commits of two revisions: the second changes the port of a server."""
    git("init", "--quiet", "--initial-branch", "main")
    return applied(cli, of(a=out())), applied(cli, of(a=out(port=2465)))


def test_a_rollback_from_end_to_end(cli: Cli, two: tuple[str, str]) -> None:
    said = cli("rollback", "2", "-o", "back.json")
    assert (said.code, said.err) == (0, "")
    assert "      port: 2465 → 465 (server)" in said.out.splitlines()
    lines = said.out.splitlines()
    assert lines[-6] == "This plan rolls back revision 2."
    assert lines[-4].startswith("Apply it with: reconciler apply back.json")
    assert lines[-3:] == [
        "Take the manifests back with it, or the next plan undoes the rollback:",
        f"  git revert {two[1]}",
        "It is about: acme.yaml",
    ]
    assert cli("apply", "back.json", "--auto-approve").code == 0
    assert "rolls back 2" in cli("history").out
    assert "  rolls back revision 2" in cli("history", "3").out.splitlines()
    undoing = cli("plan", "m")
    assert undoing.code == 3
    assert "! refused MBX514 undoes-rollback: undoes rollback of revision 2" in undoing.out
    assert "--accept acme:undoes-rollback=1" in undoing.out
    git("revert", "--no-edit", two[1])
    agreed = cli("plan", "m")
    assert (agreed.code, agreed.out) == (0, "Nothing to change. 2 rows unchanged.\n")


@pytest.mark.usefixtures("two")
def test_nothing_is_written_by_planning_it(cli: Cli) -> None:
    before = Path("reconciler.db").read_bytes()
    assert cli("rollback", "2").code == 0
    assert Path("reconciler.db").read_bytes() == before


def test_json_is_a_plan_and_a_file_can_be_applied(cli: Cli, two: tuple[str, str]) -> None:
    said = cli("rollback", "2", "--format", "json", "-o", "back.json")
    document = json.loads(said.out)
    assert document["rolls_back"] == 2
    assert document["commit"] is None
    assert f"git revert {two[1]}" in said.err
    assert cli("apply", "back.json", "--auto-approve").code == 0


@pytest.mark.usefixtures("two")
def test_an_acceptance_in_a_manifest_lets_it_be_undone(cli: Cli) -> None:
    cli("rollback", "2", "-o", "back.json")
    cli("apply", "back.json", "--auto-approve")
    accept = [
        {"guard": "undoes-rollback", "count": 1, "reason": "It was right", "until": "9999-12-31"}
    ]
    write(Path("m"), {FILE: {**of(a=out(port=2465)), "accept": accept}})
    assert cli("apply", "m", "--auto-approve").code == 0
    assert "Nothing to change" in cli("plan", "m").out


def test_what_stays_is_told_and_counted(cli: Cli) -> None:
    git("init", "--quiet")
    boxes = {f"box-{number:03}": out(f"box-{number:03}") for number in range(210)}
    applied(cli, of(**boxes))
    applied(cli, of(**{name: {**box, "port": 2465} for name, box in boxes.items()}))
    with plain_sql(f"sqlite:///{Path('reconciler.db')}") as program:
        program.execute("UPDATE mail_server SET nickname = 'X'")
    said = cli("rollback", "2")
    assert said.code == 0
    assert said.out == "Nothing to change. 211 rows unchanged.\n"
    assert said.err.count("warning MBX577") == 200
    assert "… and 10 more rows that stay as they are; --full shows them" in said.err
    assert cli("rollback", "2", "--full").err.count("warning MBX577") == 210


@pytest.mark.usefixtures("two")
def test_a_refusal_exits_with_3_and_can_be_accepted(cli: Cli) -> None:
    applied(
        cli, of(a=out(port=2465), **{f"box-{number}": out(f"box-{number}") for number in "1234"})
    )
    refused = cli("rollback", "3")
    assert refused.code == 3
    assert "mass-delete" in refused.out
    assert cli("rollback", "3", "--accept", "mass-delete=4").code == 0


def test_a_password_that_is_lost_cannot_be_accepted(cli: Cli) -> None:
    git("init", "--quiet")
    applied(cli, of(a=out()))
    with plain_sql(f"sqlite:///{Path('reconciler.db')}") as program:
        program.execute("UPDATE mail_server SET password_reference = NULL")
    applied(cli, of(a=out(nickname="Outro")))
    said = cli("rollback", "2")
    assert said.code == 3
    assert "! refused MBX515 lost-password" in said.out
    assert "the ledger does not have where it was: a" in said.out
    assert "--accept" not in said.out
    assert cli("rollback", "2", "--accept", "lost-password=1").code == 64


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["9"], 1, "MBX620"),
        (["x"], 1, "MBX620"),
        ([], 64, "REVISION"),
        (["2", "--accept", "nothing"], 64, "MBX609"),
        (["2", "--out", "no/such/folder.json"], 1, "MBX526"),
    ],
)
def test_what_is_asked_wrongly(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    ran = cli("rollback", *arguments)
    assert ran.code == code
    assert said in ran.err


def test_a_database_that_is_new(cli: Cli) -> None:
    assert "MBX541" in cli("rollback", "1").err
    assert not Path("reconciler.db").exists()


# The command for Git


def command_of(cli: Cli, number: int) -> str:
    lines = cli("rollback", str(number)).out.splitlines()
    return next((line.strip() for line in lines if line.startswith("  git ")), "")


def test_several_commits_came_with_one_revision(cli: Cli, two: tuple[str, str]) -> None:
    commit(of(a=out(port=2466)))
    last = applied(cli, of(a=out(port=2467)))
    assert command_of(cli, 3) == f"git revert {two[1]}..{last}"
    git("revert", "--no-edit", f"{two[1]}..{last}")
    assert git("diff", two[1]) == ""


@pytest.mark.usefixtures("two")
def test_merges_came_with_a_revision(cli: Cli) -> None:
    def merged(port: int) -> str:
        git("checkout", "--quiet", "-b", f"branch-{port}")
        commit(of(a=out(port=port)))
        git("checkout", "--quiet", "main")
        git("merge", "--quiet", "--no-ff", "--message", "x", f"branch-{port}")
        return git("rev-parse", "HEAD")

    one = merged(26)
    assert cli("apply", "m", "--auto-approve").code == 0
    assert command_of(cli, 3) == f"git revert -m 1 {one}"
    merged(27)
    last = merged(28)
    assert cli("apply", "m", "--auto-approve").code == 0
    asked = command_of(cli, 4)
    assert asked == f"git revert -m 1 $(git rev-list --first-parent {one}..{last})"
    subprocess.run(
        ["sh", "-c", asked.replace("revert", "-c user.name=a -c user.email=a@b revert --no-edit")],
        check=True,
    )
    assert git("diff", one) == ""


def test_outside_the_repository_it_is_the_commit(cli: Cli, two: tuple[str, str]) -> None:
    Path(".git").rename("hidden")
    assert command_of(cli, 2) == f"git revert {two[1]}"


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("hostile", ["--output=x", "$(touch x)", "HEAD; touch x", ""])
def test_a_commit_that_is_none_is_no_command(cli: Cli, hostile: str) -> None:
    with plain_sql(f"sqlite:///{Path('reconciler.db')}") as program:
        program.execute("UPDATE revision SET commit_id = :commit WHERE number = 2", commit=hostile)
    said = cli("rollback", "2").out
    assert said.endswith(
        "Change these manifests back with it, or the next plan undoes the rollback: acme.yaml\n"
    )
    assert not Path("x").exists()


@pytest.mark.usefixtures("two")
def test_a_revision_of_the_same_commit_as_the_one_before(cli: Cli) -> None:
    with plain_sql(f"sqlite:///{Path('reconciler.db')}") as program:
        program.execute("UPDATE mail_server SET port = 1")
    assert cli("apply", "m", "--auto-approve").code == 0
    assert command_of(cli, 3) == ""
