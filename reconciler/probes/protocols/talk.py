"""One conversation: its wire, and the steps it has taken."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import NamedTuple

from reconciler.probes.failure import ProbeError
from reconciler.probes.policy import Policy
from reconciler.probes.protocols.addresses import Resolver, allowed
from reconciler.probes.protocols.tls import Certificate, Contexts, certificate
from reconciler.probes.protocols.wire import Wire
from reconciler.probes.results import Step
from reconciler.probes.target import Door

TOO_EARLY = "MBX758"
"""Bytes before the handshake: on a port that expects plain text first."""
INJECTED = "MBX820"
"""Bytes between the answer to STARTTLS and the handshake: somebody on the way put them there."""

_FAREWELL = 2.0


class Shared(NamedTuple):
    """What all conversations of a run have in common."""

    policy: Policy
    resolver: Resolver
    contexts: Contexts


class Talk:
    """A conversation with the server behind `door`.

    `at` is the step that is being taken; `steps` are those that went well. A conversation that ends
    early leaves the one that failed out of `steps`.
    """

    def __init__(self, door: Door, shared: Shared) -> None:
        self.door = door
        self.shared = shared
        self.steps: list[Step] = []
        self.at = "resolve"
        self.wire = Wire(shared.policy.bytes, shared.policy.lines)
        self.address = ""
        self.certificate: Certificate | None = None
        self._since = time.perf_counter()

    def begin(self, step: str) -> None:
        """Take a step; what it costs is counted from here."""
        self.at = step
        self._since = time.perf_counter()

    def passed(self, **facts: str | int) -> None:
        """The step went well, and this is what it has shown."""
        self.steps.append(Step(self.at, time.perf_counter() - self._since, tuple(facts.items())))

    async def connect(self, deadline: float) -> None:
        """Find the host and connect to it, before `deadline` (the loop's clock).

        Raises:
            ProbeError: the policy forbids it.
            OSError, UnicodeError: as the system says.
        """
        policy = self.shared.policy
        self.begin("resolve")
        if self.door.port not in policy.ports:
            raise ProbeError("MBX821", port=self.door.port)
        found = await self.shared.resolver.addresses(self.door.host)
        addresses = allowed(found, self.door.host, policy)
        self.passed(addresses=", ".join(addresses))
        self.begin("connect")
        await self._connect_to_one(addresses, deadline)
        self.passed(address=self.address, port=self.door.port)

    async def connect_to_sink(self, host: str, port: int) -> None:
        """Connect to where the person who started the run wants all messages to go."""
        self.begin("connect")
        await self.wire.connect(host, port)
        self.address = host
        self.passed(address=host, port=port)

    async def _connect_to_one(self, addresses: tuple[str, ...], deadline: float) -> None:
        """Try the addresses in turn; each one has its share of the time that is left."""
        now = asyncio.get_running_loop().time
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                async with asyncio.timeout_at(now() + (deadline - now()) / left):
                    await self.wire.connect(address, self.door.port)
            except OSError:  # a timeout is one too
                if left == 1:
                    raise
            else:
                self.address = address
                return

    async def encrypt(self, early: str) -> None:
        """Shake hands, and look at the certificate.

        Raises:
            ProbeError, OSError, ssl.SSLError: no handshake.
        """
        self.begin("tls")
        door = self.door
        context = self.shared.contexts.get(verify=door.verify, ca_file=door.ca_file)
        found = await self.wire.encrypt(context, door.host, early)
        self.certificate = certificate(found)
        self.passed(
            version=found.get_extra_info("ssl_object").version() or "",
            subject=self.certificate.subject,
            expires=self.certificate.expires.strftime("%Y-%m-%d"),
        )

    async def line(self) -> str:
        """The next line that the server says, as text.

        Raises:
            ProbeError, Dropped: as `Wire.line`.
        """
        return (await self.wire.line()).decode("utf-8", "replace")

    def say(self, line: str) -> None:
        """Send one line. What could end it early was refused before the conversation began."""
        if "\r" in line or "\n" in line or "\0" in line:
            raise ProbeError("MBX824", key=self.at)
        self.wire.write(line.encode("utf-8", "surrogateescape") + b"\r\n")


async def take_leave(talk: Talk, line: str) -> None:
    """Say farewell and wait a little for its answer; how that ends changes nothing any more."""
    with suppress(ProbeError, OSError):
        talk.say(line)
        async with asyncio.timeout(_FAREWELL):
            await talk.wire.line()
