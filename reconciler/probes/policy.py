"""What a probe may do: where it may connect, whom it may write to, and how much of anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import NamedTuple

MAIL_PORTS = frozenset((25, 465, 587, 2525, 2465, 2587, 143, 993, 110, 995))


@dataclass(frozen=True, slots=True)
class Policy:
    """The bounds of all probes of a run.

    Addresses of the Internet are allowed by `public`, all others only by `networks`. `recipients`
    are addresses, or `@domain`s, that a test message may go to besides the mailbox itself. A `sink`
    (host, port) takes every message instead of the servers. `bytes` and `lines` bound what a server
    may say in one conversation, `deadline` (seconds) how long one may last, whatever its timeout.
    """

    public: bool = True
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    ports: frozenset[int] = MAIL_PORTS
    recipients: frozenset[str] = frozenset()
    sink: tuple[str, int] | None = None
    bytes: int = 256 * 1024
    lines: int = 2_000
    deadline: float = 120.0
    ca_folder: Path | None = None
    token_urls: Mapping[str, str] = field(default_factory=dict)

    def may_write_to(self, recipient: str, mailbox: str | None) -> bool:
        """Whether a test message for the mailbox `mailbox` may go to `recipient`."""
        address = recipient.lower()
        is_own = mailbox is not None and address == mailbox.lower()
        domain = "@" + address.rpartition("@")[2]
        return is_own or address in self.recipients or domain in self.recipients


class Pace(NamedTuple):
    """How many probes at once, and how often a server is tried again.

    `per_host` holds for hosts that the catalogue of providers does not know. `patience` is the
    longest wait between two attempts at one mailbox, `round_trip` for a message; both in seconds.
    """

    at_once: int = 200
    per_host: int = 10
    attempts: int = 3
    patience: int = 420
    give_up_after: int = 3
    round_trip: int = 120
