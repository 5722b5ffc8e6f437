"""One connection to a server: lines in, bytes out, with a limit on what the server may say."""

from __future__ import annotations

import asyncio
import ssl

from reconciler.probes.results import ProbeError


class Wire(asyncio.Protocol):
    """A connection with a budget of bytes and lines for the server; deadlines are the caller's.

    Unread lines wait in a buffer, which the budget of bytes bounds.
    """

    def __init__(self, most_bytes: int, most_lines: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._bytes_left = most_bytes
        self._lines_left = most_lines
        self._buffer = bytearray()
        self._searched = 0
        self._waiter: asyncio.Future[None] | None = None
        self._ended: Exception | None = None
        self._transport: asyncio.Transport | None = None

    async def connect(self, address: str, port: int) -> None:
        """Connect to one address; raises `OSError` as the system says."""
        await self._loop.create_connection(lambda: self, address, port)

    async def encrypt(self, context: ssl.SSLContext, host: str, early: str) -> asyncio.Transport:
        """Speak TLS from here on, with a server that proves to be `host`; raises `OSError` where
        the handshake fails, and `ProbeError` with the code `early` for bytes before it.
        """
        assert self._transport is not None
        if self._buffer:
            raise ProbeError(early, bytes(self._buffer[:200]).decode("utf-8", "replace"))
        transport = await self._loop.start_tls(self._transport, self, context, server_hostname=host)
        assert transport is not None
        self._transport = transport
        return transport

    @property
    def encrypted(self) -> bool:
        transport = self._transport
        return transport is not None and transport.get_extra_info("ssl_object") is not None

    @property
    def here(self) -> str:
        """The address of this side."""
        assert self._transport is not None
        return str((self._transport.get_extra_info("sockname") or ("127.0.0.1",))[0])

    def write(self, data: bytes) -> None:
        """Send `data`, which is a few lines at most."""
        if self._ended:
            raise self._ended
        assert self._transport is not None
        self._transport.write(data)

    async def line(self) -> bytes:
        """The next line, without its line end; raises `ProbeError` where the budget is used up,
        and `ConnectionError` where the server closed the connection instead.
        """
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            await self._more()
        self._lines_left -= 1
        if self._lines_left < 0:
            self._end(error := ProbeError("MBX819"))
            raise error
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line.removesuffix(b"\r")

    async def exactly(self, count: int) -> bytes:
        """The next `count` bytes; raises as `line` does."""
        if count > self._bytes_left + len(self._buffer):
            raise ProbeError("MBX819")
        while len(self._buffer) < count:
            await self._more()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._searched = 0
        return data

    def close(self) -> None:
        """Close at once, without waiting for the server."""
        if self._transport is not None:
            self._transport.abort()

    async def _more(self) -> None:
        if self._ended:
            raise self._ended
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            self._end(ProbeError("MBX819"))
            self.close()
            return
        self._buffer += data
        self._wake()

    def eof_received(self) -> None:
        self._end(_closed())

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or _closed())

    def _end(self, error: Exception) -> None:
        self._ended = self._ended or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _closed() -> Exception:
    return ConnectionError("the server closed the connection")
