"""`apply --verify`: what is tested before a plan is applied, and what becomes of the plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.cnpj import masked
from reconciler.secrets.keyring import generate
from tests.cli.test_test import MARK, ONE, TWO, Office
from tests.support.estates import Cli, Ran, companies, manifest, query, write
from tests.support.mailservers import listening, smtp
from tests.support.servers import MAIN

pytestmark = pytest.mark.databases("sqlite")
ACTIVE = "SELECT partner, stable_id, active FROM mail_server ORDER BY partner, stable_id"


@pytest.fixture
def office(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    made = Office(cli, monkeypatch)
    monkeypatch.setenv("BETA_PASSWORD", MARK)
    with listening(*made.scripts) as ports:
        yield made.opened(ports)


def given(**servers: dict[str, Any]) -> None:
    known = companies(ONE, TWO, extensions=["document_import"])
    write(Path("m"), {"acme.yaml": manifest(companies=known, mail_servers=servers)})


def beside(office: Office) -> None:
    """Another partner, whose only server is in order."""
    server = office.out("mine", password={"env": "BETA_PASSWORD"})
    write(Path("m"), {"beta.yaml": manifest("beta", mail_servers={"mine": server})})


def applied(office: Office, *arguments: str) -> Ran:
    return office.cli("apply", "m", "--auto-approve", *arguments)


@pytest.mark.databases(*MAIN)
def test_all_in_order_is_applied(office: Office) -> None:
    given(out=office.out("out"), read=office.read("read"))
    said = applied(office, "--verify")
    assert said.code == 0
    assert "Testing 2 mail servers" in said.out
    assert "2 mailboxes ok, 0 failed" in said.out
    assert "Applied as revision 1" in said.out
    assert office.smtp.words().count("AUTH") == 1
    assert "MAIL" not in office.smtp.words()
    assert query("SELECT verdict, level FROM probe_result") == [("passed", "login")] * 2


def test_a_failure_refuses_its_partner_alone(office: Office) -> None:
    given(out=office.out("out"), bad=office.out("bad", office.refusing))
    beside(office)
    said = applied(office, "--verify")
    assert said.code == 6
    assert "MBX775" in said.out
    assert "MBX857" in said.err
    assert "acme/bad" in said.err
    assert query(ACTIVE) == [("beta", "mine", 1)]
    assert office.cli("plan", "m", "--detailed-exitcode").code == 2


def test_nothing_is_left_to_apply(office: Office) -> None:
    given(bad=office.out("bad", office.refusing))
    said = applied(office, "--verify")
    assert (said.code, query(ACTIVE)) == (6, [])
    assert "Applied" not in said.out


def test_without_it_nobody_is_tested(office: Office) -> None:
    given(bad=office.out("bad", office.refusing))
    assert applied(office).code == 0
    assert office.refusing.connections == 0


@pytest.mark.parametrize("level", ["connect", "tls", "login", "sender", "send"])
def test_levels(office: Office, level: str) -> None:
    given(out=office.out("out"))
    assert applied(office, f"--verify={level}").code == 0
    assert ("DATA" in office.smtp.words()) == (level == "send")
    assert ("AUTH" in office.smtp.words()) == (level not in ("connect", "tls"))
    assert query("SELECT level FROM probe_result") == [(level,)]


def test_only_what_matters_is_tested(office: Office) -> None:
    """What is created, activated or changed for connecting, and will be active."""
    off: Any = {"active": False}
    given(
        a=office.out("a"), b=office.out("b"), c=office.out("c", **off), d=office.out("d", **off),
        e=office.out("e"), f=office.out("f"),
    )  # fmt: skip
    assert applied(office).code == 0
    given(
        a=office.out("a", nickname="Another"),
        b=office.out("b", timeout="20s"),
        c=office.out("c"),
        d=office.out("d", timeout="20s", **off),
        e=office.out("e", timeout="20s", **off),
        f=office.out("f", companies=[masked(ONE)]),
        g=office.out("g"),
    )
    said = applied(office, "--verify", "--accept", "acme:orphaned-company=1")
    assert said.code == 0, said.err
    tested = {line.split()[1] for line in said.out.splitlines() if line.startswith("ok  ")}
    assert tested == {"acme/b", "acme/c", "acme/g"}


@pytest.mark.databases(*MAIN)
def test_failing_ones_can_be_applied_inactive(office: Office) -> None:
    given(out=office.out("out", companies=[masked(ONE)]), bad=office.out("bad", office.refusing))
    said = applied(office, "--verify", "--on-failure", "deactivate")
    assert said.code == 6
    assert "acme/bad becomes inactive, as its test failed" in said.err
    assert "active: false" in said.out
    assert query(ACTIVE) == [("acme", "bad", False), ("acme", "out", True)]
    again = office.cli("plan", "m", "--detailed-exitcode")
    assert (again.code, "active: false → true" in again.out) == (2, True)


def test_an_activation_that_fails_is_no_change(office: Office) -> None:
    given(bad=office.out("bad", office.refusing, active=False))
    assert applied(office).code == 0
    given(bad=office.out("bad", office.refusing))
    said = applied(office, "--verify", "--on-failure", "deactivate")
    assert (said.code, query(ACTIVE)) == (6, [("acme", "bad", 0)])
    assert query("SELECT count(*) FROM revision") == [(1,)]


def test_deactivating_is_subject_to_the_guards(office: Office) -> None:
    """A company would lose its last server: refused, unless that is accepted."""
    given(out=office.out("out", companies=[masked(ONE)]))
    beside(office)
    assert applied(office).code == 0
    given(out=office.out("out", office.refusing, companies=[masked(ONE)]))
    moved = ("--verify", "--on-failure", "deactivate")
    said = applied(office, *moved)
    assert (said.code, "MBX507" in said.out) == (3, True)
    assert query(ACTIVE) == [("acme", "out", 1), ("beta", "mine", 1)]
    accepted = applied(office, *moved, "--accept", "acme:orphaned-company=1")
    assert accepted.code == 6, accepted.out + accepted.err
    assert query(ACTIVE)[0] == ("acme", "out", 0)
    assert query("SELECT guard FROM revision_acceptance") == [("orphaned-company",)]


def test_a_password_does_not_go_where_nobody_has_accepted(office: Office) -> None:
    given(out=office.out("out"))
    assert applied(office).code == 0
    thief = smtp()
    with listening(thief) as (port,):
        Path("reconciler.toml").write_text(
            f'[probes]\nnetworks = ["127.0.0.0/8"]\nports = [{port}]\n'
        )
        given(out=office.out("out", host="127.0.0.9", port=port))
        said = applied(office, "--verify")
        assert (said.code, "MBX509" in said.out) == (3, True)
    assert thief.connections == 0


def test_what_cannot_be_tested_is_said_and_applied(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(out=office.out("out"))
    monkeypatch.delenv("ACME_PASSWORD")
    said = applied(office, "--verify")
    assert said.code == 0
    assert "not tested  acme/out" in said.out
    assert "MBX829" in said.out
    assert office.smtp.connections == 0


def test_a_mailbox_that_partners_share_is_tested_once(office: Office) -> None:
    shared: Any = {"username": "same@acme.example", "sender": {"email": "same@acme.example"}}
    shared |= {"auth": "none", "password": None}
    given(one=office.out("one", office.refusing, **shared))
    two = office.out("two", office.refusing, **shared)
    write(Path("m"), {"beta.yaml": manifest("beta", mail_servers={"two": two})})
    office.refusing.answers = {**office.refusing.answers, "EHLO": "550 5.7.1 no"}
    said = applied(office, "--verify")
    assert (said.code, query(ACTIVE)) == (6, [])
    assert office.refusing.connections == 1
    assert said.err.count("MBX857") == 2


def test_a_saved_plan_is_tested_too(office: Office) -> None:
    given(out=office.out("out"), bad=office.out("bad", office.refusing))
    beside(office)
    assert office.cli("plan", "m", "-o", "plan.json").code == 0
    said = office.cli("apply", "plan.json", "--auto-approve", "--verify")
    assert said.code == 6
    assert query(ACTIVE) == [("beta", "mine", 1)]


def test_a_saved_plan_that_no_longer_fits_tests_nobody(office: Office) -> None:
    given(out=office.out("out"))
    assert office.cli("plan", "m", "-o", "plan.json").code == 0
    given(out=office.out("out", nickname="Another"))
    assert applied(office).code == 0
    said = office.cli("apply", "plan.json", "--auto-approve", "--verify")
    assert said.code == 4
    assert office.smtp.connections == 0


def test_a_fact_of_what_was_not_applied_is_not_kept(office: Office) -> None:
    given(out=office.out("out"), bad=office.out("bad", office.refusing))
    beside(office)
    for how in ("refuse", "deactivate"):
        assert applied(office, "--verify", "--on-failure", how).code == 6
        assert [row for row in query("SELECT partner FROM unchanged") if row == ("acme",)] == []
        assert office.cli("plan", "m", "--detailed-exitcode").code == 2


def test_a_new_database(new_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Office(new_cli, monkeypatch)
    with listening(*made.scripts) as ports:
        office = made.opened(ports)
        given(out=office.out("out"))
        assert applied(office, "--verify").code == 0
    assert query("SELECT verdict FROM probe_result") == [("passed",)]


def test_no_secret_is_in_what_it_says(office: Office) -> None:
    office.refusing.answers = {**office.refusing.answers, "AUTH": f"535 5.7.8 no: {MARK}"}
    given(bad=office.out("bad", office.refusing))
    said = applied(office, "--verify", "--on-failure", "deactivate")
    assert "535 5.7.8 no: ***" in said.out
    assert MARK not in said.out + said.err
    assert MARK not in json.dumps(query("SELECT line FROM probe_result"))


@pytest.fixture
def sealing(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A mailbox whose password is sealed, and then another one that its server refuses."""
    monkeypatch.setenv("RECONCILER_KEYS", generate().entry())
    given(out=office.out("out"))
    assert applied(office, "--verify").code == 0
    monkeypatch.setenv("ACME_PASSWORD", "another")
    office.smtp.answers = {**office.smtp.answers, "AUTH": "535 5.7.8 authentication failed"}
    return office


KEPT = "SELECT active, password_fingerprint FROM mail_server"


def test_a_password_that_only_changed_is_tested_before_it_is_sealed(sealing: Office) -> None:
    before = query(KEPT)
    said = applied(sealing, "--verify")
    assert (said.code, "MBX857" in said.err) == (6, True)
    assert query(KEPT) == before
    assert applied(sealing).code == 0
    assert query(KEPT) != before


def test_a_mailbox_whose_new_password_fails_can_be_switched_off(sealing: Office) -> None:
    ((_active, before),) = query(KEPT)
    said = applied(sealing, "--verify", "--on-failure", "deactivate")
    assert said.code == 6
    ((active, after),) = query(KEPT)
    assert not active
    assert after != before
    assert "MBX858" in said.err
