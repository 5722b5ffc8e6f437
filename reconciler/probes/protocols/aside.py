"""Waiting for what blocks without keeping conversations waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """What `work` returns or raises, from a thread of its own that keeps no process from ending."""
    answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    Thread(target=_do, args=(work, answer), daemon=True).start()
    return await answer


def _do(work: Callable[[], T], answer: asyncio.Future[T]) -> None:
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - raised again where it is waited for
        _tell(answer, lambda error=error: answer.set_exception(error))  # type: ignore[misc]
    else:
        _tell(answer, lambda: answer.set_result(result))


def _tell(answer: asyncio.Future[T], how: Callable[[], None]) -> None:
    def now() -> None:
        if not answer.done():
            how()

    with suppress(RuntimeError):  # the run is over
        answer.get_loop().call_soon_threadsafe(now)
