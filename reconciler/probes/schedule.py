"""Many probes at once: each mailbox by itself, each host at its own pace, results as they come."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from itertools import count
from weakref import WeakValueDictionary

from reconciler.diagnostics.messages.failures import Again
from reconciler.probes.conversation import Conversation
from reconciler.probes.hosts import Breaker, HostPace, Pause
from reconciler.probes.policy import Pace, Policy
from reconciler.probes.protocols.addresses import LookUp
from reconciler.probes.protocols.smtp import new_token
from reconciler.probes.protocols.talk import Shared
from reconciler.probes.results import Diagnosis, Level, ProbeOutcome, ProbeResult, Step
from reconciler.probes.target import Door, Target

Consumer = Callable[[ProbeResult], None]

WINDOW = 5
"""How many targets are taken in for each one that is being tried."""
_FIRST_WAIT, _GROWTH = 5.0, 3.0
_MINUTES = 300.0
_LOOK_AGAIN = (1.0, 2.0, 4.0, 8.0, 15.0)


class Prober:
    """Probes mailboxes for one run; what can be shared between them is."""

    def __init__(
        self,
        policy: Policy,
        pace: Pace,
        *,
        look_up: LookUp | None = None,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._shared = Shared(policy, look_up)
        self._pace = pace
        self._pause = pause
        self._hosts: dict[str, HostPace] = {}
        self._breakers: dict[Door, Breaker] = {}
        self._at_once = asyncio.Semaphore(pace.at_once)
        self._locks = WeakValueDictionary[int, asyncio.Lock]()

    async def run(
        self, targets: Iterable[Target] | AsyncIterable[Target], consume: Consumer
    ) -> None:
        """Probe every target, and pass each result to `consume` as soon as there is one.

        Targets are taken from their iterable only as there is room for them, so that neither they
        nor their results pile up. An exception in either ends the run.
        """
        room = asyncio.Semaphore(self._pace.at_once * WINDOW)
        try:
            async with asyncio.TaskGroup() as group:
                async for target in _each(targets):
                    await room.acquire()
                    group.create_task(self._consumed(target, consume, room))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def probe(self, target: Target) -> ProbeResult:
        """The result for one mailbox, after as many attempts as its failures allow."""
        token = new_token()
        async with self._alone(target):
            for attempt in count(1):
                result = await self._result(Conversation(target, self._shared, token))
                if (wait := self._wait(result, attempt)) is None:
                    break
                await self._pause(wait)
        if not result.given_up:
            result = result._replace(attempts=attempt)
        is_sent = target.level is Level.SEND and result.outcome is ProbeOutcome.PASSED
        if target.reader and is_sent and not self._shared.policy.sink:
            return await self._round_trip(target.reader, token, result)
        return result

    async def _consumed(self, target: Target, consume: Consumer, room: asyncio.Semaphore) -> None:
        try:
            consume(await self.probe(target))
        finally:
            room.release()

    async def _result(self, conversation: Conversation) -> ProbeResult:
        """The result of a conversation, once its host has room for it and is not given up."""
        target = conversation.target
        breaker, result = self._breaker(target.door), None
        await breaker.enter()
        try:
            if not breaker.given_up:
                async with breaker.host.slot(), self._at_once:
                    if not breaker.given_up:
                        result = await conversation.run()
                        return result
            return target.result(breaker.given_up)._replace(attempts=0, given_up=True)
        finally:
            breaker.leave(result)

    def _breaker(self, door: Door) -> Breaker:
        if door not in self._breakers:
            if door.host not in self._hosts:
                self._hosts[door.host] = HostPace(door, self._pace, self._pause)
            self._breakers[door] = Breaker(self._pace.give_up_after, self._hosts[door.host])
        return self._breakers[door]

    def _wait(self, result: ProbeResult, attempt: int) -> float | None:
        """The seconds to wait after this attempt; None if there must not be another."""
        if result.diagnosis is None or result.given_up or attempt >= self._pace.attempts:
            return None
        match result.diagnosis.again:
            case Again.SOON:
                wait = _FIRST_WAIT * _GROWTH ** (attempt - 1)
            case Again.ONCE if attempt == 1:
                wait = _FIRST_WAIT
            case Again.WAIT if attempt == 1:
                wait = _MINUTES
            case _:
                return None
        # Spread, so that those who were turned away together do not come back together.
        wait *= random.uniform(1.0, 1.3)  # noqa: S311 - nobody gains from guessing it
        return wait if wait <= self._pace.patience else None

    async def _round_trip(self, reader: Target, token: str, sent: ProbeResult) -> ProbeResult:
        """`sent`, once its message has been found in the mailbox `reader`."""
        began, waited = time.perf_counter(), 0.0
        reader = reader._replace(level=Level.SEND)
        for looks in count(1):
            conversation = Conversation(reader, self._shared, token, looks=True)
            async with self._alone(reader):
                result = await self._result(conversation)
            seconds = time.perf_counter() - began
            if conversation.has_found:
                step = Step("round-trip", seconds, (("host", result.host), ("looks", looks)))
                return sent._replace(steps=(*sent.steps, step))
            failed = result.diagnosis
            wait = _LOOK_AGAIN[min(looks, len(_LOOK_AGAIN)) - 1]
            if failed and failed.again not in (Again.SOON, Again.ONCE):
                break
            if max(waited, seconds) + wait > self._pace.round_trip:
                break
            await self._pause(wait)
            waited += wait
        diagnosis = (failed or self._not_found(reader))._replace(step="round-trip")
        return sent._replace(outcome=ProbeOutcome.FAILED, diagnosis=diagnosis)

    def _not_found(self, reader: Target) -> Diagnosis:
        kept = ("host", "port", "username", "folder")
        values = tuple((name, value) for name, value in reader.facts if name in kept)
        seconds = ("seconds", int(self._pace.round_trip))
        return Diagnosis("MBX839", "", again=Again.LATER, values=(*values, seconds))

    def _alone(self, target: Target) -> asyncio.Lock:
        """No other conversation with the same mailbox: some servers count them and lock it."""
        return self._locks.setdefault(target.key, asyncio.Lock())


async def _each(targets: Iterable[Target] | AsyncIterable[Target]) -> AsyncIterator[Target]:
    if isinstance(targets, AsyncIterable):
        async for target in targets:
            yield target
    else:
        for target in targets:
            yield target
