"""Each of the 65 failures that servers are known for, from what a server does to its code."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reconciler.diagnostics import messages
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.messages.failures import STEPS, Again, failures
from reconciler.model.providers import catalogue
from reconciler.probes.diagnose import diagnose
from reconciler.probes.failure import ServerRefusal
from reconciler.probes.results import ProbeOutcome, ProbeResult
from reconciler.probes.target import Door
from reconciler.render.probe_failure import described
from tests.support.mailservers import (
    HOST,
    SERVERS,
    Certificates,
    certificates,
    context_of,
    loopback,
    pop3,
    probed,
    prober,
    smtp,
    target,
)

REPLIES = Path(__file__).with_name("probe_replies.toml")
SAID: list[dict[str, Any]] = tomllib.loads(REPLIES.read_text(encoding="utf-8"))["said"]
AGAIN = {
    2: Again.SOON, 5: Again.LATER, 6: Again.LATER, 18: Again.SOON, 23: Again.LATER,
    35: Again.WAIT, 44: Again.WAIT, 47: Again.LATER, 48: Again.SOON, 52: Again.LATER,
    55: Again.SOON, 57: Again.ONCE, 58: Again.LATER, 60: Again.SOON, 63: Again.LATER,
    64: Again.SOON,
}  # fmt: skip
"""What may be tried again; everything else may not."""


def code(row: int) -> str:
    return f"MBX{750 + row}"


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


def protocol(code: str) -> str:
    (spoken,) = {one for symptom in failures()[code].symptoms for one in symptom.protocols}
    return spoken


@pytest.mark.parametrize("said", SAID, ids=lambda said: f"{said['code']}-{said['answer'][:60]}")
def test_what_a_server_says(said: dict[str, Any]) -> None:
    name, word, answer, step = (said[key] for key in ("code", "word", "answer", "step"))
    changes = {key: said[key] for key in said.keys() - {"code", "word", "answer", "step"}}
    server = SERVERS[protocol(name)](**{word: answer})
    result = probed(server, protocol(name), **changes)
    diagnosis = result.diagnosis
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.step) == (name, step)
    full = answer.startswith("452 ")
    assert diagnosis.again is (Again.SOON if full else failures()[name].again)
    not_tested = failures()[name].not_tested
    assert result.outcome is (ProbeOutcome.NOT_TESTED if not_tested else ProbeOutcome.FAILED)
    last = answer.splitlines()[-1].removeprefix("{tag} ").removeprefix("* ")
    if name not in ("MBX771", "MBX804"):
        assert last.partition(" ")[2][:40] in diagnosis.line


def test_an_entry_for_each_of_the_65() -> None:
    told = {said["code"] for said in SAID}
    known = {code(row) for row in range(1, 66)}
    assert told | {code(row) for row in range(1, 18)} >= known
    assert known <= failures().keys()
    again = {name: failures()[name].again for name in known}
    assert again == {code(row): AGAIN.get(row, Again.NO) for row in range(1, 66)}
    assert {name for name in known if failures()[name].not_tested} == {code(44)}


def failed(result: ProbeResult) -> tuple[str, str, Again]:
    assert result.diagnosis is not None
    return result.diagnosis.code, result.diagnosis.step, result.diagnosis.again


def without_a_server(error: Exception) -> ProbeResult:
    async def look_up(_host: str) -> tuple[str, ...]:
        raise error

    async def run() -> ProbeResult:
        from reconciler.probes.policy import Pace
        from reconciler.probes.schedule import Prober
        from tests.support.mailservers import Pauses

        found = Prober(loopback(), Pace(), look_up=look_up, pause=Pauses())
        return await found.probe(target(465))

    return asyncio.run(run())


def test_row_1_no_such_host() -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert failed(without_a_server(error)) == ("MBX751", "resolve", Again.NO)


def test_row_2_no_resolver() -> None:
    result = without_a_server(socket.gaierror(socket.EAI_AGAIN, "Temporary failure"))
    assert failed(result) == ("MBX752", "resolve", Again.SOON)
    assert result.attempts == 3


@pytest.mark.parametrize("host", ["smtp..com", "a" * 64 + ".com"])
def test_row_3_no_host_at_all(host: str) -> None:
    async def run() -> ProbeResult:
        from reconciler.probes.policy import Pace
        from reconciler.probes.schedule import Prober

        return await Prober(loopback(), Pace()).probe(target(465, host=host))

    assert failed(asyncio.run(run())) == ("MBX753", "resolve", Again.NO)


def test_row_4_nothing_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        result = asyncio.run(prober().probe(target(port)))
    assert failed(result) == ("MBX754", "connect", Again.NO)


def test_row_5_nobody_answers() -> None:
    """A listener whose queue is full drops what comes, as a firewall does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        result = asyncio.run(prober(loopback(deadline=0.3)).probe(target(port)))
        for one in waiting:
            one.close()
    assert failed(result) == ("MBX755", "connect", Again.LATER)
    assert result.attempts == 1


