"""Sharing much work between processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

T = TypeVar("T")
R = TypeVar("R")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


class Workers:
    """A number of other processes, started when there is work for them; none if the number is one.

    This process is free until somebody takes their results.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def map(self, function: Callable[[T], R], items: Sequence[T], at_once: int = 1) -> Iterable[R]:
        """The results for all items, in order; each process is given `at_once` items at a time."""
        if self._count == 1 or len(items) <= at_once:
            return map(function, items)
        return self._pool.map(function, items, chunksize=at_once)

    def begin(self) -> None:
        """Start them now, before something is open that they must not share."""
        if self._count > 1:
            self._pool.submit(int)

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - small runs do without
        from multiprocessing import get_context  # noqa: PLC0415

        return ProcessPoolExecutor(self._count, get_context("fork"))

    def close(self) -> None:
        """End the processes once they are done; later work starts new ones."""
        if pool := self.__dict__.pop("_pool", None):
            pool.shutdown()
