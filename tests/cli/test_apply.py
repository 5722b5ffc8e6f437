"""`apply`: what it writes and what it does not, whom it asks, what the ledger has of it."""

from __future__ import annotations

import getpass
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from reconciler import __version__
from reconciler.model.cnpj import masked
from tests.support.estates import (
    Cli,
    Manifest,
    acme,
    boxes,
    cnpj,
    companies,
    dump,
    execute,
    incoming,
    manifest,
    nothing_written,
    outgoing,
    plain_sql,
    query,
    shout,
    url,
    write,
)
from tests.support.servers import MAIN
from tests.support.servers.databases import Database

ONE, TWO, THREE = cnpj(1), cnpj(2), cnpj(3)
APPLY = ("apply", "m", "--auto-approve")
SAVED = ("apply", "saved.json", "--auto-approve")


def given(content: Manifest, **others: Manifest) -> None:
    files = {f"{name}.yaml": other for name, other in others.items()}
    write(Path("m"), {"acme.yaml": content, **files})


def applied(cli: Cli, content: Manifest, **others: Manifest) -> None:
    given(content, **others)
    assert cli(*APPLY).code == 0


def saved(cli: Cli, content: Manifest, *arguments: str) -> dict[str, Any]:
    """Save a plan of these manifests, which then go."""
    given(content)
    planned = cli("plan", "m", "-o", "saved.json", "--format", "json", *arguments)
    assert planned.code in (0, 3)
    shutil.rmtree("m")
    document: dict[str, Any] = json.loads(planned.out)
    return document


def dialect() -> str:
    """The kind of the database, as plans name it."""
    return make_url(url()).get_backend_name()


def revisions() -> list[int]:
    """The numbers of all revisions; the nodes of a cluster take turns, and leave some out."""
    return [number for (number,) in query("SELECT number FROM revision ORDER BY number")]


NICKNAMES = "SELECT stable_id, nickname FROM mail_server ORDER BY stable_id"


# What is applied


def test_manifests_are_applied_and_a_second_plan_is_empty(new_cli: Cli) -> None:
    cli = new_cli
    given(acme())
    said = cli(*APPLY)
    assert said.code == 0
    assert said.out.splitlines()[-2:] == [
        "The database was new: its tables were created.",
        "Applied as revision 1: 4 created, 0 updated, 0 deleted, 2 linked, 0 unlinked.",
    ]
    assert query(NICKNAMES) == [("nfe-out", "Envio")]
    again = cli("plan", "m", "--detailed-exitcode")
    assert (again.code, again.out) == (0, "Nothing to change. 6 rows unchanged.\n")


def test_nothing_to_change_makes_no_revision(cli: Cli) -> None:
    applied(cli, acme())
    with nothing_written():
        said = cli("apply", "m")
    assert (said.code, said.out) == (0, "Nothing to change. 6 rows unchanged.\n")


def test_a_saved_plan_is_applied_as_it_was_made(cli: Cli) -> None:
    applied(cli, acme())
    saved(cli, acme(nickname="Planned"))
    planned = acme(nickname="Planned")
    given(acme(nickname="Written later", **boxes(1)))
    said = cli(*SAVED)
    assert said.code == 0
    assert "nickname: Envio → Planned" in said.out
    assert query(NICKNAMES) == [("nfe-out", "Planned")]
    given(planned)
    assert cli("plan", "m", "--detailed-exitcode").code == 0


def test_a_saved_plan_is_applied_once(cli: Cli) -> None:
    write(Path("m"), {"acme.yaml": acme()})
    cli(*APPLY)
    write(Path("m"), {"acme.yaml": acme(nickname="Novo")})
    cli("plan", "m", "-o", "saved.json")
    assert cli(*SAVED).code == 0
    execute("UPDATE mail_server SET nickname = 'Envio'")
    again = cli(*SAVED)
    assert (again.code, again.err.splitlines()[0]) == (
        4,
        "error MBX527: the plan was applied before",
    )


