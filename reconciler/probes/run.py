"""A run over the database: targets taken in some at a time, verdicts written back in between.

However many mail servers there are, only those of a few batches are in memory, with their secrets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import NamedTuple

from sqlalchemy import Engine

from reconciler.database import verdicts
from reconciler.database.engine import transaction
from reconciler.database.verdicts import TestVerdict
from reconciler.diagnostics.problem import Failure
from reconciler.probes.conversation import untried
from reconciler.probes.credentials import Credentials
from reconciler.probes.protocols.aside import aside
from reconciler.probes.results import Facts, ProbeResult
from reconciler.probes.select import SelectedServers
from reconciler.probes.target import Target
from reconciler.probes.targets import Batch, Purpose, batch_of

_OVER = "MBX854"
Hide = Callable[[str], str]


class Run:
    """The targets of a run, and what came of them; `keeping` is where verdicts are written, if
    they are.

    `failure` is why they no longer are: a run goes on without, so that what it finds is told.
    """

    def __init__(
        self,
        selected: SelectedServers,
        purpose: Purpose,
        credentials: Credentials,
        reading: Engine,
        keeping: Engine | None,
    ) -> None:
        self._waiting = list(reversed(selected.batches))
        self._purpose = purpose
        self._credentials = credentials
        self._reading = reading
        self._keeping = keeping
        self._open: dict[tuple[str, ...], _Opened] = {}
        self._found: list[tuple[int, TestVerdict]] = []
        self.failure: Failure | None = None

    async def targets(self) -> AsyncIterator[Target]:
        """All targets, each batch read when the one before has been taken."""
        while self._waiting:
            await aside(partial(self._write, self._taken()))
            batch = await aside(partial(self._read, self._waiting.pop()))
            for target in self._opened(batch):
                yield target

    def finished(self, result: ProbeResult) -> ProbeResult:
        """Take note of a result; it comes back without any secret of the run."""
        shown = without_secrets(result, self._credentials.stores.redactor.redact)
        shared = self._open.pop(result.names).shared
        verdict = verdict_of(shown)
        self._found += [(shared.batch.numbers[name], verdict) for name in result.names]
        shared.close_one()
        return shown

    def untested(self) -> Iterator[ProbeResult]:
        """A result for everything that is not finished, as the time for it is over."""
        for opened in list(self._open.values()):
            yield untried(opened.target, _OVER)
        while self._waiting:
            self.keep()
            for target in self._opened(self._read(self._waiting.pop())):
                yield untried(target, _OVER)

    def keep(self) -> None:
        """Write the verdicts that were found since the last time."""
        self._write(self._taken())

    def _taken(self) -> list[tuple[int, TestVerdict]]:
        found, self._found = self._found, []
        return found

    def _write(self, found: list[tuple[int, TestVerdict]]) -> None:
        if self._keeping is None or self.failure:
            return
        try:
            verdicts.keep(self._keeping, found)
        except Failure as failure:
            self.failure = failure

    def _read(self, numbers: tuple[int, ...]) -> Batch:
        with transaction(self._reading) as connection:
            return batch_of(connection, numbers, self._purpose, self._credentials)

    def _opened(self, batch: Batch) -> Iterator[Target]:
        shared = _Shared(batch)
        for target in batch.targets:
            self._open[target.names] = _Opened(target, shared)
        yield from batch.targets


class _Shared:
    """A batch, until all of its targets are finished: then nobody needs its secrets any more."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self._left = len(batch.targets)

    def close_one(self) -> None:
        self._left -= 1
        if not self._left:
            self.batch.secrets.forget()


class _Opened(NamedTuple):
    """A target that is being tested, or about to be."""

    target: Target
    shared: _Shared


def verdict_of(result: ProbeResult) -> TestVerdict:
    """What the database keeps of a result."""
    failed = result.diagnosis
    if failed is None:
        return TestVerdict(result.outcome.value, str(result.level))
    return TestVerdict(
        result.outcome.value, str(result.level), failed.code, failed.step, failed.line or None
    )


def without_secrets(result: ProbeResult, hide: Hide) -> ProbeResult:
    """`result` with nothing in it that another mailbox's secret could be read from."""
    failed = result.diagnosis
    return result._replace(
        steps=tuple(step._replace(facts=_hidden(step.facts, hide)) for step in result.steps),
        diagnosis=failed
        and failed._replace(line=hide(failed.line), values=_hidden(failed.values, hide)),
    )


def _hidden(facts: Facts, hide: Hide) -> Facts:
    return tuple((name, hide(value) if isinstance(value, str) else value) for name, value in facts)
