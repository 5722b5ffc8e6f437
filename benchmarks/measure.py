"""What a command costs as a whole process: time, processor, memory and bytes read."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, STDOUT, Popen
from tempfile import TemporaryFile
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MIB = 1024 * 1024
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    """Seconds and MiB of one run, or the medians of several."""

    wall: float
    cpu: float
    memory: float
    """The peak of its largest process; a little of the measuring process is its least."""
    read: float | None
    """Bytes from files, wherever they were cached; unknown outside Linux."""


@dataclass(frozen=True)
class Command:
    """A command line, where it runs, and how it has to end for its figures to mean anything."""

    words: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    prepare: Callable[[], None] = lambda: None
    tells_seconds: bool = False
    """Whether the last line that it prints are the seconds that count, of wall and processor."""


def once(command: Command) -> Cost:
    """Run it and wait for it; what it prints is kept only to explain a failure."""
    command.prepare()
    with TemporaryFile() as output:
        started = perf_counter()
        process = Popen(
            command.words,
            cwd=command.directory,
            env=command.environment,
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
        )
        read = _bytes_read_until_it_ends(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != command.exit_code:
            output.seek(0)
            raise SystemExit(_failure(command, process.returncode, output.read()))
        seconds = (wall, usage.ru_utime + usage.ru_stime)
        if command.tells_seconds:
            output.seek(0)
            seconds = _told(output.read())
    return Cost(
        wall=seconds[0],
        cpu=seconds[1],
        memory=usage.ru_maxrss * _RSS_UNIT / MIB,
        read=None if read is None else read / MIB,
    )


def interleaved(commands: Sequence[Command], runs: int) -> list[Cost]:
    """The medians of each: a warm-up, then A B C, A B C … so that a slow minute is shared."""
    for command in commands:
        once(command)
    rounds = [[once(command) for command in commands] for _ in range(runs)]
    return [medians(costs) for costs in zip(*rounds, strict=True)]


def medians(costs: Sequence[Cost]) -> Cost:
    reads = [cost.read for cost in costs if cost.read is not None]
    return Cost(
        wall=median(cost.wall for cost in costs),
        cpu=median(cost.cpu for cost in costs),
        memory=median(cost.memory for cost in costs),
        read=median(reads) if reads else None,
    )


def _bytes_read_until_it_ends(pid: int) -> int | None:
    """Wait for the process and ask the kernel, which forgets once `wait4` has the process."""
    if sys.platform != "linux":
        return None
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        counters = Path(f"/proc/{pid}/io").read_text(encoding="ascii")
    except OSError:
        return None
    return int(counters.split()[1])


def _told(output: bytes) -> tuple[float, float]:
    wall, processor = output.splitlines()[-1].split()
    return float(wall), float(processor)


def _failure(command: Command, exit_code: int, output: bytes) -> str:
    end = output[-2000:].decode(errors="replace")
    expected = f"exit {exit_code}, expected {command.exit_code}"
    return f"{' '.join(command.words)}: {expected}\n{end}"
