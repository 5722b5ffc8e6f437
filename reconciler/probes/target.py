"""What is probed: a mailbox, the servers that share it, and where its secret comes from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple, Protocol

from reconciler.diagnostics.messages.failures import failures
from reconciler.model import providers
from reconciler.model.providers import PLAIN_PORTS, USUAL_PORTS
from reconciler.model.state import MailServer
from reconciler.probes.results import Diagnosis, Facts, Level, ProbeError, ProbeOutcome, ProbeResult


class Sensitive(Protocol):
    """A value that can be read only by asking for it."""

    def reveal(self) -> str: ...


SecretSource = Callable[[], Awaitable[Sensitive]]
"""Fetches a secret when it is needed; raises `diagnostics.Failure` where it cannot."""


class Door(NamedTuple):
    """Where and how a server is entered; a failure here is one of all mailboxes behind it."""

    protocol: str
    host: str
    port: int
    security: str
    verify: bool
    ca_file: str | None

    @property
    def traits(self) -> providers.Traits:
        """What the catalogue of providers has on the host."""
        return providers.traits(self.host, self.protocol)


class Target(NamedTuple):
    """One mailbox to probe. `names` are the servers (`partner/id`) that share it.

    `recipient` is where a test message goes, if not to the sender itself; `reader` is the incoming
    mailbox in which a round trip looks for it. `lacking` is the code of a failure that is known
    beforehand and rules out a test.
    """

    server: MailServer
    names: tuple[str, ...]
    level: Level
    secret: SecretSource | None = None
    recipient: str | None = None
    reader: Target | None = None
    lacking: str = ""

    @property
    def door(self) -> Door:
        """The door of the server, with the usual values where its row has none."""
        server = self.server
        security = server.security or "tls"
        ports = {name: port for port, name in USUAL_PORTS.get(server.protocol, ())}
        ports["none"] = PLAIN_PORTS.get(server.protocol, 0)
        port = server.port if server.port is not None else ports.get(security, 0)
        verify = server.verify_certificate is not False
        host = server.host.lower().removesuffix(".")
        return Door(server.protocol, host, port, security, verify, server.ca_file or None)

    @property
    def key(self) -> int:
        """64 bits that are the same for the same mailbox, in every run and on every machine."""
        parts = (*map(str, self.door[:4]), self.server.username or "")
        digest = blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big")

    @property
    def facts(self) -> Facts:
        """The values that every diagnosis of this mailbox has."""
        server, door = self.server, self.door
        return (
            ("host", door.host),
            ("port", door.port),
            ("security", door.security),
            ("username", server.username or ""),
            ("sender", server.sender_email or ""),
            ("recipient", self.recipient or server.sender_email or ""),
            ("folder", server.folder or "INBOX"),
        )

    def in_shard(self, number: int, count: int) -> bool:
        """Whether this mailbox is in shard `number` (from 1) of `count`."""
        return self.key % count == number - 1

    def result(self, diagnosis: Diagnosis | None) -> ProbeResult:
        """The result of this mailbox with `diagnosis`; without one it passed."""
        outcome = diagnosis.outcome if diagnosis else ProbeOutcome.PASSED
        username = self.server.username or ""
        return ProbeResult(
            self.names, *self.door[:4], username, self.level, outcome, diagnosis=diagnosis, at=now()
        )

    def untried(self, code: str) -> ProbeResult:
        """The result of a mailbox that was not tried, for a reason that lies elsewhere."""
        provider, again = self.door.traits.provider, failures()[code].again
        values = (("host", self.door.host), ("username", self.server.username or ""))
        diagnosis = Diagnosis(code, "resolve", "", again, provider, values)
        return self.result(diagnosis)._replace(attempts=0)


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def distinct(targets: Iterable[Target]) -> Iterable[Target]:
    """Every mailbox once, with the names of all servers that share it.

    The same mailbox with different senders, folders or credentials makes different targets: the
    result of one says nothing about the other.
    """
    by_mailbox: dict[tuple[object, ...], Target] = {}
    for target in targets:
        server = target.server
        key = (
            target.door,
            server.username,
            server.auth,
            server.password_reference or (target.names if target.secret else None),
            server.sender_email,
            server.folder,
            target.recipient,
            target.lacking,
        )
        known = by_mailbox.get(key)
        by_mailbox[key] = known._replace(names=known.names + target.names) if known else target
    return by_mailbox.values()


def refuse_unusable(target: Target) -> None:
    """Refuse, with a `ProbeError`, a target that no server should be shown: it lacks something, a
    text holds a control character, or the row has values that nobody can use.
    """
    if target.lacking:
        raise ProbeError(target.lacking)
    server, door = target.server, target.door
    texts = {
        "host": server.host,
        "username": server.username,
        "sender": server.sender_email,
        "sender name": server.sender_name,
        "folder": server.folder,
        "ehlo_name": server.ehlo_name,
        "recipient": target.recipient,
    }
    for name, text in texts.items():
        if text and any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
            raise ProbeError("MBX824", key=name)
    if door.protocol not in USUAL_PORTS or door.security not in ("tls", "starttls", "none"):
        raise ProbeError("MBX846", value=f"{door.protocol}, {door.security}")
    if not 0 < door.port < 65536:
        raise ProbeError("MBX846", value=str(door.port))
    for address in (server.sender_email, target.recipient):
        if address and not _is_address(address):
            raise ProbeError("MBX846", value=address)


def _is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at and local and domain) and not set(text) & set(' <>,;:"\\()[]')
