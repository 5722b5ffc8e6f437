"""One conversation with a mail server, from the first step to the level asked for."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from reconciler.diagnostics.problem import Failure
from reconciler.probes.diagnose import diagnose
from reconciler.probes.protocols.imap import Imap
from reconciler.probes.protocols.pop3 import Pop3
from reconciler.probes.protocols.sasl import Login
from reconciler.probes.protocols.smtp import ProbeMessage, Smtp, compose
from reconciler.probes.protocols.talk import Shared, Talk
from reconciler.probes.results import (
    Diagnosis,
    Level,
    ProbeError,
    ProbeResult,
    ProbeWarning,
    ServerRefusal,
    redacted,
)
from reconciler.probes.target import Target, now, refuse_unusable
from reconciler.secrets.redact import Redactor

Client = Smtp | Imap | Pop3
USUAL_TIMEOUT = 30
"""Seconds for a conversation with a server whose row has no timeout."""
_NAMES_SECONDS = 10.0
_QUOTING = frozenset(("greeting", "tls", "data"))
"""The steps whose facts quote the server."""
_ENDINGS = (ProbeError, ServerRefusal, Failure, OSError, ValueError)


class Conversation:
    """One conversation with the server of `target`.

    `token` marks the message that it sends. On the way back of a round trip it `looks` for that
    message in the folder of the target, and `has_found` tells whether it is there.
    """

    def __init__(self, target: Target, shared: Shared, token: str, *, looks: bool = False) -> None:
        self.target = target
        self.shared = shared
        self.token = token
        self.looks = looks
        self.has_found = False
        self._seconds = min(target.server.timeout or USUAL_TIMEOUT, shared.policy.deadline)
        self._redactor = Redactor()

    async def run(self) -> ProbeResult:
        """Hold the conversation. Whatever the server does, there is a result, and in time."""
        talk = Talk(self.target.door, self.shared)
        began_at, began = now(), time.perf_counter()
        diagnosis = None
        try:
            await self._converse(talk)
        except _ENDINGS as error:
            diagnosis = await self._diagnosis(error, talk)
        finally:
            talk.wire.close()
        return self.target.result(diagnosis)._replace(
            steps=tuple(
                step._replace(facts=redacted(step.facts, self._redactor.line))
                if step.name in _QUOTING
                else step
                for step in talk.steps
            ),
            warnings=tuple(self._warnings(talk)),
            at=began_at,
            seconds=time.perf_counter() - began,
        )

    async def _converse(self, talk: Talk) -> None:
        refuse_unusable(self.target)
        talk.at = "recipient"
        message = self._message()
        sink = self.shared.policy.sink if message else None
        login = None if sink else await self._login(talk)
        client: Client | None
        async with asyncio.timeout(self._seconds):
            if sink:
                # No login: the sink wants none, and must not be shown a secret.
                await talk.connect_to_sink(*sink)
                client = Smtp(talk, None)
                await client.greet()
                await self._hand_over(client, message)
            else:
                client = await self._enter(talk, login, message)
        if client is not None:
            await client.leave()

    async def _enter(
        self, talk: Talk, login: Login | None, message: ProbeMessage | None
    ) -> Client | None:
        level = self.target.level
        await talk.connect(self._seconds)
        if level is Level.CONNECT:
            return None
        if talk.door.security == "tls":
            await talk.encrypt()
        client = await self._greeted(talk)
        if login is not None:
            refuse_open_secret(talk)
            await client.log_in(login)
        if isinstance(client, Smtp):
            await self._hand_over(client, message)
        elif level >= Level.SENDER:
            await client.open(self.target.server.folder or "INBOX")
            if self.looks:
                self.has_found = await client.has(self.token)
        return client

    async def _greeted(self, talk: Talk) -> Client:
        """The client of the target's protocol, past the greeting and, if declared, STARTTLS."""
        client: Client
        if talk.door.protocol == "smtp":
            client = Smtp(talk, self.target.server.ehlo_name)
        else:
            client = Imap(talk) if talk.door.protocol == "imap" else Pop3(talk)
        await client.greet()
        if talk.door.security == "starttls":
            await client.start_tls()
        return client

    async def _hand_over(self, client: Smtp, message: ProbeMessage | None) -> None:
        if message is not None:
            await client.propose(message)
            if self.target.level is Level.SEND:
                await client.send(message)

    def _message(self) -> ProbeMessage | None:
        """The message to send, if any; raises `ProbeError` where there is no sender, or the
        recipient may not be written to.
        """
        server = self.target.server
        if server.protocol != "smtp" or self.target.level < Level.SENDER:
            return None
        if not server.sender_email:
            raise ProbeError("MBX841")
        recipient = self.target.recipient or server.sender_email
        policy = self.shared.policy
        if not policy.sink and not policy.may_write_to(recipient, server.sender_email):
            raise ProbeError("MBX823")
        return compose(server.sender_email, server.sender_name, recipient, self.token)

    async def _login(self, talk: Talk) -> Login | None:
        """Who logs in, and with what; None where nobody does. Raises `ProbeError` or `Failure`
        where there is no secret.
        """
        server = self.target.server
        if self.target.level < Level.LOGIN or server.auth == "none":
            return None
        talk.at = "login"
        if self.target.secret is None or not server.username:
            raise ProbeError("MBX828")
        secret = (await self.target.secret()).reveal()
        self._redactor.add_parts(secret, server.username)
        if any(sign in secret for sign in "\r\n\0") and server.auth == "password":
            raise ProbeError("MBX824", key="password")
        if server.auth != "oauth2":
            return Login(server.username, secret, is_token=False)
        token = await self.shared.tokens.get(secret, server.username, server.protocol)
        self._redactor.add_parts(token, server.username)
        return Login(server.username, token, is_token=True)

    async def _diagnosis(self, error: BaseException, talk: Talk) -> Diagnosis:
        diagnosis = diagnose(error, talk.at, self.target.door, self.target.door.traits.provider)
        values = (*self.target.facts, ("seconds", int(self._seconds)), *diagnosis.values)
        if diagnosis.code == "MBX759":
            values += (("names", await self._certified_names()),)
        return diagnosis._replace(line=self._redactor.line(diagnosis.line), values=values)

    async def _certified_names(self) -> str:
        """Whom the certificate names instead, asked without verifying it and without a login."""
        talk = Talk(self.target.door._replace(verify=False), self.shared)
        try:
            async with asyncio.timeout(_NAMES_SECONDS):
                await talk.connect(_NAMES_SECONDS)
                if talk.door.security == "tls":
                    await talk.encrypt()
                else:
                    await self._greeted(talk)
        except _ENDINGS:
            return "?"
        finally:
            talk.wire.close()
        assert talk.certificate is not None
        return self._redactor.line(
            ", ".join(talk.certificate.names[:5]) or talk.certificate.subject
        )

    def _warnings(self, talk: Talk) -> list[ProbeWarning]:
        door, certificate, warnings = self.target.door, talk.certificate, []
        last_day = door.traits.passwords_until
        if last_day is not None and self.target.server.auth == "password":
            values = (("host", door.host), ("date", last_day.isoformat()))
            warnings.append(ProbeWarning("MBX842", values))
        if certificate and certificate.expires - datetime.now(UTC) < timedelta(days=21):
            values = (("host", door.host), ("date", certificate.expires.date().isoformat()))
            warnings.append(ProbeWarning("MBX843", values))
        return warnings


def refuse_open_secret(talk: Talk) -> None:
    """Refuse, with a `ProbeError`, to send a secret unencrypted over the Internet."""
    talk.at = "login"
    if not talk.wire.encrypted and ip_address(talk.address).is_global:
        raise ProbeError("MBX847")
