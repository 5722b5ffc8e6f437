"""`export`: what another program has made becomes manifests that change nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from sqlalchemy import Engine

from reconciler.database.engine import transaction
from reconciler.export import estate, options
from reconciler.export.estate import Exported
from reconciler.export.read_back import Terms
from reconciler.manifests.read import ReadLimits
from reconciler.model.state import OPTIONS, MailServer, State, called
from reconciler.plan.ownership import differences
from reconciler.secrets.scope import Rules, Scopes
from tests.laws.test_laws import WITH_DATABASE
from tests.support.estates import (
    PARTNER,
    Cli,
    Estate,
    Program,
    errors,
    fetch,
    memory_database,
    plain_sql,
    profile,
    read_back,
    server,
)
from tests.support.foreign import insert, sayable_states
from tests.support.servers import MAIN, SQLITE
from tests.support.servers.databases import Database
from tests.support.strategies import states

pytestmark = pytest.mark.databases(SQLITE)
SEEN = """
    SELECT partner, cnpj, company_nickname, mail_server_id, nickname, direction, protocol, host,
        port, security, verify_certificate, ca_file, timeout, ehlo_name, auth, username,
        sender_name, sender_email, reply_to, folder
    FROM company_mailbox ORDER BY mail_server_id, cnpj
"""
"""All that the application reads, but for the id and the place of the password."""


def exported(engine: Engine, project: str = "", limits: ReadLimits = ReadLimits()) -> Exported:  # noqa: B008
    with transaction(engine) as connection:
        terms = Terms(project, limits, {}, Scopes(Rules(), {PARTNER}))
        (only,) = estate.export_all(connection, [PARTNER], "", terms)
    return only


def texts_of(result: Exported) -> dict[str, str]:
    return {written.name: written.text for written in result.files}


@pytest.mark.slow
@settings(WITH_DATABASE, max_examples=80)
@given(sayable_states())
def test_what_manifests_can_say_is_exported_and_changes_nothing(state: State) -> None:
    with memory_database() as engine:
        insert(engine, state)
        seen = fetch(engine, SEEN)
        result = exported(engine)
        assert not result.unsayable, result.unsayable
        assert not result.problems
        manifests = texts_of(result)

        estate_ = Estate(engine)
        planned = estate_.plan_accepting(manifests)
        assert not errors(planned.problems)
        assert list(differences(planned.plan.changes, "")) == []
        accepted = {
            item.guard: item.count for part in planned.plan.partners for item in part.accepted
        }
        assert accepted == {alarm.guard: alarm.count for alarm in result.alarms}
        assert accepted.keys() <= {"takeover"}

        estate_.apply(planned.plan)
        assert fetch(engine, SEEN) == seen
        assert list(estate_.plan(manifests).plan.changes) == []
        again = exported(engine)
        assert texts_of(again) == {name: _filled_in(text) for name, text in manifests.items()}
        assert again.alarms == ()


def _filled_in(text: str) -> str:
    return text.replace("  # TODO: put the password there", "")


@pytest.mark.slow
@settings(WITH_DATABASE, max_examples=80)
@given(states())
def test_whatever_is_there_what_is_written_changes_nothing(state: State) -> None:
    with memory_database() as engine:
        insert(engine, state)
        result = exported(engine)
        rows = {item.key for item in result.unsayable}
        assert rows <= _names(read_back(engine))
        if result.problems:  # of this project: they cannot be left out
            assert {item.code for item in result.problems} <= {"MBX708"}
            return
        planned = Estate(engine).plan_accepting(texts_of(result))
        assert not errors(planned.problems)
        assert list(differences(planned.plan.changes, "")) == []


def _names(state: State) -> set[tuple[str, str]]:
    links = (("link", f"{name}/{row.cnpj}") for name, rows in state.links.items() for row in rows)
    return {
        *(("company", number) for number in state.companies),
        *(("host", "/".join(key)) for key in state.hosts),
        *(("server", name) for name in state.servers),
        *links,
    }


# Advanced options


def options_of(*rows: MailServer) -> tuple[dict[str, Any], list[tuple[str, ...]]]:
    """What is written under `hosts:`, and which options each server writes itself."""
    profile = options.shared(rows, None)
    own = [options.needed(row, profile, None) for row in rows]
    given_ = profile._asdict() if profile else {}
    return {name: given_[name] for name in OPTIONS if given_.get(name) is not None}, own


GMAIL = {"host": "smtp.gmail.com", "protocol": "smtp"}


@pytest.mark.parametrize(
    ("rows", "hosts", "own"),
    [
        ([{}], {}, [()]),
        ([{"port": 587, "security": "starttls"}], {"security": "starttls"}, [()]),
        ([{"port": 2525}], {"port": 2525}, [()]),
        ([{"port": 25, "security": "tls"}], {"port": 25}, [()]),
        ([{"port": 465, "security": "starttls"}], {"port": 465, "security": "starttls"}, [()]),
        ([{"timeout": 20}, {}, {"timeout": 20}], {"timeout": 20}, [(), ("timeout",), ()]),
        ([{}, {}, {"timeout": 20}], {}, [(), (), ("timeout",)]),
        ([{"ca_file": "a"}, {}, {"ca_file": "a"}], {}, [("ca_file",), (), ("ca_file",)]),
        ([{"ca_file": "a"}, {"ca_file": "a"}], {"ca_file": "a"}, [(), ()]),
        ([{"ehlo_name": "a"}, {"ehlo_name": "a"}], {"ehlo_name": "a"}, [(), ()]),
        ([{"ehlo_name": "a"}, {"ehlo_name": "b"}], {}, [("ehlo_name",), ("ehlo_name",)]),
        ([{"verify_certificate": False}], {"verify_certificate": False}, [()]),
        ([{**GMAIL, "port": 465}], {}, [()]),
        ([{**GMAIL, "port": 587, "security": "starttls"}], {"security": "starttls"}, [()]),
    ],
)
def test_options_are_written_once_and_only_where_they_say_something(
    rows: list[dict[str, Any]], hosts: dict[str, Any], own: list[tuple[str, ...]]
) -> None:
    assert options_of(*(server("a", **fields) for fields in rows)) == (hosts, own)


def test_a_profile_of_another_program_says_what_servers_need_not() -> None:
    theirs = profile(port=587, timeout=20, project=None, file=None)
    row = server("a", port=587, security="starttls", timeout=30)
    assert options.needed(row, None, theirs) == ("timeout",)
    assert options.needed(row, theirs, None) == ("timeout",)
    assert options.shared([server("a", port=587, security="starttls", timeout=20)], theirs) is None


# The command


PARTNERS = """
    INSERT INTO partner (id) VALUES ('acme');
    INSERT INTO company (cnpj, partner, nickname, extensions, own_mailboxes, head_office)
        VALUES ('12345678000195', 'acme', 'Acme Matriz', 'document_import', true, true);
    INSERT INTO company (cnpj, partner, nickname) VALUES ('12345678000276', 'acme', 'no')
