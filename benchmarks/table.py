"""The figures as people read them."""

from __future__ import annotations

import os
import platform
import sqlite3
from typing import TYPE_CHECKING

import yaml

from benchmarks.bars import ratio
from benchmarks.suite import Job, Measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measure import Cost

_NUMBERS = ("wall s", "cpu s", "peak MiB", "read MiB", "to the floor")
_HEAD = ("servers", "database", "command", *_NUMBERS)
_TEXT_COLUMNS = (1, 2)


def table(measured: Sequence[Measured]) -> str:
    """One line a command, numbers to the right."""
    rows = [_HEAD, *(row for figures in measured for row in _rows(figures))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def sizes(measured: Sequence[Measured]) -> str:
    return "\n".join(
        f"{figures.servers:,} servers are {figures.manifests:.1f} MiB of YAML "
        f"and {figures.database:.1f} MiB of {figures.kind}"
        + ("." if figures.saved is None else f"; the first plan is {figures.saved:.1f} MB.")
        for figures in measured
        if figures.servers
    )


def beside_terraform(measured: Sequence[Measured]) -> str:
    return "\n".join(
        f"{figures.servers:,} servers: Terraform plans {times:.1f} times as long as `plan`."
        for figures in measured
        if (times := _terraform_to_plan(figures)) is not None
    )


def machine() -> str:
    """What it ran on, without the name of the machine."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    libraries = f"PyYAML {yaml.__version__}, SQLite {sqlite3.sqlite_version}"
    system = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return f"{python}, {libraries}, {system}"


def _terraform_to_plan(figures: Measured) -> float | None:
    if Job.TERRAFORM not in figures.costs:
        return None
    return ratio(figures.costs[Job.TERRAFORM].wall, figures.costs[Job.PLAN].wall)


def _rows(figures: Measured) -> Iterator[tuple[str, ...]]:
    size = f"{figures.servers:,}" if figures.servers else "-"
    for job, cost in figures.costs.items():
        yield size, figures.kind or "-", job, *_numbers(cost), _times(cost, figures.floor(job))


def _numbers(cost: Cost) -> tuple[str, ...]:
    read = "-" if cost.read is None else f"{cost.read:,.1f}"
    return f"{cost.wall:,.2f}", f"{cost.cpu:,.2f}", f"{cost.memory:,.0f}", read


def _times(cost: Cost, floor: float | None) -> str:
    times = ratio(cost.wall, floor)
    return "-" if times is None else f"{times:.2f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.ljust(width) if place in _TEXT_COLUMNS else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells)
