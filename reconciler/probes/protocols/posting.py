"""One HTTPS request: a form to a token endpoint, and its JSON."""

from __future__ import annotations

import asyncio
import json
import ssl
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from reconciler.probes.protocols.addresses import Resolver
from reconciler.probes.protocols.tls import Contexts
from reconciler.probes.protocols.wire import Wire

_BYTES, _LINES = 64 * 1024, 400


class Response(NamedTuple):
    status: int
    body: dict[str, Any]


async def post(
    url: str, form: tuple[tuple[str, str], ...], resolver: Resolver, contexts: Contexts
) -> Response:
    """Post `form`; the deadline is the caller's. The endpoint is not checked against the networks
    that a probe may reach: it comes from the program or its settings, never from a manifest.

    Raises:
        OSError, ValueError, Trouble: no connection, or no answer of the expected kind.
    """
    place = urlsplit(url)
    host, encrypted = place.hostname or "", place.scheme == "https"
    addresses = await resolver.addresses(host)
    if not encrypted and not all(ip_address(address).is_loopback for address in addresses):
        raise ValueError("a token endpoint is reached over https")
    wire = Wire(_BYTES, _LINES)
    try:
        await _connect(wire, addresses, place.port or (443 if encrypted else 80))
        if encrypted:
            context: ssl.SSLContext = contexts.get(verify=True, ca_file=None)
            await wire.encrypt(context, host, "MBX833")
        body = urlencode(form).encode()
        head = (
            f"POST {place.path or '/'} HTTP/1.1\r\n"
            f"Host: {place.netloc}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Accept: application/json\r\n"
            "Connection: close\r\n\r\n"
        )
        wire.write(head.encode() + body)
        return await _response(wire)
    finally:
        wire.close()


async def _connect(wire: Wire, addresses: tuple[str, ...], port: int) -> None:
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            async with asyncio.timeout(None if left == 1 else 5):
                await wire.connect(address, port)
                return
        except OSError:
            if left == 1:
                raise


async def _response(wire: Wire) -> Response:
    status = int((await wire.line()).split()[1])
    heads: dict[str, str] = {}
    while line := await wire.line():
        name, _, value = line.decode("latin-1").partition(":")
        heads[name.strip().lower()] = value.strip()
    body = json.loads(await _body(wire, heads))
    if not isinstance(body, dict):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004 - a value, to the caller
    return Response(status, body)


async def _body(wire: Wire, heads: dict[str, str]) -> bytes:
    if "chunked" not in heads.get("transfer-encoding", "").lower():
        return await wire.exactly(int(heads["content-length"]))
    parts = []
    while size := int((await wire.line()).split(b";")[0], 16):
        parts.append(await wire.exactly(size))
        await wire.line()
    return b"".join(parts)
