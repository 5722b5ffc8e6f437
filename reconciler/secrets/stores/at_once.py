"""Running slow tasks side by side, with one deadline for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")
_WORKERS = 8


def at_once(tasks: Mapping[K, Callable[[float], V]], seconds: float) -> dict[K, V]:
    """The results of the tasks by key; each task is passed the seconds that are left.

    A task that takes longer than `seconds` is missing in the result. It goes on in a daemon thread,
    as nothing can stop a system call that hangs.
    """
    until = monotonic() + seconds
    todo: SimpleQueue[tuple[K, Callable[[float], V]]] = SimpleQueue()
    done: SimpleQueue[tuple[K, V]] = SimpleQueue()
    for item in tasks.items():
        todo.put(item)

    def work() -> None:
        while (left := until - monotonic()) > 0:
            try:
                key, task = todo.get_nowait()
            except Empty:
                return
            done.put((key, task(left)))

    for _ in range(min(_WORKERS, len(tasks))):
        Thread(target=work, name="secrets", daemon=True).start()
    results: dict[K, V] = {}
    while len(results) < len(tasks):
        try:
            key, result = done.get(timeout=max(0.0, until - monotonic()))
        except Empty:
            break
        results[key] = result
    return results
