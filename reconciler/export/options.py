"""Which advanced options must be written, and where, for every server to keep its own.

The inverse of `desired.options`: from the values that servers have to the least that gives them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from reconciler.desired.options import Values, resolve
from reconciler.model.state import OPTIONS, HostProfile, MailServer

_PAIRS = ((), ("security",), ("port",), ("port", "security"))
"""What may be written of port and security, as either can imply the other; the least first."""
_IRREVOCABLE = ("ca_file", "ehlo_name")
"""Options that a server cannot reset to nothing if its host has them."""


def values_of(row: MailServer | HostProfile) -> Values:
    """The advanced options of a row."""
    return tuple(getattr(row, name) for name in OPTIONS)


def endpoint(row: MailServer) -> tuple[str, str]:
    """The host and the protocol of a server: the key of its host profile."""
    return row.host.lower(), row.protocol


def needed(
    server: MailServer, hosts: HostProfile | None, database: HostProfile | None
) -> tuple[str, ...]:
    """The fewest options that a server must write itself to get its values.

    `hosts` and `database` are the profiles of its host under `hosts:` and in the database. What
    cannot be achieved by writing is left as it is.
    """
    profiles = (values_of(hosts) if hosts else None, values_of(database) if database else None)
    return _needed(values_of(server), *profiles, *endpoint(server))


@lru_cache(maxsize=1 << 14)
def _needed(
    values: Values, hosts: Values | None, database: Values | None, host: str, protocol: str
) -> tuple[str, ...]:
    profiles = (_profile(host, protocol, hosts), _profile(host, protocol, database))
    inherited = values_of(resolve(_server(host, protocol), *profiles))
    alone = tuple(
        name
        for name, value, default in zip(OPTIONS[2:], values[2:], inherited[2:], strict=True)
        if value != default and value is not None
    )
    for pair in _PAIRS:
        options = {name: values[OPTIONS.index(name)] for name in pair}
        if values_of(resolve(_server(host, protocol, **options), *profiles))[:2] == values[:2]:
            return (*pair, *alone)
    return (*(OPTIONS[index] for index in (0, 1) if values[index] is not None), *alone)


def _profile(host: str, protocol: str, values: Values | None) -> HostProfile | None:
    return HostProfile._make((host, protocol, *values, None, None)) if values else None


_NOTHING = MailServer._make([None] * len(MailServer._fields))


def _server(host: str, protocol: str, **options: Any) -> MailServer:
    return _NOTHING._replace(host=host, protocol=protocol, **options)


def shared(servers: Sequence[MailServer], database: HostProfile | None) -> HostProfile | None:
    """What most of these servers, all of one host and protocol, must write; None if nothing."""
    host, protocol = endpoint(servers[0])
    rows = [values_of(server) for server in servers]
    common = dict(zip(OPTIONS, _most_common(row[:2] for row in rows), strict=False))
    for index, name in enumerate(OPTIONS[2:], 2):
        values = {row[index] for row in rows}
        if name not in _IRREVOCABLE:
            common[name] = _most_common(row[index] for row in rows)
        elif len(values) == 1 and (name != "ehlo_name" or protocol == "smtp"):
            common[name] = values.pop()
    model = _server(host, protocol, **common)
    if not needed(model, None, database):
        return None
    names = needed(model, None, None)  # what is under `hosts:` replaces what the database has
    options = {name: value for name, value in common.items() if name in names}
    return _profile(host, protocol, tuple(options.get(name) for name in OPTIONS))


def _most_common(values: Iterable[Any]) -> Any:
    """The most frequent value; of several, the first in order of their representation."""
    counted = Counter(values)
    return min(counted, key=lambda value: (-counted[value], repr(value)))