@pytest.mark.databases("sqlite")
def test_bytes_where_text_belongs_can_be_repaired(cli: Cli) -> None:
    write(Path("m"), {"acme.yaml": acme()})
    cli(*APPLY)
    execute("UPDATE mail_server SET username = x'ff41'")
    execute("UPDATE link SET sender_name = x'4142'")
    execute("UPDATE company SET nickname = x'4142'")
    assert cli("plan", "m", "--format", "json").code == 0
    assert cli(*APPLY).code == 0
    assert cli("plan", "m", "--detailed-exitcode").code == 0


def test_several_head_offices_of_one_root_can_be_repaired(cli: Cli) -> None:
    write(Path("m"), {"acme.yaml": acme()})
    cli(*APPLY)
    execute("UPDATE company SET head_office = true")
    assert cli(*APPLY).code == 0
    assert query("SELECT count(*) FROM company WHERE head_office") == [(0,)]
    assert cli("plan", "m", "--detailed-exitcode").code == 0


def test_a_saved_plan_needs_no_manifest_name_and_no_ending(cli: Cli) -> None:
    given(acme())
    assert cli("plan", "m", "-o", "tfplan").code == 0
    assert cli("apply", "tfplan", "--auto-approve").code == 0


def test_a_saved_plan_of_a_new_database_creates_it(new_cli: Cli) -> None:
    assert saved(new_cli, acme())["database"] == {
        "id": None,
        "dialect": dialect(),
        "schema_revision": None,
        "new": True,
    }
    said = new_cli(*SAVED)
    assert said.code == 0
    assert "The database was new" in said.out


def test_a_saved_plan_is_limited_to_what_it_was_made_for(cli: Cli) -> None:
    applied(cli, acme(**boxes(1)))
    document = saved(cli, acme(nickname="Outro", **boxes(2, 3)), "--server", "acme/box-2")
    assert document["selection"] == {"partners": [], "servers": ["acme/box-2"]}
    assert cli(*SAVED).code == 0
    assert [name for name, _ in query(NICKNAMES)] == ["box-1", "box-2", "nfe-out"]
    ((selection,),) = query("SELECT selection FROM revision ORDER BY number DESC LIMIT 1")
    assert json.loads(selection) == {"partners": [], "servers": [["acme", "box-2"]]}


def test_a_partner_with_a_refusal_is_left_whole(cli: Cli) -> None:
    beta = manifest("beta", mail_servers={"out": outgoing()})
    applied(cli, acme(**boxes(1, 2, 3)), beta=beta)
    beta["mail_servers"]["out"]["nickname"] = "Outro"
    given(acme(nickname="Outro"), beta=beta)
    said = cli(*APPLY)
    assert said.code == 3
    assert "! refused MBX502 mass-delete" in said.out
    newest = revisions()[-1]
    told = f"Applied as revision {newest}: 0 created, 1 updated, "
    assert said.out.splitlines()[-1].startswith(told)
    partners = query(f"SELECT DISTINCT partner FROM revision_change WHERE revision = {newest}")
    assert partners == [("beta",)]
    assert [name for name, _ in query(NICKNAMES)] == ["box-1", "box-2", "box-3", "nfe-out", "out"]
    assert dict(query(NICKNAMES))["nfe-out"] == "Envio"
    assert dict(query(NICKNAMES))["out"] == "Outro"


def test_a_saved_plan_with_a_refusal_leaves_that_partner(cli: Cli) -> None:
    applied(cli, acme(**boxes(1, 2, 3)))
    saved(cli, acme())
    with nothing_written():
        said = cli("apply", "saved.json")
    assert said.code == 3
    assert "! refused MBX502 mass-delete" in said.out
    assert "accept: [{guard: mass-delete, count: 3" in said.out


# What went out of date


