"""Real servers: Postfix and Dovecot, with TLS and SASL, wherever they are installed."""

from __future__ import annotations

import asyncio
import imaplib
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from benchmarks import maillab
from benchmarks.maillab import DOMAIN, HOST, PASSWORDS, Lab
from reconciler.probes.policy import Pace
from reconciler.probes.results import Level, ProbeOutcome, ProbeResult
from reconciler.probes.schedule import Prober
from reconciler.probes.target import Target
from tests.conftest import REQUIRED
from tests.support.mailservers import SERVER, look_up, loopback, secret

pytestmark = pytest.mark.skipif(
    not maillab.is_possible() and not REQUIRED, reason="needs Postfix, Dovecot and root"
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with maillab.running(HOST) as found:
        yield found


def mailbox(lab: Lab, port: str, name: str = "nfe", **changes: Any) -> Target:
    protocol = "imap" if "imap" in port else "pop3" if "pop3" in port else "smtp"
    security = "tls" if port in ("submissions", "imaps", "pop3s") else "starttls"
    address = f"{name}@{DOMAIN}"
    server = SERVER._replace(
        protocol=protocol,
        direction="outgoing" if protocol == "smtp" else "incoming",
        host=HOST,
        port=lab.ports[port],
        security=security,
        username=address,
        sender_email=address,
    )
    own = {key: changes.pop(key) for key in list(changes) if key in Target._fields}
    known = Target(
        server._replace(**changes), (f"acme/{name}",), Level.SEND, secret(PASSWORDS[name])
    )
    return known._replace(**own)


def probed(lab: Lab, wanted: Target, pace: Pace | None = None) -> ProbeResult:
    found = Prober(loopback(lab.folder), pace or Pace(attempts=1), look_up=look_up)
    return asyncio.run(found.probe(wanted))


def steps(result: ProbeResult) -> list[str]:
    return [step.name for step in result.steps]


def failed(result: ProbeResult) -> tuple[str, str]:
    assert result.diagnosis is not None
    return result.diagnosis.code, result.diagnosis.step


@pytest.mark.parametrize("port", ["submission", "submissions"])
def test_sending(lab: Lab, port: str) -> None:
    result = probed(lab, mailbox(lab, port))
    assert result.diagnosis is None
    assert steps(result)[-4:] == ["login", "sender", "recipient", "data"]
    assert dict(result.steps[-1].facts)["answer"].startswith("2.0.0 Ok: queued as")  # type: ignore[union-attr]
    assert dict(next(step for step in result.steps if step.name == "tls").facts)["subject"] == HOST


@pytest.mark.parametrize("port", ["imap", "imaps", "pop3", "pop3s"])
def test_reading(lab: Lab, port: str) -> None:
    result = probed(lab, mailbox(lab, port))
    assert result.diagnosis is None
    name, facts = result.steps[-1].name, dict(result.steps[-1].facts)
    assert (name, facts["folder"]) == ("folder", "INBOX")
    assert isinstance(facts["messages"], int)


@pytest.mark.parametrize(
    ("port", "code"), [("submissions", "MBX775"), ("imaps", "MBX800"), ("pop3s", "MBX811")]
)
def test_a_refused_login_is_one_failure_in_the_log(lab: Lab, port: str, code: str) -> None:
    log = lab.folder / ("postfix.log" if port == "submissions" else "dovecot.log")
    mark = "authentication failed" if port == "submissions" else "auth failed, 1 attempts"
    before = log.read_text().count(mark)
    result = probed(lab, mailbox(lab, port, secret=secret("not it")), Pace(attempts=9))
    assert failed(result) == (code, "login")
    assert result.attempts == 1
    assert "not it" not in str(result)
    until = time.monotonic() + 10
    while log.read_text().count(mark) == before and time.monotonic() < until:
        time.sleep(0.05)
    assert log.read_text().count(mark) - before == 1


def test_a_sender_that_is_not_its_own(lab: Lab) -> None:
    result = probed(lab, mailbox(lab, "submission", sender_email=f"alias@{DOMAIN}"))
    assert failed(result) == ("MBX786", "recipient")
    assert result.diagnosis is not None
    assert "not owned by user" in result.diagnosis.line


def test_a_recipient_that_does_not_exist(lab: Lab) -> None:
    wanted = mailbox(lab, "submission", recipient=f"nobody@{DOMAIN}")
    bounds = loopback(lab.folder, recipients=frozenset((f"@{DOMAIN}",)))
    found = Prober(bounds, Pace(attempts=1), look_up=look_up)
    assert failed(asyncio.run(found.probe(wanted))) == ("MBX793", "recipient")


def test_no_login_before_encryption(lab: Lab) -> None:
    plain = mailbox(lab, "submission", security="none")
    assert failed(probed(lab, plain)) == ("MBX771", "login")
    asks = mailbox(lab, "submission", security="none", auth="none")
    assert failed(probed(lab, asks)) == ("MBX770", "sender")


def test_security_and_port_that_do_not_go_together(lab: Lab) -> None:
    early = mailbox(lab, "submission", security="tls")
    assert failed(probed(lab, early)) == ("MBX758", "tls")
    for port in ("imap", "pop3"):
        assert failed(probed(lab, mailbox(lab, port, security="tls"))) == ("MBX758", "tls")
    late = mailbox(lab, "submissions", security="starttls", timeout=1)
    assert failed(probed(lab, late)) == ("MBX818", "greeting")


def test_protocols_mixed_up(lab: Lab) -> None:
    wanted = mailbox(lab, "submission", protocol="imap", direction="incoming")
    assert failed(probed(lab, wanted)) == ("MBX767", "greeting")


def test_a_certificate_for_another_name(lab: Lab) -> None:
    wanted = mailbox(lab, "imaps", host="mail.acme.test")
    result = probed(lab, wanted)
    assert failed(result) == ("MBX759", "tls")
    assert result.diagnosis is not None
    assert dict(result.diagnosis.values)["names"] == HOST


def test_a_folder_that_is_not_there(lab: Lab) -> None:
    assert failed(probed(lab, mailbox(lab, "imaps", folder="NFe"))) == ("MBX809", "folder")


def test_over_the_connection_limit(lab: Lab) -> None:
    """Other programs hold all the sessions that Dovecot allows this mailbox."""
    context = ssl.create_default_context(cafile=str(lab.folder / "ca.pem"))
    context.check_hostname = False
    with ExitStack() as stack:
        for _ in range(maillab.CONNECTIONS):
            other = imaplib.IMAP4_SSL("127.0.0.1", lab.ports["imaps"], ssl_context=context)
            stack.enter_context(other)
            other.login(f"xml@{DOMAIN}", PASSWORDS["xml"])
        result = probed(lab, mailbox(lab, "imaps", "xml"))
    assert failed(result) == ("MBX805", "login")
    assert result.diagnosis is not None
    assert "Maximum number of connections from user+IP" in result.diagnosis.line


@pytest.mark.parametrize("port", ["imaps", "pop3s"])
def test_a_round_trip(lab: Lab, port: str) -> None:
    reader = mailbox(lab, port)
    result = probed(lab, mailbox(lab, "submissions", reader=reader))
    assert result.diagnosis is None
    assert steps(result)[-2:] == ["data", "round-trip"]


def test_reading_leaves_no_trace(lab: Lab) -> None:
    """Messages stay, and stay unread."""
    probed(lab, mailbox(lab, "submissions", reader=mailbox(lab, "imaps")))
    new = lab.folder / "mail" / DOMAIN / "nfe"
    before = sorted(file.name.partition(",")[0] for file in new.glob("*/*.*") if file.is_file())
    for port in ("imaps", "pop3s"):
        assert probed(lab, mailbox(lab, port)).outcome is ProbeOutcome.PASSED
    after = [file.name for file in new.glob("*/*.*") if file.is_file()]
    assert before
    kept = {name.partition(",")[0].partition(":")[0] for name in after}
    assert {name.partition(":")[0] for name in before} <= kept
    assert not any(name.partition(":2,")[2].count("S") for name in after)


def test_many_mailboxes_at_once(lab: Lab) -> None:
    results: list[ProbeResult] = []
    wanted = [
        mailbox(lab, port, name, names=(f"{name}/{port}",))
        for name in PASSWORDS
        for port in ("submission", "submissions", "imap", "imaps", "pop3", "pop3s")
    ]
    found = Prober(loopback(lab.folder), Pace(), look_up=look_up)
    asyncio.run(found.run(wanted, results.append))
    assert {result.outcome for result in results} == {ProbeOutcome.PASSED}
    assert len(results) == 18
