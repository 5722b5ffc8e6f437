"""How hard a host is pressed, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from reconciler.diagnostics.messages.failures import Again
from reconciler.probes.policy import Pace
from reconciler.probes.results import Diagnosis, ProbeOutcome, ProbeResult
from reconciler.probes.target import Door

Pause = Callable[[float], Awaitable[object]]
"""Waits for so many seconds."""

_OF_THE_HOST = frozenset(("resolve", "connect", "tls", "greeting"))
_PATIENCE = 5
"""A host that asks to come back soon may fail this many times as often."""
_TIMEOUTS = frozenset(("MBX755", "MBX757", "MBX818"))


class HostPace:
    """How many connections to one host at once, and how far apart they begin."""

    def __init__(self, door: Door, pace: Pace, pause: Pause) -> None:
        self.connections = door.traits.connections or pace.per_host
        self._slots = asyncio.Semaphore(self.connections)
        self._apart = 60.0 / per_minute if (per_minute := door.traits.per_minute) else 0.0
        self._next = 0.0
        self._pause = pause

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One of the connections, once it is free and enough time has passed."""
        async with self._slots:
            if self._apart:
                now = asyncio.get_running_loop().time()
                mine = max(self._next, now)
                self._next = mine + self._apart
                if mine > now:
                    await self._pause(mine - now)
            yield


class Breaker:
    """A circuit breaker for one door: after `most` equal failures in a row it is given up.

    Ten thousand mailboxes of a host that is down must not cost ten thousand timeouts. For the same
    reason, until one of them gets as far as a login, no more are let in than it takes to find out.
    """

    def __init__(self, most: int, host: HostPace) -> None:
        self._most = most
        self.host = host
        self._failures = 0
        # As many as can find out at once: another would begin when the first of them is done.
        self._enough = min(most, host.connections)
        self._last = ""
        self._is_open = False
        self._inside = 0
        self._waiting: list[asyncio.Future[None]] = []
        self.given_up: Diagnosis | None = None

    async def enter(self) -> None:
        """Wait until one more may try, or nobody may any more."""
        while not (self.given_up or self._is_open or self._inside + self._failures < self._enough):
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        self._inside += 1

    def leave(self, result: ProbeResult | None) -> None:
        """Let the next ones in, and take note of the result, if there is one."""
        self._inside -= 1
        if result is not None:
            self._note(result)
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    def _note(self, result: ProbeResult) -> None:
        diagnosis = result.diagnosis
        if diagnosis and not result.steps:
            never_looked_up = diagnosis.step != "resolve"
            if never_looked_up or diagnosis.outcome is ProbeOutcome.NOT_TESTED:
                return  # the host had no part in it
        if diagnosis is None or diagnosis.step not in _OF_THE_HOST:
            self._failures, self._last, self._is_open, self._enough = 0, "", True, self._most
            return
        self._failures = self._failures + 1 if diagnosis.code == self._last else 1
        self._last, self._is_open = diagnosis.code, False
        self._enough = self._enough_of(diagnosis)
        if self._failures >= self._enough:
            self.given_up = diagnosis

    def _enough_of(self, diagnosis: Diagnosis) -> int:
        if diagnosis.again is Again.SOON:
            return self._most * _PATIENCE
        # Where fewer may be tried at once, they would wait for their timeouts one after the other.
        if diagnosis.code in _TIMEOUTS:
            return min(self._most, self.host.connections)
        return self._most
