"""From a host to the addresses that a probe may connect to: looked up once, each one checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from reconciler.probes.policy import Policy
from reconciler.probes.protocols.aside import aside
from reconciler.probes.results import ProbeError

LookUp = Callable[[str], Awaitable[tuple[str, ...]]]
"""A host → its addresses; raises `socket.gaierror` or `UnicodeError`."""

MOST = 4
"""How many addresses of a host are tried."""

_TRANSLATED = IPv6Network("64:ff9b::/96")
_THREADS = 32


class Resolver:
    """Looks up each host once a run; after a temporary error it may be looked up again."""

    def __init__(self, look_up: LookUp | None = None) -> None:
        self._look_up = look_up or self._system
        self._threads = asyncio.Semaphore(_THREADS)
        self._asked: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of `host`, preferred first; raises as `LookUp` does."""
        with suppress(ValueError):
            ip_address(host)
            return (host,)
        if host not in self._asked:
            self._asked[host] = asyncio.ensure_future(self._look_up(host))
        try:
            # A probe that runs out of time must not cancel the look-up of the others.
            return await asyncio.shield(self._asked[host])
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                self._asked.pop(host, None)
            raise

    async def _system(self, host: str) -> tuple[str, ...]:
        """Ask the system, in a thread that may be left behind: it cannot be interrupted."""
        ask = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        async with self._threads:
            return tuple(dict.fromkeys(str(entry[4][0]) for entry in await aside(ask)))


def allowed(addresses: tuple[str, ...], host: str, policy: Policy) -> tuple[str, ...]:
    """Those of the `addresses` of `host` that a probe may connect to, at most `MOST`; raises
    `ProbeError` where there are none.
    """
    permitted = tuple(address for address in addresses if may_connect(address, policy))
    if not permitted:
        raise ProbeError("MBX822", address=", ".join(addresses[:MOST]), host=host)
    return permitted[:MOST]


def may_connect(address: str, policy: Policy) -> bool:
    """Whether `address`, and any IPv4 address that it stands for, is within the policy."""
    return all(
        any(face in network for network in policy.networks)
        or (policy.public and face.is_global and not face.is_multicast)
        for face in _faces(ip_address(address))
    )


def _faces(address: IPv4Address | IPv6Address) -> tuple[IPv4Address | IPv6Address, ...]:
    """`address` and the IPv4 addresses in it: tunnels and translators would lead there."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address in _TRANSLATED:
        return (address, IPv4Address(int(address) & 0xFFFFFFFF))
    return (address, *filter(None, (address.sixtofour, *(address.teredo or ()))))
