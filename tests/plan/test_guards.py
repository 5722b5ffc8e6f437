"""The guards: what sets each of them off, by how much, and what lets it pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reconciler import settings
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Failure, Place
from reconciler.model.coverage import Coverage
from reconciler.model.state import Link, MailServer, State
from reconciler.plan.alarm import Alarm, Case, Concern, Thresholds
from reconciler.plan.diff import diff
from reconciler.plan.guards import GUARDS, Acceptance, alarms, decide
from reconciler.plan.plan import Accepted
from tests.support.estates import (
    FILE,
    PARTNER,
    TODAY,
    Estate,
    Manifest,
    cnpj,
    codes,
    companies,
    company,
    covers,
    database_file,
    link,
    manifest,
    memory_database,
    outgoing,
    plain_sql,
    profile,
    read_one,
    run,
    server,
    state,
    write,
)

FIRST, SECOND, THIRD = cnpj(1), cnpj(2), cnpj(3)
COMPANIES = [company(FIRST), company(SECOND), company(THIRD)]
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


def case(before: State, after: State, coverage: Coverage | None = None, **fields: Any) -> Case:
    """What leads from one state to the other, judged."""
    changes = diff(PARTNER, before, after)
    return Case(changes, before, after, coverage or covers(), **fields)


def found(judged: Case) -> dict[str, int]:
    """The guards that are set off, with their counts."""
    return {alarm.guard: alarm.count for alarm in alarms(judged)}


def concerns(judged: Case, guard: str) -> tuple[Concern, ...]:
    return next((alarm.concerns for alarm in alarms(judged) if alarm.guard == guard), ())


def names(judged: Case, guard: str) -> list[str]:
    return [concern.name for concern in concerns(judged, guard)]


def servers(count: int, **fields: Any) -> list[MailServer]:
    return [server(f"s{number:04}", **fields) for number in range(count)]


def test_every_guard_has_a_code_of_its_own() -> None:
    codes = [guard.code for guard in GUARDS.values()]
    assert len(set(codes)) == len(codes)
    assert not MESSAGES.keys() & set(codes)


@pytest.mark.parametrize("guard", [name for name, guard in GUARDS.items() if not guard.on_creates])
def test_what_a_guard_leaves_out_could_not_set_it_off(guard: str) -> None:
    """Thresholds of zero, a file that is gone, and rows of every kind."""
    links = {"a": [link(FIRST), link(SECOND, active=False)]}
    new = state(COMPANIES, [server("a"), server("b")], links, [profile()], [FIRST])
    there = state([company(FIRST, project=None, file=None)], [server("c", project="other")])
    both = replace(
        new,
        companies={**new.companies, **there.companies},
        servers={**new.servers, **there.servers},
    )
    for before, after in ((State(), new), (there, both)):
        judged = case(before, after, thresholds=Thresholds(0, 1, 0))
        assert all(change.before is None for change in judged.changes)
        assert tuple(GUARDS[guard].check(judged)) == ()


def test_nothing_that_changes_sets_nothing_off() -> None:
    one = state(COMPANIES, servers(3))
    assert alarms(replace(case(one, one), older_than="0" * 40)) == ()


def test_the_first_manifests_set_nothing_off() -> None:
    one = state(COMPANIES, servers(20), {"s0000": [link(FIRST)]}, [profile()], [FIRST])
    assert found(case(State(), one)) == {}


# Mass


class Mass(NamedTuple):
    """So many rows of so many that the project has."""

    rows: int
    of: int
    alarm: bool
    thresholds: Thresholds = Thresholds()


MASSES = {
    "none": Mass(0, 10, alarm=False),
    "two of two are too few": Mass(2, 2, alarm=False),
    "three of three": Mass(3, 3, alarm=True),
    "three of nine are a third": Mass(3, 9, alarm=True),
    "three of ten are 30 percent, not over": Mass(3, 10, alarm=False),
    "four of thirteen are just over 30 percent": Mass(4, 13, alarm=True),
    "four of fourteen are just below": Mass(4, 14, alarm=False),
    "ten of 33 are just over 30 percent": Mass(10, 33, alarm=True),
    "ten of 34 are just below": Mass(10, 34, alarm=False),
    "ten of many": Mass(10, 200, alarm=False),
    "eleven of many": Mass(11, 200, alarm=True),
    "none is enough for the strictest": Mass(1, 200, alarm=True, thresholds=Thresholds(0, 1, 0)),
    "at least two, and both": Mass(2, 2, alarm=True, thresholds=Thresholds(10, 2, 99)),
    "never over a hundred percent": Mass(9, 9, alarm=False, thresholds=Thresholds(10, 3, 100)),
    "but more than the most": Mass(11, 11, alarm=True, thresholds=Thresholds(10, 3, 100)),
    "below a least of five": Mass(4, 4, alarm=False, thresholds=Thresholds(10, 5, 30)),
    "a least of five": Mass(5, 5, alarm=True, thresholds=Thresholds(10, 5, 30)),
    "a most of twenty": Mass(20, 200, alarm=False, thresholds=Thresholds(20, 3, 30)),
    "over a most of twenty": Mass(21, 200, alarm=True, thresholds=Thresholds(20, 3, 30)),
}
mass = pytest.mark.parametrize("mass", MASSES.values(), ids=MASSES)


def expected(guard: str, mass: Mass) -> dict[str, int]:
    return {guard: mass.rows} if mass.alarm else {}


@mass
def test_mass_delete(mass: Mass) -> None:
    rows = servers(mass.of)
    foreign = server("foreign", project=None, file=None)
    judged = case(
        state(servers=[*rows, foreign]),
        state(servers=[*rows[mass.rows :], foreign]),
        thresholds=mass.thresholds,
    )
    assert found(judged) == expected("mass-delete", mass)


@mass
def test_mass_unlink(mass: Mass) -> None:
    before = linked_to(mass.of)
    after = replace(before, links={"a": before.links["a"][mass.rows :]})
    assert found(case(before, after, thresholds=mass.thresholds)) == expected("mass-unlink", mass)


def linked_to(count: int) -> State:
    """A server with so many links of the project, and one of another program."""
    numbers = [cnpj(order + 1) for order in range(count)]
    foreign = link(cnpj(9999), project=None, file=None)
    # Incoming, so that nobody is left without a way to send.
    return state(
        servers=[server("a", direction="incoming", protocol="imap")],
        links={"a": [*map(link, numbers), foreign]},
    )


@mass
def test_mass_deactivate_servers(mass: Mass) -> None:
    rows = servers(mass.of)
    off = [row._replace(active=False) for row in rows[: mass.rows]]
    judged = case(
        state(servers=rows), state(servers=[*off, *rows[mass.rows :]]), thresholds=mass.thresholds
    )
    assert found(judged) == expected("mass-deactivate", mass)


@mass
def test_mass_deactivate_links(mass: Mass) -> None:
    before = linked_to(mass.of)
    rows = before.links["a"]
    off = tuple(row._replace(active=False) for row in rows[: mass.rows])
    judged = case(
        before, replace(before, links={"a": (*off, *rows[mass.rows :])}), thresholds=mass.thresholds
    )
    assert found(judged) == expected("mass-deactivate", mass)


def test_servers_and_links_are_deactivated_in_one_count() -> None:
    numbers = [cnpj(order + 1) for order in range(20)]
    rows = [row._replace(direction="incoming") for row in servers(3)]
    before = state(servers=rows, links={"s0000": [link(number) for number in numbers]})
    after = state(
        servers=[row._replace(active=False) for row in rows],
        links={"s0000": [link(number, active=number not in numbers[:2]) for number in numbers]},
    )
    judged = case(before, after)
    assert found(judged) == {"mass-deactivate": 5}
    assert names(judged, "mass-deactivate")[:3] == ["s0000", "s0001", "s0002"]


def test_what_was_inactive_or_becomes_active_is_no_deactivation() -> None:
    before = state(servers=servers(3, active=False))
    assert found(case(before, state(servers=servers(3)))) == {}
    assert found(case(before, state(servers=servers(3, active=False, nickname="x")))) == {}
    assert found(case(state(), before)) == {}


def test_rows_of_others_do_not_hide_a_mass() -> None:
    """The share is of what the project has, not of what the partner has."""
    mine, others = servers(3), [server(f"o{number}", project="other") for number in range(50)]
    judged = case(state(servers=[*mine, *others]), state(servers=others))
    assert found(judged) == {"mass-delete": 3}


# Deleting and renaming


def test_a_linked_server_is_not_deleted() -> None:
    before = state(
        COMPANIES,
        [server("a", company=SECOND), server("b")],
        {
            "a": [link(FIRST), link(SECOND), link(THIRD, project=None, file=None)],
            "b": [link(FIRST), link(SECOND), link(THIRD)],
        },
    )
    after = state(COMPANIES, [server("b")], {"b": [link(FIRST), link(SECOND), link(THIRD)]})
    judged = case(before, after)
    assert found(judged)["linked-delete"] == 3
    assert names(judged, "linked-delete") == [f"a/{number}" for number in (FIRST, SECOND, THIRD)]
    details = [concern.detail for concern in concerns(judged, "linked-delete")]
    assert details == ["declared", "own", "foreign"]


def test_a_link_that_is_inactive_blocks_a_delete_too() -> None:
    before = state(COMPANIES, [server("a", active=False)], {"a": [link(FIRST, active=False)]})
    assert found(case(before, state(COMPANIES))) == {"linked-delete": 1}


def test_a_server_without_links_is_deleted() -> None:
    assert found(case(state(servers=servers(2)), state(servers=servers(1)))) == {}


@pytest.mark.parametrize(
    ("new", "alarm"),
    [
        pytest.param({}, True, id="same host and username"),
        pytest.param({"protocol": "imap", "direction": "incoming"}, True, id="other protocol"),
        pytest.param({"host": "other.acme.example"}, False, id="other host"),
        pytest.param({"username": "x@acme.example"}, False, id="other username"),
        pytest.param({"username": None}, False, id="no username"),
    ],
)
def test_a_delete_and_a_create_look_like_a_rename(new: dict[str, Any], alarm: bool) -> None:
    same = {"username": "nfe@acme.example", "password_reference": "env:A"}
    before = state(servers=[server("old", **{**same, "host": "Mail.Acme.Example"})])
    judged = case(before, state(servers=[server("new", **{**same, **new})]))
    assert ("suspected-rename" in found(judged)) is alarm
    if alarm:
        assert concerns(judged, "suspected-rename") == (Concern("old", "new"),)


def test_a_rename_that_is_told_is_not_suspected() -> None:
    before = state(servers=[server("old")]).renamed({"old": "new"})
    after = state(servers=[server("old")._replace(stable_id="new")])
    assert found(case(before, after)) == {}


# Lost input


def lost(before: State, after: State, *files: str, whole: bool = True) -> dict[str, int]:
    judged = case(before, after, covers(*files, whole=whole))
    return {name: count for name, count in found(judged).items() if name == "lost-input"}


SPREAD = state(
    [company(FIRST, file="a.yaml"), company(SECOND, file="b.yaml")],
    [server("a", file="a.yaml"), server("b", file="b.yaml"), server("c", file="c.yaml")],
    {"a": [link(FIRST, file="a.yaml"), link(SECOND, file="b.yaml")]},
    [profile(file="c.yaml")],
)


def without(*files: str) -> State:
    """What is left of `SPREAD` when these files no longer declare anything."""
    return State(
        SPREAD.partner,
        {
            number: row._replace(project=None) if row.file in files else row
            for number, row in SPREAD.companies.items()
        },
        SPREAD.head_offices,
        {
            key: row._replace(project=None) if row.file in files else row
            for key, row in SPREAD.hosts.items()
        },
        {name: row for name, row in SPREAD.servers.items() if row.file not in files},
        {
            name: tuple(row for row in rows if row.file not in files)
            for name, rows in SPREAD.links.items()
        },
    )


@pytest.mark.parametrize(
    ("gone", "given", "count"),
    [
        pytest.param([], ["a.yaml", "b.yaml", "c.yaml"], 0, id="all are there"),
        pytest.param(["b.yaml"], ["a.yaml", "c.yaml"], 1, id="one is gone"),
        pytest.param(["b.yaml", "c.yaml"], ["a.yaml"], 2, id="two are gone: counted in files"),
        pytest.param(["b.yaml"], ["a.yaml", "b.yaml", "c.yaml"], 0, id="the file is there, empty"),
        pytest.param([], ["a.yaml"], 0, id="other files declare it all now"),
    ],
)
def test_rows_of_files_that_are_gone(gone: list[str], given: list[str], count: int) -> None:
    expected = {"lost-input": count} if count else {}
    assert lost(SPREAD, without(*gone), *given) == expected


def test_lost_files_are_named_with_the_number_of_their_rows() -> None:
    judged = case(SPREAD, without("b.yaml"), covers("a.yaml", "c.yaml"))
    assert concerns(judged, "lost-input") == (Concern("b.yaml", kind="file", number=3),)


def test_no_file_is_lost_where_only_some_were_given() -> None:
    assert lost(SPREAD, without("b.yaml"), "a.yaml", whole=False) == {}


def test_files_of_another_project_are_not_lost() -> None:
    before = state(servers=[server("a", project="other", file="x.yaml"), server("b")])
    assert lost(before, state(servers=[server("b")])) == {}


READING = server("a", direction="incoming", protocol="imap")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            state([company(FIRST, file="x.yaml")]),
            state([company(FIRST, file="x.yaml", project=None)]),
            id="company",
        ),
        pytest.param(
            state(hosts=[profile(file="x.yaml")]),
            state(hosts=[profile(file="x.yaml", project=None)]),
            id="host",
        ),
        pytest.param(state(servers=[server("a", file="x.yaml")]), state(), id="server"),
        pytest.param(
            state(
                servers=[server("a", direction="incoming")], links={"a": [link(FIRST, file="x")]}
            ),
            state(servers=[server("a", direction="incoming")]),
            id="link",
        ),
    ],
)
def test_every_kind_of_row_can_be_lost(before: State, after: State) -> None:
    assert found(case(before, after)) == {"lost-input": 1}


# Orphaned companies


SENDING = state(COMPANIES, [server("a"), server("b")], {"a": [link(FIRST)], "b": [link(SECOND)]})


def sending(*, one: Iterable[MailServer], links: dict[str, list[Link]]) -> State:
    return state(COMPANIES, one, links)


@pytest.mark.parametrize(
    ("after", "count"),
    [
        pytest.param(SENDING, 0, id="nothing happens"),
        pytest.param(
            sending(one=[server("a"), server("b")], links={"b": [link(SECOND)]}), 1, id="unlinked"
        ),
        pytest.param(
            sending(
                one=[server("a"), server("b")],
                links={"a": [link(FIRST, active=False)], "b": [link(SECOND)]},
            ),
            1,
            id="link deactivated",
        ),
        pytest.param(
            sending(
                one=[server("a", active=False), server("b")],
                links={"a": [link(FIRST)], "b": [link(SECOND)]},
            ),
            1,
            id="server deactivated",
        ),
        pytest.param(
            sending(
                one=[server("a", active=False), server("b", active=False)],
                links={"a": [link(FIRST)], "b": [link(SECOND)]},
            ),
            2,
            id="two servers deactivated",
        ),
        pytest.param(
            sending(
                one=[server("a", direction="incoming", protocol="imap"), server("b")],
                links={"a": [link(FIRST)], "b": [link(SECOND)]},
            ),
            1,
            id="server reads instead",
        ),
        pytest.param(
            sending(one=[server("a"), server("b")], links={"b": [link(FIRST), link(SECOND)]}),
            0,
            id="linked to another",
        ),
        pytest.param(
            sending(
                one=[server("a"), server("b", active=False)],
                links={"b": [link(FIRST)], "a": [link(SECOND)]},
            ),
            1,
            id="linked to another that is inactive",
        ),
        pytest.param(
            sending(
                one=[server("a"), server("b")],
                links={"b": [link(FIRST, active=False), link(SECOND)]},
            ),
            1,
            id="linked to another by an inactive link",
        ),
        pytest.param(
            sending(
                one=[server("a", nickname="x"), server("b")],
                links={"a": [link(FIRST, sender_name="x")], "b": [link(SECOND)]},
            ),
            0,
            id="something else changes",
        ),
    ],
)
def test_a_company_loses_its_last_active_outgoing_server(after: State, count: int) -> None:
    expected = {"orphaned-company": count} if count else {}
    assert found(case(SENDING, after)) == expected


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(server("a", active=False), id="inactive server"),
        pytest.param(server("a", direction="incoming", protocol="imap"), id="incoming server"),
    ],
)
def test_who_could_not_send_before_is_no_orphan(row: MailServer) -> None:
    before = state(COMPANIES, [row], {"a": [link(FIRST)]})
    assert found(case(before, state(COMPANIES, [row]))) == {}


def test_a_selection_without_the_new_server_orphans_too() -> None:
    """The other server is declared, but not among what is selected."""
    after = sending(
        one=[server("a"), server("b"), server("c")], links={"c": [link(FIRST)], "b": [link(SECOND)]}
    )
    whole = case(SENDING, after)
    assert found(whole) == {}
    selected = tuple(change for change in whole.changes if change.server == "a")
    judged = replace(whole, changes=selected)
    assert names(judged, "orphaned-company") == [FIRST]


# Taking over


def foreign_and_mine(kind: str, **owner: Any) -> tuple[State, State]:
    """A row of this owner, and the same as a manifest declares it."""
    match kind:
        case "server":
            return state(servers=[server("a", **owner)]), state(servers=[server("a")])
        case "link":
            linked = state(COMPANIES, [server("a")], {"a": [link(FIRST, **owner)]})
            return linked, state(COMPANIES, [server("a")], {"a": [link(FIRST)]})
        case "company":
            return state([company(FIRST, **owner)]), state([company(FIRST)])
        case _:
            return state(hosts=[profile(**owner)]), state(hosts=[profile()])


@pytest.mark.parametrize("row", ["server", "link", "company", "host"])
@pytest.mark.parametrize(
    ("owner", "alarm"),
    [
        pytest.param({"project": None, "file": None}, True, id="of another program"),
        pytest.param({"project": "other"}, True, id="of another project"),
        pytest.param({"file": "other.yaml"}, False, id="of another file"),
        pytest.param({"project": None}, False, id="released before"),
    ],
)
def test_every_kind_of_row_can_be_taken_over(row: str, owner: dict[str, Any], alarm: bool) -> None:
    judged = case(*foreign_and_mine(row, **owner))
    assert judged.changes
    assert found(judged) == ({"takeover": 1} if alarm else {})


@pytest.mark.parametrize(
    ("declared", "alarm"), [(False, True), (True, False)], ids=["not declared", "declared"]
)
def test_a_head_office_of_another_program_is_moved(declared: bool, alarm: bool) -> None:
    """One that is declared too is taken over as a company, and counted once."""
    foreign = company(FIRST, project=None, file=None)
    mine = company(FIRST) if declared else foreign
    before = state([foreign, company(SECOND)], head_offices=[FIRST])
    judged = case(before, state([mine, company(SECOND)], head_offices=[SECOND]))
    assert found(judged) == {"takeover": 1}
    assert any(concern.kind == "head_office" for concern in concerns(judged, "takeover")) is alarm


def test_an_own_head_office_is_moved() -> None:
    before = state(COMPANIES, head_offices=[FIRST])
    assert found(case(before, state(COMPANIES, head_offices=[SECOND]))) == {}


def test_rows_of_another_program_that_stay_are_no_takeover() -> None:
    foreign = {"project": None, "file": None}
    before = state(
        [company(FIRST, **foreign)], [server("a", **foreign)], {"a": [link(FIRST, **foreign)]}
    )
    after = replace(before, servers={**before.servers, "b": server("b")})
    assert found(case(before, after)) == {}


# Credentials


class Moved(NamedTuple):
    """What uses a password before, and the server that a plan creates or changes."""

    before: list[MailServer]
    after: MailServer
    alarm: bool


SECRET = "env:SECRET"


def user(stable_id: str, **fields: Any) -> MailServer:
    return server(stable_id, **{"password_reference": SECRET, **fields})


ELSEWHERE = {"host": "other.acme.example"}
STARTTLS = {"port": 587, "security": "starttls"}
CREDENTIALS = {
    "nothing of it changes": Moved([user("a")], user("a", nickname="x"), alarm=False),
    "another host": Moved([user("a")], user("a", **ELSEWHERE), alarm=True),
    "the same host in capitals": Moved(
        [user("a", host="MAIL.acme.example")], user("a"), alarm=False
    ),
    "another host that has it already": Moved(
        [user("a"), user("b", **ELSEWHERE)], user("a", **ELSEWHERE), alarm=False
    ),
    "another host with a password of its own": Moved(
        [user("a")], user("a", password_reference="env:NEW", **ELSEWHERE), alarm=False
    ),
    "tls to starttls": Moved([user("a")], user("a", **STARTTLS), alarm=True),
    "tls to none": Moved([user("a")], user("a", security="none"), alarm=True),
    "starttls to none": Moved([user("a", **STARTTLS)], user("a", security="none"), alarm=True),
    "starttls to tls": Moved([user("a", **STARTTLS)], user("a"), alarm=False),
    "none to starttls": Moved([user("a", security="none")], user("a", **STARTTLS), alarm=False),
    "the certificate is no longer verified": Moved(
        [user("a")], user("a", verify_certificate=False), alarm=True
    ),
    "the certificate is verified from now on": Moved(
        [user("a", verify_certificate=False)], user("a"), alarm=False
    ),
    "it was not verified before": Moved(
        [user("a", verify_certificate=False)],
        user("a", verify_certificate=False, nickname="x"),
        alarm=False,
    ),
    "another port of the same host": Moved([user("a")], user("a", port=2465), alarm=False),
    "a new server on another host": Moved([user("a")], user("b", **ELSEWHERE), alarm=True),
    "a new server on the same host": Moved([user("a")], user("b"), alarm=False),
    "a new server with weaker security": Moved([user("a")], user("b", **STARTTLS), alarm=True),
    "a new server that does not verify": Moved(
        [user("a")], user("b", verify_certificate=False), alarm=True
    ),
    "a new server as weak as one that has it": Moved(
        [user("a"), user("c", **STARTTLS)], user("b", **STARTTLS), alarm=False
    ),
    "a new server with a password that nobody has": Moved(
        [user("a")], server("b", password_reference="env:NEW", **ELSEWHERE), alarm=False
    ),
    "a new server without a password": Moved(
        [user("a")], server("b", password_reference=None, auth="none", **ELSEWHERE), alarm=False
    ),
    "two without a password": Moved(
        [server("a", password_reference=None)],
        server("a", password_reference=None, **ELSEWHERE),
        alarm=False,
    ),
    "a server gets the password of another host": Moved(
        [user("a"), server("b", **ELSEWHERE)], user("b", **ELSEWHERE), alarm=True
    ),
    "a server that does not verify gets it": Moved(
        [user("a"), server("b", verify_certificate=False)],
        user("b", verify_certificate=False),
        alarm=True,
    ),
    "a password of another program's server": Moved(
        [user("a", project=None, file=None)], user("b", **ELSEWHERE), alarm=True
    ),
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_password_goes_somewhere_else(name: str) -> None:
    moved = CREDENTIALS[name]
    before = state(servers=moved.before)
    after = replace(before, servers={**before.servers, moved.after.stable_id: moved.after})
    judged = case(before, after)
    assert judged.changes
    assert found(judged) == ({"credential-moved": 1} if moved.alarm else {})


def test_a_renamed_server_keeps_its_password() -> None:
    before = state(servers=[user("a")]).renamed({"a": "b"})
    after = state(servers=[user("a")._replace(stable_id="b")])
    assert found(case(before, after)) == {}


# Older commits


@pytest.mark.parametrize("older_than", [None, "0" * 40], ids=["descends", "does not descend"])
def test_a_commit_that_is_older(older_than: str | None) -> None:
    judged = case(state(), state(servers=[server("a")]), older_than=older_than)
    assert found(judged) == ({"older-commit": 1} if older_than else {})


# Accepting

ALARM = Alarm("mass-delete", 12, ())
HERE = Place(FILE, ("accept", 0))


def acceptance(guard: str = "mass-delete", count: int = 12, **fields: Any) -> Acceptance:
    return Acceptance(
        guard, count, **{"reason": "moved", "until": TOMORROW, "place": HERE, **fields}
    )


def accepted(one: Acceptance) -> Accepted:
    until = one.until.isoformat() if one.until else ""
    return Accepted(PARTNER, one.guard, one.count, one.reason, until)


class Judged(NamedTuple):
    """What is accepted, and what comes of the alarm."""

    acceptances: list[Acceptance]
    passes: bool
    miscounted: int | None = None
    codes: tuple[str, ...] = ()
    used: frozenset[Accepted] = frozenset()


JUDGED = {
    "nothing accepted": Judged([], passes=False),
    "the exact count": Judged([acceptance()], passes=True),
    "on its last day": Judged([acceptance(until=TODAY)], passes=True),
    "a day too late": Judged([acceptance(until=YESTERDAY)], passes=False, codes=("MBX512",)),
    "one too few": Judged([acceptance(count=11)], passes=False, miscounted=11),
    "one too many": Judged([acceptance(count=13)], passes=False, miscounted=13),
    "another guard": Judged([acceptance("mass-unlink")], passes=False, codes=("MBX511",)),
    "two, one of them exact": Judged(
        [acceptance(count=11), acceptance()], passes=True, codes=("MBX511",)
    ),
    "the same one twice": Judged(
        [acceptance(), acceptance(place=Place(FILE, ("accept", 1)))], passes=True, codes=("MBX511",)
    ),
    "used up": Judged(
        [acceptance()], passes=False, codes=("MBX513",), used=frozenset([accepted(acceptance())])
    ),
    "used up, and another reason": Judged(
        [acceptance(reason="again")], passes=True, used=frozenset([accepted(acceptance())])
    ),
    "used up, and another day": Judged(
        [acceptance(until=TODAY)], passes=True, used=frozenset([accepted(acceptance())])
    ),
    "used up for another count": Judged(
        [acceptance()], passes=True, used=frozenset([accepted(acceptance(count=11))])
    ),
    "used up for another partner": Judged(
        [acceptance()],
        passes=True,
        used=frozenset([replace(accepted(acceptance()), partner="beta")]),
    ),
    "used up, and a second one": Judged(
        [acceptance(), acceptance(reason="again")],
        passes=True,
        codes=("MBX513",),
        used=frozenset([accepted(acceptance())]),
    ),
    "over, and a second one": Judged(
        [acceptance(until=YESTERDAY), acceptance()], passes=True, codes=("MBX512",)
    ),
    "from the command line": Judged([acceptance(place=None, until=None, reason="")], passes=True),
    "from the command line, used before": Judged(
        [acceptance(place=None)], passes=True, used=frozenset([accepted(acceptance())])
    ),
    "from the settings, over": Judged(
        [acceptance(place=None, until=YESTERDAY)], passes=False, codes=("MBX512",)
    ),
}


@pytest.mark.parametrize("name", JUDGED)
def test_what_lets_a_guard_pass(name: str) -> None:
    judged = JUDGED[name]
    result = decide(PARTNER, [ALARM], judged.acceptances, judged.used, TODAY)
    assert [refusal.alarm for refusal in result.refusals] == ([] if judged.passes else [ALARM])
    assert [refusal.miscounted for refusal in result.refusals] == (
        [] if judged.passes else [judged.miscounted]
    )
    assert len(result.accepted) == judged.passes
    assert codes(result.problems) == [*judged.codes]


def test_what_was_accepted_is_recorded() -> None:
    result = decide(PARTNER, [ALARM], [acceptance()], frozenset(), TODAY)
    assert result.accepted == (Accepted(PARTNER, "mass-delete", 12, "moved", TOMORROW.isoformat()),)


def test_an_acceptance_that_no_guard_asks_for_is_told() -> None:
    result = decide(PARTNER, [], [acceptance(), acceptance(place=None)], frozenset(), TODAY)
    assert codes(result.problems) == ["MBX511"]


def test_each_guard_needs_an_acceptance_of_its_own() -> None:
    both = [ALARM, Alarm("orphaned-company", 2, ())]
    result = decide(PARTNER, both, [acceptance()], frozenset(), TODAY)
    assert [refusal.alarm.guard for refusal in result.refusals] == ["orphaned-company"]
    result = decide(
        PARTNER, both, [acceptance(), acceptance("orphaned-company", 2)], frozenset(), TODAY
    )
    assert result.refusals == ()


@pytest.mark.parametrize("place", [HERE, None], ids=["in a manifest", "elsewhere"])
def test_deleting_a_linked_server_is_never_accepted(place: Place | None) -> None:
    alarm = Alarm("linked-delete", 1, ())
    acceptances = [acceptance("linked-delete", 1, place=place)]
    result = decide(PARTNER, [alarm], acceptances, frozenset(), TODAY)
    assert [refusal.alarm for refusal in result.refusals] == [alarm]
    assert result.accepted == ()


@pytest.mark.parametrize("guard", GUARDS)
def test_which_guards_a_manifest_can_accept(guard: str) -> None:
    item = {"guard": guard, "count": 1, "reason": "meant", "until": "2099-12-31"}
    _, problems = read_one(manifest(accept=[item]))
    assert codes(problems) == (
        ["MBX204"] if guard in ("linked-delete", "lost-password", "lost-input") else []
    )


@pytest.mark.parametrize("guard", GUARDS)
def test_which_guards_the_settings_can_accept(guard: str, tmp_path: Path) -> None:
    file = tmp_path / "reconciler.toml"
    file.write_text(f'[[guards.accept]]\npartner = "acme"\nguard = "{guard}"\ncount = 1\n')
    if guard in ("linked-delete", "lost-password"):
        with pytest.raises(Failure, match="MBX602"):
            settings.load(file, {})
    else:
        assert settings.load(file, {}).guards.accept[0].guard == guard


@pytest.mark.parametrize(
    ("item", "code"),
    [
        pytest.param({"count": 0}, "MBX208", id="count of zero"),
        pytest.param({"reason": ""}, "MBX205", id="empty reason"),
        pytest.param({"reason": None}, "MBX202", id="no reason"),
        pytest.param({"until": None}, "MBX202", id="no day"),
        pytest.param({"until": "tomorrow"}, "MBX218", id="no such day"),
        pytest.param({"guard": "all"}, "MBX204", id="no switch for all"),
    ],
)
def test_an_acceptance_is_written_out(item: Manifest, code: str) -> None:
    whole = {"guard": "takeover", "count": "1", "reason": "meant", "until": "2099-12-31", **item}
    given = {key: value for key, value in whole.items() if value is not None}
    text = "\n".join(f"  {key}: {value or chr(34) * 2}" for key, value in given.items())
    if "count" in item:
        text = text.replace('count: ""', "count: 0")
    _, problems = read_one(f"version: 1\npartner: acme\naccept:\n- {text.lstrip()}\n")
    assert codes(problems) == [code]


# From end to end


def three(*ids: str, **sections: Any) -> dict[str, Manifest]:
    return {FILE: manifest(mail_servers={name: outgoing(name) for name in ids}, **sections)}


ACCEPT = [{"guard": "mass-delete", "count": 3, "reason": "moved", "until": "2099-12-31"}]


def test_an_acceptance_in_a_manifest_counts_once() -> None:
    with memory_database() as engine:
        estate, usual = Estate(engine), Thresholds()
        for attempt in range(2):
            estate.settle(three("a", "b", "c"))
            refused = estate.plan(three(), thresholds=usual)
            assert [item.alarm.guard for item in refused.plan.refusals] == ["mass-delete"]
            planned = estate.plan(three(accept=ACCEPT), thresholds=usual)
            if attempt == 0:
                assert planned.plan.refusals == ()
                estate.apply(planned.plan)
                again = estate.plan(three(accept=ACCEPT), thresholds=usual)
                assert codes(again.problems) == ["MBX513"]
            else:
                assert len(planned.plan.refusals) == 1
                assert codes(planned.problems) == ["MBX513"]


@pytest.mark.parametrize(
    ("partner", "affected", "problem"),
    [
        pytest.param("acme", ["acme"], [], id="the one"),
        pytest.param("", ["acme"], [], id="the only one affected"),
        pytest.param("", ["acme", "beta"], ["MBX610"], id="which of two is not said"),
        pytest.param("beta", ["acme"], ["MBX511"], id="another one"),
        pytest.param("gamma", ["acme"], ["MBX511"], id="an unknown one"),
        pytest.param("", [], ["MBX511"], id="nobody is affected"),
    ],
)
def test_a_guard_is_accepted_for_its_partner(
    partner: str, affected: list[str], problem: list[str]
) -> None:
    def manifests(gone: list[str]) -> dict[str, Manifest]:
        return {
            f"{name}.yaml": manifest(
                name, mail_servers={} if name in gone else {i: outgoing(i) for i in "abc"}
            )
            for name in ("acme", "beta")
        }

    with memory_database() as engine:
        estate = Estate(engine)
        estate.settle(manifests([]))
        given = Acceptance("mass-delete", 3, partner=partner)
        planned = estate.plan(manifests(affected), given, thresholds=Thresholds())
        assert codes(planned.problems) == problem
        refused = bool(affected) and problem == ["MBX511"]
        assert bool(planned.plan.refusals) is refused


def test_a_refused_partner_is_shown_and_left_and_the_exit_code_is_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = database_file(tmp_path)
    root = write(
        tmp_path / "m",
        {
            FILE: manifest(
                companies=companies(FIRST), mail_servers={"a": outgoing("a", companies=[FIRST])}
            )
        },
    )
    assert run(capsys, "apply", root, "--database", url, "--auto-approve").code == 0
    write(root, {FILE: manifest(companies=companies(FIRST))})
    planned = run(capsys, "plan", root, "--database", url)
    assert planned.code == 3
    assert "linked-delete" in planned.out
    assert run(capsys, "apply", root, "--database", url, "--auto-approve").code == 3
    accepting = ["--database", url, "--accept", "acme:linked-delete=1"]
    assert run(capsys, "apply", root, *accepting, "--auto-approve").code != 0
    with plain_sql(url) as connection:
        assert connection.execute("SELECT count(*) FROM link").fetchone() == (1,)


def test_lost_input_is_accepted_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = database_file(tmp_path)
    root = write(tmp_path / "m", {FILE: manifest(), "b.yaml": three("a")[FILE]})
    assert run(capsys, "apply", root, "--database", url, "--auto-approve").code == 0
    (root / "b.yaml").unlink()
    assert run(capsys, "plan", root, "--database", url).code == 3
    arguments = ["--database", url, "--accept", "lost-input=1", "--detailed-exitcode"]
    assert run(capsys, "plan", root, *arguments).code == 2
