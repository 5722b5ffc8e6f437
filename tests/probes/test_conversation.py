"""One conversation: how far it goes, what it says and hides, and servers that misbehave."""

from __future__ import annotations

import asyncio
import ssl
import tracemalloc
from base64 import b64decode, b64encode
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd import smtp as aiosmtpd
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.diagnostics.messages.failures import Again
from reconciler.probes.protocols.smtp import compose, new_token
from reconciler.probes.results import Level, ProbeOutcome, ProbeResult
from reconciler.secrets.redact import MASK, Redactor
from tests.support.mailservers import (
    HOST,
    PASSWORD,
    SERVERS,
    Certificates,
    Talking,
    certificates,
    imap,
    loopback,
    pop3,
    probed,
    prober,
    secret,
    smtp,
    target,
)

NAMES = ("smtp", "imap", "pop3")
OPENING = ["resolve", "connect"]
STEPS = {
    "smtp": ["login", "sender", "recipient", "data"],
    "imap": ["login", "folder"],
    "pop3": ["login", "folder"],
}


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


def steps(result: ProbeResult) -> list[str]:
    return [step.name for step in result.steps]


def facts(result: ProbeResult, name: str) -> dict[str, str | int]:
    return next(dict(step.facts) for step in result.steps if step.name == name)


def code(result: ProbeResult) -> str:
    assert result.diagnosis is not None
    return result.diagnosis.code


# --- steps and levels


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("security", "between"),
    [("none", ["greeting"]), ("starttls", ["greeting", "tls"]), ("tls", ["tls", "greeting"])],
)
def test_every_step_is_reported(
    certs: Certificates, name: str, security: str, between: list[str]
) -> None:
    server = SERVERS[name](certs.serving if security == "starttls" else None)
    serving = certs.serving if security == "tls" else None
    result = probed(server, name, context=serving, policy=loopback(certs.folder), security=security)
    assert result.diagnosis is None
    assert steps(result) == [*OPENING, *between, *STEPS[name]]
    assert all(step.seconds >= 0 for step in result.steps)
    if security != "none":
        assert facts(result, "tls") == {
            "version": "TLSv1.3",
            "subject": HOST,
            "expires": "3000-01-01",
        }


@pytest.mark.parametrize(
    ("level", "last"),
    [
        (Level.CONNECT, "connect"),
        (Level.TLS, "greeting"),
        (Level.LOGIN, "login"),
        (Level.SENDER, "recipient"),
        (Level.SEND, "data"),
    ],
)
def test_a_level_is_how_far_it_goes(certs: Certificates, level: Level, last: str) -> None:
    server = smtp()
    result = probed(
        server, context=certs.serving, policy=loopback(certs.folder), security="tls", level=level
    )
    assert steps(result)[-1] == last
    assert ("AUTH" in server.words()) == (level >= Level.LOGIN)
    assert ("DATA" in server.words()) == (level is Level.SEND)


@pytest.mark.parametrize("name", ["imap", "pop3"])
def test_reading_counts_and_never_fetches(name: str) -> None:
    server = SERVERS[name]()
    result = probed(server, name, folder="NF-e & ações")
    assert facts(result, "folder")["messages"] == 7
    words = set(server.words())
    assert words <= {"CAPABILITY", "LOGIN", "EXAMINE", "LOGOUT", "CAPA", "USER", "PASS"} | {
        "STAT",
        "QUIT",
    }
    if name == "imap":
        examined = next(line for line in server.heard if "EXAMINE" in line)
        assert examined.endswith('EXAMINE "NF-e &- a&AOcA9Q-es"')


def test_no_login_where_none_is_wanted() -> None:
    server = smtp()
    assert probed(server, auth="none", secret=None).outcome is ProbeOutcome.PASSED
    assert "AUTH" not in server.words()


def test_the_greeting_name_is_the_one_declared_or_an_address() -> None:
    for name, said in (("nfe.acme.test", "nfe.acme.test"), (None, "[127.0.0.1]")):
        server = smtp()
        probed(server, ehlo_name=name)
        assert server.heard[0] == f"EHLO {said}"


# --- logins


