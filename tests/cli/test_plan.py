"""`plan`: what it prints and saves, what it never does, and how it ends."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft7Validator
from sqlalchemy import make_url

from reconciler.database.engine import shown_url, transaction
from reconciler.diagnostics.problem import Failure
from reconciler.model.cnpj import masked
from reconciler.render import schemas
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
    opened,
    outgoing,
    plain_sql,
    write,
)
from tests.support.servers import MAIN
from tests.support.servers.databases import Database

ONE, TWO, THREE = cnpj(1), cnpj(2), cnpj(3)
SECRET = "s3cr3t-h4nter2"
ESCAPES = "\x1b[31mred\x1b[0m\r\nsecond\x9b31m\u202eline"
SCHEMA = Draft7Validator(schemas.plan())
pytestmark = pytest.mark.databases("sqlite")
on_servers = pytest.mark.databases(*MAIN)
"""What a test is about reads or writes the database."""


def applied(cli: Cli, content: Manifest, sql: str = "") -> None:
    """Apply manifests, then write rows as another program would."""
    write(Path("m"), {"acme.yaml": content})
    assert cli("apply", "m", "--auto-approve").code == 0
    execute(sql)


def given(content: Manifest | str) -> None:
    write(Path("m"), {"acme.yaml": content})


# The JSON form


class Scene(NamedTuple):
    """A plan of some kind: what was applied, what another program wrote, and what is given now."""

    before: Manifest | None
    after: Manifest
    code: int = 2
    sql: str = ""
    arguments: tuple[str, ...] = ()


FOREIGN_LINK = f"INSERT INTO link (mail_server_id, cnpj) SELECT id, '{TWO}' FROM mail_server"
FOREIGN_SERVER = (
    "INSERT INTO mail_server (partner, direction, protocol, nickname, host, username) "
    "VALUES ('acme', 'outgoing', 'smtp', 'Other', 'MAIL.acme.example', 'box-1@acme.example')"
)
STRANGE_ROWS = (
    "INSERT INTO mail_server (partner, direction, protocol, nickname, host, port) "
    "VALUES ('acme', 'sideways', 'uucp', '', '', -1)"
)
RENAMED = {"nfe": outgoing("nfe-out", renamed_from="nfe-out", companies=[masked(ONE), masked(TWO)])}
EDITED = {"nfe-out": outgoing(nickname="x", reply_to="a@b.example", companies=[masked(ONE)])}
ACCEPTED = {"guard": "mass-delete", "count": 3, "reason": "moved", "until": "2999-12-31"}
SCENES = {
    "first": Scene(None, acme(**{"nfe-in": incoming(folder="INBOX")})),
    "nothing": Scene(acme(), acme(), 0),
    "update": Scene(acme(ONE), manifest(companies=companies(ONE, TWO), mail_servers=EDITED)),
    "links": Scene(acme(box=outgoing("b")), acme(ONE, box=outgoing("b", companies=[masked(TWO)]))),
    "rename": Scene(acme(), manifest(companies=companies(ONE, TWO), mail_servers=RENAMED)),
    "head office": Scene(
        manifest(companies=companies(ONE, head_office=True)),
        manifest(companies=companies(ONE) | companies(TWO, head_office=True)),
    ),
    "hosts": Scene(acme(), acme() | {"hosts": {"mail.acme.example": {"imap": {"timeout": "9s"}}}}),
    "released": Scene(acme(ONE), manifest(companies=companies(ONE), mail_servers={}), 3),
    "delete": Scene(acme(**boxes(1)), acme()),
    "linked delete": Scene(acme(), manifest(companies=companies(ONE, TWO)), 3),
    "mass delete": Scene(acme(**boxes(1, 2, 3)), acme(), 3),
    "accepted": Scene(acme(**boxes(1, 2, 3)), acme() | {"accept": [ACCEPTED]}),
    "takeover": Scene(acme(), acme(**boxes(1)), 3, FOREIGN_SERVER),
    "foreign": Scene(acme(ONE), acme(ONE), 0, FOREIGN_LINK),
    "strange": Scene(acme(), acme(), 0, STRANGE_ROWS),
    "partner": Scene(acme(), acme(**boxes(1)), 2, "", ("--partner", "acme")),
    "server": Scene(acme(), acme(**boxes(1, 2)), 2, "", ("--server", "acme/box-2")),
}


@pytest.mark.slow("postgres18")
@on_servers
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_json_is_as_its_schema_says(cli: Cli, scene: Scene) -> None:
    if scene.before:
        applied(cli, scene.before, scene.sql)
    given(scene.after)
    said = cli(
        "plan", "m", "--format", "json", "-o", "saved.json", "--detailed-exitcode", *scene.arguments
    )
    assert said.code == scene.code
    printed = json.loads(said.out)
    assert list(SCHEMA.iter_errors(printed)) == []
    assert cli("apply", "saved.json", "--auto-approve").code in (0, 3)
    assert printed["complete"] is (not printed["refusals"])
    assert printed["applyable"] is (scene.code == 2)
    count_by_hand(printed)


@on_servers
def test_json_of_a_new_database_is_as_its_schema_says(new_cli: Cli) -> None:
    given(acme())
    document = json.loads(new_cli("plan", "m", "--format", "json").out)
    assert list(SCHEMA.iter_errors(document)) == []
    assert (document["database"]["new"], document["database"]["id"]) == (True, None)


def count_by_hand(document: dict[str, Any]) -> None:
    """The numbers of a summary are those of its changes."""
    changes = [item for item in document["resource_changes"] if not item["refusal"]]
    for action in ("create", "update", "delete", "link", "unlink"):
        found = [item for item in changes if item["change"]["action"] == action]
        assert document["summary"][action] == len(found)
    assert document["summary"]["refused"] == len(document["refusals"])


def test_json_says_what_changes_and_where(cli: Cli) -> None:
    applied(cli, acme())
    given(acme(**{"nfe-out": outgoing(nickname="Outro", companies=[masked(ONE), masked(TWO)])}))
    (item,) = json.loads(cli("plan", "m", "--format", "json").out)["resource_changes"]
    line = 1 + Path("m/acme.yaml").read_text().splitlines().index('  "nfe-out": {')
    assert item["address"] == "server.acme/nfe-out"
    assert item["source"] == {"file": "m/acme.yaml", "line": line, "column": 3}
    assert item["change"]["actions"] == ["update"]
    assert item["change"]["changed_paths"] == ["/nickname"]
    assert item["change"]["before"]["nickname"] == "Envio"
    assert item["change"]["after"]["nickname"] == "Outro"


@on_servers
def test_json_names_what_a_refusal_is_about(cli: Cli) -> None:
    applied(cli, acme(**boxes(1)))
    execute(f"{FOREIGN_LINK} WHERE stable_id = 'box-1'")
    given(acme())
    document = json.loads(cli("plan", "m", "--format", "json").out)
    (refusal,) = document["refusals"]
    assert (refusal["guard"], refusal["count"], refusal["offered"]) == ("linked-delete", 1, None)
    assert refusal["concerns"] == [
        {"name": f"box-1/{TWO}", "detail": "foreign", "file": None, "nickname": "Acme"}
    ]
    assert {tuple(item["refusal"]) for item in document["resource_changes"]} == {("linked-delete",)}


@on_servers
def test_text_and_json_agree_on_the_exit_code_and_the_counts(cli: Cli) -> None:
    applied(cli, acme(**boxes(1)))
    given(acme(**boxes(2, 3)))
    as_json = cli("plan", "m", "--format", "json")
    as_text = cli("plan", "m")
    summary = json.loads(as_json.out)["summary"]
    assert as_json.code == as_text.code == 0
    assert (summary["create"], summary["delete"], summary["noop"]) == (2, 1, 6)
    expected = "Plan: 2 to create, 0 to update, 1 to delete, 0 to link, 0 to unlink. "
    assert as_text.out.splitlines()[-1] == f"{expected}6 rows unchanged."


# Secrets


def test_no_secret_is_read_or_printed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_PASSWORD", SECRET)
    given(acme(**{"nfe-in": incoming(password={"file": "acme-secret"})}))
    Path("acme-secret").write_text(SECRET)
    said = [cli("plan", "m"), cli("plan", "m", "--format", "json", "-o", "saved.json")]
    assert [item.code for item in said] == [0, 0]
    assert "env:ACME_PASSWORD" in said[0].out
    assert "file:acme-secret" in said[1].out
    assert SECRET not in str(said) + Path("saved.json").read_text()


def test_a_password_in_a_manifest_is_refused_and_not_shown(cli: Cli) -> None:
    given(acme(**{"nfe-in": incoming(password=SECRET)}))
    said = cli("plan", "m", "--format", "json")
    assert said.code == 1
    assert "MBX215" in said.err
    assert SECRET not in said.out + said.err


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://user:{SECRET}@127.0.0.1:1/mail",
        f"postgresql://user:{SECRET}@127.0.0.1:1/mail",
        f"mysql://user:{SECRET}@127.0.0.1:1/mail",
        f"mysql+nosuch://user:{SECRET}@127.0.0.1/mail",
        f"nosuch://user:{SECRET}@127.0.0.1/mail",
        f"sqlite://user:{SECRET}@/mail.db",
        f"postgresql://user:{SECRET}@127.0.0.1:port/mail",
        f"postgresql://user:{SECRET}@[::1/mail",
        f"sqlite:///mail.db?timeout={SECRET}",
        f"password={SECRET}",
        "sqlite:///m",
        "sqlite:///m/acme.yaml",
        "://",
    ],
)
@pytest.mark.parametrize("command", [("plan",), ("apply", "--auto-approve")], ids=" ".join)
def test_a_bad_url_ends_in_a_message_without_its_password(
    cli: Cli, url: str, command: tuple[str, ...]
) -> None:
    given(acme())
    said = cli(*command, "m", "--database", url)
    assert said.code == 1
    assert said.err.startswith("error MBX53")
    assert SECRET not in said.out + said.err
    assert "Traceback" not in said.err


def test_a_url_is_shown_without_anything_that_may_be_a_password() -> None:
    url = make_url(f"postgresql://me:{SECRET}@host/name?password={SECRET}&sslmode=require")
    assert shown_url(url) == "postgresql://me:***@host/name"


@on_servers
def test_a_folder_given_covers_partners_whose_last_file_is_gone_from_it(cli: Cli) -> None:
    Path("reconciler.toml").write_text("")
    for name in ("acme", "beta_", "beta"):
        partner = name.strip("_") + ("x" if name.endswith("_") else "")
        folder = Path("m") / name.replace("beta", "part")
        folder.mkdir(parents=True)
        text = f"version: 1\npartner: {partner}\nhosts: {{h.example: {{smtp: {{port: 465}}}}}}\n"
        (folder / f"{name}.yaml").write_text(text)
    assert cli("apply", "m", "--auto-approve").code == 0
    (Path("m") / "part" / "beta.yaml").write_text("version: 1\npartner: gamma\n")
    (Path("m") / "part" / "beta.yaml").rename(Path("m") / "part" / "gamma.yaml")
    said = cli("plan", "m/part")
    assert said.code == 3
    assert "m/part/beta.yaml (1 row)" in said.out
    assert "betax" not in said.out
    assert "acme" not in said.out


def test_a_selection_calls_no_acceptance_unused(cli: Cli) -> None:
    offer = {"guard": "takeover", "count": 1, "reason": "r", "until": "2999-12-31"}
    given({**acme(), "accept": [offer]})
    assert "MBX511" in cli("plan", "m").err
    assert "MBX511" not in cli("plan", "m", "--partner", "acme").err


@on_servers
def test_what_the_tool_has_released_is_not_called_another_programs(cli: Cli) -> None:
    given(acme())
    cli("apply", "m", "--auto-approve")
    given(manifest(mail_servers=acme()["mail_servers"]))
    assert cli("apply", "m", "--auto-approve").code == 0
    assert "made by" not in cli("plan", "m").out


# The saved file


def test_a_saved_plan_is_for_its_owner_alone(cli: Cli) -> None:
    given(acme())
    open_to_all = os.umask(0)
    try:
        assert cli("plan", "m", "-o", "saved.json").code == 0
    finally:
        os.umask(open_to_all)
    assert stat.S_IMODE(Path("saved.json").stat().st_mode) == 0o600


def test_a_saved_plan_replaces_an_older_one_and_its_mode(cli: Cli) -> None:
    given(acme())
    Path("saved.json").write_text("older")
    Path("saved.json").chmod(0o644)
    assert cli("plan", "m", "-o", "saved.json").code == 0
    assert "older" not in Path("saved.json").read_text()
    assert stat.S_IMODE(Path("saved.json").stat().st_mode) == 0o600


def test_a_plan_that_cannot_be_saved_whole_leaves_what_was_there(
    bare: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside: list[str] = []

    def full(_descriptor: int) -> None:
        beside.extend(path.name for path in Path().iterdir())
        raise OSError(28, "No space left on device")

    given(acme())
    Path("saved.json").write_text("older")
    monkeypatch.setattr(os, "fsync", full)
    said = bare("plan", "m", "-o", "saved.json")
    assert (said.code, said.out) == (1, "")
    assert "MBX526" in said.err
    assert "No space left on device" in said.err
    assert any(name.startswith(".saved.json.") for name in beside)
    assert sorted(path.name for path in Path().iterdir()) == ["m", "saved.json"]
    assert Path("saved.json").read_text() == "older"


def test_a_plan_cannot_be_saved_in_a_folder_that_is_not_there(cli: Cli) -> None:
    given(acme())
    said = cli("plan", "m", "-o", "nowhere/saved.json")
    assert said.code == 1
    assert "MBX526" in said.err


def test_text_says_how_to_apply_a_saved_plan(cli: Cli) -> None:
    given(acme())
    said = cli("plan", "m", "-o", "a plan.json")
    digest = json.loads(Path("a plan.json").read_text().splitlines()[-1])["digest"]
    words = f"Apply it with: reconciler apply 'a plan.json' --expect-digest {digest}"
    assert said.out.splitlines()[-1] == words
    arguments = shlex.split(words.partition("reconciler ")[2])
    assert cli(*arguments, "--auto-approve").code == 0


def test_a_saved_plan_without_changes_is_not_offered_for_applying(cli: Cli) -> None:
    applied(cli, acme())
    said = cli("plan", "m", "-o", "saved.json")
    assert said.out == "Nothing to change. 6 rows unchanged.\n"
    assert Path("saved.json").exists()


# Exit codes


@on_servers
def test_detailed_exit_codes(cli: Cli) -> None:
    applied(cli, acme(**boxes(1, 2, 3, 4)))
    assert cli("plan", "m", "--detailed-exitcode").code == 0
    given(acme(**boxes(1, 2, 3, 4, 5)))
    assert cli("plan", "m").code == 0
    assert cli("plan", "m", "--detailed-exitcode").code == 2
    given(acme())
    assert cli("plan", "m").code == 3
    assert cli("plan", "m", "--detailed-exitcode").code == 3
    assert cli("plan", "m", "--detailed-exitcode", "--accept", "mass-delete=4").code == 2


@on_servers
def test_a_refusal_of_one_partner_goes_before_the_changes_of_another(cli: Cli) -> None:
    applied(cli, acme(**boxes(1, 2, 3, 4)))
    write(Path("m"), {"acme.yaml": acme(), "beta.yaml": manifest("beta")})
    said = cli("plan", "m", "--detailed-exitcode")
    assert said.code == 3
    assert said.out.splitlines()[-1].startswith("Plan: 1 to create, ")


BROKEN = "version: 1\npartner: acme\nmail_server: {}\n"
NO_FORM = ("--accept", "mass-delete")


@pytest.mark.parametrize(
    ("content", "arguments", "code"),
    [
        (BROKEN, (*NO_FORM, "--partner", "nobody"), 64),
        (BROKEN, ("--no-such-option",), 64),
        (BROKEN, ("--format", "xml"), 64),
        (BROKEN, ("--partner", "acme"), 1),
        (acme(), NO_FORM, 64),
        (acme(), ("--partner", "nobody"), 4),
        (acme(), (), 4),
    ],
)
def test_wrong_use_goes_before_errors_and_errors_before_another_database(
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    content: Manifest | str,
    arguments: tuple[str, ...],
    code: int,
) -> None:
    applied(cli, acme(**boxes(1, 2, 3, 4)))
    given(content)
    monkeypatch.setenv("RECONCILER_DATABASE_ID", "another")
    assert cli("plan", "m", "--detailed-exitcode", *arguments).code == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mass-delete",
        "mass-delete=",
        "mass-delete=0",
        "mass-delete=-1",
        "mass-delete=1.5",
        "mass-delete= 1",
        "mass-delete=1\n",
        "mass-delete=01",
        "mass-delete=9999999999",
        "mass-delete=all",
        "Mass-Delete=1",
        "mass-detele=1",
        "=1",
        "acme:=1",
        ":mass-delete=1",
        "acme:beta:mass-delete=1",
        "acme/mass-delete=1",
        "linked-delete=1",
        "acme:linked-delete=1",
        "acme:\x1b[31m=1",
    ],
)
def test_accept_that_is_not_understood(cli: Cli, text: str) -> None:
    given(acme())
    said = cli("plan", "m", "--accept", text)
    assert (said.code, said.out) == (64, "")
    assert said.err.startswith("error MBX609: --accept ")
    assert "Guards: mass-delete, mass-unlink, mass-deactivate, lost-input" in said.err
    assert "\x1b" not in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--partner", "acne"), "MBX606", 'Did you mean "acme"?'),
        (("--server", "acme/nfe-ou"), "MBX607", 'Did you mean "acme/nfe-out"?'),
        (("--server", "nfe-in"), "MBX607", "Write it as partner/id"),
        (("--server", "gamma/nfe-out"), "MBX607", "Neither the manifests nor the database"),
        (("--server", "nfe-out"), "MBX608", "They are: acme, beta."),
        (("--server", "old-name"), "MBX612", 'It is called "beta/nfe-out" now.'),
        (("--server", "beta/old-name"), "MBX612", 'It is called "beta/nfe-out" now.'),
        (("--partner", "\x1b[31m\n"), "MBX606", "\\u001b[31m\\n"),
    ],
)
def test_names_that_are_unknown_or_stand_for_several(
    cli: Cli, arguments: tuple[str, ...], code: str, words: str
) -> None:
    beta = manifest("beta", mail_servers={"nfe-out": outgoing(renamed_from="old-name")})
    write(Path("m"), {"acme.yaml": acme(), "beta.yaml": beta})
    said = cli("plan", "m", *arguments)
    assert (said.code, said.out) == (1, "")
    assert f"error {code}:" in said.err
    assert words in said.err
    assert "\x1b" not in said.err


def test_all_unknown_names_are_told_at_once(cli: Cli) -> None:
    given(acme())
    said = cli("plan", "m", "--partner", "one", "--partner", "two", "--server", "three")
    assert said.err.count("error MBX60") == 3


@on_servers
def test_a_partner_or_server_that_only_the_database_has_can_be_chosen(cli: Cli) -> None:
    applied(cli, acme(**boxes(1)))
    write(Path("m"), {"acme.yaml": manifest("beta")})
    assert cli("plan", "m", "--partner", "acme").code == 3
    write(Path("m"), {"acme.yaml": acme()})
    said = cli("plan", "m", "--server", "box-1")
    assert said.out.startswith("acme\n  - mail server box-1")


# What a plan never does


def test_a_plan_does_not_create_the_database(bare: Cli) -> None:
    given(acme())
    assert bare("plan", "m").out.endswith("0 rows unchanged.\n")
    assert bare("plan", "m", "--detailed-exitcode").code == 2
    assert [path.name for path in Path().iterdir()] == ["m"]


@on_servers
def test_a_plan_creates_no_table(new_cli: Cli, new_database: Database) -> None:
    given(acme())
    assert new_cli("plan", "m").out.endswith("0 rows unchanged.\n")
    assert dump(new_database.url) == []


@on_servers
def test_a_plan_leaves_the_database_as_it_is(cli: Cli, database: Database) -> None:
    applied(cli, acme(**boxes(1)))
    before = dump(database.url)
    given(acme(**boxes(1, 2)))
    assert cli("plan", "m", "-o", "saved.json").code == 0
    assert cli("plan", "m", "--format", "json").code == 0
    assert dump(database.url) == before


def test_a_plan_leaves_the_file_as_it_is(cli: Cli) -> None:
    write(Path("m"), {"acme.yaml": acme()})
    before = Path("reconciler.db").read_bytes()
    assert cli("plan", "m", "-o", "saved.json").code == 0
    assert cli("plan", "m", "--format", "json").code == 0
    assert Path("reconciler.db").read_bytes() == before


@on_servers
def test_the_connection_of_a_plan_cannot_write(database: Database) -> None:
    with (
        opened(database.url, writes=False) as engine,
        pytest.raises(Failure, match="MBX539"),
        transaction(engine) as connection,
    ):
        connection.exec_driver_sql("INSERT INTO partner (id) VALUES ('acme')")


def test_a_plan_in_a_process_of_its_own_leaves_no_trace(bare: Cli) -> None:
    given(acme())
    assert bare("validate", "m").code == 0
    assert bare("apply", "m", "--auto-approve").code == 0
    before = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    given(acme(**boxes(1)))
    assert "Plan: 1 to create" in process("plan", "m")
    assert {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    assert before.keys() == {"reconciler.db"}


def process(*arguments: str) -> str:
    """Run the command line in a process of its own; what it prints is returned."""
    command = [sys.executable, "-m", "reconciler", *arguments]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    return done.stdout


# Which database


def test_ci_has_no_default_database(bare: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    given(acme())
    said = bare("plan", "m")
    assert (said.code, said.out) == (1, "")
    assert "error MBX530" in said.err
    assert "RECONCILER_DATABASE_URL" in said.err
    assert bare("apply", "m", "--auto-approve").code == 1
    assert [path.name for path in Path().iterdir()] == ["m"]


@pytest.mark.parametrize("way", ["option", "environment", "settings"])
def test_ci_takes_a_database_that_is_given(
    bare: Cli, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("CI", "true")
    given(acme())
    url = "sqlite:///named.db"
    if way == "environment":
        monkeypatch.setenv("RECONCILER_DATABASE_URL", url)
    if way == "settings":
        Path("reconciler.toml").write_text(f'database = "{url}"\n')
    assert bare("plan", "m", *(["--database", url] if way == "option" else [])).code == 0


def database_id() -> str:
    with plain_sql(os.environ["RECONCILER_DATABASE_URL"]) as program:
        return str(program.execute("SELECT id FROM database_identity").scalar_one())


@on_servers
def test_a_database_must_be_the_one_that_the_settings_name(cli: Cli) -> None:
    applied(cli, acme())
    Path("reconciler.toml").write_text(f'database_id = "{database_id()}"\n')
    assert cli("plan", "m").code == 0
    Path("reconciler.toml").write_text('database_id = "another"\n')
    said = cli("plan", "m")
    assert (said.code, said.out) == (4, "")
    assert "error MBX534" in said.err
    assert f"The settings name another; this is {database_id()}." in said.err


@on_servers
def test_a_new_database_is_not_the_one_that_the_settings_name(
    new_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_DATABASE_ID", "another")
    given(acme())
    said = new_cli("plan", "m")
    assert said.code == 4
    assert "this is new" in said.err


@on_servers
@pytest.mark.parametrize(
    ("revision", "code", "words"),
    [
        ("0000", "MBX532", "Run: reconciler db upgrade"),
        ("9999", "MBX533", "Update the tool: pip install --upgrade reconciler"),
    ],
)
@pytest.mark.parametrize("command", [("plan",), ("apply", "--auto-approve")], ids=" ".join)
def test_another_schema_is_refused_with_the_command_to_run(
    cli: Cli, command: tuple[str, ...], revision: str, code: str, words: str
) -> None:
    applied(cli, acme())
    execute(f"UPDATE alembic_version SET version_num = '{revision}'")
    said = cli(*command, "m")
    assert (said.code, said.out) == (1, "")
    assert f"error {code}" in said.err
    assert f"It has {revision}" in said.err
    assert words in said.err


@on_servers
def test_tables_of_ours_without_a_version_are_an_older_schema(cli: Cli) -> None:
    applied(cli, acme())
    execute("DROP TABLE alembic_version")
    said = cli("plan", "m")
    assert said.code == 1
    assert "error MBX532" in said.err


@on_servers
def test_tables_of_others_make_no_database_old(new_cli: Cli, new_database: Database) -> None:
    given(acme())
    with plain_sql(new_database.url) as program:
        program.script("CREATE TABLE link (id INTEGER); CREATE TABLE invoice (id INTEGER)")
    assert new_cli("plan", "m").code == 0


def test_no_manifest_no_plan(cli: Cli) -> None:
    assert cli("plan", "nowhere").err.startswith("error MBX120: nowhere does not exist\n")
    Path("empty").mkdir()
    said = cli("plan", "empty")
    assert (said.code, said.out) == (1, "")
    assert "error MBX117" in said.err


# Colours, and text that would like to be more than text


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
    ],
)
def test_colours(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    content = acme()
    content["companies"][masked(ONE)].pop("notification_email")
    given(content)
    said = cli("plan", "m")
    assert ("\x1b[32m+ mail server nfe-out\x1b[0m" in said.out) is coloured
    assert ("\x1b[33mwarning MBX319\x1b[0m" in said.err) is coloured
    assert ("\x1b" in said.out + said.err) is coloured
    assert "\x1b" not in cli("plan", "m", "--format", "json").out


HOSTILE_ROWS = f"""
UPDATE mail_server SET nickname = '{ESCAPES}', username = '{ESCAPES}', host = '{ESCAPES}';
UPDATE company SET nickname = '{ESCAPES}' WHERE cnpj = '{ONE}';
INSERT INTO company (cnpj, partner, nickname) VALUES (char(27) || '[31m345678901', 'acme', 'x');
INSERT INTO link (mail_server_id, cnpj, sender_name)
SELECT id, char(27) || '[31m345678901', '{ESCAPES}' FROM mail_server WHERE stable_id = 'nfe-out';
INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host, project, file)
VALUES ('acme', '{ESCAPES}', 'outgoing', 'smtp', '', 'x', '', '{ESCAPES}');
INSERT INTO link (mail_server_id, cnpj, project, file)
SELECT id, '{ONE}', '', '{ESCAPES}' FROM mail_server WHERE file IS NOT NULL AND host = 'x';
INSERT INTO partner VALUES ('{ESCAPES}', NULL);
INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host, project, file)
VALUES ('{ESCAPES}', 'gone', 'outgoing', 'smtp', '', 'x', '', 'gone.yaml');
"""


@on_servers
def test_hostile_rows_are_spelled_out(cli: Cli) -> None:
    applied(cli, acme(), HOSTILE_ROWS)
    links = [masked(ONE), masked(TWO)]
    given(acme(**{"nfe-out": outgoing(companies=links, exclusive_links=True)}))
    said = cli("plan", "m")
    assert said.code == 3
    assert "\\u001b[31mred\\u001b[0m\\r\\nsecond\\u009b31m\\u202eline" in said.out
    assert {"linked-delete:", "lost-input:"} <= set(said.out.split())
    harmless(said.out + said.err)
    printed = cli("plan", "m", "--format", "json")
    harmless(printed.out)
    changes = json.loads(printed.out)["resource_changes"]
    assert ESCAPES in [change["name"] for change in changes]


def test_hostile_manifests_are_refused_and_spelled_out(cli: Cli) -> None:
    given(acme(**{"nfe-out": outgoing(nickname=ESCAPES, companies=[masked(ONE), masked(TWO)])}))
    said = cli("plan", "m")
    harmless(said.out + said.err)
    given(f"version: 1\npartner: acme\n\x1b[31mx: {ESCAPES}\n")
    said = cli("plan", "m")
    assert said.code == 1
    harmless(said.out + said.err)


def test_hostile_settings_are_spelled_out(cli: Cli) -> None:
    given(acme())
    Path("reconciler.toml").write_text('"\\u001b[31m" = "\\u009b"\n')
    said = cli("plan", "m")
    assert said.code == 1
    harmless(said.err)


def harmless(text: str) -> None:
    """Nothing in a text acts on a terminal."""
    assert not {"\x1b", "\r", "\x9b", "\u202e", "\x07"}.intersection(text)