@pytest.mark.parametrize("word", ["EHLO", "AUTH", "MAIL"])
def test_row_6_hung_up(word: str) -> None:
    result = probed(smtp(**{word: "hang up"}))
    assert failed(result)[0] == "MBX756"


@pytest.mark.parametrize("port", [465, 993, 995])
def test_row_7_both_sides_wait(port: int) -> None:
    door = Door("smtp", HOST, port, "starttls", verify=True, ca_file=None)
    found = diagnose(TimeoutError(), "greeting", door, None)
    assert (found.code, found.again) == ("MBX757", Again.NO)
    tls = door._replace(security="tls")
    assert diagnose(TimeoutError(), "greeting", tls, None).code == "MBX818"


@pytest.mark.parametrize("name", ["smtp", "imap", "pop3"])
def test_row_8_no_tls_there(name: str, certs: Certificates) -> None:
    result = probed(SERVERS[name](), name, security="tls", policy=loopback(certs.folder))
    assert failed(result) == ("MBX758", "tls", Again.NO)


def test_row_8_no_tls_and_the_server_waits(certs: Certificates) -> None:
    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"500 5.5.1 I was expecting something else entirely\r\n")
        await reader.read()

    result = probed(waits, security="tls", policy=loopback(certs.folder))
    assert failed(result) == ("MBX758", "tls", Again.NO)


def with_certificate(
    context: ssl.SSLContext, folder: Path, security: str = "tls", **changes: Any
) -> ProbeResult:
    starting = context if security == "starttls" else None
    serving = context if security == "tls" else None
    return probed(
        smtp(starting), context=serving, policy=loopback(folder), security=security, **changes
    )


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_row_9_another_host(certs: Certificates, security: str) -> None:
    result = with_certificate(certs.serving_as("server42.hosting.test"), certs.folder, security)
    assert failed(result) == ("MBX759", "tls", Again.NO)
    assert result.diagnosis is not None
    assert "server42.hosting.test" in described(result.diagnosis).cause


