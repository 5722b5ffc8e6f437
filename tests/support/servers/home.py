"""What all servers share: a folder to live in, a user to run as, ports, and processes."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_PATIENCE = 90
"""Seconds until a server must answer."""


class Failed(Exception):  # noqa: N818 - what happened to a server
    """A server did not start; the message has the end of what it said."""


class Server:
    """One kind of server."""

    def missing(self) -> str:
        """What would have to be installed; empty where nothing is missing."""
        raise NotImplementedError

    def start(self, home: Home) -> list[str]:
        """Start it and wait until it answers; the URL of every node is returned.

        The URLs name no database; their user may do everything.
        """
        raise NotImplementedError


class Home:
    """The folder of a server, and the processes that it consists of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "log"
        self._children: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []

    def data(self, name: str = "data") -> Path:
        """A new folder that the server may write to."""
        made = self.folder / name
        made.mkdir(mode=0o700)
        give(made)
        return made

    def run(self, *command: str | Path) -> None:
        """Run a program to its end."""
        with self._log.open("ab") as log:
            done = subprocess.run(
                command, check=False, cwd=self.folder, stdout=log, stderr=log, **not_root()
            )
        if done.returncode:
            raise Failed(f"{command[0]} ended with {done.returncode}:\n{self._said()}")

    def spawn(
        self, *command: str | Path, end: signal.Signals = signal.SIGKILL
    ) -> subprocess.Popen[bytes]:
        """Start a program that runs until it gets the signal `end`."""
        with self._log.open("ab") as log:
            child = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **not_root())
        self._children.append((child, end))
        return child

    def wait(self, child: subprocess.Popen[bytes], answers: Callable[[], bool]) -> None:
        """Wait until a server answers."""
        deadline = time.monotonic() + _PATIENCE
        while not answers():
            if child.poll() is not None:
                raise Failed(f"the server ended with {child.returncode}:\n{self._said()}")
            if time.monotonic() > deadline:
                raise Failed(f"the server does not answer:\n{self._said()}")
            time.sleep(0.05)

    def stop(self) -> None:
        for child, end in self._children:
            child.send_signal(end)
        for child, _ in self._children:
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _said(self) -> str:
        """What is worth reading of what the programs said: its errors, or else its end."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(
            [line for line in lines if "ERROR" in line or "FATAL" in line] or lines[-20:]
        )


def not_root() -> dict[str, Any]:
    """Arguments of `subprocess` that give up root, as which database servers refuse to run."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give(path: Path) -> None:
    """Give a folder, and all in it, to whom the server runs as."""
    if owner := not_root():
        for each in (path, *path.rglob("*")):
            os.chown(each, owner["user"], owner["group"])


def open_to_all(folder: Path) -> None:
    """Let whom the server runs as reach a folder of pytest's, which are closed to others."""
    for each in (folder, *folder.parents):
        if each.name.startswith(("pytest-", "popen-")) or each == folder:
            each.chmod(0o755)


def free_ports(count: int) -> Sequence[int]:
    """Ports on loopback that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