def moved_rows() -> dict[str, tuple[str, list[str]]]:
    """What another program does between plan and apply, and how it is told."""
    cut = f"DELETE FROM link WHERE cnpj = '{TWO}'"
    add = "INSERT INTO link (mail_server_id, cnpj) SELECT id, '{}' FROM mail_server WHERE {}"
    new = "INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host)"
    partner = "INSERT INTO partner (id) VALUES ('beta')"
    company = "INSERT INTO company (cnpj, partner, nickname)"
    return {
        "changed": (
            "UPDATE mail_server SET nickname = 'Now' WHERE stable_id = 'nfe-out'",
            [
                "error MBX520: server.acme/nfe-out has changed since the plan was made",
                '"nickname": "Envio"',
                'now: {"nickname": "Now"',
                'wanted: {"nickname": "Wanted"',
            ],
        ),
        "gone": (cut, [f"link.acme/nfe-out/{TWO} has changed", "now: –; wanted: –"]),
        "there": (
            f"{new} VALUES ('acme', 'box-2', 'outgoing', 'smtp', 'Now', 'other.example')",
            ["server.acme/box-2 has changed", "planned from: –; now: {", '"host": "other.example"'],
        ),
        "linked": (
            add.format(ONE, "stable_id = 'box-1'"),
            ["server.acme/box-1 has changed", f'now: {{"cnpj": "{ONE}"'],
        ),
        "company": (
            f"{partner}; {company} VALUES ('{THREE}', 'beta', 'Now')",
            ["error MBX540: somebody changed the same rows in between"],
        ),
    }


@pytest.mark.parametrize("sql, words", moved_rows().values(), ids=moved_rows().keys())  # noqa: PT006
def test_a_row_that_changed_in_between_makes_the_plan_stale(
    cli: Cli, sql: str, words: list[str]
) -> None:
    applied(cli, acme(**boxes(1), cte=outgoing("cte", companies=[masked(TWO)])))
    wanted = acme(ONE, nickname="Wanted", **boxes(2), cte=outgoing("cte", companies=[masked(TWO)]))
    wanted["companies"] |= companies(THREE)
    saved(cli, wanted)
    execute(sql)
    with nothing_written():
        said = cli(*SAVED)
    assert said.code == 4
    assert said.err.startswith("error MBX5")
    assert "Nothing was applied." in said.err
    for text in words:
        assert text in said.err


def test_a_change_elsewhere_does_not_disturb_a_plan(cli: Cli) -> None:
    applied(cli, acme(**boxes(1)))
    saved(cli, acme(nickname="Wanted", **boxes(1)))
    execute(
        f"UPDATE mail_server SET nickname = 'Now' WHERE stable_id = 'box-1';"
        f"UPDATE company SET nickname = 'Now';"
        f"INSERT INTO link (mail_server_id, cnpj) SELECT id, '{ONE}' FROM mail_server "
        f"WHERE stable_id = 'box-1'"
    )
    assert cli(*SAVED).code == 0
    assert query(NICKNAMES) == [("box-1", "Now"), ("nfe-out", "Wanted")]


def test_a_plan_is_applied_once(cli: Cli) -> None:
    saved(cli, acme())
    assert cli(*SAVED).code == 0
    with nothing_written():
        assert cli(*SAVED).code == 4


def test_stale_goes_before_refused(cli: Cli) -> None:
    beta = manifest("beta", mail_servers={"out": outgoing()})
    applied(cli, acme(**boxes(1, 2, 3)), beta=beta)
    beta["mail_servers"]["out"]["nickname"] = "Outro"
    given(acme(), beta=beta)
    assert cli("plan", "m", "-o", "saved.json").code == 3
    execute("UPDATE mail_server SET nickname = 'Now' WHERE stable_id = 'out'")
    with nothing_written():
        assert cli(*SAVED).code == 4


# Which plan


def test_a_plan_that_is_not_there(cli: Cli) -> None:
    said = cli(*SAVED)
    assert said.code == 1
    assert "No such file or directory" in said.err


