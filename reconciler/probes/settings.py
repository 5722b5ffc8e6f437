"""What the platform engineer decides about probes: `[probes]` in the settings."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reconciler.probes.policy import MAIL_PORTS, Pace, Policy

PUBLIC = "public"


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
    place = urlsplit(text)
    if place.scheme != "https" and place.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("https, except on this machine")
    return text


class TokenUrls(BaseModel):
    """What takes the place of the token endpoints of Google and Microsoft."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    google: Annotated[str, AfterValidator(_https)] | None = None
    microsoft: Annotated[str, AfterValidator(_https)] | None = None


class ProbeSettings(BaseModel):
    """Where probes may connect, whom they may write to, and how hard they press.

    `networks` are `public` (the Internet) and networks as `10.0.0.0/8`; `recipients` addresses and
    `@domain`s; `not_to_itself` has hosts where no mailbox may write to itself, so that a company is
    written to instead. `patience` and `round_trip` are seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    networks: list[Annotated[str, AfterValidator(_network)]] = [PUBLIC]
    ports: list[Annotated[int, Field(ge=1, le=65535)]] = sorted(MAIL_PORTS)
    recipients: list[Annotated[str, AfterValidator(_recipient)]] = []
    not_to_itself: list[Annotated[str, AfterValidator(str.lower)]] = []
    ca_folder: str | None = None
    at_once: int = Field(default=Pace.at_once, ge=1, le=2_000)
    per_host: int = Field(default=Pace.per_host, ge=1, le=200)
    attempts: int = Field(default=Pace.attempts, ge=1, le=5)
    patience: int = Field(default=int(Pace.patience), ge=0, le=3_600)
    give_up_after: int = Field(default=Pace.give_up_after, ge=1, le=100)
    round_trip: int = Field(default=int(Pace.round_trip), ge=5, le=3_600)
    token_urls: TokenUrls = TokenUrls()

    def policy(self, sink: tuple[str, int] | None = None) -> Policy:
        """What a probe may do."""
        networks: list[IPv4Network | IPv6Network] = [
            ip_network(text) for text in self.networks if text != PUBLIC
        ]
        return Policy(
            public=PUBLIC in self.networks,
            networks=tuple(networks),
            ports=frozenset(self.ports),
            recipients=frozenset(self.recipients),
            sink=sink,
            ca_folder=Path(self.ca_folder) if self.ca_folder else None,
            token_urls={name: url for name, url in self.token_urls if url},
        )

    def pace(self) -> Pace:
        """How hard they press."""
        return Pace(
            at_once=self.at_once,
            per_host=self.per_host,
            attempts=self.attempts,
            patience=float(self.patience),
            give_up_after=self.give_up_after,
            round_trip=float(self.round_trip),
        )
