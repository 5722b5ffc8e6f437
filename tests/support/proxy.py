"""A loopback proxy before a database server, which can cut a connection at its COMMIT."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import URL, make_url

Cut = Literal["before", "after"]


class Proxy:
    """Passes everything on until `cut` says to break the connection at the next COMMIT: before the
    server has seen it, or after the server has done it and before the client knows. Connections
    that are made later pass.
    """

    def __init__(self, server: URL) -> None:
        self.cut: Cut | None = None
        self.was_cut = threading.Event()
        self._address = (str(server.host), int(server.port or 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.url = server.set(host="127.0.0.1", port=self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def stop_listening(self) -> None:
        """Nobody can connect any more."""
        _shut(self._listener)
        self._listener.close()

    def close(self) -> None:
        self.stop_listening()
        for item in self._sockets:
            item.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._address)
            self._sockets += [client, server]
            lost = threading.Event()
            for source, target in ((client, server), (server, client)):
                threading.Thread(
                    target=self._pass_on, args=(source, target, source is client, lost), daemon=True
                ).start()

    def _pass_on(
        self, source: socket.socket, target: socket.socket, from_client: bool, lost: threading.Event
    ) -> None:
        """Tell one side what the other says, until either is gone; what is `lost` is not told."""
        try:
            while data := source.recv(1 << 16):
                if from_client and self.cut and b"COMMIT" in data.upper():
                    how, self.cut = self.cut, None
                    self.was_cut.set()
                    lost.set()
                    if how == "before":
                        break
                elif not from_client and lost.is_set():
                    break
                target.sendall(data)
        except OSError:
            pass
        for item in (source, target):
            _shut(item)


def _shut(item: socket.socket) -> None:
    try:
        item.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """A proxy before the server of a URL."""
    proxy = Proxy(make_url(url))
    yield proxy
    proxy.close()
