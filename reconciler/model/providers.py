"""The built-in catalogue of mail providers: what their hosts offer, for options nobody wrote.

The facts are in `providers.toml`, which is read when the first host is looked up.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

USUAL_PORTS = {
    "smtp": ((465, "tls"), (587, "starttls")),
    "imap": ((993, "tls"), (143, "starttls")),
    "pop3": ((995, "tls"), (110, "starttls")),
}
"""Port and security of RFC 8314, preferred first; `none` is only ever chosen by the user."""
PLAIN_PORTS = {"smtp": 25, "imap": 143, "pop3": 110}
"""The port where `none` is chosen without a port."""


class Endpoint(NamedTuple):
    """One way to reach a host: a port, the security spoken there, and who says so."""

    port: int
    security: str
    provider: str


class Traits(NamedTuple):
    """What a client has to know of a host: whose it is, and what it puts up with.

    `connections` at once and `per_minute` new ones; None where nothing is known. Passwords are
    taken until `passwords_until`, where that is going to end or has ended.
    """

    provider: str | None = None
    connections: int | None = None
    per_minute: int | None = None
    passwords_until: date | None = None


class Entry(NamedTuple):
    """The endpoints of a host and protocol, preferred first; a `*` in `host` is any one label."""

    host: str
    protocol: str
    endpoints: tuple[Endpoint, ...]
    traits: Traits


class Provider(NamedTuple):
    """Hosts of one provider, where they are known from, and the day that was last checked.

    One that is not `confirmed` comes from other people's code or is a guess.
    """

    name: str
    source: str
    checked: date
    confirmed: bool
    entries: tuple[Entry, ...]


def endpoints(host: str, protocol: str) -> tuple[Endpoint, ...]:
    """The endpoints of `host`, in lower case, preferred first; empty for an unknown host."""
    entry = _entry_of(host, protocol)
    return entry.endpoints if entry else ()


def traits(host: str, protocol: str) -> Traits:
    """What a client has to know about `host`, in lower case."""
    entry = _entry_of(host, protocol)
    return entry.traits if entry else Traits()


@lru_cache(maxsize=4096)
def _entry_of(host: str, protocol: str) -> Entry | None:
    exact, patterns = _entries()
    fitting = (item for item in patterns if item.protocol == protocol and _matches(host, item.host))
    return exact.get((host, protocol)) or next(fitting, None)


@cache
def catalogue() -> tuple[Provider, ...]:
    """Every provider of the catalogue, in the order of its file."""
    # Imported here because most commands never ask, and start-up time is theirs too.
    import tomllib  # noqa: PLC0415
    from importlib.resources import files  # noqa: PLC0415

    text = files("reconciler.model").joinpath("providers.toml").read_text(encoding="utf-8")
    return tuple(_provider(table) for table in tomllib.loads(text)["provider"])


@cache
def _entries() -> tuple[dict[tuple[str, str], Entry], list[Entry]]:
    """The entries by host and protocol, and those that have a `*`."""
    entries = [entry for provider in catalogue() for entry in provider.entries]
    exact = {(entry.host, entry.protocol): entry for entry in entries}
    return exact, [entry for entry in entries if "*" in entry.host]


def _matches(host: str, pattern: str) -> bool:
    before, after = pattern.split("*")
    label = host.removeprefix(before).removesuffix(after)
    return host == before + label + after and label != "" and "." not in label


def _provider(table: Mapping[str, Any]) -> Provider:
    entries = tuple(_entry(endpoint, table) for endpoint in table["endpoint"])
    name = table["name"]
    return Provider(name, table["source"], table["checked"], table["confirmed"], entries)


def _entry(table: Mapping[str, Any], provider: Mapping[str, Any]) -> Entry:
    name, options = provider["name"], table["options"]
    offered = tuple(Endpoint(option["port"], option["security"], name) for option in options)
    known = Traits(
        name, provider.get("connections"), provider.get("per_minute"), table.get("passwords_until")
    )
    return Entry(table["host"], table["protocol"], offered, known)
