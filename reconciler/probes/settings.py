"""What the platform engineer decides about probes: `[probes]` in the settings."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reconciler.probes.policy import MAIL_PORTS, Pace, Policy

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