"""
SERVER = {
    "partner": PARTNER,
    "direction": "outgoing",
    "protocol": "smtp",
    "nickname": "Envio de NF-e",
    "host": "mail.acme.example",
    "port": 587,
    "security": "starttls",
    "verify_certificate": True,
    "timeout": 30,
    "username": "nfe@acme.example",
    "sender_email": "nfe@acme.example",
}
LINK = "INSERT INTO link (mail_server_id, cnpj) SELECT id, '12345678000195' FROM mail_server"
WRITTEN = """\
version: 1
partner: acme

hosts:
  mail.acme.example:
    smtp: {security: starttls}

companies:
  "12.345.678/0001-95":
    nickname: Acme Matriz
    head_office: true
    extensions: [document_import]
    own_mailboxes: true
  "12.345.678/0002-76":
    nickname: "no"

mail_servers:
  envio-de-nf-e:
    direction: outgoing
    nickname: Envio de NF-e
    host: mail.acme.example
    username: nfe@acme.example
    password: {env: ACME_ENVIO_DE_NF_E_PASSWORD}  # TODO: put the password there
    sender: {email: nfe@acme.example}
    companies:
      - "12.345.678/0001-95"
"""


def listed(folder: str) -> list[str]:
    """All that is in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())


def add(program: Program, table: str = "mail_server", **values: Any) -> None:
    """A row of another program; a server unless another table is named."""
    row = {**SERVER, **values} if table == "mail_server" else values
    names = ", ".join(f":{name}" for name in row)
    program.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({names})", **row)


