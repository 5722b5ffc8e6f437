"""Applying: what was reviewed is what is written, whole or not at all."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError, OperationalError

from reconciler import __version__
from reconciler.database.engine import transaction
from reconciler.database.tables import revision_change
from reconciler.database.write import Writer
from reconciler.diagnostics.problem import Failure, Locked, Stale
from reconciler.model import as_json
from reconciler.model.cnpj import masked
from reconciler.model.state import Link
from reconciler.operations import transaction as transaction_
from reconciler.operations.transaction import Work
from reconciler.plan.accept import Acceptance
from reconciler.plan.diff import Change
from reconciler.plan.plan import Plan
from tests.support.estates import (
    FILE,
    HOST,
    NOW,
    PARTNER,
    Estate,
    Manifest,
    Program,
    cnpj,
    companies,
    dump,
    fetch,
    manifest,
    opened,
    outgoing,
    plain_sql,
    plan_of,
    read_back,
    row_ids,
    server,
    shout,
    write,
)
from tests.support.servers import MAIN, SERVERS
from tests.support.servers.databases import Database

FIRST, SECOND, THIRD = cnpj(1), cnpj(2), cnpj(3)
OTHER = cnpj(1, root="AB12CD34")
INSERT_LINK = """
INSERT INTO link (mail_server_id, cnpj)
SELECT id, :cnpj FROM mail_server WHERE stable_id = :name
"""


class Scene:
    """A database with an applied estate, and another program beside it."""

    def __init__(self, url: str, engine: Engine, other: Program) -> None:
        self.url = url
        self.engine = engine
        self.other = other
        self.estate = Estate(engine)
        self.estate.settle(self.manifests())

    def manifests(self, **changes: Any) -> dict[str, Manifest]:
        """Two linked servers and a free one; a change of None leaves a server out."""
        servers = {
            "a": outgoing("a", companies=[FIRST, SECOND]),
            "b": outgoing("b", companies=[SECOND]),
            "free": outgoing("free"),
            **changes,
        }
        hosts = {HOST: {"smtp": {"timeout": "20s"}}}
        declared = companies(FIRST, SECOND, THIRD)
        declared[masked(FIRST)] = {**declared[masked(FIRST)], "head_office": True}
        return {
            FILE: manifest(
                companies=declared,
                hosts=hosts,
                mail_servers={name: entry for name, entry in servers.items() if entry},
            ),
            "beta.yaml": manifest(
                "beta", companies=companies(OTHER), mail_servers={"a": outgoing(companies=[OTHER])}
            ),
        }

    def plan(self, **changes: Any) -> Plan:
        planned = self.estate.plan_accepting(self.manifests(**changes)).plan
        assert planned.applicable
        return planned

    def link(self, number: str, name: str) -> None:
        """Another program links a company."""
        assert self.other.execute(INSERT_LINK, cnpj=number, name=name).rowcount == 1

    def refuse(self, plan: Plan) -> Failure:
        """Apply a plan that must fail; nothing may be changed by that."""
        before = dump(self.url)
        with pytest.raises(Failure) as raised:
            self.estate.apply(plan)
        assert dump(self.url) == before
        return raised.value


@pytest.fixture
def scene(database: Database) -> Iterator[Scene]:
    with opened(database.url) as engine, plain_sql(database.url) as other:
        yield Scene(database.url, engine, other)


# Between plan and apply


def test_a_link_that_appears_on_a_server_to_be_deleted(scene: Scene) -> None:
    plan = scene.plan(free=None)
    scene.link(FIRST, "free")
    failure = scene.refuse(plan)
    assert isinstance(failure, Stale)
    assert failure.exit_code == 4
    assert {problem.code for problem in failure.problems} == {"MBX520"}
    assert "free" in row_ids(scene.engine)
    refused = scene.estate.plan_accepting(scene.manifests(free=None)).plan
    assert [refusal.alarm.guard for refusal in refused.refusals] == ["linked-delete"]


class Moved(NamedTuple):
    """What another program does, and what the message then says of the row."""

    changes: dict[str, Any]
    sql: str
    address: str
    before: str
    now: str
    after: str


NOVO = {"free": outgoing("free", nickname="Novo")}
MOVED = {
    "a server is changed in the same field": Moved(
        NOVO,
        "UPDATE mail_server SET nickname = 'Outro' WHERE stable_id = 'free'",
        "server.acme/free",
        *("Envio", "Outro", "Novo"),
    ),
    "a server is changed in another field": Moved(
        NOVO,
        "UPDATE mail_server SET active = false WHERE stable_id = 'free'",
        "server.acme/free",
        *("true", "false", "Novo"),
    ),
    "a server to be changed is gone": Moved(
        NOVO,
        "DELETE FROM mail_server WHERE stable_id = 'free'",
        "server.acme/free",
        *("", "", "Novo"),
    ),
    "a server to be created is there": Moved(
        {"new": outgoing("new")},
        "INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host) "
        "VALUES ('acme', 'new', 'outgoing', 'smtp', 'Outro', 'x.example')",
        "server.acme/new",
        *("", "Outro", "Envio"),
    ),
    "a server to be deleted is changed": Moved(
        {"free": None},
        "UPDATE mail_server SET nickname = 'Outro' WHERE stable_id = 'free'",
        "server.acme/free",
        *("Envio", "Outro", ""),
    ),
    "a server to be renamed is renamed": Moved(
        {"free": None, "new": outgoing("free", renamed_from="free")},
        "UPDATE mail_server SET stable_id = 'other' WHERE stable_id = 'free'",
        "server.acme/new",
        *("free", "", "new"),
    ),
    "a link to be changed is changed": Moved(
        {"b": outgoing("b", companies=[{"cnpj": SECOND, "sender_name": "Novo"}])},
        f"UPDATE link SET sender_name = 'Outro' WHERE cnpj = '{SECOND}'",
        f"link.acme/b/{SECOND}",
        *("", "Outro", "Novo"),
    ),
    "a link to be made is there": Moved(
        {"free": outgoing("free", companies=[FIRST])},
        "INSERT INTO link (mail_server_id, cnpj, sender_name) "
        f"SELECT id, '{FIRST}', 'Outro' FROM mail_server WHERE stable_id = 'free'",
        f"link.acme/free/{FIRST}",
        *("", "Outro", ""),
    ),
    "a link to be removed is gone": Moved(
        {"b": outgoing("b")},
        "DELETE FROM link WHERE mail_server_id = "
        "(SELECT id FROM mail_server WHERE stable_id = 'b')",
        f"link.acme/b/{SECOND}",
        *("", "", ""),
    ),
    "a link to be removed is deactivated": Moved(
        {"b": outgoing("b")},
        f"UPDATE link SET active = false WHERE cnpj = '{SECOND}'",
        f"link.acme/b/{SECOND}",
        *("true", "false", ""),
    ),
}


@pytest.mark.parametrize("name", MOVED)
def test_a_row_that_changes_makes_the_plan_stale(name: str, scene: Scene) -> None:
    case = MOVED[name]
    plan = scene.plan(**case.changes)
    scene.other.execute(case.sql)
    failure = scene.refuse(plan)
    assert isinstance(failure, Stale)
    (problem,) = failure.problems
    assert problem.code == "MBX520"
    values = {key: str(value) for key, value in problem.values.items()}
    assert values["address"] == case.address
    for key, text in (("before", case.before), ("now", case.now), ("after", case.after)):
        assert text in values[key]
        assert values[key]
    assert scene.estate.settle(scene.manifests(**case.changes)).refusals == ()


def test_a_company_and_a_host_that_change_make_the_plan_stale(scene: Scene) -> None:
    commit = scene.manifests()
    commit[FILE]["companies"][masked(FIRST)]["nickname"] = "Novo"
    commit[FILE]["hosts"][HOST]["smtp"]["timeout"] = "30s"
    plan = scene.estate.plan_accepting(commit).plan
    scene.other.execute(f"UPDATE company SET nickname = 'Outro' WHERE cnpj = '{FIRST}'")
    scene.other.execute("UPDATE host_profile SET timeout = 99")
    failure = scene.refuse(plan)
    assert [str(problem.values["address"]) for problem in failure.problems] == [
        f"company.acme/{FIRST}",
        f"host.acme/{HOST}/smtp",
    ]


def test_a_head_office_that_moves_makes_the_plan_stale(scene: Scene) -> None:
    commit = scene.manifests()
    commit[FILE]["companies"][masked(FIRST)].pop("head_office")
    commit[FILE]["companies"][masked(SECOND)]["head_office"] = True
    plan = scene.estate.plan_accepting(commit).plan
    scene.other.execute(
        f"UPDATE company SET head_office = (cnpj = '{THIRD}') WHERE partner = 'acme'"
    )
    (problem,) = scene.refuse(plan).problems
    assert problem.values["address"] == f"head_office.acme/{FIRST[:8]}"


ELSEWHERE = {
    "another server": "UPDATE mail_server SET nickname = 'Outro' WHERE stable_id = 'b'",
    "another company": f"UPDATE company SET nickname = 'Outro' WHERE cnpj = '{THIRD}'",
    "another link of the same server": (
        f"UPDATE link SET sender_name = 'Outro' WHERE cnpj = '{FIRST}'"
    ),
    "a link of the same server by another program": (
        "INSERT INTO link (mail_server_id, cnpj) "
        f"SELECT id, '{THIRD}' FROM mail_server WHERE stable_id = 'a' AND partner = 'acme'"
    ),
    "another partner": "UPDATE mail_server SET nickname = 'Outro' WHERE partner = 'beta'",
    "a new partner": "INSERT INTO partner (id) VALUES ('gamma')",
    "a new server": (
        "INSERT INTO mail_server (partner, direction, protocol, nickname, host) "
        "VALUES ('acme', 'outgoing', 'smtp', 'Outro', 'x.example')"
    ),
    "the options of the host": "UPDATE host_profile SET timeout = 99",
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_change_elsewhere_does_not_disturb(name: str, scene: Scene) -> None:
    plan = scene.plan(a=outgoing("a", companies=[FIRST, SECOND], nickname="Novo"))
    scene.other.execute(ELSEWHERE[name])
    assert scene.estate.apply(plan)
    assert read_back(scene.engine).servers["a"].nickname == "Novo"


def test_a_plan_is_applied_once(scene: Scene) -> None:
    plan = scene.plan(**NOVO)
    assert scene.estate.apply(plan)
    assert isinstance(scene.refuse(plan), Stale)


# Between check and commit


def test_the_database_itself_keeps_a_linked_server(scene: Scene) -> None:
    """A link that appears after the check; what was written before it is rolled back too."""
    plan = scene.plan(free=None, b=outgoing("b", companies=[SECOND], nickname="Novo"))
    scene.link(FIRST, "free")
    before = dump(scene.url)
    with pytest.raises(Failure):
        _write_unchecked(scene, plan)
    assert dump(scene.url) == before


def _write_unchecked(scene: Scene, plan: Plan) -> None:
    with transaction(scene.engine) as connection:
        writer = Writer(connection)
        writer.know(PARTNER, _numbers(scene))
        *updates, delete = plan.changes
        writer.write(updates)
        query = "SELECT count(*) FROM mail_server WHERE nickname = 'Novo'"
        assert connection.exec_driver_sql(query).scalar_one() == 1
        with pytest.raises(IntegrityError) as raised:
            writer.write([delete])
        raise raised.value


def _numbers(scene: Scene) -> dict[str, int]:
    rows = scene.other.execute("SELECT stable_id, id FROM mail_server WHERE partner = 'acme'")
    return dict(list(map(tuple, rows)))


LINK_FREE = (
    "INSERT INTO link (mail_server_id, cnpj) "
    f"SELECT id, '{FIRST}' FROM mail_server WHERE stable_id = 'free'"
)


@pytest.mark.parametrize(
    ("changes", "sql"),
    [
        pytest.param(
            {"b": outgoing("b")},
            "DELETE FROM link WHERE mail_server_id = "
            "(SELECT id FROM mail_server WHERE stable_id = 'b')",
            id="a link is gone",
        ),
        pytest.param(
            {"new": outgoing("new")},
            "INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host) "
            "VALUES ('acme', 'new', 'outgoing', 'smtp', 'Outro', 'x.example')",
            id="a server is there",
        ),
        pytest.param(
            {"free": outgoing("free", companies=[FIRST])}, LINK_FREE, id="a link is there"
        ),
        pytest.param({"free": None}, LINK_FREE, id="a server that goes is linked"),
        pytest.param(
            {"free": outgoing("free", companies=[THIRD])},
            f"DELETE FROM company WHERE cnpj = '{THIRD}'",
            id="a company is gone",
        ),
    ],
)
def test_whatever_the_check_does_not_see_is_stale_too(
    changes: dict[str, Any], sql: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = scene.plan(**changes)
    monkeypatch.setattr(transaction_, "stale_rows", lambda _changes, _current: ())
    scene.other.execute(sql)
    failure = scene.refuse(plan)
    assert isinstance(failure, Stale)
    assert [problem.code for problem in failure.problems] == ["MBX540"]


def test_the_database_refuses_others_too(scene: Scene) -> None:
    with pytest.raises(IntegrityError):
        scene.other.execute("DELETE FROM mail_server WHERE stable_id = 'a'")
    with pytest.raises(IntegrityError):
        scene.other.execute(f"DELETE FROM company WHERE cnpj = '{FIRST}'")


def test_what_does_not_read_as_written_is_rolled_back(scene: Scene) -> None:
    plan = scene.plan(**NOVO)
    shout(scene.other)
    failure = scene.refuse(plan)
    assert failure.exit_code == 1
    assert [problem.code for problem in failure.problems] == ["MBX525"]


# Others at work


@pytest.mark.databases("sqlite")
def test_another_writer_holds_the_database(scene: Scene) -> None:
    """SQLite knows one lock, of the whole file."""
    plan = scene.plan(**NOVO)
    scene.other.execute("BEGIN IMMEDIATE")
    scene.other.execute("UPDATE mail_server SET nickname = 'Outro'")
    _refuse_for_a_lock(scene, plan)
    scene.other.execute("ROLLBACK")
    assert scene.estate.apply(plan)


@pytest.mark.databases(*SERVERS)
def test_another_writer_holds_a_row(scene: Scene) -> None:
    plan, elsewhere = scene.plan(**NOVO), scene.plan(b=outgoing("b", host="x.example"))
    scene.other.execute("BEGIN")
    scene.other.execute("UPDATE mail_server SET nickname = 'Outro' WHERE stable_id = 'free'")
    _refuse_for_a_lock(scene, plan)
    scene.other.execute("ROLLBACK")
    assert scene.estate.apply(plan)
    assert scene.estate.apply(elsewhere)


def _refuse_for_a_lock(scene: Scene, plan: Plan) -> None:
    with opened(scene.url, wait=0) as engine, pytest.raises(Locked) as raised:
        Estate(engine).apply(plan)
    assert raised.value.exit_code == 5
    assert [problem.code for problem in raised.value.problems] == ["MBX535"]


def test_nobody_writes_while_a_plan_is_applied(scene: Scene) -> None:
    plan = scene.plan(**NOVO)
    with transaction(scene.engine) as connection:
        transaction_.write(connection, Work(plan), "test", NOW)
        with pytest.raises(OperationalError):
            scene.link(FIRST, "free")
    scene.link(FIRST, "free")


@pytest.mark.databases("sqlite")
def test_nobody_writes_between_the_check_and_the_first_statement(scene: Scene) -> None:
    """SQLite has no rows to lock: the transaction begins with the lock of the whole file."""
    with transaction(scene.engine), pytest.raises(OperationalError, match="locked"):
        scene.link(FIRST, "free")


def test_a_plan_can_be_made_while_another_writes(scene: Scene) -> None:
    scene.other.execute("BEGIN")
    scene.other.execute("UPDATE mail_server SET nickname = 'Outro'")
    with opened(scene.url, writes=False) as engine:
        assert Estate(engine).plan(scene.manifests()).plan.partners == ()
    scene.other.execute("ROLLBACK")


def test_who_only_reads_cannot_write(scene: Scene) -> None:
    plan = scene.plan(**NOVO)
    with opened(scene.url, writes=False) as engine, pytest.raises(Failure, match="MBX539"):
        Estate(engine).apply(plan)


# Refused partners


def test_a_partner_with_a_refusal_is_left_whole_while_others_are_applied(scene: Scene) -> None:
    commit = scene.manifests(a=None, free=outgoing("free", nickname="Novo", companies=[THIRD]))
    commit["beta.yaml"]["mail_servers"]["a"]["nickname"] = "Novo"
    plan = scene.estate.plan_accepting(commit).plan
    assert {refusal.partner for refusal in plan.refusals} == {PARTNER}
    whole = read_back(scene.engine)
    number = scene.estate.apply(plan)
    assert read_back(scene.engine) == whole
    assert read_back(scene.engine, "beta").servers["a"].nickname == "Novo"
    query = f"SELECT DISTINCT partner FROM revision_change WHERE revision = {number}"
    assert fetch(scene.engine, query) == [("beta",)]


def test_a_plan_of_refused_partners_writes_nothing(scene: Scene) -> None:
    plan = scene.estate.plan_accepting(scene.manifests(a=None)).plan
    before = dump(scene.url)
    assert plan.applicable == ()
    assert scene.estate.apply(plan) is None
    assert dump(scene.url) == before


# Killed

KILLED = """
import os, signal, sys
from reconciler.cli import apply as command, run
from reconciler.database import write
from reconciler.ledger import record
from reconciler.operations import transaction

