"""One attempt at one mailbox: a conversation from the first step to the level asked for."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address

from reconciler.diagnostics.problem import Failure, Problem
from reconciler.model import providers
from reconciler.probes.diagnose import Found, diagnose
from reconciler.probes.failure import ServerRefusal, Trouble
from reconciler.probes.failures import NO_VERDICT, ROWS
from reconciler.probes.message import ProbeMessage, compose
from reconciler.probes.protocols.imap import Imap
from reconciler.probes.protocols.pop3 import Pop3
from reconciler.probes.protocols.sasl import Login
from reconciler.probes.protocols.smtp import Smtp
from reconciler.probes.protocols.talk import TOO_EARLY, Shared, Talk
from reconciler.probes.protocols.tokens import Tokens
from reconciler.probes.results import (
    REASON,
    Again,
    Diagnosis,
    Facts,
    Level,
    Outcome,
    ProbeResult,
    Step,
    Warned,
)
from reconciler.probes.target import Door, Target, refuse_strange
from reconciler.secrets.redact import Redactor

Client = Smtp | Imap | Pop3
USUAL_TIMEOUT = 30
_EXPIRING = timedelta(days=21)
_MISMATCH = "MBX759"
_NAMES_SECONDS = 10.0
_SAYING = frozenset(("greeting", "tls", "data"))
_ENDINGS = (Trouble, ServerRefusal, Failure, OSError, ValueError)


class Attempt:
    """An attempt, and what is known of it if it ends early.

    `word` is the token of the message that it sends, and `finds` the one that it looks for in its
    folder, on the way back of a round trip; whether it is there is `has_found`.
    """

    def __init__(
        self, target: Target, shared: Shared, tokens: Tokens, word: str, finds: str | None = None
    ) -> None:
        self.target = target
        self.door = target.door
        self.shared = shared
        self.tokens = tokens
        self.word = word
        self.finds = finds
        self.has_found = False
        self._redactor = Redactor()

    async def made(self) -> ProbeResult:
        """Make it. Whatever a server does, there is a result, and in time."""
        talk = Talk(self.door, self.shared)
        at, since = _now(), time.perf_counter()
        diagnosis = None
        try:
            await self._converse(talk)
        except _ENDINGS as error:
            diagnosis = await self._diagnosis(error, talk)
        finally:
            talk.wire.close()
        return _blank(self.target, self.door)._replace(
            outcome=_outcome(diagnosis),
            steps=tuple(map(self._fit, talk.steps)),
            diagnosis=diagnosis,
            warnings=tuple(self._warnings(talk)),
            at=at,
            seconds=time.perf_counter() - since,
        )

    async def _converse(self, talk: Talk) -> None:
        refuse_strange(self.target)
        talk.at = "recipient"
        message = self._message()
        into_sink = message is not None and self.shared.policy.sink
        login = None if into_sink else await self._login(talk)
        seconds = min(self.target.server.timeout or USUAL_TIMEOUT, self.shared.policy.deadline)
        client: Client | None
        async with asyncio.timeout(seconds):
            if into_sink:
                client = await self._fill(talk, *into_sink, message)
            else:
                deadline = asyncio.get_running_loop().time() + seconds
                client = await self._enter(talk, login, message, deadline)
        if client is not None:
            await client.leave()

    async def _enter(
        self, talk: Talk, login: Login | None, message: ProbeMessage | None, deadline: float
    ) -> Client | None:
        level = self.target.level
        await talk.connect(deadline)
        if level is Level.CONNECT:
            return None
        if talk.door.security == "tls":
            await talk.encrypt(TOO_EARLY)
        client = self._client(talk)
        await client.greet()
        if talk.door.security == "starttls":
            await client.start_tls()
        if login is not None:
            _refuse_open_secret(talk)
            await client.log_in(login)
        if isinstance(client, Smtp):
            await self._hand_over(client, message)
        elif level >= Level.SENDER:
            await client.open(self.target.server.folder or "INBOX")
            if self.finds is not None:
                self.has_found = await client.has(self.finds)
        return client

    async def _hand_over(self, client: Smtp, message: ProbeMessage | None) -> None:
        if message is not None:
            await client.propose(message)
            if self.target.level is Level.SEND:
                await client.send(message)

    async def _fill(self, talk: Talk, host: str, port: int, message: ProbeMessage | None) -> Client:
        """Give the message to the sink, which wants no login, and no secret is shown to."""
        await talk.connect_to_sink(host, port)
        client = Smtp(talk, None)
        await client.greet()
        await self._hand_over(client, message)
        return client

    def _client(self, talk: Talk) -> Client:
        match talk.door.protocol:
            case "smtp":
                return Smtp(talk, self.target.server.ehlo_name)
            case "imap":
                return Imap(talk)
            case _:
                return Pop3(talk)

    def _message(self) -> ProbeMessage | None:
        """What is sent, if anything is.

        Raises:
            Trouble: nobody may be written to.
        """
        server = self.target.server
        if server.protocol != "smtp" or self.target.level < Level.SENDER:
            return None
        if not server.sender_email:
            raise Trouble("MBX841")
        recipient = self.target.recipient or server.sender_email
        policy = self.shared.policy
        if not policy.sink and not policy.may_write_to(recipient, server.sender_email):
            raise Trouble("MBX823")
        return compose(server.sender_email, server.sender_name, recipient, self.word)

    async def _login(self, talk: Talk) -> Login | None:
        """Who logs in, and with what; None where nobody does.

        Raises:
            Trouble, Failure: there is no secret.
        """
        server = self.target.server
        if self.target.level < Level.LOGIN or server.auth == "none":
            return None
        talk.at = "login"
        if self.target.secret is None or not server.username:
            raise Trouble("MBX828")
        secret = (await self.target.secret()).reveal()
        self._redactor.add_parts(secret, self.target.server.username or "")
        if any(sign in secret for sign in "\r\n\0") and server.auth == "password":
            raise Trouble("MBX824", values=(("key", "password"),))
        if server.auth != "oauth2":
            return Login(server.username, secret, is_token=False)
        token = await self.tokens.get(secret, server.username, server.protocol)
        self._redactor.add_parts(token, self.target.server.username or "")
        return Login(server.username, token, is_token=True)

    async def _diagnosis(self, error: BaseException, talk: Talk) -> Diagnosis:
        door = self.door
        provider = providers.traits(door.host, door.protocol).provider
        values: Facts = error.values if isinstance(error, Trouble) else ()
        if isinstance(error, Failure):
            found = Found("MBX829", Again.NO, "")
            values = _reason(error.problems[0])
        else:
            found = diagnose(error, talk.at, door, provider)
        if found.code == _MISMATCH:
            values = (("names", await self._names()),)
        line = self._redactor.line(found.line)
        return Diagnosis(found.code, talk.at, line, found.again, provider, self._values(values))

    def _fit(self, step: Step) -> Step:
        """`step` with what the server said in it fit to be kept."""
        if step.name not in _SAYING:
            return step
        facts = tuple(
            (name, self._redactor.line(value) if isinstance(value, str) else value)
            for name, value in step.facts
        )
        return step._replace(facts=facts)

    def _values(self, more: Facts) -> Facts:
        server, door = self.target.server, self.door
        return (
            ("host", door.host),
            ("port", door.port),
            ("security", door.security),
            ("username", server.username or ""),
            ("sender", server.sender_email or ""),
            ("recipient", self.target.recipient or server.sender_email or ""),
            ("folder", server.folder or "INBOX"),
            ("seconds", int(min(server.timeout or USUAL_TIMEOUT, self.shared.policy.deadline))),
            *more,
        )

    async def _names(self) -> str:
        """Whom the certificate names instead: asked again without a check, and without a login."""
        talk = Talk(self.door._replace(verify=False), self.shared)
        try:
            async with asyncio.timeout(_NAMES_SECONDS):
                await talk.connect(asyncio.get_running_loop().time() + _NAMES_SECONDS)
                if talk.door.security == "tls":
                    await talk.encrypt(TOO_EARLY)
                else:
                    client = self._client(talk)
                    await client.greet()
                    await client.start_tls()
        except _ENDINGS:
            return "?"
        finally:
            talk.wire.close()
        found = talk.certificate
        assert found is not None
        return self._redactor.line(", ".join(found.names[:5]) or found.subject)

    def _warnings(self, talk: Talk) -> list[Warned]:
        server, door = self.target.server, self.door
        found = []
        ends = providers.traits(door.host, door.protocol).passwords_until
        if ends is not None and server.auth == "password":
            found.append(Warned("MBX842", (("host", door.host), ("date", ends.isoformat()))))
        if talk.certificate and talk.certificate.expires - datetime.now(UTC) < _EXPIRING:
            day: date = talk.certificate.expires.date()
            found.append(Warned("MBX843", (("host", door.host), ("date", day.isoformat()))))
        return found


def given_up(target: Target, diagnosis: Diagnosis) -> ProbeResult:
    """The result of a mailbox that was not tried, because its host had failed others before."""
    return _blank(target, target.door)._replace(
        outcome=_outcome(diagnosis), diagnosis=diagnosis, attempts=0, given_up=True, at=_now()
    )


def untried(target: Target, code: str) -> ProbeResult:
    """The result of a mailbox that was not tried, for a reason that is not its own."""
    server, door = target.server, target.door
    values: Facts = (("host", door.host), ("username", server.username or ""))
    provider = providers.traits(door.host, door.protocol).provider
    diagnosis = Diagnosis(code, "resolve", "", ROWS[code].again, provider, values)
    return _blank(target, door)._replace(
        outcome=_outcome(diagnosis), diagnosis=diagnosis, attempts=0, at=_now()
    )


def _reason(problem: Problem) -> Facts:
    """Why a secret was not to be had: a code, and the values of that, told from others."""
    values = tuple((f"{REASON}_{name}", str(value)) for name, value in problem.values.items())
    return ((REASON, problem.code), *values)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _blank(target: Target, door: Door) -> ProbeResult:
    username = target.server.username or ""
    return ProbeResult(
        target.names,
        door.protocol,
        door.host,
        door.port,
        door.security,
        username,
        target.level,
        Outcome.PASSED,
    )


def _outcome(diagnosis: Diagnosis | None) -> Outcome:
    if diagnosis is None:
        return Outcome.PASSED
    return Outcome.NOT_TESTED if diagnosis.code in NO_VERDICT else Outcome.FAILED


def _refuse_open_secret(talk: Talk) -> None:
    """Refuse to say a secret in the clear to anybody on the Internet."""
    talk.at = "login"
    if not talk.wire.encrypted and ip_address(talk.address).is_global:
        raise Trouble("MBX847")
