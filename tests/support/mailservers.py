"""Small mail servers for tests, which say what a test wants them to say."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import trustme

from reconciler.model.state import MailServer
from reconciler.probes.policy import Pace, Policy
from reconciler.probes.results import Level, ProbeResult
from reconciler.probes.schedule import Prober
from reconciler.probes.target import Sensitive, Target

HOST = "mail.acme.test"
Talking = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Said:
    """A secret of a test."""

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text


def secret(text: str) -> Callable[[], Awaitable[Sensitive]]:
    async def get() -> Sensitive:
        return Said(text)

    return get


class Certificates(NamedTuple):
    """An authority, its file, and a context that serves with a certificate for `HOST`."""

    authority: trustme.CA
    folder: Path
    serving: ssl.SSLContext

    def serving_as(self, *names: str) -> ssl.SSLContext:
        return context_of(self.authority.issue_cert(*names))


def certificates(folder: Path) -> Certificates:
    """An authority of its own, in `folder` as `ca.pem`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return Certificates(authority, folder, context_of(authority.issue_cert(HOST, "127.0.0.1")))


def context_of(issued: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


@asynccontextmanager
async def served(talking: Talking, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback that has `talking` with everybody who connects; its port."""
    open_now: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            await talking(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass  # the client has gone, or the test is over
        finally:
            open_now.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.sleep(0)


@contextmanager
def listening(*talking: Talking) -> Iterator[list[int]]:
    """Servers in a thread of their own, for commands, which have a loop themselves; their ports."""
    ports: list[int] = []
    started, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            ports.extend([await stack.enter_async_context(served(one)) for one in talking])
            started.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        started.wait()
        yield ports
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@dataclass
class Script:
    """What a server says: its greeting, and an answer for each command, by its first word.

    `{tag}` stands for the tag of an IMAP command. `heard` is everything that clients said.
    """

    greeting: str
    answers: Mapping[str, str]
    starting: ssl.SSLContext | None = None
    heard: list[str] = field(default_factory=list)
    tagged: bool = False
    starts: tuple[str, ...] = ("STARTTLS", "STLS")
    connections: int = 0

    def words(self) -> list[str]:
        """The commands that were heard, without what came with them."""
        return [self._word(line) for line in self.heard]

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(self.greeting.encode() + b"\r\n")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.heard.append(line)
            word = self._word(line)
            answer = self.answers.get(word, self.answers.get("*", ""))
            if answer == "hang up":
                return
            tag = line.split(" ")[0] if self.tagged else ""
            writer.write(answer.replace("{tag}", tag).replace("\n", "\r\n").encode() + b"\r\n")
            if word in self.starts and self.starting and "injected" not in answer:
                await writer.start_tls(self.starting)
            if word == "DATA" and answer.startswith("354"):
                while (await reader.readline()).rstrip(b"\r\n") != b".":
                    pass
                if self.answers["."] == "hang up":
                    return
                writer.write(self.answers["."].encode() + b"\r\n")

    def _word(self, line: str) -> str:
        parts = line.split(" ")
        return parts[1 if self.tagged and len(parts) > 1 else 0].upper()


def smtp(starting: ssl.SSLContext | None = None, /, **answers: str) -> Script:
    """An SMTP server that takes everything, but for `answers`: by command, END for the dot."""
    offers = "250-mail.acme.test\n250-SIZE 1000000\n"
    offers += "250-STARTTLS\n" if starting else ""
    usual = {
        "EHLO": offers + "250 AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2",
        "STARTTLS": "220 2.0.0 Ready",
        "AUTH": "235 2.7.0 Accepted",
        "MAIL": "250 2.1.0 Ok",
        "RCPT": "250 2.1.5 Ok",
        "DATA": "354 End with a dot",
        ".": "250 2.0.0 Queued as 42",
        "QUIT": "221 2.0.0 Bye",
        "*": "502 5.5.2 What?",
    }
    greeting = answers.pop("greeting", "220 mail.acme.test ESMTP")
    changed = {("." if word == "END" else word): text for word, text in answers.items()}
    return Script(greeting, usual | changed, starting)


def imap(starting: ssl.SSLContext | None = None, /, **answers: str) -> Script:
    """An IMAP server with seven messages, but for `answers`."""
    offers = "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2" + (" STARTTLS" if starting else "")
    usual = {
        "CAPABILITY": f"* CAPABILITY {offers}\n{{tag}} OK done",
        "STARTTLS": "{tag} OK begin",
        "AUTHENTICATE": "{tag} OK logged in",
        "LOGIN": "{tag} OK logged in",
        "EXAMINE": "* FLAGS (\\Seen)\n* 7 EXISTS\n{tag} OK [READ-ONLY] done",
        "SEARCH": "* SEARCH 7\n{tag} OK done",
        "LOGOUT": "* BYE bye\n{tag} OK done",
        "*": "{tag} BAD what?",
    }
    greeting = answers.pop("greeting", "* OK ready")
    return Script(greeting, usual | answers, starting, tagged=True)


def pop3(starting: ssl.SSLContext | None = None, /, **answers: str) -> Script:
    """A POP3 server with seven messages, but for `answers`."""
    offers = "+OK\nUSER\nSASL PLAIN XOAUTH2\n" + ("STLS\n" if starting else "") + "."
    usual = {
        "CAPA": offers,
        "STLS": "+OK begin",
        "USER": "+OK",
        "PASS": "+OK logged in",
        "AUTH": "+OK logged in",
        "STAT": "+OK 7 4711",
        "TOP": "+OK\nSubject: nothing\n.",
        "QUIT": "+OK bye",
        "*": "-ERR what?",
    }
    greeting = answers.pop("greeting", "+OK ready")
    return Script(greeting, usual | answers, starting)


SERVERS: dict[str, Callable[..., Script]] = {"smtp": smtp, "imap": imap, "pop3": pop3}
SERVER = MailServer(
    stable_id="nfe",
    direction="outgoing",
    protocol="smtp",
    nickname="NF-e",
    active=True,
    host=HOST,
    port=0,
    security="none",
    verify_certificate=True,
    ca_file="ca.pem",
    timeout=30,
    ehlo_name=None,
    ignore_changes=(),
    origins=None,
    auth="password",
    username="nfe@acme.test",
    password_reference="env:NFE",
    sender_name="Acme Faturamento",
    sender_email="nfe@acme.test",
    reply_to=None,
    folder=None,
    company=None,
    importable=True,
    project="",
    file="acme.yaml",
)
PASSWORD = "correct horse battery"


def target(port: int, protocol: str = "smtp", **changes: Any) -> Target:
    """A mailbox on that port; `changes` are of its server, or of the target itself."""
    own = {name: changes.pop(name) for name in list(changes) if name in Target._fields}
    direction = "outgoing" if protocol == "smtp" else "incoming"
    server = SERVER._replace(port=port, protocol=protocol, direction=direction)
    known = Target(server._replace(**changes), ("acme/nfe",), Level.SEND, secret(PASSWORD))
    return known._replace(**own)


async def look_up(_host: str) -> tuple[str, ...]:
    """Every host of a test is this machine."""
    return ("127.0.0.1",)


class Pauses:
    """Waits for nothing, and knows for how long it was asked to."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def loopback(folder: Path | None = None, **changes: Any) -> Policy:
    """What a probe of a test may do: talk to this machine."""
    from ipaddress import ip_network

    given: dict[str, Any] = {
        "public": False,
        "networks": (ip_network("127.0.0.0/8"),),
        "ports": frozenset(range(1, 65536)),
        "ca_folder": folder,
    }
    return Policy(**(given | changes))


def prober(
    policy: Policy | None = None, pace: Pace | None = None, pause: Pauses | None = None
) -> Prober:
    return Prober(policy or loopback(), pace or Pace(), look_up=look_up, pause=pause or Pauses())


def probed(
    talking: Talking,
    protocol: str = "smtp",
    *,
    context: ssl.SSLContext | None = None,
    policy: Policy | None = None,
    pace: Pace | None = None,
    pause: Pauses | None = None,
    **changes: Any,
) -> ProbeResult:
    """The result of one probe of a server that has `talking`."""

    async def run() -> ProbeResult:
        async with served(talking, context) as port:
            wanted = target(port, protocol, **changes)
            return await prober(policy, pace, pause).probe(wanted)

    return asyncio.run(run())
