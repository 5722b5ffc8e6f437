"""`test`: which mailboxes it tests, with what, what it says and keeps, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.database.engine import transaction
from reconciler.model.cnpj import masked
from tests.probes.protocols.test_oauth import APPLICATION, TOKEN, Endpoint, Xoauth2
from tests.support.estates import (
    Cli,
    Ran,
    cnpj,
    companies,
    dump,
    execute,
    incoming,
    manifest,
    opened,
    outgoing,
    query,
    write,
)
from tests.support.mailservers import Script, imap, listening, pop3, smtp
from tests.support.servers import MAIN

ONE, TWO, THREE = cnpj(1), cnpj(2), cnpj(3)
MARK = "hunter2-MARKED-password"
pytestmark = pytest.mark.databases("sqlite")
everywhere = pytest.mark.databases(*MAIN)


class Office:
    """Mail servers on this machine, and manifests that name them."""

    def __init__(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cli = cli
        self.smtp, self.imap, self.pop3 = smtp(), imap(), pop3()
        self.refusing = smtp(AUTH="535 5.7.8 Error: authentication failed")
        self._ports: dict[int, int] = {}
        monkeypatch.setenv("ACME_PASSWORD", MARK)

    @property
    def scripts(self) -> tuple[Script, ...]:
        return (self.smtp, self.imap, self.pop3, self.refusing)

    def opened(self, ports: list[int]) -> Office:
        self._ports = {id(one): port for one, port in zip(self.scripts, ports, strict=True)}
        Path("reconciler.toml").write_text(
            '[probes]\nnetworks = ["127.0.0.0/8"]\npatience = 0\n'
            f"ports = {ports}\nrecipients = ['@allowed.example']\n"
        )
        return self

    def port(self, script: Script) -> int:
        return self._ports[id(script)]

    def out(self, name: str, script: Script | None = None, **keys: Any) -> dict[str, Any]:
        return outgoing(name, **{**self._where(script or self.smtp), **keys})

    def read(self, name: str, script: Script | None = None, **keys: Any) -> dict[str, Any]:
        return incoming(name, **{**self._where(script or self.imap), **keys})

    def _where(self, script: Script) -> dict[str, Any]:
        security = {"host": "127.0.0.1", "port": self.port(script), "security": "none"}
        return {**security, "password": {"env": "ACME_PASSWORD"}}

    def apply(self, partner: str = "acme", /, **servers: dict[str, Any]) -> None:
        known = companies(ONE, TWO, THREE, extensions=["document_import"])
        content = manifest(partner, companies=known if partner == "acme" else {})
        write(Path("m"), {f"{partner}.yaml": {**content, "mail_servers": servers}})
        said = self.cli("apply", f"m/{partner}.yaml", "--auto-approve")
        assert said.code == 0, said.err

    def usual(self) -> None:
        """One that sends, one that is read, one that is refused and one that is switched off."""
        self.apply(
            out=self.out("out", companies=[masked(ONE)]),
            read=self.read("read", companies=[masked(ONE)]),
            bad=self.out("bad", self.refusing, companies=[masked(TWO)]),
            off=self.out("off", active=False),
        )

    def tested(self, *arguments: str, code: int = 0) -> list[str]:
        """The servers that a run has tested."""
        said = self.cli("test", "--format", "json", *arguments)
        assert said.code == code, said.err + said.out
        return sorted(name for item in results(said) for name in item["servers"])


def results(said: Ran) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(said.out)["results"]
    return found


@pytest.fixture
def office(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    made = Office(cli, monkeypatch)
    with listening(*made.scripts) as ports:
        yield made.opened(ports)


# What is said


def test_each_is_tested_and_told_with_every_step(office: Office) -> None:
    office.usual()
    said = office.cli("test")
    assert said.code == 6
    assert "ok  acme/out  out@acme.example smtp 127.0.0.1" in said.out
    for step in ("connection", "greeting", "login", "sender", "recipient", "message"):
        assert f"    {step} 0.0" in said.out
    assert "ok  acme/read  read@acme.example imap 127.0.0.1" in said.out
    assert "    folder 0.0" in said.out
    assert "FAILED  acme/bad  bad@acme.example smtp 127.0.0.1" in said.out
    assert "  MBX775 (login): 127.0.0.1 refuses username or password" in said.out
    assert "    the server says: 535 5.7.8 Error: authentication failed" in said.out
    assert "    fix: Check first whether" in said.out
    assert said.out.endswith("\n2 mailboxes ok, 1 failed, 0 not tested\n")
    assert said.err == ""
    assert office.refusing.words().count("AUTH") == 1
    assert "EXAMINE" in office.imap.words()
    assert not {"FETCH", "STORE", "SELECT"} & set(office.imap.words())


def test_nothing_failed_is_0_and_not_tested_is_said(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.apply(out=office.out("out"), read=office.read("read"))
    assert office.cli("test").code == 0
    monkeypatch.delenv("ACME_PASSWORD")
    heard = len(office.smtp.heard)
    said = office.cli("test", "--server", "out")
    assert said.code == 0
    assert "not tested  acme/out" in said.out
    assert "MBX829" in said.out
    assert 'because of MBX675: there is no "ACME_PASSWORD" in the store "env".' in said.out
    assert "0 mailboxes ok, 0 failed, 1 not tested" in said.out
    assert len(office.smtp.heard) == heard
    assert office.smtp.connections == 1


def point(partner: str, reference: str) -> None:
    """Let another program say where the passwords of a partner are."""
    with opened(os.environ["RECONCILER_DATABASE_URL"]) as engine, transaction(engine) as connection:
        connection.exec_driver_sql(
            f"UPDATE mail_server SET password_reference = '{reference}' WHERE partner = '{partner}'"
        )


def test_another_partners_secret_is_not_read(office: Office, monkeypatch: Any) -> None:
    monkeypatch.setenv("BETA_PASSWORD", MARK)
    office.apply(out=office.out("out", password={"env": "ACME_PASSWORD"}))
    point("acme", "env:BETA_PASSWORD")
    said = office.cli("test")
    assert (said.code, "MBX660" in said.out) == (0, True)
    assert office.smtp.connections == 0


# Which


@everywhere
def test_which_are_tested(office: Office) -> None:
    office.usual()
    office.apply("beta", mine=office.out("mine", password={"env": "BETA_PASSWORD"}))
    everything = ["acme/bad", "acme/out", "acme/read", "beta/mine"]
    assert office.tested(code=6) == everything
    assert office.tested("--inactive", code=6) == sorted([*everything, "acme/off"])
    assert office.tested("--partner", "beta") == ["beta/mine"]
    assert office.tested("--server", "off") == ["acme/off"]
    assert office.tested("--server", "acme/out", "--server", "mine") == ["acme/out", "beta/mine"]
    assert office.tested("--server", "out", "--partner", "beta") == ["acme/out", "beta/mine"]
    assert office.tested("--cnpj", masked(TWO), code=6) == ["acme/bad"]
    assert office.tested("--company", "ACM", code=6) == ["acme/bad", "acme/out", "acme/read"]
    assert office.tested("--company", "nobody") == []
    assert office.tested("--failed-last-time", code=6) == ["acme/bad"]
    assert office.tested("--failed-last-time", "--partner", "beta") == []


def test_an_unknown_name_is_an_error(office: Office) -> None:
    office.usual()
    said = office.cli("test", "--partner", "acmee")
    assert (said.code, "MBX606" in said.err, '"acme"' in said.err) == (1, True, True)
    said = office.cli("test", "--server", "nothing", "--server", "acme/none")
    assert (said.code, said.err.count("MBX615")) == (1, 2)
    assert office.smtp.connections == 0


@everywhere
def test_what_a_saved_plan_changes(office: Office) -> None:
    office.usual()
    changed = {
        "out": office.out("out", nickname="Another", companies=[masked(ONE)]),
        "read": office.read("read", companies=[masked(ONE), masked(TWO)]),
        "bad": office.out("bad", office.refusing, companies=[masked(TWO)]),
        "off": office.out("off", active=False),
    }
    known = companies(ONE, TWO, THREE, extensions=["document_import"])
    write(Path("m"), {"acme.yaml": manifest(companies=known, mail_servers=changed)})
    assert office.cli("plan", "m", "-o", "plan.json").code == 0
    assert office.tested("--changed-in", "plan.json") == ["acme/out", "acme/read"]
    assert office.cli("test", "--changed-in", "nowhere.json").code == 1


@everywhere
def test_a_mailbox_that_several_share_is_tested_once(office: Office) -> None:
    shared: Any = {"username": "same@acme.example", "sender": {"email": "same@acme.example"}}
    office.apply(one=office.out("one", **shared))
    office.apply("beta", two=office.out("two", **{**shared, "auth": "none", "password": None}))
    assert office.tested() == ["acme/one", "beta/two"]
    execute("UPDATE mail_server SET auth = 'none', password_reference = NULL")
    before = office.smtp.connections
    said = office.cli("test", "--format", "json")
    assert [item["servers"] for item in results(said)] == [["acme/one", "beta/two"]]
    assert office.smtp.connections == before + 1
    assert len(query("SELECT * FROM probe_result WHERE verdict = 'passed'")) == 2


def test_a_new_database_has_nothing_to_test(new_cli: Cli) -> None:
    said = new_cli("test")
    assert (said.code, "The database is new" in said.err) == (0, True)


# How far, and to whom


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("connect", []),
        ("tls", ["EHLO", "QUIT"]),
        ("login", ["EHLO", "AUTH", "QUIT"]),
        ("sender", ["EHLO", "AUTH", "MAIL", "RCPT", "QUIT"]),
    ],
)
def test_levels(office: Office, level: str, words: list[str]) -> None:
    office.apply(out=office.out("out"))
    assert office.cli("test", "--level", level).code == 0
    assert [word for word in office.smtp.words() if word != "RSET"] == words
    assert query("SELECT level FROM probe_result") == [(level,)]


def test_to_whom_it_writes(office: Office) -> None:
    office.apply(out=office.out("out", companies=[masked(ONE)]))
    assert office.cli("test", "--to", "me@allowed.example").code == 0
    assert any("RCPT TO:<me@allowed.example>" in line for line in office.smtp.heard)
    said = office.cli("test", "--to", "me@elsewhere.example")
    assert (said.code, "MBX823" in said.out) == (0, True)
    assert not any("elsewhere" in line for line in office.smtp.heard)
    assert office.cli("test", "--to", "nobody").code == 64


@everywhere
def test_a_company_is_written_to_where_nobody_may_write_to_itself(office: Office) -> None:
    settings = Path("reconciler.toml").read_text()
    Path("reconciler.toml").write_text(settings + 'not_to_itself = ["127.0.0.1"]\n')
    office.apply(out=office.out("out", companies=[masked(ONE)]))
    assert "MBX823" in office.cli("test").out
    execute("UPDATE company SET notification_email = 'fiscal@allowed.example'")
    assert office.cli("test").code == 0
    assert any("RCPT TO:<fiscal@allowed.example>" in line for line in office.smtp.heard)


@everywhere
def test_a_round_trip_looks_into_the_mailbox_of_the_same_company(office: Office) -> None:
    """The one that gets what is written to the sender goes before others."""
    office.apply(
        out=office.out("out", companies=[masked(ONE)]),
        xml=office.read("xml", companies=[masked(ONE)]),
        back=office.read("back", username="out@acme.example", companies=[masked(ONE)]),
        stale=office.read("stale", companies=[masked(ONE)], active=False),
    )
    said = office.cli("test", "--round-trip", "--server", "out", "--format", "json")
    (result,) = results(said)
    assert (said.code, result["steps"][-1]["name"]) == (0, "round-trip")
    assert any("RCPT TO:<out@acme.example>" in line for line in office.smtp.heard)
    assert "SEARCH" in office.imap.words()
    assert office.imap.connections == 1


@everywhere
def test_a_round_trip_goes_to_another_mailbox_only_if_that_is_allowed(office: Office) -> None:
    office.apply(
        out=office.out("out", companies=[masked(ONE)]),
        xml=office.read("xml", username="xml@allowed.example", companies=[masked(ONE)]),
        lone=office.out("lone", companies=[masked(THREE)]),
        far=office.out("far", companies=[masked(TWO)]),
        other=office.read("other", companies=[masked(TWO)]),
    )
    said = office.cli("test", "--round-trip", "--partner", "acme", "--format", "json")
    found = {
        item["servers"][0]: item["failure"] and item["failure"]["code"] for item in results(said)
    }
    assert said.code == 0
    assert found == {
        "acme/out": None,
        "acme/lone": "MBX840",
        "acme/far": "MBX823",
        "acme/xml": None,
        "acme/other": None,
    }
    recipients = [line for line in office.smtp.heard if line.startswith("RCPT")]
    assert recipients == ["RCPT TO:<xml@allowed.example>"]


def test_everything_goes_to_the_sink(office: Office) -> None:
    sink = smtp()
    office.apply(out=office.out("out"), read=office.read("read"))
    with listening(sink) as (port,):
        assert office.cli("test", "--sink", f"127.0.0.1:{port}", "--server", "out").code == 0
    assert [word for word in sink.words() if word in ("AUTH", "MAIL", "DATA")] == ["MAIL", "DATA"]
    assert office.smtp.connections == 0
    assert query("SELECT * FROM probe_result") == []
    assert office.cli("test", "--sink", "nowhere").code == 64


# What is kept


@everywhere
def test_results_are_kept_and_shown(office: Office) -> None:
    office.usual()
    office.cli("test")
    rows = query("SELECT verdict, level, code, step FROM probe_result ORDER BY verdict, level")
    assert rows == [
        ("failed", "send", "MBX775", "login"),
        ("passed", "send", None, None),
        ("passed", "send", None, None),
    ]
    assert "FAILED MBX775 since 2" in office.cli("list", "--failed").out
    assert "reconciler explain MBX775" in office.cli("show", "acme/bad").out


def test_a_database_that_takes_no_verdicts_does_not_stop_a_run(office: Office) -> None:
    office.usual()
    execute(
        "DROP TABLE probe_result; CREATE VIEW probe_result AS SELECT 1 AS mail_server_id,"
        " NULL AS verdict, NULL AS level, NULL AS code, NULL AS step, NULL AS line,"
        " NULL AS tried_at, NULL AS since"
    )
    said = office.cli("test")
    assert said.code == 1
    assert "2 mailboxes ok, 1 failed" in said.out
    assert "MBX539" in said.err


# Forms


def test_every_form_and_a_file(office: Office) -> None:
    office.usual()
    for form in ("text", "json", "junit", "markdown"):
        printed = office.cli("test", "--format", form)
        assert printed.code == 6
        said = office.cli("test", "--format", form, "-o", f"found.{form}")
        assert (said.code, said.out) == (6, "")
        assert "2 mailboxes ok, 1 failed, 0 not tested" in said.err
        assert "3/3  " in said.err
        written = Path(f"found.{form}").read_text()
        assert "MBX775" in written
        assert "MBX775" in printed.out
    assert ET.parse("found.junit").getroot().get("failures") == "1"
    assert json.loads(Path("found.json").read_text())["summary"]["failed"] == 1
    assert not list(Path().glob(".found*"))
    said = office.cli("test", "-o", "no/such/folder.txt")
    assert (said.code, "MBX855" in said.err) == (1, True)


@pytest.mark.parametrize("ci", [False, True])
def test_a_terminal_gets_a_bar_and_a_pipeline_lines(
    office: Office, tmp_path: Path, *, ci: bool
) -> None:
    office.usual()
    terminal, stderr = os.openpty()
    program = [sys.executable, "-m", "reconciler", "test", "--format", "json", "-o", "found.json"]
    environment = {**os.environ, "TERM": "xterm", **({"CI": "true"} if ci else {})}
    subprocess.run(program, cwd=tmp_path, env=environment, stderr=stderr, check=False)
    os.close(stderr)
    said = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert ("█" in said, "ok  acme/out" in said) == (not ci, ci)
    assert "3/3" in said
    assert "2 mailboxes ok, 1 failed, 0 not tested" in said.splitlines()[-1]


# Shards


def without_times(item: dict[str, Any]) -> dict[str, Any]:
    steps = [(step["name"], {**step["facts"], "token": ""}) for step in item["steps"]]
    return {**item, "steps": steps, "seconds": 0, "at": ""}


def test_shards_join_to_the_whole(office: Office) -> None:
    servers: Any = {f"box-{number}": office.out(f"box-{number}") for number in range(40)}
    office.apply(**servers, bad=office.out("bad", office.refusing))
    counts = []
    for number in (1, 2, 3):
        name = f"shard-{number}.json"
        office.cli("test", "--shard", f"{number}/3", "--format", "json", "-o", name)
        counts.append(len(json.loads(Path(name).read_text())["results"]))
    assert sum(counts) == 41
    assert all(counts)
    assert office.cli("test", "--format", "json", "-o", "whole.json").code == 6
    parts = [f"shard-{number}.json" for number in (3, 1, 2)]
    joined = office.cli("test", "merge", *parts, "--format", "json")
    whole = office.cli("test", "merge", "whole.json", "--format", "json")
    assert (joined.code, whole.code) == (6, 6)
    assert list(map(without_times, results(joined))) == list(map(without_times, results(whole)))
    assert json.loads(joined.out)["summary"] == json.loads(whole.out)["summary"]
    assert "40 mailboxes ok, 1 failed" in office.cli("test", "merge", *parts).out
    for given in (parts[:2], [*parts, parts[0]], [*parts, "whole.json"]):
        assert office.cli("test", "merge", *given).code == 1


@pytest.mark.parametrize(
    "text", ["{}", "[", '{"format_version": "1.0"}', "[" * 100_000, "\x00", '{"format_version":9}']
)
def test_what_is_no_file_of_results(cli: Cli, text: str) -> None:
    Path("x.json").write_text(text)
    said = cli("test", "merge", "x.json")
    assert (said.code, "MBX850" in said.err) == (1, True)
    assert cli("test", "merge", "nowhere.json").code == 1


def test_a_code_that_nobody_knows_is_no_result(office: Office) -> None:
    office.apply(bad=office.out("bad", office.refusing))
    office.cli("test", "--format", "json", "-o", "x.json")
    text = Path("x.json").read_text()
    Path("x.json").write_text(text.replace("MBX775", "MBX000"))
    assert "MBX850" in office.cli("test", "merge", "x.json").err


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"])
def test_shards_that_make_no_sense(cli: Cli, shard: str) -> None:
    assert cli("test", "--shard", shard).code == 64
    assert cli("test", "--partner", "x", "merge", "f.json").code == 64
    assert cli("test", "nonsense").code == 64


# Secrets


def test_a_password_is_nowhere(office: Office) -> None:
    """Not in what is said, in any form; not in any file, nor in the database."""
    from base64 import b64encode

    tell = f"535 5.7.8 no: {MARK} {b64encode(MARK.encode()).decode()}"
    office.refusing.answers = {**office.refusing.answers, "AUTH": tell}
    office.smtp.answers = {**office.smtp.answers, ".": f"250 2.0.0 queued for {MARK}"}
    office.usual()
    said = ""
    for form in ("text", "json", "junit", "markdown"):
        for more in ((), ("-o", f"found.{form}")):
            ran = office.cli("test", "--steps", "--format", form, *more)
            assert ran.code == 6
            said += ran.out + ran.err
    said += office.cli("show", "acme/bad").out
    said += "".join(file.read_text() for file in Path().glob("found.*"))
    said += repr(dump(os.environ["RECONCILER_DATABASE_URL"]))
    for database in Path().rglob("*.db*"):
        said += database.read_bytes().decode(errors="replace")
    assert "535 5.7.8 no: ***" in said
    for form in (MARK, b64encode(MARK.encode()).decode(), MARK.encode().hex()):
        assert form not in said


def test_a_secret_out_of_bounds_has_no_part_in_another_ones_verdict(office: Office) -> None:
    shared: Any = {"username": "same@acme.example", "sender": {"email": "same@acme.example"}}
    office.apply(one=office.out("one", **shared))
    own = {"env": "BETA_PASSWORD"}
    office.apply("beta", two=office.out("two", **shared, password=own))
    point("beta", "env:ACME_PASSWORD")
    said = office.cli("test", "--format", "json")
    found = {item["servers"][0]: item["outcome"] for item in results(said)}
    assert found == {"acme/one": "passed", "beta/two": "not-tested"}


def test_a_token_instead_of_a_password(office: Office, tmp_path: Path) -> None:
    """The credential is a document over several lines, as providers hand it out."""
    endpoint, server = Endpoint(), Xoauth2("imap")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "acme-oauth").write_text(json.dumps(APPLICATION, indent=2) + "\n")
    with listening(endpoint, server) as (tokens, port):
        Path("reconciler.toml").write_text(
            f'[secrets.file]\nfolder = "{tmp_path}/secrets"\n'
            f'[probes]\nnetworks = ["127.0.0.0/8"]\nports = [{port}]\n'
            f'[probes.token_urls]\nmicrosoft = "http://127.0.0.1:{tokens}/token"\n'
        )
        how: Any = {
            "auth": "oauth2",
            "username": "nfe@acme.test",
            "password": {"file": "acme-oauth"},
        }
        office.apply(box=office.read("box", port=port, **how))
        said = office.cli("test", "--steps")
    assert said.code == 0, said.out
    assert "XOAUTH2" in said.out
    assert endpoint.forms[0]["client_id"] == APPLICATION["client_id"]
    assert TOKEN not in said.out + repr(dump(os.environ["RECONCILER_DATABASE_URL"]))


# How it ends


@pytest.mark.slow
def test_a_deadline_ends_it_and_the_rest_is_not_tested(office: Office) -> None:
    office.refusing.answers = {**office.refusing.answers, "EHLO": "250-and so on"}
    office.apply(bad=office.out("bad", office.refusing, timeout="30s"), out=office.out("out"))
    said = office.cli("test", "--deadline", "2", "--format", "json")
    assert said.code == 0, said.out
    codes = {
        item["servers"][0]: item["failure"] and item["failure"]["code"] for item in results(said)
    }
    assert codes == {"acme/bad": "MBX854", "acme/out": None}
    assert ("not-tested", "MBX854") in query("SELECT verdict, code FROM probe_result")


def test_ctrl_c_ends_it_with_what_is_known(office: Office, tmp_path: Path) -> None:
    import signal
    import time

    office.refusing.answers = {**office.refusing.answers, "EHLO": "250-slow"}
    office.apply(bad=office.out("bad", office.refusing, timeout="60s"), out=office.out("out"))
    # A shell lets what it runs in the background ignore the signal; a terminal does not.
    listens = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program = [sys.executable, "-c", f"{listens}from reconciler.cli import main; main()"]
    with subprocess.Popen(
        [*program, "test", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
    ) as running:
        try:
            until = time.monotonic() + 30
            while not (office.smtp.words()[-1:] == ["QUIT"] and office.refusing.connections):
                assert time.monotonic() < until
                time.sleep(0.02)
            time.sleep(0.2)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=20)
        finally:
            running.kill()
    assert running.returncode == 130, err
    assert [item["servers"] for item in json.loads(out)["results"]] == [["acme/out"]]
    assert "1 mail server was not finished." in err
    Path("part.json").write_text(out)
    merged = office.cli("test", "merge", "part.json")
    assert (merged.code, "MBX851" in merged.err) == (1, True)
    assert query("SELECT verdict FROM probe_result") == [("passed",)]