@pytest.fixture
def program(database: Database) -> Iterator[Program]:
    """Another program, with a partner and two companies of its own."""
    with plain_sql(database.url) as found:
        found.script(PARTNERS)
        yield found


@pytest.mark.databases(*MAIN)
def test_a_partner_is_printed_checked_and_taken_over(cli: Cli, program: Program) -> None:
    add(program)
    program.execute(LINK)
    printed = cli("export")
    assert (printed.code, printed.out) == (0, WRITTEN)
    assert "4 are taken over" in printed.err

    done = cli("export", "--out", "partners")
    assert done.code == 0
    assert Path("partners/acme.yaml").read_text() == WRITTEN
    assert listed("partners") == ["acme.yaml"]
    assert "2 companies, 1 mail server" in done.out
    said = done.out.replace("\\\n", "").split()
    accept = said[said.index("apply") + 1 :]
    assert accept == ["partners", "--accept", "acme:takeover=4"]
    assert cli("validate", "partners").code == 0
    assert cli("plan", "partners").code == 3
    assert cli("apply", *accept, "--auto-approve").code == 0
    assert cli("plan", "partners", "--detailed-exitcode").code == 0
    assert cli("export", "--out", "again").code == 0
    assert "TODO" not in Path("again/acme.yaml").read_text()


def test_several_manifests_need_a_folder(cli: Cli, program: Program) -> None:
    add(program, company="12345678000195")
    own = cli("export")
    assert (own.code, own.out) == (1, "")
    assert "MBX711" in own.err
    add(program, "partner", id="beta")
    assert "MBX711" in cli("export").err
    assert cli("export", "--partner", "beta").out == "version: 1\npartner: beta\n"
    assert cli("export", "--partner", "gamma").code == 1
    assert cli("export", "--out", "m").code == 0
    assert {file.relative_to("m").as_posix() for file in Path("m").rglob("*.yaml")} == {
        *("acme.yaml", "acme/12345678000195.yaml", "beta.yaml")
    }


def test_nothing_is_overwritten_unasked(cli: Cli, program: Program) -> None:
    add(program, "partner", id="beta")
    Path("m").mkdir()
    Path("m/beta.yaml").write_text("mine")
    refused = cli("export", "--out", "m")
    assert refused.code == 1
    assert "MBX710" in refused.err
    assert "m/beta.yaml" in refused.err
    assert listed("m") == ["beta.yaml"]
    assert Path("m/beta.yaml").read_text() == "mine"
    assert cli("export", "--out", "m", "--force").code == 0
    assert Path("m/beta.yaml").read_text() == "version: 1\npartner: beta\n"
    Path("file").touch()
    assert cli("export", "--out", "file").code == 64
    assert "MBX526" in cli("export", "--out", "file/below").err


def test_a_folder_that_was_made_for_nothing_goes_again(cli: Cli, program: Program) -> None:
    add(program, sender_email="none")
    assert cli("export", "--out", "a/b").code == 1
    assert not Path("a").exists()


def test_partners_that_are_no_name_for_a_file(cli: Cli, program: Program) -> None:
    for name in ("con", "a.", "b", "b.yaml"):
        add(program, "partner", id=name)
        add(program, partner=name, nickname=name)
    Path("reconciler.toml").write_text('[secrets.partners.b]\nenv = ["B_*"]\n')  # not B_YAML_*
    add(program, "company", cnpj="11222333000181", partner="b", nickname="B", own_mailboxes=True)
    add(program, partner="b", username="own", company="11222333000181")
    Path("reconciler.toml").write_text('[secrets.partners.b]\nenv = ["B_*"]\n')
    assert cli("export", "--out", "m").code == 0
    assert {file.relative_to("m").as_posix() for file in Path("m").rglob("*.yaml")} == {
        *("_con_.yaml", "_a._.yaml", "acme.yaml", "b.yaml", "_b.yaml_.yaml"),
        "b/11222333000181.yaml",
    }
    assert cli("validate", "m").code == 0


