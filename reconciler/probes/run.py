"""A run over the database: targets taken in some at a time, verdicts written back in between.

However many mail servers there are, only those of a few batches are in memory, with their secrets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial

from sqlalchemy import Engine

from reconciler.database import verdicts
from reconciler.database.engine import transaction
from reconciler.database.verdicts import TestVerdict
from reconciler.diagnostics.problem import Failure
from reconciler.probes.credentials import Credentials
from reconciler.probes.protocols.aside import aside
from reconciler.probes.results import Hide, ProbeResult, redacted
from reconciler.probes.target import Target
from reconciler.probes.targets import Batch, Purpose, batch_of


class Run:
    """The targets of a run, and their verdicts, which are written with `writing` if that is given.

    `failure` is why verdicts can no longer be written: the run goes on without, so that its results
    are told.
    """

    def __init__(
        self,
        batches: Sequence[tuple[int, ...]],
        purpose: Purpose,
        credentials: Credentials,
        reading: Engine,
        writing: Engine | None,
    ) -> None:
        self._waiting = list(reversed(batches))
        self._purpose = purpose
        self._credentials = credentials
        self._reading = reading
        self._writing = writing
        self._open: dict[tuple[str, ...], Batch] = {}
        self._verdicts: list[tuple[int, TestVerdict]] = []
        self.failure: Failure | None = None

    async def targets(self) -> AsyncIterator[Target]:
        """All targets, each batch read when the one before has been taken."""
        while self._waiting:
            await aside(partial(self._write, self._taken()))
            batch = await aside(partial(self._read, self._waiting.pop()))
            for target in self._opened(batch):
                yield target

    def finished(self, result: ProbeResult) -> ProbeResult:
        """Take note of a result; returns it without any secret of the run."""
        shown = without_secrets(result, self._credentials.stores.redactor.redact)
        batch = self._open.pop(result.names)
        verdict = verdict_of(shown)
        self._verdicts += [(batch.numbers[name], verdict) for name in result.names]
        del batch.open[result.names]
        if not batch.open:
            batch.secrets.forget()
        return shown

    def untested(self) -> Iterator[ProbeResult]:
        """A result for everything that is not finished when the time is over."""
        for names, batch in list(self._open.items()):
            yield batch.open[names].untried("MBX854")
        while self._waiting:
            self.keep()
            for target in self._opened(self._read(self._waiting.pop())):
                yield target.untried("MBX854")

    def keep(self) -> None:
        """Write the verdicts since the last time."""
        self._write(self._taken())

    def _taken(self) -> list[tuple[int, TestVerdict]]:
        taken, self._verdicts = self._verdicts, []
        return taken

    def _write(self, taken: list[tuple[int, TestVerdict]]) -> None:
        if self._writing is None or self.failure:
            return
        try:
            verdicts.keep(self._writing, taken)
        except Failure as failure:
            self.failure = failure

    def _read(self, numbers: tuple[int, ...]) -> Batch:
        with transaction(self._reading) as connection:
            return batch_of(connection, numbers, self._purpose, self._credentials)

    def _opened(self, batch: Batch) -> list[Target]:
        self._open |= dict.fromkeys(batch.open, batch)
        return list(batch.open.values())


def verdict_of(result: ProbeResult) -> TestVerdict:
    """What the database keeps of a result."""
    verdict, failed = TestVerdict(result.outcome.value, str(result.level)), result.diagnosis
    if failed is None:
        return verdict
    return verdict._replace(code=failed.code, step=failed.step, line=failed.line or None)


def without_secrets(result: ProbeResult, hide: Hide) -> ProbeResult:
    """`result` without anything that would give away a secret of another mailbox."""
    failed = result.diagnosis
    return result._replace(
        steps=tuple(step._replace(facts=redacted(step.facts, hide)) for step in result.steps),
        diagnosis=failed
        and failed._replace(line=hide(failed.line), values=redacted(failed.values, hide)),
    )
