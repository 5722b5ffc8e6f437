"""The built-in catalogue of mail providers: what their hosts offer, for options nobody wrote.

The facts are in `providers.toml`, which is read when the first host is looked up.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


class Endpoint(NamedTuple):
    """One way to reach a host: a port, the security spoken there, and who says so."""

    port: int
    security: str
    provider: str


class Entry(NamedTuple):
    """The endpoints of a host and protocol, preferred first; a `*` in `host` is any one label."""

    host: str
    protocol: str
    endpoints: tuple[Endpoint, ...]


class Provider(NamedTuple):
    """Hosts of one provider, where they are known from, and the day that was last checked.

    One that is not `confirmed` comes from other people's code or is a guess.
    """

    name: str
    source: str
    checked: date
    confirmed: bool
    entries: tuple[Entry, ...]


@lru_cache(maxsize=4096)
def endpoints(host: str, protocol: str) -> tuple[Endpoint, ...]:
    """What the catalogue knows of `host`, in lower case, preferred first; empty when unknown."""
    exact = _by_host().get((host, protocol))
    if exact is not None:
        return exact
    for entry in _patterns():
        if entry.protocol == protocol and _matches(host, entry.host):
            return entry.endpoints
    return ()


@cache
def catalogue() -> tuple[Provider, ...]:
    """Every provider of the catalogue, in the order of its file."""
    # Imported here because most commands never ask, and start-up time is theirs too.
    import tomllib  # noqa: PLC0415
    from importlib.resources import files  # noqa: PLC0415

    text = files("reconciler").joinpath("providers.toml").read_text(encoding="utf-8")
    return tuple(_provider(table) for table in tomllib.loads(text)["provider"])


@cache
def _by_host() -> dict[tuple[str, str], tuple[Endpoint, ...]]:
    return {(entry.host, entry.protocol): entry.endpoints for entry in _entries()}


@cache
def _patterns() -> tuple[Entry, ...]:
    return tuple(entry for entry in _entries() if "*" in entry.host)


def _entries() -> tuple[Entry, ...]:
    return tuple(entry for provider in catalogue() for entry in provider.entries)


def _matches(host: str, pattern: str) -> bool:
    before, after = pattern.split("*")
    label = host.removeprefix(before).removesuffix(after)
    return host == before + label + after and label != "" and "." not in label


def _provider(table: Mapping[str, Any]) -> Provider:
    name = table["name"]
    entries = tuple(_entry(endpoint, name) for endpoint in table["endpoint"])
    return Provider(name, table["source"], table["checked"], table["confirmed"], entries)


def _entry(table: Mapping[str, Any], provider: str) -> Entry:
    options = table["options"]
    offered = tuple(Endpoint(option["port"], option["security"], provider) for option in options)
    return Entry(table["host"], table["protocol"], offered)
