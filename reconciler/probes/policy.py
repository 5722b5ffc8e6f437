"""What a probe may do: where it may connect, whom it may write to, and how much of anything.

The platform engineer decides it with `[probes]` in the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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


PUBLIC = "public"
_USUAL = Pace()


def _network(text: str) -> str:
    if text != PUBLIC:
        ip_network(text)
    return text


def _recipient(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at or not domain or set(text) & set(" <>,;*"):
        raise ValueError("an address, or @ and a domain")
    return f"{local}@{domain}".lower()


def _https(text: str) -> str:
    url = urlsplit(text)
    if url.scheme != "https" and url.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("https, except on this machine")
    return text


class TokenUrls(BaseModel):
    """Token endpoints to use in place of those of Google and Microsoft."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    google: Annotated[str, AfterValidator(_https)] | None = None
    microsoft: Annotated[str, AfterValidator(_https)] | None = None


class ProbeSettings(BaseModel):
    """Where probes may connect, whom they may write to, and how hard they press servers.

    `networks` are `public` (the Internet) and networks as `10.0.0.0/8`; `recipients` are addresses
    and `@domain`s; on the hosts `not_to_itself` no mailbox may write to itself, so that a company
    is written to instead. `patience` and `round_trip` are seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    networks: list[Annotated[str, AfterValidator(_network)]] = [PUBLIC]
    ports: list[Annotated[int, Field(ge=1, le=65535)]] = sorted(MAIL_PORTS)
    recipients: list[Annotated[str, AfterValidator(_recipient)]] = []
    not_to_itself: list[Annotated[str, AfterValidator(str.lower)]] = []
    ca_folder: str | None = None
    at_once: int = Field(default=_USUAL.at_once, ge=1, le=2_000)
    per_host: int = Field(default=_USUAL.per_host, ge=1, le=200)
    attempts: int = Field(default=_USUAL.attempts, ge=1, le=5)
    patience: int = Field(default=_USUAL.patience, ge=0, le=3_600)
    give_up_after: int = Field(default=_USUAL.give_up_after, ge=1, le=100)
    round_trip: int = Field(default=_USUAL.round_trip, ge=5, le=3_600)
    token_urls: TokenUrls = TokenUrls()

    def policy(self, sink: tuple[str, int] | None = None) -> Policy:
        """What a probe may do; all messages go to `sink`, if there is one."""
        return Policy(
            public=PUBLIC in self.networks,
            networks=tuple(ip_network(text) for text in self.networks if text != PUBLIC),
            ports=frozenset(self.ports),
            recipients=frozenset(self.recipients),
            sink=sink,
            ca_folder=Path(self.ca_folder) if self.ca_folder else None,
            token_urls={name: url for name, url in self.token_urls if url},
        )

    def pace(self) -> Pace:
        """How many probes at once, and how often."""
        return Pace(*(getattr(self, name) for name in Pace._fields))
