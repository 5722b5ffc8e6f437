"""A simulated SMTP server for many mailboxes: `python -m benchmarks.postbox ADDRESS… PORT [CHAIN]`.

It takes every login and every message, and costs as little as such a server can.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

_ANSWERS = {
    b"EHLO": b"250-postbox\r\n250 AUTH PLAIN\r\n",
    b"AUTH": b"235 in\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}


class Postbox(asyncio.Protocol):
    """One conversation."""

    def __init__(self) -> None:
        self._in_message = False
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 postbox\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._rest += data
        if self._in_message:
            if not self._rest.endswith(b"\r\n.\r\n"):
                return
            self._in_message, self._rest = False, b""
            self._transport.write(b"250 kept\r\n")
            return
        *lines, self._rest = self._rest.split(b"\r\n")
        for line in lines:
            word = line[:4].upper()
            self._transport.write(_ANSWERS.get(word, b"250 ok\r\n"))
            self._in_message = word == b"DATA"
            if word == b"QUIT":
                self._transport.close()


async def serve(addresses: list[str], port: int, chain: str | None) -> None:
    context = None
    if chain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
    loop = asyncio.get_running_loop()
    await loop.create_server(Postbox, addresses, port, ssl=context, backlog=1_000)
    print("ready", flush=True)
    await loop.create_future()


if __name__ == "__main__":
    *places, last = sys.argv[1:]
    file = None if last.isdigit() else last
    number = int(last if file is None else places.pop())
    asyncio.run(serve(places, number, file))