def test_a_partner_that_is_no_id_is_left_out_whole(cli: Cli, program: Program) -> None:
    for name in ("../up", "Acme Ltda", "a\nb", "\x1b[31m", "x" * 64):
        add(program, "partner", id=name)
    refused = cli("export", "--out", "m")
    assert refused.code == 1
    assert "Acme Ltda" in refused.err
    assert "\x1b" not in refused.err
    done = cli("export", "--out", "m", "--skip-invalid")
    assert done.code == 0
    assert listed("m") == ["acme.yaml"]
    assert "MBX701" in done.err


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "unknown direction": ({"direction": "sideways"}, "direction"),
    "unknown protocol": ({"protocol": "nntp"}, "protocol"),
    "unfitting protocol": ({"protocol": "imap"}, "protocol"),
    "no nickname": ({"nickname": ""}, "nickname"),
    "long nickname": ({"nickname": "x" * 201}, "nickname"),
    "very long nickname": ({"nickname": "x" * 100_000}, "nickname"),
    "control character": ({"nickname": "a\x07b"}, "nickname"),
    "line end": ({"nickname": "a\nb: c"}, "nickname"),
    "turned writing": ({"nickname": "a\u202eb"}, "nickname"),
    "no text": ({"nickname": b"\xff\xfe"}, "nickname"),
    "host with a path": ({"host": "mail.acme.example/x"}, "host"),
    "host in capitals": ({"host": "Mail.Acme.Example"}, "host"),
    "no port": ({"port": None}, "port"),
    "port 0": ({"port": 0}, "port"),
    "port below 0": ({"port": -1}, "port"),
    "large port": ({"port": 65536}, "port"),
    "port in words": ({"port": "smtp"}, "port"),
    "unknown security": ({"security": "ssl"}, "security"),
    "no encryption": ({"security": "none"}, "security"),
    "no certificate": ({"verify_certificate": None}, "verify_certificate"),
    "file elsewhere": ({"ca_file": "../ca.pem"}, "ca_file"),
    "no timeout": ({"timeout": None}, "timeout"),
    "long timeout": ({"timeout": 601}, "timeout"),
    "strange greeting": ({"ehlo_name": "us them"}, "ehlo_name"),
    "unknown login": ({"auth": "kerberos"}, "auth"),
    "no username": ({"username": None}, "username"),
    "empty username": ({"username": ""}, "username"),
    "useless reference": (
        {"auth": "none", "username": None, "password_reference": "env:A"},
        "password_reference",
    ),
    "a password": ({"password_reference": "hunter2"}, "password_reference"),
    "a password that looks like a place": (
        {"password_reference": "env:hunter 2"},
        "password_reference",
    ),
    "no sender": ({"sender_email": None}, "sender_email"),
    "two senders": ({"sender_email": "a@b.example, c@d.example"}, "sender_email"),
    "address with letters": ({"reply_to": "nfe@ação.example"}, "reply_to"),
    "empty sender name": ({"sender_name": ""}, "sender_name"),
    "useless folder": ({"folder": "INBOX"}, "folder"),
    "no id": ({"stable_id": "NFe Out"}, "stable_id"),
    "id of another row": ({"stable_id": "#99"}, "stable_id"),
    "a company without permission": ({"company": "12345678000276"}, "company"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_row_that_no_manifest_can_say_is_named_with_its_field(
    cli: Cli, program: Program, case: str
) -> None:
    values, field = HOSTILE[case]
    add(program, username="other@acme.example", nickname="Other")
    add(program, **values)
    before = dump_of(program)
    refused = cli("export", "--out", "m")
    assert refused.code == 1
    assert f'"{field}"' in refused.err
    name = called(values.get("stable_id"), 2)
    assert f"acme/{name}" in refused.err
    assert "hunter" not in refused.out + refused.err
    assert ("MBX703" in refused.err) is ("a password" in case)
    assert not Path("m").exists()
    done = cli("export", "--out", "m", "--skip-invalid")
    assert done.code == 0, done.err
    assert "MBX701" in done.err
    text = Path("m/acme.yaml").read_text()
    assert "  other:\n" in text
    assert f'# left out, for no manifest can say it: mail server "{name}"\n' in text
    assert "hunter" not in text
    assert cli("validate", "m").code == 0
    assert dump_of(program) == before


def dump_of(program: Program) -> list[Any]:
    return [tuple(row) for row in program.execute("SELECT * FROM mail_server ORDER BY id")]


def test_other_rows_that_no_manifest_can_say(cli: Cli, program: Program) -> None:
    add(program)
    add(program, username="nfe@acme.example", stable_id="twice", nickname="Twice")
    add(
        program,
        direction="incoming",
        protocol="imap",
        host="in.acme.example",
        port=993,
        security="tls",
        sender_email=None,
        folder=None,
        username="folder",
    )
    add(
        program,
        direction="incoming",
        protocol="imap",
        host="in.acme.example",
        port=993,
        security="tls",
        sender_email=None,
        folder="INBOX",
        username="reads",
    )
    add(program, username="own", company="12345678000195")
    add(program, "company", cnpj="NOCNPJ00000000", partner=PARTNER, nickname="Strange")
    add(program, "company", cnpj="12345678000357", partner=PARTNER, nickname="X", head_office=True)
    add(program, "host_profile", partner=PARTNER, host="mail.acme.example", protocol="smtp", port=0)
    for number, cnpj in ((4, "12345678000276"), (5, "12345678000276"), (4, "12345678000195")):
        add(program, "link", mail_server_id=number, cnpj=cnpj)
    refused = cli("export", "--out", "m")
    assert refused.code == 1
    words = [
        'their "username": 2', "acme/#1, acme/twice", 'their "folder": 1', "acme/#3 (– → INBOX)",
        'their "head_office": 2', "12.345.678/0001-95, 12.345.678/0003-57",
        'their "port": 1', "acme/mail.acme.example/smtp",
        "acme/#4 ↔ 12.345.678/0002-76", "acme/#5 ↔ 12.345.678/0002-76",
        "NO.CNP.J00/0000-00",
    ]  # fmt: skip
    assert [word for word in words if word not in refused.err] == []
    assert cli("export", "--out", "m", "--skip-invalid").code == 0
    assert cli("validate", "m").code == 0
    planned = cli("plan", "m")
    assert "unlink" in planned.out
    assert " 0 to unlink" in planned.out


def test_rows_of_the_project_cannot_be_left_out(cli: Cli, program: Program) -> None:
    add(program, stable_id="mine", project="", file="old.yaml", sender_email="none")
    refused = cli("export", "--out", "m", "--skip-invalid")
    assert refused.code == 1
    assert "MBX708" in refused.err
    assert "acme/mine" in refused.err
    program.execute("UPDATE mail_server SET sender_email = 'a@b.example', stable_id = NULL")
    unnamed = cli("export", "--out", "m")
    assert unnamed.code == 1
    assert "acme/#1" in unnamed.err


def test_a_large_partner_gets_several_manifests(cli: Cli, program: Program) -> None:
    for number in range(40):
        add(program, nickname=f"Envio {number}", username=f"u{number}@acme.example")
    Path("reconciler.toml").write_text("[limits]\nfile_bytes = 4000\n")
    assert cli("export", "--out", "m").code == 0
    names = sorted(file.relative_to("m").as_posix() for file in Path("m").rglob("*.yaml"))
    assert names[:3] == ["acme.yaml", "acme/part-2.yaml", "acme/part-3.yaml"]
    assert all(len(file.read_bytes()) <= 4000 for file in Path("m").rglob("*.yaml"))
    assert cli("validate", "m").code == 0
    Path("reconciler.toml").write_text("[limits]\nfile_bytes = 100\n")
    assert "MBX112" in cli("export", "--out", "n").err


def test_settings_bind_a_partner_to_a_folder(cli: Cli, program: Program) -> None:
    add(program)
    Path("reconciler.toml").write_text('[paths]\nacme = ["m/acme"]\n')
    assert "MBX320" in cli("export", "--out", "m").err
    assert cli("export", "--out", "m/acme").code == 0


def test_names_are_the_same_on_every_run(cli: Cli, program: Program) -> None:
    for nickname in ("Envio", "ENVIO", "envio!", "🎉", "São  João", "x" * 100, "x" * 101):
        add(program, nickname=nickname, username=nickname)
    add(program, nickname="Envio", stable_id="envio-2", username="taken")
    add(program, "partner", id="acme-envio")
    add(program, partner="acme-envio", nickname="3", username="3")
    refused = cli("export", "--partner", PARTNER)
    assert "MBX661" in refused.err
    assert "secrets.partners.acme" in refused.err
    Path("reconciler.toml").write_text('[secrets.partners.acme]\nenv = ["ACME_*"]\n')
    first = cli("export", "--partner", PARTNER).out
    assert first == cli("export", "--partner", PARTNER).out
    names = re.findall(r"^  ([a-z0-9-]+):$", first, re.MULTILINE)
    long = ["x" * 63, "x" * 61 + "-2"]
    assert names == sorted(
        ["envio", "envio-2", "envio-3", "envio-4", "outgoing", "sao-joao", *long]
    )
    cli("export", "--out", "m")
    found = re.findall(r"\{env: (\w+)\}", "".join(f.read_text() for f in Path("m").glob("*.yaml")))
    assert len(found) == len(set(found)) == 9
    assert {"ACME_ENVIO_3_PASSWORD", "ACME_ENVIO_3_2_PASSWORD"} <= set(found)


def test_a_place_that_is_made_up_is_one_that_the_partner_may_use(
    cli: Cli, program: Program
) -> None:
    add(program, stable_id="a")
    add(program, stable_id="b", username="b", auth="oauth2", active=True)
    Path("reconciler.toml").write_text('[secrets.env]\nprefix = "MAIL_{partner}_"\n')
    text = cli("export").out
    found = re.findall(r"password: \{env: (\w+)\}  # TODO", text)
    assert found == ["MAIL_ACME_A_PASSWORD", "MAIL_ACME_B_PASSWORD"]
    assert cli("export", "--out", "m").code == 0
    assert cli("validate", "m").code == 0


def test_a_secret_of_another_partner_is_not_exported(cli: Cli, program: Program) -> None:
    add(program, stable_id="a", password_reference="env:BETA_NFE")
    add(program, stable_id="b", username="b", password_reference="env:ACME_NFE")
    refused = cli("export", "--out", "m")
    assert refused.code == 1
    assert "MBX660" in refused.err
    assert "acme/a" in refused.err
    assert "acme/b" not in refused.err
    assert "BETA_NFE" not in refused.err
    assert cli("export", "--out", "m", "--skip-invalid").code == 0
    Path("reconciler.toml").write_text('[secrets.partners.acme]\nenv = ["ACME_*", "BETA_NFE"]\n')
    assert "{env: BETA_NFE}" in cli("export").out


def test_a_new_database_has_nothing_to_export(new_cli: Cli) -> None:
    assert "MBX541" in new_cli("export").err


def test_a_row_that_is_called_like_another_is_not_lost(cli: Cli, program: Program) -> None:
    add(program, stable_id="a")
    add(program, stable_id=b"a", username="second")
    done = cli("export", "--skip-invalid")
    assert (done.code, done.out) == (1, "")
    assert "MBX712" in done.err
    assert "acme/a" in done.err


def test_what_is_left_to_others_is_exported_too(cli: Cli, program: Program) -> None:
    add(program, stable_id="a", ignore_changes="active timeout", timeout=7, project="old")
    text = cli("export").out
    assert "    ignore_changes: {fields: [active, timeout], reason: the database said so}\n" in text
    Path("reconciler.toml").write_text('project = "mine"\n')
    assert cli("export", "--out", "m", "--settings", "reconciler.toml").code == 0
    assert "takeover=" in cli("plan", "m").out