@pytest.mark.parametrize(
    ("offered", "mechanism"),
    [("PLAIN LOGIN CRAM-MD5", "PLAIN"), ("LOGIN CRAM-MD5", "LOGIN"), ("CRAM-MD5", "CRAM-MD5")],
)
def test_one_mechanism_once_on_a_refused_password(
    certs: Certificates, offered: str, mechanism: str
) -> None:
    server = smtp(EHLO=f"250-x\n250 AUTH {offered}", AUTH="535 5.7.8 no")
    result = probed(server, context=certs.serving, policy=loopback(certs.folder), security="tls")
    assert code(result) == "MBX775"
    assert [line.split()[1] for line in server.heard if line.startswith("AUTH")] == [mechanism]
    assert result.attempts == 1


def test_unencrypted_the_password_stays_hidden_where_it_can() -> None:
    server = smtp()
    assert facts(probed(server), "login") == {"mechanism": "CRAM-MD5"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("offered", "auth"), [("GSSAPI", "password"), ("PLAIN", "oauth2")])
def test_no_mechanism_in_common(name: str, offered: str, auth: str) -> None:
    offers = {
        "smtp": {"EHLO": f"250-x\n250 AUTH {offered}"},
        "imap": {"CAPABILITY": f"* CAPABILITY LOGINDISABLED AUTH={offered}\n{{tag}} OK done"},
        "pop3": {"CAPA": f"+OK\nSASL {offered}\n."},
    }
    server = SERVERS[name](**offers[name])
    if auth == "oauth2":
        from reconciler.probes.protocols.sasl import Login, choose
        from reconciler.probes.results import ProbeError

        with pytest.raises(ProbeError, match="MBX827"):
            choose([offered], Login("a", "b", is_token=True), encrypted=True)
    else:
        assert code(probed(server, name)) == "MBX827"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"secret": None}, "MBX828"),
        ({"username": None}, "MBX828"),
        ({"sender_email": None}, "MBX841"),
        ({"security": "ssl"}, "MBX846"),
        ({"sender_email": "nfe"}, "MBX846"),
        ({"recipient": "somebody@else.test"}, "MBX823"),
        ({"ca_file": "../ca.pem", "security": "tls"}, "MBX838"),
        ({"ca_file": "missing.pem", "security": "tls"}, "MBX838"),
    ],
)
def test_what_cannot_be_tested_is_no_failed_login(
    certs: Certificates, change: dict[str, Any], expected: str
) -> None:
    server = smtp()
    result = probed(server, policy=loopback(certs.folder), **change)
    assert (code(result), result.outcome) == (expected, ProbeOutcome.NOT_TESTED)
    assert "AUTH" not in server.words()


def test_a_secret_that_is_not_to_be_had_is_not_tested() -> None:
    from reconciler.diagnostics.problem import Failure

    async def get() -> Any:
        raise Failure.of("MBX603", file="x", reason="y")

    result = probed(smtp(), secret=get)
    assert (code(result), result.outcome) == ("MBX829", ProbeOutcome.NOT_TESTED)


@pytest.mark.parametrize("name", ["host", "username", "sender_email", "sender_name", "folder"])
@pytest.mark.parametrize("sign", ["\r", "\n", "\0", "\x7f"])
def test_control_characters_never_reach_a_server(name: str, sign: str) -> None:
    server = smtp()
    change: dict[str, Any] = {name: f"a{sign}RCPT TO:<x@x.test>@acme.test"}
    result = probed(server, **change)
    assert code(result) == "MBX824"
    assert server.connections == 0


def test_a_password_with_a_line_end_never_reaches_a_server() -> None:
    server = pop3()
    assert code(probed(server, "pop3", secret=secret("a\r\nDELE 1"))) == "MBX824"
    assert server.connections == 0


@pytest.mark.parametrize("password", ['pass"word\\', "sénha", "a b"])
def test_passwords_of_any_letters(password: str) -> None:
    server = imap()
    assert probed(server, "imap", secret=secret(password)).outcome is ProbeOutcome.PASSED
    said = next(line for line in server.heard if "LOGIN" in line or "AUTHENTICATE" in line)
    if password.isascii():
        escaped = password.replace("\\", "\\\\").replace('"', '\\"')
        assert said.endswith(f'"{escaped}"')
    else:
        assert b64decode(said.split()[-1]).decode() == f"\0nfe@acme.test\0{password}"


# --- the message, and another implementation that takes it