def self_made(folder: Path, begins: timedelta, ends: timedelta) -> ssl.SSLContext:
    """A context that serves with a certificate which signs itself, and is its own `ca_file`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    made = builder.sign(key, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "own.pem").write_bytes(pem)
    (folder / "own-with-key.pem").write_bytes(secret + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own-with-key.pem")
    return context


DAY = timedelta(days=1)


def test_row_10_self_signed(certs: Certificates, tmp_path: Path) -> None:
    result = with_certificate(self_made(tmp_path, -DAY, DAY), certs.folder)
    assert failed(result) == ("MBX760", "tls", Again.NO)


def test_row_11_unknown_authority(certs: Certificates) -> None:
    other = trustme.CA()
    result = with_certificate(context_of(other.issue_cert(HOST)), certs.folder)
    assert failed(result) == ("MBX761", "tls", Again.NO)


@pytest.mark.parametrize(("days", "code"), [((-2, -1), "MBX762"), ((1, 2), "MBX763")])
def test_rows_12_and_13_expired_or_not_yet_valid(
    tmp_path: Path, days: tuple[int, int], code: str
) -> None:
    context = self_made(tmp_path, days[0] * DAY, days[1] * DAY)
    result = with_certificate(context, tmp_path, ca_file="own.pem")
    assert failed(result) == (code, "tls", Again.NO)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_row_14_old_tls(certs: Certificates) -> None:
    context = certs.serving_as(HOST)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    # Not asyncio: its servers break off before they have said why.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=shake_hands, args=(listening, context), daemon=True).start()
        wanted = target(listening.getsockname()[1], security="tls")
        result = asyncio.run(prober(loopback(certs.folder)).probe(wanted))
    assert failed(result) == ("MBX764", "tls", Again.NO)


def shake_hands(listening: socket.socket, context: ssl.SSLContext) -> None:
    one, _ = listening.accept()
    with one, contextlib.suppress(OSError):
        context.wrap_socket(one, server_side=True)


def test_row_15_a_mark_is_missing() -> None:
    error = ssl.SSLCertVerificationError(
        1, "certificate verify failed: Missing Authority Key Identifier (_ssl.c:1028)"
    )
    door = Door("smtp", HOST, 465, "tls", verify=True, ca_file=None)
    assert diagnose(error, "tls", door, None).code == "MBX765"


@pytest.mark.parametrize("name", ["smtp", "imap", "pop3"])
def test_row_16_no_starttls(name: str) -> None:
    server = SERVERS[name]()
    result = probed(server, name, security="starttls")
    assert failed(result) == ("MBX766", "tls", Again.NO)
    assert {"AUTH", "LOGIN", "PASS", "AUTHENTICATE"}.isdisjoint(server.words())


def test_row_16_starttls_refused(certs: Certificates) -> None:
    server = smtp(certs.serving, STARTTLS="454 4.7.0 TLS not available (injected)")
    assert failed(probed(server, security="starttls")) == ("MBX766", "tls", Again.NO)


@pytest.mark.parametrize("name", ["smtp", "imap", "pop3"])
@pytest.mark.parametrize("other", ["smtp", "imap", "pop3"])
def test_row_17_another_protocol(name: str, other: str) -> None:
    if name != other:
        assert failed(probed(SERVERS[other](), name)) == ("MBX767", "greeting", Again.NO)


def test_what_is_in_no_table_keeps_the_servers_words() -> None:
    result = probed(smtp(RCPT="550 5.9.9 Today is a holiday"))
    assert failed(result) == ("MBX817", "recipient", Again.NO)
    assert result.diagnosis is not None
    assert result.diagnosis.line == "550 5.9.9 Today is a holiday"
    assert failed(probed(smtp(RCPT="451 4.9.9 After lunch")))[0] == "MBX816"


def test_a_folder_that_answers_in_another_protocol_makes_no_sense() -> None:
    assert failed(probed(pop3(STAT="+OK many"), "pop3"))[0] == "MBX826"


# --- the words


def test_every_symptom_can_occur() -> None:
    assert failures().keys() <= MESSAGES.keys()
    for failure in failures().values():
        for symptom in failure.symptoms:
            assert symptom.steps <= set(STEPS)
            assert symptom.protocols <= SERVERS.keys()


@pytest.mark.parametrize("code", [code for code, one in failures().items() if one.symptoms])
def test_what_a_server_typically_says_leads_to_the_entry(code: str) -> None:
    failure = failures()[code]
    basic, _, text = failure.server_says.partition(" ")
    protocol = {"NO": "imap", "BYE": "imap", "-ERR": "pop3"}.get(
        basic, "smtp" if basic.isdigit() else ""
    )
    if not protocol:
        return
    door = Door(protocol, HOST, 465, "tls", verify=True, ca_file=None)
    providers = {one.provider for one in failure.symptoms} | {""}
    endings = {
        diagnose(ServerRefusal(basic, text), step, door, provider).code
        for step in failure.steps
        for provider in providers
    }
    assert code in endings


def test_repairs_are_for_providers_that_are_known() -> None:
    known = {provider.name for provider in catalogue()}
    for failure in failures().values():
        assert failure.repairs.keys() <= known
        assert {symptom.provider for symptom in failure.symptoms} <= known | {""}
    entries = tomllib.loads(Path(messages.__file__).with_name("failures.toml").read_text("utf-8"))
    at_provider = entries.pop("at_provider")
    assert {code for entry in at_provider for code in entry["codes"]} <= entries.keys()


def values_of_every_diagnosis() -> Iterator[str]:
    result = probed(smtp(RCPT="550 no"))
    assert result.diagnosis is not None
    yield from (name for name, _ in result.diagnosis.values)


def test_messages_ask_for_values_that_a_diagnosis_has() -> None:
    from string import Formatter

    always = set(values_of_every_diagnosis())
    more = {
        "MBX759": {"names"}, "MBX822": {"address"}, "MBX824": {"key"}, "MBX846": {"value"},
        "MBX827": {"offered", "wanted"}, "MBX829": {"reason"}, "MBX838": {"file", "reason"},
    }  # fmt: skip
    for name, failure in failures().items():
        for text in (*failure.message[1:], *failure.repairs.values()):
            asked = {field for _, field, _, _ in Formatter().parse(text) if field}
            assert asked <= always | more.get(name, set()), name


@pytest.mark.parametrize(
    ("host", "name", "word"),
    [
        ("smtp.gmail.com", "smtp", "app password"),
        ("smtps.uol.com.br", "smtp", "part before the @"),
        ("smtp.sendgrid.net", "smtp", "apikey"),
        ("imap.zoho.com", "imap", "region"),
    ],
)
def test_advice_is_that_of_the_provider(host: str, name: str, word: str) -> None:
    refused = {"smtp": ("AUTH", "535 wrong"), "imap": ("LOGIN", "{tag} NO wrong")}[name]
    result = probed(SERVERS[name](**{refused[0]: refused[1]}), name, host=host)
    assert result.diagnosis is not None
    assert word in described(result.diagnosis).repair