def die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

{point} = die
sys.exit(run(sys.argv[1:]))
"""
POINTS = {
    "before anything is written": "write.Writer.write",
    "before servers are changed": "write.Writer._update_servers",
    "before the new servers are linked": "write.Writer._learn",
    "before anything is deleted": "write.Writer._delete",
    "before the revision is written": "record.record",
    "before what was written is read again": "transaction._unwritten",
    "after the commit": "command.done",
}


@pytest.mark.slow
@pytest.mark.databases(*MAIN)
@pytest.mark.parametrize("name", POINTS)
def test_killed_at_any_point_all_is_as_before_or_as_planned(
    name: str, scene: Scene, tmp_path: Path
) -> None:
    commit = scene.manifests(
        free=None,
        a=outgoing("a", companies=[FIRST, THIRD], nickname="Novo"),
        new=outgoing("new", companies=[SECOND]),
    )
    root = write(tmp_path / "manifests", commit)
    (root / "reconciler.toml").write_text("[guards]\nmost = 99\nleast = 99\n")
    before = dump(scene.url)
    program = KILLED.format(point=POINTS[name])
    arguments = ["--database", scene.url, "--auto-approve"]
    done = subprocess.run(
        [sys.executable, "-c", program, "apply", str(root), *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    if name == "after the commit":
        assert scene.estate.plan(commit).plan.partners == ()
        assert fetch(scene.engine, "SELECT count(*) FROM revision") == [(2,)]
    else:
        assert dump(scene.url) == before
        assert scene.estate.settle(commit).applicable


# The ledger


def test_a_revision_has_every_change_in_its_order(scene: Scene) -> None:
    plan = scene.plan(
        free=None,
        a=outgoing("a", companies=[FIRST, SECOND, THIRD], nickname="Novo"),
        b=outgoing("b", companies=[SECOND], renamed_from="b"),
    )
    number = scene.estate.apply(plan)
    c = revision_change.c
    columns = (c.position, c.partner, c.kind, c.name, c.action, c.before, c.after)
    query = select(*columns).where(c.revision == number).order_by(c.position)
    with transaction(scene.engine) as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    assert rows == [
        (position, PARTNER, change.kind, change.name, change.action, *map(_text, change[2:]))
        for position, change in enumerate(plan.changes, 1)
    ]
    assert [(row[2], row[3], row[4]) for row in rows] == [
        ("server", "a", "update"),
        ("link", f"a/{THIRD}", "link"),
        ("server", "free", "delete"),
    ]
    before, after = json.loads(rows[0][5]), json.loads(rows[0][6])
    assert (before["nickname"], after["nickname"]) == ("Envio", "Novo")
    assert after["origins"]["timeout"] == "hosts"


def _text(row: Any) -> str | None:
    return as_json.text(row)


def test_a_revision_says_what_it_was(scene: Scene) -> None:
    plan = scene.plan(free=None)
    with transaction(scene.engine) as connection:
        number = transaction_.write(connection, Work(plan), "somebody", NOW).revision
    (row,) = fetch(
        scene.engine,
        "SELECT plan_id, applied_at, applied_by, project, commit_id, tool_version, "
        f"manifest_digest, selection, summary FROM revision WHERE number = {number}",
    )
    assert row[0] == plan.id
    assert str(row[1]).startswith("2026-11-24 12:00:00")
    assert row[2:7] == ("somebody", "", None, __version__, plan.manifest_digest)
    assert json.loads(row[7]) == {"partners": [], "servers": []}
    assert json.loads(row[8])["delete"] == 1


def test_revisions_are_numbered_upwards(scene: Scene) -> None:
    """One by one, but for a cluster, whose nodes take turns."""
    first, second = scene.estate.apply(scene.plan(free=None)), scene.estate.apply(scene.plan())
    assert first
    assert second
    assert 1 < first < second


def test_a_revision_has_what_was_accepted(scene: Scene) -> None:
    refused = scene.estate.plan(scene.manifests(b=outgoing("b", host="other.acme.example")))
    (refusal,) = refused.plan.refusals
    offer = Acceptance(refusal.alarm.guard, refusal.alarm.count, "moved", partner=PARTNER)
    planned = scene.estate.plan(
        scene.manifests(b=outgoing("b", companies=[SECOND], host="other.acme.example")), offer
    )
    number = scene.estate.apply(planned.plan)
    assert fetch(scene.engine, "SELECT * FROM revision_acceptance") == [
        (number, PARTNER, "credential-moved", 1, "moved", "")
    ]


def test_a_stale_plan_leaves_no_revision(scene: Scene) -> None:
    plan = scene.plan(**NOVO)
    scene.other.execute("UPDATE mail_server SET nickname = 'Outro'")
    scene.refuse(plan)
    assert fetch(scene.engine, "SELECT count(*) FROM revision") == [(1,)]


# What the invoicing application reads


class Mailbox(NamedTuple):
    """A server with its link, and the sender name that the application sees, if it sees any."""

    server: dict[str, Any]
    link: dict[str, Any]
    seen: bool
    sender_name: str | None = None


NAMED = {"sender": {"name": "Acme", "email": "a@acme.example"}}
MAILBOXES = {
    "nobody names a sender": Mailbox({}, {}, seen=True),
    "the server names one": Mailbox(NAMED, {}, seen=True, sender_name="Acme"),
    "the link names one": Mailbox({}, {"sender_name": "Filial"}, seen=True, sender_name="Filial"),
    "both do: the link wins": Mailbox(
        NAMED, {"sender_name": "Filial"}, seen=True, sender_name="Filial"
    ),
    "the link is inactive": Mailbox(NAMED, {"active": False}, seen=False),
    "the server is inactive": Mailbox({"active": False}, {}, seen=False),
    "both are inactive": Mailbox({"active": False}, {"active": False}, seen=False),
}


@pytest.mark.parametrize("name", MAILBOXES)
def test_the_mailboxes_of_a_company(name: str, scene: Scene) -> None:
    case = MAILBOXES[name]
    links = [SECOND, {"cnpj": FIRST, **case.link}]
    scene.estate.settle(scene.manifests(a=outgoing("a", **case.server, companies=links)))
    rows = fetch(
        scene.engine,
        "SELECT partner, stable_id, cnpj, sender_name, sender_email, host, port, security, "
        f"username, password_reference FROM company_mailbox WHERE cnpj = '{FIRST}'",
    )
    whole = (PARTNER, "a", FIRST, case.sender_name, "a@acme.example", HOST, 465, "tls")
    login = ("a@acme.example", "env:ACME_PASSWORD")
    assert rows == ([(*whole, *login)] if case.seen else [])


def test_a_server_without_links_is_nobodys_mailbox(scene: Scene) -> None:
    names = fetch(scene.engine, "SELECT DISTINCT stable_id FROM company_mailbox")
    assert sorted(names) == [("a",), ("b",)]
    scene.other.execute("DELETE FROM link")
    assert fetch(scene.engine, "SELECT * FROM company_mailbox") == []


def test_mailboxes_of_another_program_are_there_too(scene: Scene) -> None:
    scene.other.execute(
        "INSERT INTO mail_server (id, partner, direction, protocol, nickname, host) "
        "VALUES (77, 'acme', 'outgoing', 'smtp', 'Outro', 'x.example')"
    )
    scene.other.execute(f"INSERT INTO link (mail_server_id, cnpj) VALUES (77, '{THIRD}')")
    query = f"SELECT nickname FROM company_mailbox WHERE cnpj = '{THIRD}'"
    assert fetch(scene.engine, query) == [("Outro",)]


# The writer


def test_rows_that_trade_their_names_keep_their_links(scene: Scene) -> None:
    """Links are written to the row that has the name afterwards."""
    one, other = read_back(scene.engine).servers["a"], read_back(scene.engine).servers["b"]
    numbers = row_ids(scene.engine)
    link = Link(THIRD, None, active=True, project="", file=FILE)
    changes = [
        Change(PARTNER, "a", other, other._replace(stable_id="a")),
        Change(PARTNER, "b", one, one._replace(stable_id="b")),
        Change(PARTNER, f"a/{THIRD}", None, link),
    ]
    assert scene.estate.apply(plan_of(changes))
    assert row_ids(scene.engine) == {**numbers, "a": numbers["b"], "b": numbers["a"]}
    linked = {
        name: [row.cnpj for row in rows] for name, rows in read_back(scene.engine).links.items()
    }
    assert linked == {"a": [SECOND, THIRD], "b": [FIRST, SECOND]}


def test_a_new_server_takes_a_name_that_another_gives_up(scene: Scene) -> None:
    row = read_back(scene.engine).servers["free"]
    numbers = row_ids(scene.engine)
    changes = [
        Change(PARTNER, "freed", row, row._replace(stable_id="freed")),
        Change(PARTNER, "free", None, server("free")),
        Change(PARTNER, f"free/{FIRST}", None, Link(FIRST, None, True, "", FILE)),
    ]
    assert scene.estate.apply(plan_of(changes))
    after = row_ids(scene.engine)
    assert after["freed"] == numbers["free"]
    assert after["free"] not in numbers.values()
    assert read_back(scene.engine).links["free"][0].cnpj == FIRST
