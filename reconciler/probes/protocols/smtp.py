"""SMTP: greeting, STARTTLS, login, and a test message handed over, which its token marks."""

from __future__ import annotations

import re
import secrets
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate
from typing import NamedTuple

from reconciler.probes.protocols import sasl
from reconciler.probes.protocols.sasl import Login
from reconciler.probes.protocols.talk import Talk
from reconciler.probes.results import ProbeError, ServerRefusal

_BODY = """\
This message shows that the mailbox can send.
Nobody needs to answer it.

Esta mensagem mostra que a caixa de e-mail consegue enviar.
Não é preciso responder.
{token}
"""
_CHALLENGE, _LOGGED_IN = 334, 235
_REPLY = re.compile(r"([2-5]\d\d)(?:([ -])(.*))?")


class ProbeMessage(NamedTuple):
    """Sender, recipient, and what follows DATA, with dots doubled and the final one added."""

    sender: str
    recipient: str
    token: str
    data: bytes


def new_token() -> str:
    """A word that is in no other message."""
    return "mbx" + secrets.token_hex(12)


def compose(sender: str, name: str | None, recipient: str, token: str) -> ProbeMessage:
    """The test message; all texts are known to be single lines."""
    message = EmailMessage()
    message["From"] = _address(sender, name)
    message["To"] = _address(recipient)
    message["Subject"] = f"Test {token}"
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{token}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_BODY.format(token=token), cte="quoted-printable")
    policy = SMTP if (sender + recipient).isascii() else SMTPUTF8
    data = re.sub(rb"^\.", b"..", message.as_bytes(policy=policy), flags=re.MULTILINE)
    return ProbeMessage(sender, recipient, token, data + b".\r\n")


def _address(address: str, name: str | None = None) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name or "", local, domain)


class Reply(NamedTuple):
    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.lines)


class Smtp:
    """A client for the commands of a probe, in the order in which they are used."""

    def __init__(self, talk: Talk, ehlo_name: str | None) -> None:
        self._talk = talk
        self._name = ehlo_name
        self._offers: dict[str, str] = {}
        self._login: Reply | None = None

    async def greet(self) -> None:
        self._talk.begin("greeting")
        greeting = await self._reply(2)
        await self._ehlo()
        self._talk.passed(server=greeting.text[:80])

    async def start_tls(self) -> None:
        self._talk.begin("tls")
        if "STARTTLS" not in self._offers:
            raise ProbeError("MBX766", " ".join(self._offers))
        await self._command("STARTTLS", 2)
        await self._talk.encrypt()
        await self._ehlo()

    async def log_in(self, login: Login) -> None:
        self._talk.begin("login")
        if "AUTH" not in self._offers:
            code = "MBX827" if self._talk.wire.encrypted else "MBX771"
            raise ProbeError(code, offered="-", wanted="AUTH")
        offered = self._offers["AUTH"].split()
        mechanism = sasl.choose(offered, login, encrypted=self._talk.wire.encrypted)
        await sasl.authenticate(self, mechanism, login)
        self._talk.passed(mechanism=mechanism)

    async def propose(self, message: ProbeMessage) -> None:
        """Name sender and recipient, which is where most servers say what they do not relay."""
        self._talk.begin("sender")
        needs_more = not (message.sender + message.recipient).isascii()
        if needs_more and "SMTPUTF8" not in self._offers:
            raise ProbeError("MBX844")
        more = " SMTPUTF8" if needs_more else ""
        await self._command(f"MAIL FROM:<{message.sender}>{more}", 2)
        self._talk.passed(address=message.sender)
        self._talk.begin("recipient")
        await self._command(f"RCPT TO:<{message.recipient}>", 2)
        self._talk.passed(address=message.recipient)

    async def send(self, message: ProbeMessage) -> None:
        self._talk.begin("data")
        await self._command("DATA", 3)
        self._talk.wire.write(message.data)
        try:
            reply = await self._reply(2)
        except ConnectionError:
            raise ProbeError("MBX825") from None
        self._talk.passed(token=message.token, answer=reply.text[:80])

    async def leave(self) -> None:
        await self._talk.leave("QUIT")

    async def _ehlo(self) -> None:
        # Unless the row has a name, an address literal: looking up a name could take seconds.
        here = self._talk.wire.here
        name = self._name or (f"[IPv6:{here}]" if ":" in here else f"[{here}]")
        reply = await self._command(f"EHLO {name}", 2)
        pairs = (line.replace("=", " ", 1).partition(" ") for line in reply.lines[1:])
        self._offers = {key.upper(): values.upper() for key, _, values in pairs}

    async def begin(self, mechanism: str, first: str | None) -> str | None:
        return await self.answer(f"AUTH {mechanism} {first}" if first else f"AUTH {mechanism}")

    async def answer(self, text: str) -> str | None:
        self._login = await self._command(text)
        return self._login.text if self._login.code == _CHALLENGE else None

    async def outcome(self) -> None:
        if self._login and self._login.code != _LOGGED_IN:
            raise ServerRefusal(str(self._login.code), self._login.text)

    async def _command(self, line: str, expected: int | None = None) -> Reply:
        self._talk.say(line)
        return await self._reply(expected)

    async def _reply(self, expected: int | None = None) -> Reply:
        """The next reply, with all its lines; `expected` is the first digit of its code. Raises
        `ServerRefusal` where the digit is another one, or this is not SMTP, and as `Talk.line`.
        """
        lines: list[str] = []
        while True:
            line = await self._talk.line()
            match = _REPLY.fullmatch(line)
            if match is None:
                raise ServerRefusal("", line)
            lines.append(match[3] or "")
            if match[2] != "-":
                reply = Reply(int(match[1]), tuple(lines))
                if expected and reply.code // 100 != expected:
                    raise ServerRefusal(match[1], reply.text)
                return reply
