"""What is promised about speed and size, and whether the figures of a run keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.suite import Job, Measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SMALL, LARGE = 10_000, 100_000
TERRAFORM_PLAN = 57.0
"""Seconds for 10,000 servers, as recorded; the figure of the run itself is preferred."""
TERRAFORM_APPLY = 572.0
_NOTHING = Measured(0, {})
_WORK = (Job.APPLY, Job.PLAN, Job.ONE, Job.CHANGED, Job.COLD, Job.PARTNER)
_KINDS = ("SQLite", "PostgreSQL")


@dataclass(frozen=True)
class Bar:
    """One promise: a figure of this run, or none where it was not measured, and its limit."""

    promise: str
    figure: float | None
    limit: float
    unit: str

    @property
    def verdict(self) -> str:
        if self.figure is None:
            return "not run"
        return "ok" if self.figure <= self.limit else "MISSED"

    def __str__(self) -> str:
        figure = "-" if self.figure is None else f"{self.figure:,.2f}"
        return f"{self.verdict:<9}{self.promise}: {figure}, at most {self.limit:,g} {self.unit}"


def bars(measured: Sequence[Measured]) -> list[Bar]:
    found = {(figures.servers, figures.kind): figures for figures in measured}
    small, large = (found.get((size, _KINDS[0]), _NOTHING) for size in (SMALL, LARGE))
    unchanged = [
        bar for kind in _KINDS for bar in _of_unchanged(kind, found.get((LARGE, kind), _NOTHING))
    ]
    return [
        *_of_small(small),
        *_of_large(small, large),
        *unchanged,
        *_of_bulk(found.get((LARGE, _KINDS[1]), _NOTHING)),
        *_of_start_up(found.get((0, ""), _NOTHING)),
    ]


def ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _of_small(small: Measured) -> Iterator[Bar]:
    size = f"{SMALL:,} servers"
    plan = small.wall(Job.PLAN)
    cold = ratio(small.wall(Job.COLD), small.floor(Job.COLD))
    yield Bar(f"{size}: {Job.COLD}, to the floor", cold, 2.5, "times")
    measured = small.wall(Job.TERRAFORM)
    terraform = f"{TERRAFORM_PLAN:g} s recorded" if measured is None else f"{measured:.1f} s"
    yield Bar(
        f"{size}: plan, a twentieth of Terraform's ({terraform})",
        plan,
        round((measured or TERRAFORM_PLAN) / 20, 2),
        "s",
    )
    yield Bar(
        f"{size}: first apply, a hundredth of Terraform's ({TERRAFORM_APPLY:g} s recorded)",
        small.wall(Job.APPLY),
        TERRAFORM_APPLY / 100,
        "s",
    )
    rollback = _cpu(small, Job.ROLLBACK)
    yield Bar(f"{size}: {Job.ROLLBACK}", rollback, 4, "s of processor time")


def _of_large(small: Measured, large: Measured) -> Iterator[Bar]:
    size = f"{LARGE:,} servers"
    for job in (Job.APPLY, Job.PLAN, Job.ONE, Job.CHANGED, Job.COLD):
        growth = ratio(large.wall(job), small.wall(job))
        yield Bar(f"{size}: {job}, to {SMALL:,}", growth, 11, "times")
    peaks = [large.costs[job].memory for job in _WORK if job in large.costs]
    yield Bar(f"{size}: peak memory", max(peaks, default=None), 1024, "MiB")
    cold = ratio(large.wall(Job.COLD), large.floor(Job.COLD))
    yield Bar(f"{size}: {Job.COLD}, to the floor", cold, 1.6, "times")
    yield Bar(f"{size}: {Job.APPLY}, peak memory", _memory(large, Job.APPLY), 500, "MiB")
    yield Bar(f"{size}: {Job.LIST}, peak memory", _memory(large, Job.LIST), 150, "MiB")
    yield Bar(f"{size}: {Job.SAVED}, its size", large.saved, 192, "MB")
    yield Bar(f"{size}: {Job.SAVED}", _cpu(large, Job.SAVED), 13.75, "s of processor time")
    yield Bar(f"{size}: rows that --partner reads", _share_of_rows(small, large), 5, "% of all")


def _of_unchanged(kind: str, figures: Measured) -> Iterator[Bar]:
    for job in (Job.PLAN, Job.ONE, Job.RENEWED, Job.UPGRADED):
        times = ratio(figures.wall(job), figures.floor(job))
        yield Bar(f"{LARGE:,} servers, {kind}: {job}, to hashing all", times, 2, "times")


def _of_bulk(figures: Measured) -> Iterator[Bar]:
    for job, way in ((Job.LOAD, "COPY"), (Job.DIGESTS, "a plain cursor")):
        times = ratio(figures.wall(job), figures.floor(job))
        yield Bar(f"{LARGE:,} servers, {_KINDS[1]}: {job}, to {way}", times, 2, "times")


def _of_start_up(start_up: Measured) -> Iterator[Bar]:
    yield Bar(f"{Job.HELP}", start_up.wall(Job.HELP), 0.15, "s")
    yield Bar(f"{Job.VALIDATE}", _cpu(start_up, Job.VALIDATE), 0.5, "s of processor time")


def _cpu(figures: Measured, job: Job) -> float | None:
    return figures.costs[job].cpu if job in figures.costs else None


def _memory(figures: Measured, job: Job) -> float | None:
    return figures.costs[job].memory if job in figures.costs else None


def _share_of_rows(small: Measured, large: Measured) -> float | None:
    """How much of what a plan of everything reads from the database, `--partner` reads, in %.

    `validate` reads the same manifests and no database. What the others read beyond it grows with
    the estate by rows alone, and the share is taken of that growth.
    """
    check, partner, everything = (
        _growth(small, large, job) for job in (Job.CHECK, Job.PARTNER, Job.PLAN)
    )
    if check is None or partner is None or everything is None:
        return None
    return 100 * max(partner - check, 0) / (everything - check)


def _growth(small: Measured, large: Measured, job: Job) -> float | None:
    before, after = _read(small, job), _read(large, job)
    return None if before is None or after is None else after - before


def _read(figures: Measured, job: Job) -> float | None:
    cost = figures.costs.get(job)
    return None if cost is None else cost.read
