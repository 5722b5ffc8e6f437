"""Which row each declared server is: its own, one it renames, or one it takes over."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from reconciler.database.engine import transaction
from reconciler.desired.desire import desire
from reconciler.desired.match import Naming, name_rows, old_names
from reconciler.diagnostics.problem import Place
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model.state import EMPTY, MailServer, State
from tests.support.estates import (
    FILE,
    HOST,
    PARTNER,
    Estate,
    Manifest,
    cnpj,
    codes,
    companies,
    covers,
    declare,
    errors,
    fetch,
    incoming,
    manifest,
    memory_database,
    outgoing,
    read_back,
    row_ids,
    server,
    state,
)

FOREIGN: dict[str, Any] = {"project": None, "file": None}


def renaming(**earlier: str | list[str]) -> dict[str, Manifest]:
    """Servers with their earlier ids; each keeps the mailbox of the first of these."""
    return {
        name: outgoing(mailbox(name, old), renamed_from=old or None)
        for name, old in earlier.items()
    }


def mailbox(name: str, old: str | list[str]) -> str:
    return (old if isinstance(old, str) else next(iter(old), "")) or name


def declared_of(servers: dict[str, Manifest]) -> PartnerDeclaration:
    return declare(manifest(mail_servers=servers))


def rows(*names: str, **fields: Any) -> State:
    return state(servers=[server(name, **fields) for name in names])


BOTH_DECLARED = {"new": outgoing("new", renamed_from="old"), "old": outgoing("old")}


class Rename(NamedTuple):
    """What is declared, which rows there are, and what comes of it."""

    servers: dict[str, Manifest]
    observed: State
    new_names: dict[str, str]
    codes: list[str]


RENAMES = {
    "no renamed_from": Rename(renaming(a=""), rows("a", "b"), {}, []),
    "old there, new not": Rename(renaming(new="old"), rows("old"), {"old": "new"}, []),
    "old gone, new there": Rename(renaming(new="old"), rows("new"), {}, ["MBX317"]),
    "neither there": Rename(renaming(new="old"), EMPTY, {}, []),
    "both there": Rename(renaming(new="old"), rows("old", "new"), {}, ["MBX316"]),
    "old declared too": Rename(BOTH_DECLARED, rows("old"), {}, ["MBX316"]),
    "old declared too, neither there": Rename(BOTH_DECLARED, EMPTY, {}, ["MBX316"]),
    "old declared too, both there": Rename(BOTH_DECLARED, rows("old", "new"), {}, ["MBX316"]),
    "its own id": Rename(renaming(a="a"), rows("a"), {}, ["MBX317"]),
    "a swap": Rename(renaming(a="b", b="a"), rows("a", "b"), {"a": "b", "b": "a"}, []),
    "a swap that is done": Rename(
        renaming(a="b", b="a"),
        state(
            servers=[server("a", username="b@acme.example"), server("b", username="a@acme.example")]
        ),
        {},
        ["MBX317", "MBX317"],
    ),
    "a swap before anything is there": Rename(renaming(a="b", b="a"), EMPTY, {}, []),
    "a chain": Rename(renaming(b="a", c="b"), rows("a", "b"), {"a": "b", "b": "c"}, []),
    "a chain, declared from its end": Rename(
        renaming(c="b", b="a"), rows("a", "b"), {"a": "b", "b": "c"}, []
    ),
    "a chain that is done": Rename(
        renaming(b="a", c="b"),
        state(
            servers=[server("b", username="a@acme.example"), server("c", username="b@acme.example")]
        ),
        {},
        ["MBX317", "MBX317"],
    ),
    "a chain whose end is taken": Rename(
        renaming(b="a", c="b"), rows("a", "b", "c"), {"a": "b"}, ["MBX316", "MBX316"]
    ),
    "a list, the latest there": Rename(renaming(new=["x", "y"]), rows("y"), {"y": "new"}, []),
    "a list, the earliest there": Rename(renaming(new=["x", "y"]), rows("x"), {"x": "new"}, []),
    "a list, none there": Rename(renaming(new=["x", "y"]), rows("z"), {}, []),
    "a list, done": Rename(renaming(new=["x", "y"]), rows("new"), {}, ["MBX317"]),
    "a list, two there": Rename(renaming(new=["x", "y"]), rows("x", "y"), {}, ["MBX327"]),
    "a list with its own id": Rename(
        renaming(a=["a", "b"]), rows("a", "b"), {"b": "a"}, ["MBX316"]
    ),
    "a list, one declared too": Rename(renaming(new=["x", "y"], y=""), rows("x"), {}, ["MBX316"]),
    "two say they were it": Rename(
        {"a": outgoing("a", renamed_from="x"), "b": outgoing("b", renamed_from="x")},
        EMPTY,
        {},
        ["MBX324"],
    ),
    "with edits": Rename(
        {"new": outgoing("other", host="other.example", renamed_from="old")},
        rows("old"),
        {"old": "new"},
        [],
    ),
    "of another program's row": Rename(
        renaming(new="old"), rows("old", **FOREIGN), {"old": "new"}, []
    ),
}


@pytest.mark.parametrize("name", RENAMES)
def test_what_renamed_from_does(name: str) -> None:
    case = RENAMES[name]
    naming = name_rows(declared_of(case.servers), case.observed, "")
    assert naming.new_names == case.new_names
    assert codes(naming.problems) == case.codes


def test_a_swap_of_which_one_was_edited_afterwards_loses_no_row() -> None:
    """The lines are still there, and one mailbox is another now: nobody can tell what is meant."""
    servers = renaming(a="b", b="a")
    servers["a"]["username"] = "moved@acme.example"
    observed = state(
        servers=[server("a", username="b@acme.example"), server("b", username="a@acme.example")]
    )
    naming = name_rows(declared_of(servers), observed, "")
    assert "MBX316" in codes(naming.problems)


def test_a_conflict_shows_both_places() -> None:
    naming = name_rows(declared_of(BOTH_DECLARED), EMPTY, "")
    (problem,) = naming.problems
    assert problem.place
    assert problem.place.path[:3] == ("mail_servers", "new", "renamed_from")
    assert problem.others == (Place(FILE, ("mail_servers", "old")),)
    assert problem.values == {"old": "old", "new": "new"}


def test_two_that_claim_a_row_are_shown_both() -> None:
    servers = {name: outgoing(name, renamed_from=["y", "x"][i:]) for i, name in enumerate("ab")}
    naming = name_rows(declared_of(servers), EMPTY, "")
    (problem,) = naming.problems
    assert problem.code == "MBX324"
    assert problem.place
    assert problem.place.path[:3] == ("mail_servers", "b", "renamed_from")
    assert [place.path[:3] for place in problem.others] == [("mail_servers", "a", "renamed_from")]


def test_a_finished_rename_is_no_error() -> None:
    naming = name_rows(declared_of(renaming(new="old")), rows("new"), "")
    assert errors(naming.problems) == []


@pytest.mark.parametrize(
    ("servers", "known"),
    [
        pytest.param(renaming(new="old"), {"old": "new"}, id="renamed"),
        pytest.param(renaming(new=["x", "y"]), {"x": "new", "y": "new"}, id="twice"),
        pytest.param(renaming(a="b", b="a"), {}, id="swapped: both ids are somebody's"),
        pytest.param(renaming(b="a", c="b"), {"a": "b"}, id="chain: the first id is free"),
        pytest.param(renaming(a=""), {}, id="not renamed"),
    ],
)
def test_ids_that_nobody_has_any_more(servers: dict[str, Manifest], known: dict[str, str]) -> None:
    assert old_names(declared_of(servers)) == known


# Taking over


def taking(observed: State, *, project: str = "", **keys: Any) -> Naming:
    servers = {"nfe": outgoing("nfe", **keys)}
    return name_rows(declare(manifest(mail_servers=servers), project=project), observed, project)


def foreign(name: str = "#7", **fields: Any) -> MailServer:
    return server(name, **{"username": "nfe@acme.example", **FOREIGN, **fields})


@pytest.mark.parametrize(
    ("row", "taken"),
    [
        pytest.param(foreign(), True, id="the same mailbox"),
        pytest.param(foreign("their-id"), True, id="with an id of its own"),
        pytest.param(foreign(host="MAIL.Acme.Example"), True, id="host in capitals"),
        pytest.param(foreign(project="other", file=FILE), True, id="another project's"),
        pytest.param(foreign(host="mail.other.example"), False, id="another host"),
        pytest.param(foreign(username="xml@acme.example"), False, id="another username"),
        pytest.param(foreign(username="NFE@acme.example"), False, id="username in capitals"),
        pytest.param(foreign(username=None), False, id="no username"),
        pytest.param(foreign(protocol="imap"), False, id="another protocol"),
        pytest.param(foreign(direction="incoming"), True, id="whatever its direction says"),
        pytest.param(foreign(port=2525, security="none"), True, id="whatever its options"),
        pytest.param(foreign("mine", project="", file=FILE), False, id="this project's own"),
    ],
)
def test_a_row_of_another_program_is_matched_by_mailbox(row: MailServer, taken: bool) -> None:
    naming = taking(state(servers=[row]))
    assert naming.new_names == ({row.stable_id: "nfe"} if taken else {})
    assert naming.problems == []


def test_an_own_row_is_never_matched_by_mailbox() -> None:
    """That would be a rename that nobody has written: a guard asks for it instead."""
    own, unrelated = foreign("old", project="", file=FILE), foreign("#8", username="x")
    assert taking(state(servers=[own, unrelated])).new_names == {}


def test_a_mailbox_without_a_login_is_matched_too() -> None:
    naming = taking(
        state(servers=[foreign(username=None)]), auth="none", username=None, password=None
    )
    assert naming.new_names == {"#7": "nfe"}


def test_a_row_is_matched_by_id_before_it_is_by_mailbox() -> None:
    naming = taking(state(servers=[foreign("nfe", username="x"), foreign()]))
    assert naming.new_names == {}
    assert naming.problems == []


def test_a_rename_goes_before_a_mailbox() -> None:
    observed = state(servers=[server("old"), foreign()])
    naming = taking(observed, renamed_from="old")
    assert naming.new_names == {"old": "nfe"}


def test_a_row_that_is_declared_by_its_id_is_not_another_one() -> None:
    servers = {"a": outgoing("a"), "nfe": outgoing("nfe")}
    naming = name_rows(declared_of(servers), state(servers=[foreign("a")]), "")
    assert naming.new_names == {}


def test_several_rows_of_one_mailbox_are_told() -> None:
    naming = taking(state(servers=[foreign("#9"), foreign("#7")]))
    (problem,) = naming.problems
    assert (problem.code, problem.values) == ("MBX325", {"name": "nfe", "rows": "#7, #9"})
    assert naming.new_names == {}


def test_two_projects_do_not_share_rows() -> None:
    """What is one project's own is another program's to the next."""
    row = foreign("their-id", project="one", file=FILE)
    assert taking(state(servers=[row]), project="one").new_names == {}
    assert taking(state(servers=[row]), project="two").new_names == {"their-id": "nfe"}


# With a database

CHAINS = {
    "a rename": (renaming(a=""), renaming(b="a"), {"a": "b"}),
    "a rename by list": (renaming(a=""), renaming(c=["a", "b"]), {"a": "c"}),
    "a swap": (renaming(a="", b=""), renaming(a="b", b="a"), {"a": "b", "b": "a"}),
    "a chain": (renaming(a="", b=""), renaming(b="a", c="b"), {"a": "b", "b": "c"}),
    "a rotation": (
        renaming(a="", b="", c=""),
        renaming(b="a", c="b", a="c"),
        {"a": "b", "b": "c", "c": "a"},
    ),
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("links", ["kept", "one more"])
def test_rows_and_links_are_kept_and_a_second_plan_is_empty(name: str, links: str) -> None:
    first, second, new_names = CHAINS[name]
    numbers = {old: cnpj(order) for order, old in enumerate(first, 1)}
    for old, entry in first.items():
        entry["companies"] = [numbers[old]]
    for old, new in new_names.items():
        second[new]["companies"] = [numbers[old], *([cnpj(9)] if links == "one more" else [])]
    declared = companies(*numbers.values(), cnpj(9))
    with memory_database() as engine:
        estate = Estate(engine)
        estate.settle({FILE: manifest(companies=declared, mail_servers=first)})
        before = row_ids(engine)
        commit = {FILE: manifest(companies=declared, mail_servers=second)}
        plan = estate.settle(commit)
        assert plan.refusals == ()
        after, linked = row_ids(engine), read_back(engine).links
        for old, new in new_names.items():
            assert after[new] == before[old]
            assert linked[new][0].cnpj == numbers[old]
            assert len(linked[new]) == (2 if links == "one more" else 1)
        again = estate.plan(commit)
        assert again.plan.partners == ()
        assert set(codes(again.problems)) == {"MBX317"}


@pytest.mark.parametrize("stable_id", [None, "their-id", "nfe"], ids=["nameless", "named", "same"])
def test_a_takeover_keeps_row_and_links(stable_id: str | None) -> None:
    number = cnpj(1)
    commit = {
        FILE: manifest(
            companies=companies(number),
            mail_servers={"nfe": outgoing("nfe", companies=[number], nickname="Novo")},
        )
    }
    with memory_database() as engine:
        estate = Estate(engine)
        estate.settle({FILE: manifest(companies=companies(number))})
        with transaction(engine) as connection:
            connection.exec_driver_sql(
                "INSERT INTO mail_server "
                "(id, partner, stable_id, direction, protocol, nickname, host, username) "
                "VALUES (7, ?, ?, 'outgoing', 'smtp', 'Velho', ?, 'nfe@acme.example')",
                (PARTNER, stable_id, HOST.upper()),
            )
            connection.exec_driver_sql(
                "INSERT INTO link (mail_server_id, cnpj) VALUES (7, ?)", (number,)
            )
        (refused,) = estate.plan(commit).plan.refusals
        assert (refused.alarm.guard, refused.alarm.count) == ("takeover", 2)
        estate.settle(commit)
        found = fetch(engine, "SELECT id, stable_id, nickname, host, project FROM mail_server")
        assert found == [(7, "nfe", "Novo", HOST, "")]
        assert fetch(engine, "SELECT mail_server_id, project FROM link") == [(7, "")]
        assert estate.plan(commit).plan.partners == ()


def test_who_names_the_old_id_is_told_the_new_one() -> None:
    number = cnpj(1)
    declared = declare(
        manifest(
            companies=companies(number),
            mail_servers={"new": outgoing("new", renamed_from="old"), "in": incoming("in")},
        ),
        manifest(company=number, import_from=[{"partner": "old"}]),
    )
    found = desire(declared, rows("old"), covers())
    (problem,) = found.problems
    assert (problem.code, problem.values["suggestion"]) == ("MBX318", "new")
