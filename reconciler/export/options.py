"""Which advanced options have to be written, and where, so that every server keeps its own.

The other way round to `options`: from the values that servers have to what says the least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from reconciler.desired.options import resolve
from reconciler.model.state import OPTIONS, HostProfile, MailServer

Values = tuple[Any, ...]
"""The values of `OPTIONS`, in their order."""

_PAIRS = ((), ("security",), ("port",), ("port", "security"))
"""What can be written of port and security: one may choose the other."""
_CANNOT_BE_TAKEN_BACK = ("ca_file", "ehlo_name")
"""A server cannot say that it has none of what its host has."""


def values_of(row: MailServer | HostProfile) -> Values:
    """The advanced options of a row."""
    return tuple(getattr(row, name) for name in OPTIONS)


def needed(
    server: MailServer, hosts: HostProfile | None, database: HostProfile | None
) -> tuple[str, ...]:
    """The options that a server has to write itself to get its values, as few as will do.

    `hosts` and `database` are what there is for its host under `hosts:` and in the database. What
    no writing can bring about is left as it is.
    """
    return _needed(
        values_of(server),
        values_of(hosts) if hosts else None,
        values_of(database) if database else None,
        server.host.lower(),
        server.protocol,
    )


@lru_cache(maxsize=1 << 14)
def _needed(
    wanted: Values, hosts: Values | None, database: Values | None, host: str, protocol: str
) -> tuple[str, ...]:
    profiles = (_profile(host, protocol, hosts), _profile(host, protocol, database))
    settled = values_of(resolve(_server(host, protocol), *profiles))
    alone = tuple(
        name
        for name, value, found in zip(OPTIONS[2:], wanted[2:], settled[2:], strict=True)
        if value != found and value is not None
    )
    for pair in _PAIRS:
        given = {name: wanted[OPTIONS.index(name)] for name in pair}
        if values_of(resolve(_server(host, protocol, **given), *profiles))[:2] == wanted[:2]:
            return (*pair, *alone)
    both = (name for name, value in zip(OPTIONS[:2], wanted, strict=False) if value is not None)
    return (*both, *alone)


def _profile(host: str, protocol: str, values: Values | None) -> HostProfile | None:
    return HostProfile._make((host, protocol, *values, None, None)) if values else None


_NOTHING = MailServer._make([None] * len(MailServer._fields))


def _server(host: str, protocol: str, **options: Any) -> MailServer:
    return _NOTHING._replace(host=host, protocol=protocol, **options)


def shared(servers: Sequence[MailServer], database: HostProfile | None) -> HostProfile | None:
    """What most of these servers, all of one host and protocol, have in common and must be written.

    None where nothing must: the options are what they would be anyway.
    """
    host, protocol = servers[0].host.lower(), servers[0].protocol
    rows = [values_of(server) for server in servers]
    common = dict(zip(OPTIONS, _most_common(row[:2] for row in rows), strict=False))
    for index, name in enumerate(OPTIONS[2:], 2):
        found = {row[index] for row in rows}
        if name not in _CANNOT_BE_TAKEN_BACK:
            common[name] = _most_common(row[index] for row in rows)
        elif len(found) == 1 and (name != "ehlo_name" or protocol == "smtp"):
            common[name] = found.pop()
    model = _server(host, protocol, **common)
    if not needed(model, None, database):
        return None
    names = needed(model, None, None)  # what is under `hosts:` takes the place of the database's
    written = {name: value for name, value in common.items() if name in names}
    return _profile(host, protocol, tuple(written.get(name) for name in OPTIONS))


def _most_common(values: Iterable[Any]) -> Any:
    """The value that is there most often; of several, the one that comes first."""
    counted: Mapping[Any, int] = Counter(values)
    return min(counted, key=lambda value: (-counted[value], repr(value)))
