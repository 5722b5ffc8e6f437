"""One connection to a server: lines in, bytes out, and no more of either than was agreed."""

from __future__ import annotations

import asyncio
import ssl

from reconciler.probes.failure import ProbeError


class Dropped(ConnectionError):  # noqa: N818 - the server's act, not an error of the program
    """The server closed the connection."""


class Wire(asyncio.Protocol):
    """A connection that counts what the server says; its deadline is the caller's.

    Lines that nobody asked for wait in a buffer that the byte budget bounds.
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
        """Connect to one address.

        Raises:
            OSError: as the system says.
        """
        await self._loop.create_connection(lambda: self, address, port)

    async def encrypt(self, context: ssl.SSLContext, host: str, early: str) -> asyncio.Transport:
        """Speak TLS from here on, with a server that proves to be `host`.

        Raises:
            ProbeError: the server has said something before the encryption; `early` is its code.
            OSError, ssl.SSLError: no handshake.
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
        name: tuple[str, ...] = self._transport.get_extra_info("sockname") or ("127.0.0.1",)
        return str(name[0])

    @property
    def bytes_left(self) -> int:
        return self._bytes_left

    def write(self, data: bytes) -> None:
        """Send `data`, a few lines at most."""
        if self._ended:
            raise self._ended
        assert self._transport is not None
        self._transport.write(data)

    async def line(self) -> bytes:
        """The next line, without its end.

        Raises:
            ProbeError: the server has said more than it may.
            Dropped: there is no next line.
        """
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            await self._more()
        self._lines_left -= 1
        if self._lines_left < 0:
            self._end(ProbeError("MBX819"))
            raise ProbeError("MBX819")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line.removesuffix(b"\r")

    async def exactly(self, count: int) -> bytes:
        """The next `count` bytes.

        Raises:
            ProbeError: that would be more than the server may say.
            Dropped: there are fewer.
        """
        if count > self._bytes_left + len(self._buffer):
            raise ProbeError("MBX819")
        while len(self._buffer) < count:
            await self._more()
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._searched = 0
        return found

    def close(self) -> None:
        """Let go at once, without waiting for the server."""
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
        self._end(Dropped("the server closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or Dropped("the server closed the connection"))

    def _end(self, error: Exception) -> None:
        self._ended = self._ended or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