@pytest.mark.databases(*MAIN)
@pytest.mark.parametrize(
    "arguments",
    [
        ("saved.json", "m"),
        ("saved.json", "other.json"),
        ("saved.json", "--partner", "acme"),
        ("saved.json", "--server", "acme/nfe-out"),
        ("saved.json", "--accept", "mass-delete=1"),
    ],
)
def test_a_saved_plan_stands_alone(new_cli: Cli, arguments: tuple[str, ...]) -> None:
    saved(new_cli, acme())
    with nothing_written():
        said = new_cli("apply", "--auto-approve", *arguments)
    assert (said.code, said.out) == (64, "")
    assert "error MBX611" in said.err


# Other databases


def test_a_plan_for_another_database_is_not_applied(
    cli: Cli, new_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(cli, acme())
    ((first,),) = query("SELECT id FROM database_identity")
    saved(cli, acme(nickname="Outro"))
    monkeypatch.setenv("RECONCILER_DATABASE_URL", new_database.url)
    assert cli("db", "upgrade").code == 0
    ((second,),) = query("SELECT id FROM database_identity")
    with nothing_written():
        said = cli(*SAVED)
    assert said.code == 4
    assert "error MBX522: the plan is for another database" in said.err
    assert f"It is for {dialect()} {first}; this is {dialect()} {second}." in said.err


def test_a_plan_for_a_database_that_is_gone(
    cli: Cli, new_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(cli, acme())
    saved(cli, acme(nickname="Outro"))
    monkeypatch.setenv("RECONCILER_DATABASE_URL", new_database.url)
    with nothing_written():
        said = cli(*SAVED)
    assert said.code == 4
    assert "a new one." in said.err


def test_a_plan_for_a_new_database_applies_only_while_it_is_new(new_cli: Cli) -> None:
    saved(new_cli, acme())
    given(manifest("beta"))
    assert new_cli(*APPLY).code == 0
    with nothing_written():
        said = new_cli(*SAVED)
    assert said.code == 4
    assert f"It is for {dialect()} a new one; this is {dialect()} " in said.err


def test_a_saved_plan_too_is_held_against_the_settings(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(cli, acme())
    refuse_another_database(cli, monkeypatch)


def test_a_saved_plan_of_a_new_database_too_is_held_against_the_settings(
    new_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_another_database(new_cli, monkeypatch)


def refuse_another_database(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(cli, acme(nickname="Outro"))
    monkeypatch.setenv("RECONCILER_DATABASE_ID", "another")
    before = dump(url())
    said = cli(*SAVED)
    assert said.code == 4
    assert dump(url()) == before
    assert "error MBX534" in said.err


def test_another_process_that_holds_the_database(cli: Cli) -> None:
    beta = manifest("beta", mail_servers={"out": outgoing()})
    applied(cli, acme(**boxes(1, 2, 3)), beta=beta)
    beta["mail_servers"]["out"]["nickname"] = "Outro"
    given(acme(), beta=beta)
    with plain_sql(url()) as other:
        other.execute("BEGIN")
        other.execute("UPDATE mail_server SET nickname = 'Now'")
        with nothing_written():
            said = cli(*APPLY, "--lock-timeout", "0")
        other.execute("ROLLBACK")
    assert said.code == 5
    assert "error MBX535: another process holds the database" in said.err
    assert cli(*APPLY).code == 3


def test_rows_that_do_not_read_as_written_are_rolled_back(cli: Cli) -> None:
    applied(cli, acme())
    with plain_sql(url()) as program:
        shout(program)
    given(acme(nickname="Outro"))
    with nothing_written():
        said = cli(*APPLY)
    assert said.code == 1
    assert "error MBX525: server.acme/nfe-out does not read as it was written" in said.err
    assert 'now: {"nickname": "OUTRO"}; wanted: {"nickname": "Outro"}' in said.err


def test_a_row_that_the_database_keeps_is_told(cli: Cli) -> None:
    """A row that another program needs appears while the plan is applied."""
    applied(cli, acme(**boxes(1)))
    execute(
        "CREATE TABLE invoice (mail_server_id INTEGER, "
        "FOREIGN KEY (mail_server_id) REFERENCES mail_server (id));"
        "INSERT INTO invoice SELECT id FROM mail_server WHERE stable_id = 'box-1'"
    )
    given(acme())
    with nothing_written():
        said = cli(*APPLY)
    assert said.code == 4
    assert "error MBX540" in said.err


# Asking


class Terminal(io.StringIO):
    """Somebody at a terminal, who types what it is made of."""

    def isatty(self) -> bool:
        return True


@pytest.mark.databases(*MAIN)
def test_nobody_to_ask(new_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    given(acme())
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    with nothing_written():
        said = new_cli("apply", "m")
    assert said.code == 1
    assert "Plan: 4 to create" in said.out
    assert "error MBX604: nobody can be asked" in said.err
    assert "--auto-approve" in said.err


@pytest.mark.databases(*MAIN)
def test_yes_applies(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    given(acme())
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    said = cli("apply", "m")
    assert said.code == 0
    assert said.out.index("Plan: 4 to create") < said.out.index("Type yes to apply")
    assert "Applied as revision " in said.out


@pytest.mark.databases(*MAIN)
@pytest.mark.parametrize("answer", ["no", "y", "YES", "", "yes!", "sim"])
def test_any_other_answer_does_not(
    new_cli: Cli, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    given(acme())
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    with nothing_written():
        said = new_cli("apply", "m")
    assert said.code == 1
    assert 'The answer was not "yes".' in said.err


@pytest.mark.databases(*MAIN)
def test_the_end_of_input_is_no_answer(new_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    given(acme())
    monkeypatch.setattr(sys, "stdin", Terminal())
    with nothing_written():
        assert new_cli("apply", "m").code == 130


@pytest.mark.databases(*MAIN)
def test_nobody_is_asked_about_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    applied(cli, acme(**boxes(1, 2, 3)))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert cli("apply", "m").code == 0
    given(acme())
    assert cli("apply", "m").code == 3


# Signals


WITH_SIGNALS = """
import io, os, signal, sys
from reconciler import cli
from reconciler.ledger import record as ledger
signal.signal(signal.SIGINT, signal.default_int_handler)
sent = getattr(signal, sys.argv.pop())
"""
WHILE_SOMEBODY_IS_ASKED = """
class Terminal(io.StringIO):
    def isatty(self):
        return True
    def readline(self, *arguments):
        os.kill(os.getpid(), sent)
        return "yes"
sys.stdin = Terminal()
cli.main()
"""
BEFORE_THE_COMMIT = """
record = ledger.record
def interrupted(*arguments):
    number = record(*arguments)
    os.kill(os.getpid(), sent)
    return number
ledger.record = interrupted
cli.main()
"""


def signalled(script: str, *arguments: str) -> int:
    """Run a script that the last argument, a signal, is sent to; the code that it ends with."""
    command = [sys.executable, "-c", WITH_SIGNALS + script, *arguments]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert "Traceback" not in done.stderr
    assert ("Nothing was left half done." in done.stderr) is ("SIGINT" in arguments)
    return done.returncode


@pytest.mark.databases(*MAIN)
@pytest.mark.parametrize(("sent", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_somebody_is_asked(new_cli: Cli, sent: str, code: int) -> None:
    given(acme())
    assert new_cli("validate", "m").code == 0
    with nothing_written():
        assert signalled(WHILE_SOMEBODY_IS_ASKED, "apply", "m", sent) == code


SIGNALS = [("SIGINT", 130), ("SIGTERM", 143), ("SIGKILL", -9)]


@pytest.mark.slow
@pytest.mark.databases(*MAIN)
@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_a_signal_before_the_commit_leaves_everything_as_it_was(
    cli: Cli, sent: str, code: int
) -> None:
    applied(cli, acme())
    given(acme(nickname="Outro", **boxes(1)))
    with nothing_written():
        assert signalled(BEFORE_THE_COMMIT, *APPLY, sent) == code
    assert cli(*APPLY).code == 0


@pytest.mark.slow
@pytest.mark.databases(*MAIN)
@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_a_signal_before_the_first_commit_leaves_no_row(new_cli: Cli, sent: str, code: int) -> None:
    """MariaDB has committed the tables by then; nothing is in them."""
    given(acme(nickname="Outro", **boxes(1)))
    assert signalled(BEFORE_THE_COMMIT, *APPLY, sent) == code
    left = {name for name, rows in dump(url()) if rows}
    assert left == ({"alembic_version", "database_identity"} if dialect() == "mariadb" else set())
    assert new_cli(*APPLY).code == 0


# The ledger


def test_a_revision_says_who_what_and_from_where(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "ana")
    Path("m").mkdir()
    Path("m/reconciler.toml").write_text('project = "invoicing"\n')
    applied(cli, acme())
    given(acme(ONE, nickname="Outro", **{"nfe-in": incoming(), "cte": outgoing("cte")}))
    (planned,) = [json.loads(cli("plan", "m", "--format", "json").out)]
    began = datetime.now(UTC).replace(tzinfo=None)
    assert cli(*APPLY, "--accept", "acme:orphaned-company=1").code == 0
    columns = (
        "number, applied_by, project, commit_id, tool_version, manifest_digest, selection, summary"
    )
    number = revisions()[-1]
    (row,) = query(f"SELECT {columns} FROM revision WHERE number = {number}")
    assert row[:6] == (number, "ana", "invoicing", None, __version__, planned["manifest_digest"])
    assert json.loads(row[6]) == {"partners": [], "servers": []}
    counts = {
        "create": 2,
        "update": 1,
        "delete": 0,
        "link": 0,
        "unlink": 1,
        "refused": 0,
        "seal": 0,
    }
    assert json.loads(row[7]) == counts
    ((at,),) = query(f"SELECT applied_at FROM revision WHERE number = {number}")
    # MariaDB keeps whole seconds.
    found = datetime.fromisoformat(str(at))
    assert began.replace(microsecond=0) <= found <= datetime.now(UTC).replace(tzinfo=None)
    changes = query(
        'SELECT position, partner, kind, name, action, "before", "after" FROM revision_change '
        f"WHERE revision = {number} ORDER BY position"
    )
    assert [row[:5] for row in changes] == [
        (1, "acme", "server", "cte", "create"),
        (2, "acme", "server", "nfe-in", "create"),
        (3, "acme", "server", "nfe-out", "update"),
        (4, "acme", "link", f"nfe-out/{TWO}", "unlink"),
    ]
    assert [(before is None, after is None) for *_, before, after in changes] == [
        (True, False),
        (True, False),
        (False, False),
        (False, True),
    ]
    assert json.loads(changes[2][5])["nickname"] == "Envio"
    assert json.loads(changes[2][6]) == json.loads(changes[2][5]) | {"nickname": "Outro"}
    assert query("SELECT * FROM revision_acceptance") == [
        (number, "acme", "orphaned-company", 1, "", "")
    ]


@pytest.mark.databases(*MAIN)
@pytest.mark.parametrize(
    ("environment", "who"),
    [
        ({"GITHUB_ACTOR": "ana", "GITLAB_USER_LOGIN": "bia", "RECONCILER_USER": "cid"}, "ana"),
        ({"GITLAB_USER_LOGIN": "bia", "RECONCILER_USER": "cid"}, "bia"),
        ({"RECONCILER_USER": "cid"}, "cid"),
        ({"GITHUB_ACTOR": ""}, "the system's user"),
        ({"GITHUB_ACTOR": "á" * 300}, "á" * 200),
    ],
)
def test_who_applies(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], who: str
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "the system's user")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    applied(cli, acme())
    assert query("SELECT applied_by FROM revision") == [(who,)]


@pytest.mark.databases(*MAIN)
def test_nobody_knows_who_applies(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", nobody)
    applied(cli, acme())
    assert query("SELECT applied_by FROM revision") == [("unknown",)]


def test_a_refused_partner_is_not_in_the_ledger(cli: Cli) -> None:
    applied(cli, acme(**boxes(1, 2, 3)))
    acceptance = acceptance_of("mass-delete", 3)
    given(acme(ONE) | {"accept": [acceptance]})
    assert cli(*APPLY).code == 3
    assert query("SELECT count(*) FROM revision") == [(1,)]
    assert query("SELECT count(*) FROM revision_acceptance") == [(0,)]


# Acceptances in manifests


def day(offset: int) -> str:
    return (datetime.now(UTC) + timedelta(days=offset)).date().isoformat()


def acceptance_of(guard: str, count: int, reason: str = "moved", until: str = "") -> Manifest:
    return {"guard": guard, "count": count, "reason": reason, "until": until or day(30)}


def test_an_acceptance_in_a_manifest_counts_once(cli: Cli) -> None:
    applied(cli, acme(**boxes(1, 2, 3)))
    accept = [acceptance_of("mass-delete", 3)]
    given(acme() | {"accept": accept})
    assert cli(*APPLY).code == 0
    assert query("SELECT partner, guard, count, reason, until FROM revision_acceptance") == [
        ("acme", "mass-delete", 3, "moved", accept[0]["until"])
    ]
    used = cli("plan", "m")
    assert used.code == 0
    assert 'warning MBX513: the acceptance of "mass-delete" for "acme" is used up' in used.err
    applied(cli, acme(**boxes(1, 2, 3)) | {"accept": accept})
    given(acme() | {"accept": accept})
    again = cli("plan", "m")
    assert again.code == 3
    assert "warning MBX513" in again.err
    assert "! refused MBX502 mass-delete" in again.out
    given(acme() | {"accept": [*accept, acceptance_of("mass-delete", 3, "moved again")]})
    assert cli(*APPLY).code == 0


def test_an_acceptance_that_another_partner_has_used_still_counts(cli: Cli) -> None:
    content = acme(**boxes(1, 2, 3))
    beta = manifest("beta", mail_servers=boxes(1, 2, 3))
    applied(cli, content, beta=beta)
    accept = {"accept": [acceptance_of("mass-delete", 3)]}
    given(acme() | accept, beta=beta)
    assert cli(*APPLY).code == 0
    given(acme(), beta=manifest("beta") | accept)
    assert cli(*APPLY).code == 0


@pytest.mark.parametrize(("offset", "code"), [(0, 0), (-1, 3)])
def test_an_acceptance_is_good_until_the_end_of_its_day(cli: Cli, offset: int, code: int) -> None:
    applied(cli, acme(**boxes(1, 2, 3)))
    given(acme() | {"accept": [acceptance_of("mass-delete", 3, until=day(offset))]})
    said = cli(*APPLY)
    assert said.code == code
    assert ("warning MBX512" in said.err) is (code == 3)


def test_an_acceptance_of_the_settings_counts_until_its_day(cli: Cli) -> None:
    Path("m").mkdir()
    Path("m/reconciler.toml").write_text(
        '[[guards.accept]]\npartner = "acme"\nguard = "lost-input"\ncount = 1\n'
    )
    for _ in range(2):
        applied(cli, acme(), more=manifest(mail_servers=boxes(1)))
        Path("m/more.yaml").unlink()
        assert cli(*APPLY).code == 0
    assert query("SELECT guard, count FROM revision_acceptance") == [("lost-input", 1)] * 2


def test_settings_cannot_accept_the_delete_of_a_linked_server(cli: Cli) -> None:
    given(acme())
    Path("m/reconciler.toml").write_text(
        '[[guards.accept]]\npartner = "acme"\nguard = "linked-delete"\ncount = 1\n'
    )
    said = cli(*APPLY)
    assert said.code == 1
    assert 'error MBX602: the setting "guards.accept.0.guard" does not fit' in said.err


# Commits


class Repository:
    """A Git repository with the manifests in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, content: Manifest) -> str:
        write(self.folder / "m", {"acme.yaml": content})
        self.git("add", "m")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Repository:
    assert cli("validate", "--help").code == 0
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
    return Repository(tmp_path)


@pytest.mark.databases(*MAIN)
def test_a_revision_says_which_commit(cli: Cli, repository: Repository) -> None:
    first = repository.commit(acme())
    assert json.loads(cli("plan", "m", "--format", "json").out)["commit"] == first
    assert cli(*APPLY).code == 0
    assert query("SELECT commit_id FROM revision") == [(first,)]


@pytest.mark.databases(*MAIN)
def test_manifests_of_an_older_commit_are_refused(cli: Cli, repository: Repository) -> None:
    first = repository.commit(acme())
    second = repository.commit(acme(nickname="Newer"))
    assert cli(*APPLY).code == 0
    repository.git("checkout", "--quiet", first)
    with nothing_written():
        said = cli(*APPLY)
    assert said.code == 3
    assert "! refused MBX510 older-commit: these manifests are older" in said.out
    assert f"The last applied commit {second} is no ancestor of this one" in said.out
    assert "--accept acme:older-commit=1" in said.out
    assert cli(*APPLY, "--accept", "acme:older-commit=1").code == 0
    assert query("SELECT commit_id FROM revision ORDER BY number") == [(second,), (first,)]
    assert query("SELECT guard FROM revision_acceptance") == [("older-commit",)]


@pytest.mark.databases(*MAIN)
def test_manifests_of_a_later_commit_are_applied(cli: Cli, repository: Repository) -> None:
    repository.commit(acme())
    assert cli(*APPLY).code == 0
    write(Path("m"), {"acme.yaml": acme(nickname="Not committed")})
    assert cli(*APPLY).code == 0
    repository.commit(acme(nickname="Newer"))
    assert cli(*APPLY).code == 0


@pytest.mark.databases(*MAIN)
def test_manifests_of_another_branch_are_refused(cli: Cli, repository: Repository) -> None:
    repository.commit(acme())
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit(acme(nickname="Side"))
    assert cli(*APPLY).code == 0
    repository.git("checkout", "--quiet", "main")
    repository.commit(acme(nickname="Main"))
    assert cli(*APPLY).code == 3
    repository.git("merge", "--quiet", "--strategy=ours", "side")
    assert cli(*APPLY).code == 0


@pytest.mark.databases(*MAIN)
def test_older_manifests_that_change_nothing_are_not_refused(
    cli: Cli, repository: Repository
) -> None:
    first = repository.commit(acme())
    repository.commit(acme())
    assert cli(*APPLY).code == 0
    repository.git("checkout", "--quiet", first)
    assert cli("plan", "m", "--detailed-exitcode").code == 0


@pytest.mark.databases(*MAIN)
def test_a_clone_that_is_too_shallow_cannot_tell(cli: Cli, repository: Repository) -> None:
    repository.commit(acme())
    assert cli(*APPLY).code == 0
    repository.commit(acme(nickname="Second"))
    repository.commit(acme(nickname="Third"))
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", "shallow")
    said = cli("plan", "shallow/m")
    assert said.code == 3
    assert "or this clone is too shallow to tell" in said.out
    repository.git("-C", "shallow", "fetch", "--quiet", "--unshallow")
    assert cli("plan", "shallow/m").code == 0


@pytest.mark.databases(*MAIN)
def test_the_commit_of_another_project_does_not_matter(cli: Cli, repository: Repository) -> None:
    first = repository.commit(acme())
    repository.commit(acme(nickname="Newer"))
    assert cli(*APPLY).code == 0
    repository.git("checkout", "--quiet", first)
    Path("m/reconciler.toml").write_text('project = "another"\n')
    said = cli("plan", "m")
    assert "MBX508 takeover" in said.out
    assert "MBX510" not in said.out


@pytest.mark.databases(*MAIN)
def test_without_git_there_is_no_commit(
    cli: Cli, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.commit(acme())
    second = repository.commit(acme(nickname="Newer"))
    assert cli(*APPLY).code == 0
    repository.git("checkout", "--quiet", first)
    monkeypatch.setenv("PATH", "")
    assert cli(*APPLY).code == 0
    assert query("SELECT commit_id FROM revision ORDER BY number") == [(second,), (None,)]
