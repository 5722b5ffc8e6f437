"""A run of pytest: a folder that its processes share, and the servers that live in it."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.support.servers.home import Failed

_ROOT = Path(__file__).parents[3]
_MEMORY = Path("/dev/shm")
_ENOUGH = 3 << 30
_PATIENCE = 180


class Run:
    """One run, as each of its processes sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._alive: IO[str] | None = None
        self._keepers: list[subprocess.Popen[bytes]] = []

    @classmethod
    def begin(cls) -> Run:
        """Begin a run. It ends with `end`, or with this process, whichever comes first."""
        run = cls(Path(tempfile.mkdtemp(prefix="reconciler-tests-", dir=_place())))
        run.folder.chmod(0o711)
        run._alive = (run.folder / "alive").open("w")
        fcntl.flock(run._alive, fcntl.LOCK_EX)
        return run

    def end(self) -> None:
        """Let the servers go, and wait until they are gone."""
        assert self._alive
        self._alive.close()
        deadline = time.monotonic() + _PATIENCE
        while any(self.folder.glob("*/")) and time.monotonic() < deadline:
            time.sleep(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str) -> None:
        """Begin to start a server, unless another process of the run has."""
        with self.alone(name):
            if not (self.folder / name).exists():
                (self.folder / name).mkdir(mode=0o711)
                self._keepers.append(_keeper(name, self.folder))

    def urls(self, name: str) -> list[str]:
        """The URLs of the nodes of a server, which is started if nobody has.

        Raises:
            Failed: it does not start.
        """
        self.start(name)
        answer = self.folder / f"{name}.json"
        deadline = time.monotonic() + _PATIENCE
        while not answer.exists():
            if time.monotonic() > deadline:
                raise Failed(f"{name} is not there after {_PATIENCE} seconds")
            time.sleep(0.05)
        told: list[str] | str = json.loads(answer.read_text())
        if isinstance(told, str):
            raise Failed(told)
        return told

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep the other processes of the run waiting that ask for the same name."""
        with (self.folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def wait_for_the_end(folder: Path) -> None:
    """Wait until the process is gone that began the run, or has ended it."""
    try:
        with (folder / "alive").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return


def _keeper(name: str, folder: Path) -> subprocess.Popen[bytes]:
    """The process that starts a server and stops it; a Ctrl-C at the terminal is not for it."""
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.servers.keep", name, folder],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _place() -> Path | None:
    """Memory where there is enough of it: making a table takes a fortieth of the time there."""
    enough = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH
    return _MEMORY if enough else None
