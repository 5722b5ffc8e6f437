"""`history`: which revisions there are, which of them are meant, and what each of them did."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from reconciler.database.engine import transaction
from reconciler.database.tables import revision, revision_change
from reconciler.diagnostics.problem import Failure
from reconciler.ledger import revisions
from reconciler.ledger.revisions import LedgerEntry, Revision, RevisionFilter
from reconciler.model import as_json
from reconciler.model.state import EMPTY, Company, HeadOffice, Partner, State
from reconciler.operations import transaction as transaction_
from reconciler.operations.transaction import Work
from reconciler.plan.diff import diff
from reconciler.plan.plan import Accepted, PartnerPlan, Selection, Summary
from reconciler.render.history_text import revision_lines
from reconciler.render.style import PLAIN, clean
from tests.laws.test_laws import WITH_DATABASE
from tests.support.estates import (
    NOW,
    PARTNER,
    Cli,
    cnpj,
    companies,
    company,
    link,
    manifest,
    memory_database,
    outgoing,
    plain_sql,
    plan_of,
    read_back,
    server,
    state,
    write,
)
from tests.support.servers import MAIN, SQLITE
from tests.support.strategies import transitions

ONE, TWO, OTHER = cnpj(1), cnpj(2), cnpj(1, root=87654321)
URL = "sqlite:///reconciler.db"
UNTIL = "9999-12-31"
pytestmark = pytest.mark.databases(*MAIN)


def settle(
    engine: Engine,
    after: State,
    new_names: dict[str, str] | None = None,
    partner: str = PARTNER,
    when: datetime = NOW,
    **fields: Any,
) -> None:
    """Apply what leads from what is there to `after`, as a revision of its own."""
    before = read_back(engine, partner).renamed(new_names or {})
    with transaction(engine) as connection:
        plan = plan_of(diff(partner, before, after), **fields)
        transaction_.write(connection, Work(plan), "ana", when)


def listed(engine: Engine, limit: int = 100, **wanted: Any) -> tuple[list[int], int]:
    """The numbers that are found, and how many more there are."""
    with transaction(engine) as connection:
        found = revisions.revisions(connection, RevisionFilter(**wanted), limit)
    return [item.number for item in found.revisions], found.more


def numbers(engine: Engine, **wanted: Any) -> list[int]:
    return listed(engine, **wanted)[0]


def entries(engine: Engine, number: int) -> list[LedgerEntry]:
    with transaction(engine) as connection:
        return list(revisions.entries(connection, number))


def called(engine: Engine, name: str) -> Revision:
    with transaction(engine) as connection:
        return revisions.revision_called(connection, name)


def tamper(engine: Engine, number: int, **values: Any) -> None:
    """Write into a revision, or into all of its entries."""
    table = revision if {*values} <= {*revision.c.keys()} else revision_change
    key = table.c.number if table is revision else table.c.revision
    with transaction(engine) as connection:
        connection.execute(update(table).where(key == number).values(**values))


# What is read


@pytest.mark.slow
@WITH_DATABASE
@given(transitions())
def test_what_was_applied_is_read_back(step: Any) -> None:
    with memory_database() as engine:
        first = diff(PARTNER, EMPTY, step.before)
        second = diff(PARTNER, step.renamed, step.after)
        settle(engine, step.before)
        settle(engine, step.after, step.new_names)
        for number, changes in enumerate([first, second], start=1):
            found = entries(engine, number)
            assert tuple(entry.change for entry in found) == changes
            assert all(entry.whole for entry in found)


def test_a_revision_says_who_when_and_what_for(engine: Engine) -> None:
    settle(engine, state([company(ONE)], [server("a")], {"a": [link(ONE)]}))
    settle(
        engine,
        state([company(ONE)], [server("a", nickname="Outro")]),
        id="the-plan",
        commit="0" * 40,
        project="billing",
        selection=Selection(("acme",), (("acme", "a"),)),
        rolls_back=1,
    )
    found = called(engine, "2")
    assert found == called(engine, "the-plan")
    assert (found.number, found.plan_id, found.applied_at) == (2, "the-plan", NOW)
    assert (found.applied_by, found.project, found.commit) == ("ana", "billing", "0" * 40)
    assert (found.rolls_back, found.selection) == (1, Selection(("acme",), (("acme", "a"),)))
    assert found.summary[:5] == (0, 1, 0, 0, 1)


def test_accepted_guards_are_read_back(engine: Engine) -> None:
    accepted = Accepted(PARTNER, "takeover", 2, "meant", "2026-12-31")
    part = PartnerPlan(PARTNER, diff(PARTNER, EMPTY, state()), accepted=(accepted,))
    with transaction(engine) as connection:
        transaction_.write(connection, Work(plan_of((), partners=(part,))), "ana", NOW)
    with transaction(engine) as connection:
        assert revisions.acceptances(connection, 1) == (accepted,)


@pytest.mark.parametrize("name", ["2", "0", "-1", "1.0", "99999999999999999999", "²", "other", ""])
def test_a_revision_that_is_not_there(engine: Engine, name: str) -> None:
    settle(engine, state())
    with pytest.raises(Failure) as caught:
        called(engine, name)
    assert caught.value.problems[0].code == "MBX620"
    assert caught.value.problems[0].values == {"name": name, "newest": 1}


def test_the_commit_before_is_of_the_same_project(engine: Engine) -> None:
    for number, (project, commit) in enumerate(
        [("", "a"), ("other", "b"), ("", None), ("", "c")], start=1
    ):
        settle(engine, state([company(ONE, nickname=str(number))]), project=project, commit=commit)
    found = [called(engine, str(number)) for number in range(1, 5)]
    with transaction(engine) as connection:
        before = [revisions.commit_before(connection, later) for later in found]
    assert before == [None, None, "a", "a"]


# What is meant


@pytest.fixture
def busy(engine: Engine) -> Engine:
    """Eight revisions of two partners."""
    steps = [state([company(ONE), company(TWO)], [server("a"), server("b")])]
    steps.append(
        state([company(ONE), company(TWO)], [server("a"), server("b")], {"a": [link(ONE)]})
    )
    for when, step in enumerate(steps):
        settle(engine, step, when=NOW + timedelta(days=when))
    beta = state([company(OTHER)], [server("a")], partner=Partner("beta", ""))
    settle(engine, beta, partner="beta", when=NOW + timedelta(days=2), project="billing")
    renamed = state(
        [company(ONE), company(TWO)], [server("c", username="a"), server("b")], {"c": [link(ONE)]}
    )
    settle(engine, renamed, {"a": "c"}, when=NOW + timedelta(days=3))
    links = {"c": [link(ONE), link(TWO)]}
    linked = state([*renamed.companies.values()], [*renamed.servers.values()], links)
    settle(engine, linked, when=NOW + timedelta(days=4))
    newcomer = State(
        linked.partner, linked.companies, {}, {}, {**linked.servers, "a": server("a")}, linked.links
    )
    settle(engine, newcomer, when=NOW + timedelta(days=5))
    moved = State(
        newcomer.partner,
        newcomer.companies,
        {ONE[:8]: HeadOffice(ONE[:8], TWO)},
        {},
        newcomer.servers,
        newcomer.links,
    )
    settle(engine, moved, when=NOW + timedelta(days=6))
    off = State(
        moved.partner,
        {**moved.companies, ONE: company(ONE, nickname="Outra")},
        moved.head_offices,
        {},
        moved.servers,
        moved.links,
    )
    settle(engine, off, when=NOW + timedelta(days=7))
    return engine


@pytest.mark.slow("postgres18")
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [8, 7, 6, 5, 4, 3, 2, 1]),
        ({"partner": "acme"}, [8, 7, 6, 5, 4, 2, 1]),
        ({"partner": "beta"}, [3]),
        ({"partner": "gamma"}, []),
        ({"project": "billing"}, [3]),
        ({"project": ""}, [8, 7, 6, 5, 4, 2, 1]),
        ({"server": ("acme", "b")}, [1]),
        ({"server": ("acme", "c")}, [5, 4, 2, 1]),
        ({"server": ("acme", "a")}, [6]),
        ({"server": ("beta", "a")}, [3]),
        ({"server": ("acme", "never")}, []),
        ({"company": ONE}, [8, 7, 2, 1]),
        ({"company": TWO}, [7, 5, 1]),
        ({"company": OTHER}, [3]),
        ({"company": cnpj(9)}, [7]),
        ({"company": cnpj(1, root=99999999)}, []),
        ({"company": OTHER, "partner": "acme"}, []),
        ({"server": ("acme", "c"), "company": TWO}, [5, 1]),
        ({"since": NOW + timedelta(days=6)}, [8, 7]),
        ({"until": NOW + timedelta(days=1)}, [2, 1]),
        ({"since": NOW + timedelta(days=1), "until": NOW + timedelta(days=2)}, [3, 2]),
        ({"since": NOW + timedelta(days=1), "partner": "beta"}, [3]),
    ],
)
def test_the_filters_leave_what_fits_all(
    busy: Engine, wanted: dict[str, Any], found: list[int]
) -> None:
    assert numbers(busy, **wanted) == found


def test_a_former_id_leads_to_the_server_where_no_other_has_it(busy: Engine) -> None:
    last = read_back(busy)
    without = {name: row for name, row in last.servers.items() if name != "a"}
    settle(busy, State(last.partner, last.companies, last.head_offices, {}, without, last.links))
    assert numbers(busy, server=("acme", "a")) == [5, 4, 2, 1]


def test_servers_that_swapped_their_ids_are_told_apart(engine: Engine) -> None:
    settle(engine, state([company(ONE)], [server("a"), server("b")], {"a": [link(ONE)]}))
    settle(
        engine,
        state([company(ONE)], [server("b"), server("a")], {"b": [link(ONE)]}),
        {"a": "b", "b": "a"},
    )
    settle(engine, state([company(ONE)], [server("b"), server("a")], {"a": [link(ONE)]}))
    settle(engine, state([company(ONE)], [server("b", port=1), server("a")], {"a": [link(ONE)]}))
    assert numbers(engine, server=("acme", "a")) == [3, 2, 1]
    assert numbers(engine, server=("acme", "b")) == [4, 3, 2, 1]


def test_a_link_of_a_server_whose_id_begins_alike_is_not_meant(engine: Engine) -> None:
    both = [server("a"), server("a.b")]
    settle(engine, state([company(ONE)], both))
    settle(engine, state([company(ONE)], both, {"a.b": [link(ONE)]}))
    settle(engine, state([company(ONE)], both, {"a.b": [link(ONE)], "a": [link(ONE)]}))
    assert numbers(engine, server=("acme", "a")) == [3, 1]


def test_no_more_than_the_limit_and_how_many_more(busy: Engine) -> None:
    assert listed(busy, limit=3) == ([8, 7, 6], 5)
    assert listed(busy, limit=8) == ([8, 7, 6, 5, 4, 3, 2, 1], 0)
    assert listed(busy, limit=2, partner="acme") == ([8, 7], 5)


# What was tampered with


@pytest.mark.databases(SQLITE)
@pytest.mark.parametrize(
    "text", ["", "null", "[]", "7", "{", '"a"', "{}", "[" * 100_000, '{"cnpj": 7}', "\x00"]
)
def test_an_entry_that_is_none_is_listed_all_the_same(engine: Engine, text: str) -> None:
    settle(engine, state([company(ONE)]))
    tamper(engine, 1, after=text)
    found = {entry.kind: entry for entry in entries(engine, 1)}
    assert found["company"] == LedgerEntry(PARTNER, "company", ONE, "create", None, whole=False)


def test_what_does_not_fit_is_none_and_the_rest_is_read(engine: Engine) -> None:
    settle(engine, state([company(ONE)]))
    row = {**as_json.plain(company(ONE)), "nickname": 7, "extensions": ["a", None], "new": 1}
    del row["own_mailboxes"]
    tamper(engine, 1, after=json.dumps(row))
    found = next(entry for entry in entries(engine, 1) if entry.kind == "company")
    assert not found.whole
    assert found.change
    assert isinstance(found.change.after, Company)
    assert found.change.after.cnpj == ONE
    assert found.change.after.notification_email == "fiscal@acme.example"
    assert found.change.after.nickname is None
    assert found.change.after.extensions is None
    assert found.change.after.own_mailboxes is None


def test_a_kind_that_is_unknown(engine: Engine) -> None:
    settle(engine, state())
    tamper(engine, 1, kind="planet")
    assert entries(engine, 1) == [
        LedgerEntry(PARTNER, "planet", PARTNER, "create", None, whole=False)
    ]


@pytest.mark.parametrize("text", ["", "[]", "7", "x", '{"partners": 1, "servers": [1, ["a"]]}'])
def test_a_revision_with_strange_values_is_read(engine: Engine, text: str) -> None:
    settle(engine, state())
    tamper(engine, 1, selection=text, summary=text)
    found = called(engine, "1")
    assert (found.selection, found.summary) == (Selection(), Summary(0, 0, 0, 0, 0, 0))


@pytest.mark.databases(SQLITE)
def test_a_time_that_is_none(engine: Engine) -> None:
    settle(engine, state())
    with transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE revision SET applied_at = 'yesterday'")
    assert called(engine, "1").applied_at is None


@WITH_DATABASE
@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_the_ledger_holds_is_read_and_shown(one: str, other: str) -> None:
    with memory_database() as engine:
        settle(engine, state([company(ONE)], [server("a")], {"a": [link(ONE)]}))
        texts = {"before": f'{{"cnpj": {json.dumps(one)}}}', "after": other}
        tamper(engine, 1, name=one.replace("\x00", ""), **texts)
        found = entries(engine, 1)
        assert [entry.whole for entry in found] == [False] * 4
        text = "\n".join(revision_lines(called(engine, "1"), found, (), (), PLAIN, full=True))
        assert text == clean(text)


# The command


@pytest.fixture
def cli(bare: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("RECONCILER_USER", "ana")
    return bare


def apply(cli: Cli, *options: str, **servers: Any) -> None:
    numbers_ = companies(ONE, TWO)
    write(Path("m"), {"acme.yaml": manifest(companies=numbers_, mail_servers=servers)})
    assert cli("apply", "m", "--auto-approve", *options).code == 0


@pytest.fixture
def applied(cli: Cli) -> Cli:
    """Three revisions: one server, a change of it, and its end."""
    apply(cli, out=outgoing("out", companies=[]), other=outgoing("other", companies=[ONE]))
    apply(
        cli,
        out=outgoing("out", companies=[], nickname="Outro"),
        other=outgoing("other", companies=[ONE]),
    )
    apply(cli, other=outgoing("other", companies=[ONE]))
    return cli


def test_the_table_has_the_newest_first(applied: Cli) -> None:
    said = applied("history")
    assert (said.code, said.err) == (0, "")
    head, *rows = said.out.splitlines()
    assert head.split()[3:] == [
        *("WHO", "COMMIT", "CREATE", "UPDATE", "DELETE", "LINK", "UNLINK", "NOTES")
    ]
    assert [row.split()[0] for row in rows] == ["3", "2", "1"]
    assert [row.split()[3:] for row in rows] == [
        ["ana", "–", "0", "0", "1", "0", "0"],
        ["ana", "–", "0", "1", "0", "0", "0"],
        ["ana", "–", "5", "0", "0", "1", "0"],
    ]


def test_the_table_says_what_a_run_was_limited_to_and_how_many_more(applied: Cli) -> None:
    apply(applied, "--server", "acme/new", new=outgoing("new"), other=outgoing("other"))
    said = applied("history", "--limit", "2").out
    assert "only acme/new" in said
    assert said.endswith("… and 2 older revisions; --limit shows more\n")


def test_the_filters_of_the_command(applied: Cli) -> None:
    def found(*filters: str) -> list[str]:
        said = applied("history", *filters)
        assert said.code == 0
        return [line.split()[0] for line in said.out.splitlines()[1:]]

    assert found("--server", "acme/out") == ["3", "2", "1"]
    assert found("--server", "other") == ["1"]
    assert found("--server", "out", "--partner", "acme") == ["3", "2", "1"]
    assert found("--company", "12.345.678/0001-95") == ["1"]
    assert found("--partner", "acme", "--since", "2020-01-01", "--until", "9999-12-31") == [
        *("3", "2", "1")
    ]
    today = datetime.now(UTC).date()
    assert found("--since", f"{today - timedelta(days=1)}T23:59:59-03:00") != []
    assert found("--until", "2020-01-01T12:00") == []
    assert applied("history", "--until", "2020-01-01").out == "No revision.\n"
    assert applied("history", "--project", "other").out == "No revision.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--since", "soon"], 64, "'soon' is no date"),
        (["--until", "2026-13-01"], 64, "is no date"),
        (["--since", "0001-01-01T00:00+23:00"], 64, "is no date"),
        (["--limit", "0"], 64, "--limit"),
        (["1", "--partner", "acme"], 64, "cannot be combined"),
        (["--company", "12"], 1, "MBX613"),
        (["--server", "nowhere"], 1, "MBX615"),
        (["7"], 1, "MBX620"),
    ],
)
def test_what_is_asked_wrongly(applied: Cli, arguments: list[str], code: int, said: str) -> None:
    ran = applied("history", *arguments)
    assert ran.code == code
    assert said in ran.err


def test_a_database_that_is_new(cli: Cli) -> None:
    assert cli("history").code == 1
    assert "MBX541" in cli("history", "1").err
    assert not Path("reconciler.db").exists()


def test_a_revision_whole(applied: Cli) -> None:
    said = applied("history", "2")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("Revision 2, 20")
    assert lines[0].endswith(" UTC, by ana")
    assert lines[4:] == [
        "acme",
        "  ~ mail server out",
        "      nickname: Envio → Outro",
        "      (24 unchanged fields)",
        "",
        "Revision 2: 0 created, 1 updated, 0 deleted, 0 linked, 0 unlinked.",
    ]
    assert "      username: out@acme.example" in applied("history", "2", "--full").out.splitlines()


def test_what_went_is_shown_with_all_its_fields(applied: Cli) -> None:
    lines = applied("history", "3").out.splitlines()
    assert "  - mail server out" in lines
    assert "      nickname: Outro" in lines
    assert "      password_reference: env:ACME_PASSWORD" in lines
    assert "      port: 465 (default)" in lines
    assert "      file: acme.yaml" in lines


def test_accepted_guards_are_shown_with_their_reason(cli: Cli) -> None:
    apply(cli, **{f"box-{number}": outgoing(f"box-{number}") for number in range(4)})
    accept = [{"guard": "mass-delete", "count": 4, "reason": "Gone", "until": UNTIL}]
    write(Path("m"), {"acme.yaml": manifest(companies=companies(ONE, TWO), accept=accept)})
    assert cli("apply", "m", "--auto-approve").code == 0
    assert "  accepted: mass-delete=4 Gone" in cli("history", "2").out.splitlines()
    document = json.loads(cli("history", "2", "--format", "json").out)
    assert document["accepted"] == [
        {"partner": "acme", "guard": "mass-delete", "count": 4, "reason": "Gone", "until": UNTIL}
    ]


def test_many_changes_are_counted_unless_all_are_asked_for(cli: Cli) -> None:
    apply(cli, **{f"box-{number}": outgoing(f"box-{number}") for number in range(300)})
    short, full = cli("history", "1").out, cli("history", "1", "--full").out
    assert short.count("+ mail server box") == 197
    assert "… and + mail server × 103; --full shows them" in short
    assert full.count("+ mail server box") == 300


def test_json_of_the_list(applied: Cli) -> None:
    document = json.loads(applied("history", "--format", "json", "--limit", "1").out)
    (only,) = document["revisions"]
    assert (document["format_version"], document["more"]) == ("1.0", 2)
    assert only["applied_at"].endswith("Z")
    assert only["summary"] == {
        **dict.fromkeys(("create", "update", "link", "unlink", "seal"), 0),
        "delete": 1,
    }
    assert only["selection"] == {"partners": [], "servers": []}
    assert (only["number"], only["applied_by"], only["rolls_back"]) == (3, "ana", None)


def test_json_of_a_revision(applied: Cli) -> None:
    number = json.loads(applied("history", "2", "--format", "json").out)
    plan_id = number["revision"]["plan_id"]
    assert json.loads(applied("history", plan_id, "--format", "json").out) == number
    (only,) = number["changes"]
    assert (only["address"], only["action"], only["readable"]) == (
        *("server.acme/out", "update", True),
    )
    assert (only["before"]["nickname"], only["after"]["nickname"]) == ("Envio", "Outro")
    assert only["before"].keys() == only["after"].keys() >= {"port", "origins", "file"}


def test_hostile_values_do_no_harm(applied: Cli) -> None:
    with plain_sql(URL) as program:
        program.execute(
            "UPDATE revision SET applied_by = 'a' || char(27) || '[31m', commit_id = 'x'"
        )
        program.execute("UPDATE revision_change SET after = NULL, before = 'x' WHERE revision = 2")
        program.execute(
            "UPDATE revision_change SET name = 'a' || char(27) || 'b' WHERE revision = 2"
        )
    for arguments in ([], ["2"], ["2", "--format", "json"], ["--format", "json"]):
        said = applied("history", *arguments)
        assert said.code == 0
        assert "\x1b" not in said.out
    shown = applied("history", "2").out
    assert "1 entry of the ledger cannot be read" in shown
    assert "  ? server.acme/a\\u001bb" in shown.splitlines()


def test_nothing_is_written(applied: Cli) -> None:
    before = Path("reconciler.db").read_bytes()
    applied("history")
    applied("history", "1")
    assert Path("reconciler.db").read_bytes() == before
