"""Many probes at once: each mailbox by itself, each host at its own pace, results as they come."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from reconciler.diagnostics.messages.failures import Again
from reconciler.probes.conversation import Attempt, given_up
from reconciler.probes.hosts import Hosts, Pause
from reconciler.probes.message import token
from reconciler.probes.policy import Pace, Policy
from reconciler.probes.protocols.addresses import LookUp, Resolver
from reconciler.probes.protocols.talk import Shared
from reconciler.probes.protocols.tls import Contexts
from reconciler.probes.protocols.tokens import Tokens
from reconciler.probes.results import Diagnosis, Level, Outcome, ProbeResult, Step
from reconciler.probes.target import Target

Consumer = Callable[[ProbeResult], None]

WINDOW = 5
"""How many targets are taken in, for each one that is being tried."""
_FIRST_WAIT, _GROWTH = 5.0, 3.0
_MINUTES = 300.0
_NOT_FOUND = "MBX839"
_LOOK_AGAIN = (1.0, 2.0, 4.0, 8.0, 15.0)


class Prober:
    """Probes mailboxes for one run. Everything that may be shared between them, is."""

    def __init__(
        self,
        policy: Policy,
        pace: Pace,
        *,
        look_up: LookUp | None = None,
        pause: Pause = asyncio.sleep,
    ) -> None:
        resolver, contexts = Resolver(look_up), Contexts(policy.ca_folder)
        self._shared = Shared(policy, resolver, contexts)
        self._tokens = Tokens(policy, resolver, contexts)
        self._pace = pace
        self._pause = pause
        self._hosts = Hosts(pace, pause)
        self._at_once = asyncio.Semaphore(pace.at_once)
        self._busy: dict[int, _Busy] = {}

    async def run(
        self, targets: Iterable[Target] | AsyncIterable[Target], consume: Consumer
    ) -> None:
        """Probe every target, and give each result to `consume` as soon as there is one.

        Targets are taken from their iterable only as room is there for them, so that neither they
        nor their results pile up. What either of the two raises ends the run.
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
        """The verdict on one mailbox, after as many attempts as its failures allow."""
        word = token()
        async with self._alone(target):
            number, result = 1, await self._attempted(target, word)
            while (wait := self._wait(result, number)) is not None:
                await self._pause(wait)
                number, result = number + 1, await self._attempted(target, word)
        if not result.given_up:
            result = result._replace(attempts=number)
        sent = target.level is Level.SEND and result.outcome is Outcome.PASSED
        if target.reader and sent and not self._shared.policy.sink:
            return await self._found(target.reader, word, result)
        return result

    async def _consumed(self, target: Target, consume: Consumer, room: asyncio.Semaphore) -> None:
        try:
            consume(await self.probe(target))
        finally:
            room.release()

    async def _attempted(self, target: Target, word: str) -> ProbeResult:
        return await self._made(Attempt(target, self._shared, self._tokens, word))

    async def _made(self, attempt: Attempt) -> ProbeResult:
        """The result of an attempt, when its host has room for it; none of a host given up."""
        door = attempt.door
        behind, result = self._hosts.behind(door), None
        await behind.enter()
        try:
            if behind.given_up:
                return given_up(attempt.target, behind.given_up)
            async with self._hosts.host(door).slot(), self._at_once:
                if behind.given_up:
                    return given_up(attempt.target, behind.given_up)
                result = await attempt.made()
                return result
        finally:
            behind.leave(result)

    def _wait(self, result: ProbeResult, number: int) -> float | None:
        """How long to wait before the next attempt; None where there must not be one."""
        if result.diagnosis is None or result.given_up or number >= self._pace.attempts:
            return None
        match result.diagnosis.again:
            case Again.SOON:
                wait = _FIRST_WAIT * _GROWTH ** (number - 1)
            case Again.ONCE if number == 1:
                wait = _FIRST_WAIT
            case Again.WAIT if number == 1:
                wait = _MINUTES
            case _:
                return None
        # Spread, so that those who were turned away together do not come back together.
        wait *= random.uniform(1.0, 1.3)  # noqa: S311 - nobody gains from guessing it
        return wait if wait <= self._pace.patience else None

    async def _found(self, reader: Target, word: str, sent: ProbeResult) -> ProbeResult:
        """`sent`, once its message has been found in the mailbox `reader`."""
        since, waited, looks = time.perf_counter(), 0.0, 0
        reader = reader._replace(level=Level.SEND)
        while True:
            attempt = Attempt(reader, self._shared, self._tokens, word, finds=word)
            async with self._alone(reader):
                result = await self._made(attempt)
            looks += 1
            if attempt.has_found:
                facts = (("host", result.host), ("looks", looks))
                step = Step("round-trip", time.perf_counter() - since, facts)
                return sent._replace(steps=(*sent.steps, step))
            failed = result.diagnosis
            if failed and failed.again not in (Again.SOON, Again.ONCE):
                return _lost(sent, failed)
            wait = _LOOK_AGAIN[min(looks, len(_LOOK_AGAIN)) - 1]
            spent = max(waited, time.perf_counter() - since)
            if spent + wait > self._pace.round_trip:
                return _lost(sent, failed or self._not_found(reader, result))
            await self._pause(wait)
            waited += wait

    def _not_found(self, reader: Target, result: ProbeResult) -> Diagnosis:
        values = (
            ("host", result.host),
            ("port", result.port),
            ("username", result.username),
            ("folder", reader.server.folder or "INBOX"),
            ("seconds", int(self._pace.round_trip)),
        )
        return Diagnosis(_NOT_FOUND, "round-trip", again=Again.LATER, values=values)

    @asynccontextmanager
    async def _alone(self, target: Target) -> AsyncIterator[None]:
        """No other conversation with the same mailbox: some count them and lock it."""
        key = target.key
        busy = self._busy.setdefault(key, _Busy())
        busy.wanted += 1
        try:
            async with busy.lock:
                yield
        finally:
            busy.wanted -= 1
            if not busy.wanted:
                del self._busy[key]


class _Busy:
    """A mailbox in use, and how many want it."""

    __slots__ = ("lock", "wanted")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanted = 0


async def _each(targets: Iterable[Target] | AsyncIterable[Target]) -> AsyncIterator[Target]:
    if isinstance(targets, AsyncIterable):
        async for target in targets:
            yield target
        return
    for target in targets:
        yield target


def _lost(sent: ProbeResult, failed: Diagnosis) -> ProbeResult:
    diagnosis = failed._replace(step="round-trip")
    return sent._replace(outcome=Outcome.FAILED, diagnosis=diagnosis)
