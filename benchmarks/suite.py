"""What is measured: the commands a team runs, and the floor beneath them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks import terraform
from benchmarks.measure import MIB, Command, Cost, interleaved
from benchmarks.workplace import CHANGED_PERCENT, ROOT, Workplace

if TYPE_CHECKING:
    from collections.abc import Mapping


class Job(StrEnum):
    """What is timed, by the name the table gives it."""

    FLOOR = "floor"
    APPLY = "apply, the first"
    PLAN = "plan, nothing to change"
    CHANGED = f"plan, {CHANGED_PERCENT} % changed"
    PARTNER = "plan --partner partner-00001"
    CHECK = "validate"
    TERRAFORM = "terraform plan, nothing to change"
    HELP = "--help"
    VALIDATE = "validate examples/mailboxes.yaml"


@dataclass(frozen=True)
class Measured:
    """The figures of an estate of this size; of what needs no estate, where it is 0."""

    servers: int
    costs: Mapping[Job, Cost]
    manifests: float = 0
    """MiB of YAML."""
    database: float = 0
    """MiB of SQLite after the first apply."""


def start_up(runs: int) -> Measured:
    """The commands that people wait for without an estate."""
    with TemporaryDirectory(prefix="reconciler-bench-") as folder:
        place = Workplace(Path(folder))
        validate = place.reconciler("validate", ROOT / "examples" / "mailboxes.yaml")
        return Measured(
            0, _costs(runs, {Job.HELP: place.reconciler("--help"), Job.VALIDATE: validate})
        )


def estate(servers: int, runs: int, *, with_terraform: bool = False) -> Measured:
    """Everything about an estate of this size, the floor in turn with the plans."""
    with TemporaryDirectory(prefix="reconciler-bench-") as folder:
        place = Workplace(Path(folder))
        place.write(servers)
        costs = _costs(runs, {Job.APPLY: place.first_apply()}) | _costs(runs, _plans(place))
        if with_terraform:
            costs[Job.TERRAFORM] = terraform.measure(servers, place.folder / "terraform")
        manifests = sum(file.stat().st_size for file in place.manifests.rglob("*.yaml"))
        return Measured(servers, costs, manifests / MIB, place.database.stat().st_size / MIB)


def _plans(place: Workplace) -> dict[Job, Command]:
    return {
        Job.FLOOR: place.floor(),
        Job.PLAN: place.plan(place.manifests),
        Job.CHANGED: place.plan(place.changed, exit_code=2),
        Job.PARTNER: place.plan(place.manifests, "--partner", "partner-00001"),
        Job.CHECK: place.reconciler("validate", place.manifests),
    }


def _costs(runs: int, commands: Mapping[Job, Command]) -> dict[Job, Cost]:
    return dict(zip(commands, interleaved(list(commands.values()), runs), strict=True))
