"""A conversation as its protocol sees it: lines in both directions, and the steps taken so far."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from reconciler.probes.policy import Policy
from reconciler.probes.protocols.addresses import LookUp, Resolver, allowed
from reconciler.probes.protocols.tls import Certificate, Contexts, certificate
from reconciler.probes.protocols.tokens import Tokens
from reconciler.probes.protocols.wire import Wire
from reconciler.probes.results import ProbeError, Step
from reconciler.probes.target import Door

_FAREWELL_SECONDS = 2.0


class Shared:
    """What all conversations of a run have in common; hosts are looked up with `look_up`."""

    def __init__(self, policy: Policy, look_up: LookUp | None = None) -> None:
        self.policy = policy
        self.resolver = Resolver(look_up)
        self.contexts = Contexts(policy.ca_folder)
        self.tokens = Tokens(policy, self.resolver, self.contexts)


class Talk:
    """The talk with the server behind `door`.

    `at` is the current step; `steps` are those that went well, without the one that failed.
    """

    def __init__(self, door: Door, shared: Shared) -> None:
        self.door = door
        self.shared = shared
        self.steps: list[Step] = []
        self.at = "resolve"
        self.wire = Wire(shared.policy.bytes, shared.policy.lines)
        self.address = ""
        self.certificate: Certificate | None = None
        self._began = time.perf_counter()

    def begin(self, step: str) -> None:
        """Begin a step; its time counts from here."""
        self.at = step
        self._began = time.perf_counter()

    def passed(self, **facts: str | int) -> None:
        """Note that the step went well, and what it showed."""
        self.steps.append(Step(self.at, time.perf_counter() - self._began, tuple(facts.items())))

    async def connect(self, seconds: float) -> None:
        """Look up the host and connect to it, within so many seconds; raises `ProbeError` where
        the policy forbids it, `OSError` and `UnicodeError` as the system says.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        policy = self.shared.policy
        self.begin("resolve")
        if self.door.port not in policy.ports:
            raise ProbeError("MBX821", port=self.door.port)
        looked_up = await self.shared.resolver.addresses(self.door.host)
        addresses = allowed(looked_up, self.door.host, policy)
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

    async def encrypt(self) -> None:
        """Shake hands and take note of the certificate; raises as `Wire.encrypt` does."""
        self.begin("tls")
        door = self.door
        context = self.shared.contexts.get(verify=door.verify, ca_file=door.ca_file)
        # Bytes before the handshake: the port expects plain text first; or, after the answer to
        # STARTTLS, somebody on the way put them there.
        early = "MBX758" if door.security == "tls" else "MBX820"
        transport = await self.wire.encrypt(context, door.host, early)
        self.certificate = certificate(transport)
        self.passed(
            version=transport.get_extra_info("ssl_object").version() or "",
            subject=self.certificate.subject,
            expires=self.certificate.expires.strftime("%Y-%m-%d"),
        )

    async def line(self) -> str:
        """The next line from the server, as text; raises as `Wire.line` does."""
        return (await self.wire.line()).decode("utf-8", "replace")

    def say(self, line: str) -> None:
        """Send one line. What could end it early was refused before the conversation began."""
        if "\r" in line or "\n" in line or "\0" in line:
            raise ProbeError("MBX824", key=self.at)
        self.wire.write(line.encode("utf-8", "surrogateescape") + b"\r\n")

    async def leave(self, line: str) -> None:
        """Take leave with `line` and wait briefly for the answer, which no longer matters."""
        with suppress(ProbeError, OSError):
            self.say(line)
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self.wire.line()
