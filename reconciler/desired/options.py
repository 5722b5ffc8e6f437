"""The advanced options of a mail server: the value of each, and where it came from.

The first that says something: the server itself, `hosts:`, a profile in the database that another
program wrote, the built-in catalogue of providers, the defaults of RFC 8314. Port and security are
taken as a pair, so that one that is given chooses the other.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from reconciler.model import providers
from reconciler.model.providers import PLAIN_PORTS, USUAL_PORTS
from reconciler.model.state import OPTIONS, HostProfile, MailServer, Origins, State

Values = tuple[Any, ...]
"""The values of `OPTIONS`, in their order."""


def _stretch(fields: tuple[str, ...]) -> slice:
    """Where the options stand in a row: side by side, in a server with their origins behind."""
    start = fields.index(OPTIONS[0])
    return slice(start, start + len(OPTIONS))


_OPTIONS = _stretch(MailServer._fields)
_PROFILE = _stretch(HostProfile._fields)
NOTHING: Values = (None,) * len(OPTIONS)
DEFAULTS = {"verify_certificate": True, "timeout": 30}


def resolve(
    server: MailServer, hosts: HostProfile | None, database: HostProfile | None
) -> MailServer:
    """`server` with every advanced option resolved and its origin noted.

    A profile under `hosts:` takes the place of the one in the database, which then says nothing.
    """
    row: Values = server
    below = NOTHING if hosts else _options(database)
    settled = _settle(row[_OPTIONS], _options(hosts), below, server.host, server.protocol)
    return MailServer._make((*row[: _OPTIONS.start], *settled, *row[_OPTIONS.stop + 1 :]))


def foreign(state: State) -> dict[tuple[str, str], HostProfile]:
    """The profiles that another program wrote; released ones still have a `file`."""
    rows = (row for row in state.hosts.values() if row.project is None and row.file is None)
    return {(row.host.lower(), row.protocol): row for row in rows}


def _options(profile: HostProfile | None) -> Values:
    row: Values | None = profile
    return row[_PROFILE] if row else NOTHING


@lru_cache(maxsize=1 << 14)
def _settle(
    own: Values, hosts: Values, database: Values, host: str, protocol: str
) -> tuple[Any, ...]:
    """The resolved options, followed by their origins."""
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    sources = (("server", own), ("hosts", hosts), ("database", database))
    for index, name in enumerate(OPTIONS):
        for origin, source in sources:
            if (value := source[index]) is not None:
                values[name], origins[name] = value, origin
                break
    _pair(values, origins, "catalogue", [pair[:2] for pair in providers.endpoints(host, protocol)])
    if values.get("security") == "none":
        usual = [(PLAIN_PORTS.get(protocol, 0), "none")]
    else:
        usual = [*USUAL_PORTS.get(protocol, ()), USUAL_PORTS["smtp"][0]]
    _pair(values, origins, "default", usual)
    for name in OPTIONS:
        values.setdefault(name, DEFAULTS.get(name))
        origins.setdefault(name, "default")
    return (*(values[name] for name in OPTIONS), Origins(**origins))


def _pair(
    values: dict[str, object], origins: dict[str, str], origin: str, pairs: list[tuple[int, str]]
) -> None:
    """Fill in port and security from the first of `pairs` that agrees with what is set already."""
    written = (values.get("port"), values.get("security"))
    fitting = [
        pair for pair in pairs if written[0] in (None, pair[0]) and written[1] in (None, pair[1])
    ]
    if not fitting and origin == "default":
        fitting = pairs[:1]
    for name, value in zip(("port", "security"), fitting[0] if fitting else (), strict=False):
        if name not in values:
            values[name], origins[name] = value, origin