class Keeping:
    """Takes every message."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(  # noqa: N802 - a name of aiosmtpd
        self, _server: aiosmtpd.SMTP, _session: Session, envelope: Envelope
    ) -> str:
        self.envelopes.append(envelope)
        return "250 kept"


def knows(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data.password == PASSWORD.encode())


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_aiosmtpd_takes_the_message(certs: Certificates, security: str) -> None:
    kept = Keeping()

    def factory() -> aiosmtpd.SMTP:
        if security == "tls":
            return aiosmtpd.SMTP(kept, authenticator=knows, auth_require_tls=False)
        return aiosmtpd.SMTP(kept, authenticator=knows, tls_context=certs.serving)

    async def run() -> ProbeResult:
        serving = certs.serving if security == "tls" else None
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(factory, "127.0.0.1", 0, ssl=serving)
        port = listening.sockets[0].getsockname()[1]
        wanted = target(port, security=security, sender_name='Ações "Acme"')
        found = await prober(loopback(certs.folder)).probe(wanted)
        listening.close()
        return found

    result = asyncio.run(run())
    assert result.diagnosis is None
    (envelope,) = kept.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("nfe@acme.test", ["nfe@acme.test"])
    assert isinstance(envelope.content, bytes)
    message = message_from_bytes(envelope.content, policy=policy.default)
    assert message["From"] == '"Ações \\"Acme\\"" <nfe@acme.test>'
    assert str(facts(result, "data")["token"]) in message["Subject"]
    assert "Não é preciso" in message.get_content()


def test_a_message_has_no_line_that_is_too_long() -> None:
    made = compose("nfe@acme.test", "É" * 200, "xml@acme.test", new_token())
    assert max(map(len, made.data.split(b"\r\n"))) < 200
    assert made.data.endswith(b"\r\n.\r\n")
    assert b"\r\n.\r\n" not in made.data[:-5]
    assert b"\n" not in made.data.replace(b"\r\n", b"")


def test_two_messages_have_different_tokens() -> None:
    assert new_token() != new_token()


def test_a_sink_gets_the_message_and_no_secret() -> None:
    server, sink = smtp(), smtp()

    async def run() -> ProbeResult:
        from tests.support.mailservers import served

        async with served(server) as port, served(sink) as other:
            wanted = target(port, recipient="somebody@else.test")
            return await prober(loopback(sink=("127.0.0.1", other))).probe(wanted)

    result = asyncio.run(run())
    assert result.outcome is ProbeOutcome.PASSED
    assert server.connections == 0
    assert sink.words() == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert "RCPT TO:<somebody@else.test>" in sink.heard


@pytest.mark.parametrize(
    ("recipient", "allowed"),
    [
        ("nfe@acme.test", True),
        ("NFE@acme.test", True),
        ("boss@acme.test", False),
        ("fiscal@partner.test", True),
        ("any@lab.test", True),
        ("any@sub.lab.test", False),
    ],
)
def test_recipients_are_the_mailbox_itself_and_those_of_the_settings(
    recipient: str, allowed: bool
) -> None:
    bounds = loopback(recipients=frozenset(("fiscal@partner.test", "@lab.test")))
    server = smtp()
    result = probed(server, policy=bounds, recipient=recipient)
    assert (result.outcome is ProbeOutcome.PASSED) == allowed
    assert server.connections == int(allowed)


# --- servers that misbehave


def saying(*parts: bytes, again: bytes = b"", pause: float = 0) -> Talking:
    """A server that says `parts`, one after each line it hears, and then `again` for ever."""

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, part in enumerate(parts):
            if number:
                await reader.readline()
            writer.write(part)
            await writer.drain()
        while again:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)
        await reader.read()

    return talking


GREETINGS = {"smtp": b"220 x\r\n", "imap": b"* OK x\r\n", "pop3": b"+OK x\r\n"}


@pytest.mark.parametrize(
    ("name", "parts", "again"),
    [
        ("smtp", (), b"220-" + b"x" * 50 + b"\r\n"),
        ("smtp", (b"220 x\r\n",), b"250-" + b"x" * 50 + b"\r\n"),
        ("smtp", (), b"x" * 1000),
        ("imap", (b"* OK x\r\n",), b"* 1 FETCH (FLAGS ())\r\n"),
        ("imap", (), b"x" * 1000),
        ("pop3", (b"+OK x\r\n",), b"x" * 70 + b"\r\n"),
        ("pop3", (b"+OK x\r\n", b"+OK\r\n"), b"x" * 70 + b"\r\n"),
    ],
)
def test_endless_talk_is_cut_short(name: str, parts: tuple[bytes, ...], again: bytes) -> None:
    tracemalloc.start()
    try:
        result = probed(saying(*parts, again=again), name)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert code(result) in ("MBX819", "MBX767", "MBX817", "MBX826")
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("name", NAMES)
def test_many_short_lines_are_too_many(name: str) -> None:
    part = {"smtp": b"250-\r\n", "imap": b"* x\r\n", "pop3": b"x\r\n"}[name]
    parts = (GREETINGS[name], b"+OK\r\n") if name == "pop3" else (GREETINGS[name],)
    result = probed(saying(*parts, again=part), name, policy=loopback(lines=50, bytes=10**9))
    assert code(result) == "MBX819"


@pytest.mark.parametrize("size", [b"99999999999", b"9" * 20, b"300000"])
def test_a_giant_literal_is_not_waited_for(size: bytes) -> None:
    server = saying(b"* OK [CAPABILITY IMAP4rev1] x\r\n", b"* X {" + size + b"}\r\n")
    assert code(probed(server, "imap")) == "MBX819"


def test_a_literal_that_is_not_too_large_is_read_over() -> None:
    server = saying(
        b"* OK [CAPABILITY IMAP4rev1] x\r\n",
        b"* X {5}\r\na\r\nb\n y\r\na1 OK in\r\n",
        b"* 3 EXISTS\r\na2 OK\r\n",
    )
    assert probed(server, "imap").outcome is ProbeOutcome.PASSED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("greeted", [False, True])
def test_a_tarpit_costs_its_deadline_and_no_more(name: str, greeted: bool) -> None:
    parts = (GREETINGS[name],) if greeted else ()
    result = probed(saying(*parts, again=b"2", pause=0.05), name, policy=loopback(deadline=0.4))
    assert code(result) == "MBX818"
    assert 0.3 < result.seconds < 2
    assert result.attempts == 1


@pytest.mark.parametrize("name", NAMES)
def test_plaintext_behind_starttls_is_an_attack(certs: Certificates, name: str) -> None:
    word = "STLS" if name == "pop3" else "STARTTLS"
    answer = {
        "smtp": "220 Ready\n250 injected",
        "imap": "{tag} OK begin\n* CAPABILITY injected",
        "pop3": "+OK begin\n+OK injected",
    }[name]
    server = SERVERS[name](certs.serving, **{word: answer})
    result = probed(server, name, policy=loopback(certs.folder), security="starttls")
    assert code(result) == "MBX820"
    assert server.words()[-1] == word


@pytest.mark.parametrize("name", NAMES)
def test_hanging_up_at_once(name: str) -> None:
    async def talking(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    assert code(probed(talking, name)) == "MBX756"


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_hanging_up_during_the_handshake(certs: Certificates, security: str) -> None:
    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if security == "starttls":
            writer.write(b"220 x\r\n")
            await reader.readline()
            writer.write(b"250-x\r\n250 STARTTLS\r\n")
            await reader.readline()
            writer.write(b"220 go\r\n")
        await reader.read(5)
        writer.transport.abort()

    result = probed(talking, policy=loopback(certs.folder), security=security)
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.diagnosis.step) == ("MBX756", "tls")


def test_hanging_up_after_the_message_is_unknown_and_not_sent_again() -> None:
    server = smtp(END="hang up")
    result = probed(server)
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.diagnosis.again) == ("MBX825", Again.NO)
    assert server.connections == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_never_answers_a_farewell_has_passed(name: str) -> None:
    word = "LOGOUT" if name == "imap" else "QUIT"
    server = SERVERS[name](**{word: "250-"})
    result = probed(server, name, policy=loopback(deadline=0.5))
    assert result.outcome is ProbeOutcome.PASSED
    assert result.seconds < 4


def test_a_server_that_hangs_up_once_all_is_done_has_passed() -> None:
    assert probed(smtp(QUIT="hang up")).outcome is ProbeOutcome.PASSED

    async def talking(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK\r\n+OK\r\n.\r\n+OK\r\n+OK\r\n+OK 1 2\r\n")
        await writer.drain()
        writer.close()

    assert probed(talking, "pop3").outcome is ProbeOutcome.PASSED


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe\x00\r\n", b"250\r\n" * 3, b"999 x\r\n", b"\r\n", b"22\r\n", b"{}\r\n"]
)
@pytest.mark.parametrize("name", NAMES)
def test_junk_gives_a_verdict(name: str, junk: bytes) -> None:
    for server in (saying(junk, again=junk), saying(GREETINGS[name], junk, again=junk)):
        assert probed(server, name).outcome is ProbeOutcome.FAILED


def test_no_answer_is_verified_tls_without_a_certificate_check(certs: Certificates) -> None:
    """Where nobody verifies, the certificate is still shown."""
    other = certs.serving_as("other.test")
    result = probed(smtp(), context=other, security="tls", verify_certificate=False, ca_file=None)
    assert facts(result, "tls")["subject"] == "other.test"


def test_a_certificate_that_expires_soon_is_a_warning(certs: Certificates) -> None:
    from datetime import UTC, datetime, timedelta

    from tests.support.mailservers import context_of

    soon = datetime.now(UTC) + timedelta(days=5)
    issued = certs.authority.issue_cert(HOST, not_after=soon)
    result = probed(
        smtp(), context=context_of(issued), policy=loopback(certs.folder), security="tls"
    )
    (warning,) = result.warnings
    assert warning.code == "MBX843"
    assert ("date", soon.date().isoformat()) in warning.values


def test_old_tls_is_never_spoken(certs: Certificates) -> None:
    from reconciler.probes.protocols.tls import Contexts

    contexts = Contexts(certs.folder)
    for verify in (True, False):
        context = contexts.get(verify=verify, ca_file=None)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context is contexts.get(verify=verify, ca_file=None)


LINES = [
    b"220 x",
    b"250-x",
    b"250 AUTH PLAIN",
    b"235 in",
    b"334 ",
    b"354 go",
    b"* OK x",
    b"* PREAUTH x",
    b"* CAPABILITY IMAP4 AUTH=PLAIN",
    b"* 5 EXISTS",
    b"a1 OK",
    b"a2 OK",
    b"a3 OK",
    b"+",
    b"+ ",
    b"+OK",
    b"+OK 5 5",
    b"-ERR",
    b".",
    b"{3}",
    b"* {3}",
]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=30)), max_size=25),
)
def test_there_is_a_verdict_whatever_a_server_says(name: str, lines: list[bytes]) -> None:
    async def talking(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(line + b"\r\n" for line in lines))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    result = probed(talking, name, policy=loopback(deadline=3))
    assert result.outcome in (ProbeOutcome.PASSED, ProbeOutcome.FAILED)
    assert result.seconds < 6


# --- what the server says is shown without secrets


def echoes() -> list[str]:
    whole = b64encode(f"\0nfe@acme.test\0{PASSWORD}".encode()).decode()
    return [
        PASSWORD,
        f"you said '{PASSWORD}'!",
        b64encode(PASSWORD.encode()).decode(),
        f"AUTH PLAIN {whole}",
        f"AUTH PLAIN {whole[:30]}",
        f"...{whole[12:]}",
        f"Bearer {PASSWORD}",
    ]


@pytest.mark.parametrize("echo", echoes())
def test_an_echoed_secret_is_hidden(echo: str) -> None:
    result = probed(smtp(AUTH=f"535 5.7.8 bad: {echo}"))
    assert result.diagnosis is not None
    said = result.diagnosis.line
    assert MASK in said
    whole = b64encode(f"\0nfe@acme.test\0{PASSWORD}".encode()).decode()
    for form in (PASSWORD, b64encode(PASSWORD.encode()).decode(), whole):
        stretches = {form[start : start + 12] for start in range(len(form) - 11)}
        assert not any(stretch in said for stretch in stretches)


def test_a_secret_echoed_in_good_answers_is_hidden_too() -> None:
    result = probed(smtp(END=f"250 thanks for {PASSWORD}"))
    assert PASSWORD not in str(result)
    assert MASK in str(facts(result, "data")["answer"])


def test_what_is_shown_is_one_line_and_short() -> None:
    shown = Redactor().line("a\x1b[31m\r\n\u202eb\ud800" + "x" * 5000)
    assert shown.isprintable()
    assert len(shown) <= 400


@pytest.mark.parametrize(("word", "hidden"), [("ab", "1 *** c"), ("b", "1 ab c")])
def test_short_secrets_are_hidden_as_words(word: str, hidden: str) -> None:
    redactor = Redactor()
    redactor.add_parts(word, "")
    assert redactor.line("1 ab c") == hidden


@pytest.mark.parametrize("name", ["imap", "pop3"])
def test_answers_of_readers_are_redacted(name: str) -> None:
    word, answer = {
        "imap": ("LOGIN", f"{{tag}} NO wrong {PASSWORD}"),
        "pop3": ("PASS", f"-ERR wrong {PASSWORD}"),
    }[name]
    result = probed(SERVERS[name](**{word: answer}), name)
    assert PASSWORD not in str(result)
