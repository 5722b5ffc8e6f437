"""What is probed: a mailbox, the servers that share it, and where its secret comes from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple, Protocol

from reconciler.model.providers import PLAIN_PORTS, USUAL_PORTS
from reconciler.model.state import MailServer
from reconciler.probes.failure import ProbeError
from reconciler.probes.results import Level


class Sensitive(Protocol):
    """A value that shows itself only when it is asked to."""

    def reveal(self) -> str: ...


SecretSource = Callable[[], Awaitable[Sensitive]]
"""Gets a secret when it is needed; raises `diagnostics.Failure` where it cannot."""


class Door(NamedTuple):
    """Where and how a server is entered; what fails here fails for all its mailboxes."""

    protocol: str
    host: str
    port: int
    security: str
    verify: bool
    ca_file: str | None


class Target(NamedTuple):
    """One mailbox to probe. `names` are the servers (`partner/id`) that share it.

    `recipient` is where a test message goes, if not to the sender itself; `reader` is the incoming
    mailbox in which a round trip looks for it. `lacking` is the code of what keeps it from being
    tested, where that is known before.
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
        """The door of the server, with what its row leaves open chosen as everywhere else."""
        server = self.server
        security = server.security or "tls"
        usual = {found: port for port, found in USUAL_PORTS.get(server.protocol, ())}
        usual["none"] = PLAIN_PORTS.get(server.protocol, 0)
        port = server.port if server.port is not None else usual.get(security, 0)
        verify = server.verify_certificate is not False
        host = server.host.lower().removesuffix(".")
        return Door(server.protocol, host, port, security, verify, server.ca_file or None)

    @property
    def key(self) -> int:
        """64 bits that are the same for the same mailbox, in every run and on every machine."""
        door = self.door
        parts = (
            door.protocol,
            door.host,
            str(door.port),
            door.security,
            self.server.username or "",
        )
        digest = blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big")

    def in_shard(self, number: int, count: int) -> bool:
        """Whether this mailbox is in shard `number` (from 1) of `count`."""
        return self.key % count == number - 1


def distinct(targets: Iterable[Target]) -> Iterator[Target]:
    """Every mailbox once, with the names of all servers that share it.

    One mailbox with different senders, folders or credentials is different targets: the verdict on
    one says nothing about the other.
    """
    found: dict[tuple[object, ...], Target] = {}
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
        known = found.get(key)
        found[key] = known._replace(names=known.names + target.names) if known else target
    yield from found.values()


def refuse_strange(target: Target) -> None:
    """Refuse a target that no server should be shown.

    Raises:
        ProbeError: it lacks something, a name holds a control character, or the row has values that
            nobody can use.
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
