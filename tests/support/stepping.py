"""The command line as a process of its own that stops at a named step of apply.

`python -m tests.support.stepping STEP ACTION ARGUMENT…` runs `reconciler ARGUMENT…`. When apply
comes to the step, it is killed (`kill`), or says `AT` and waits for a line on standard input
(`wait`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def _points() -> dict[str, tuple[Any, str, bool]]:
    """Each step of apply: a function by room and name, and whether the step is its end."""
    from reconciler.database import lock, write
    from reconciler.ledger import record
    from reconciler.operations import commit, passwords, transaction

    return {
        "before the lock": (lock, "take", False),
        "with the lock taken": (lock, "take", True),
        "with the lock given back": (lock.Lock, "give_back", True),
        "before the rows are read again": (transaction, "_stale", False),
        "before the rows are written": (write.Writer, "write", False),
        "with the rows written": (write.Writer, "write", True),
        "with the passwords sealed": (passwords.Sealer, "write", True),
        "with the revision recorded": (record, "record", True),
        "before the commit": (transaction, "write", True),
        "after the commit": (commit, "_attempt", True),
    }


STEPS = (
    "before the lock",
    "with the lock taken",
    "with the lock given back",
    "before the rows are read again",
    "before the rows are written",
    "with the rows written",
    "with the passwords sealed",
    "with the revision recorded",
    "before the commit",
    "after the commit",
)
LAST = STEPS[-1]


def at_step(name: str, act: Callable[[Any], None]) -> Callable[[], None]:
    """Let `act` happen, once, at a step of apply in this process; returns how to undo it.

    It is given the first argument of the function: a connection, or what has one.
    """
    room, function, at_end = _points()[name]
    original = getattr(room, function)
    done = False

    def stepped(*arguments: Any, **options: Any) -> Any:
        nonlocal done
        result = original(*arguments, **options) if at_end else None
        if not done:
            done = True
            act(arguments[0])
        return result if at_end else original(*arguments, **options)

    setattr(room, function, stepped)
    return lambda: setattr(room, function, original)


class Stepping:
    """Such a process, seen from the test."""

    def __init__(self, step: str, action: str, url: str, *arguments: str, cwd: Path) -> None:
        environment = {**os.environ, "RECONCILER_DATABASE_URL": url}
        environment["PYTHONPATH"] = str(ROOT)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.stepping", step, action, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            text=True,
        )
        self._ended: tuple[int, str] | None = None

    def reach(self) -> None:
        """Wait until it is at its step."""
        said = []
        assert self._process.stdout
        for line in self._process.stdout:
            if line == "AT\n":
                return
            said.append(line)
        raise AssertionError(f"it never came to its step:\n{''.join(said)}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it, wherever it is."""
        if self._ended is None:
            self._process.kill()
            self._process.communicate()

    def go(self) -> None:
        """Let it go on."""
        assert self._process.stdin
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """Let it go on to its end; its exit code and what it printed since."""
        if self._ended is None:
            said, _ = self._process.communicate("go\n")
            self._ended = (self._process.returncode, said)
        return self._ended


def _main() -> None:
    from reconciler import cli

    def kill(_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def wait(_: Any) -> None:
        os.write(1, b"AT\n")
        sys.stdin.readline()

    step, action, *arguments = sys.argv[1:]
    if step:
        at_step(step, {"kill": kill, "wait": wait}[action])
    sys.exit(cli.run(arguments))


if __name__ == "__main__":
    _main()
