"""What is measured: the commands a team runs, and the floor beneath them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks import terraform
from benchmarks.databases import Sqlite, postgres
from benchmarks.measure import MIB, Command, Cost, interleaved
from benchmarks.workplace import CHANGED_PERCENT, ROOT, Workplace

if TYPE_CHECKING:
    from collections.abc import Iterator


MB = 1_000_000


class Job(StrEnum):
    """What is timed, by the name the table gives it."""

    FLOOR = "floor: parse all files, read all rows"
    HASHES = "floor: hash all files and all rows"
    APPLY = "apply, the first"
    PLAN = "plan, nothing to change"
    ONE = "plan, one file changed"
    CHANGED = f"plan, {CHANGED_PERCENT} % changed"
    COLD = "plan, nothing to change, nothing known"
    RENEWED = "plan, nothing to change, settings changed before an apply"
    UPGRADED = "plan, nothing to change, tool upgraded before an apply"
    SAVED = "plan -o, the first"
    ROLLBACK = "rollback of the first apply"
    PARTNER = "plan --partner partner-00001"
    CHECK = "validate"
    TERRAFORM = "terraform plan, nothing to change"
    LIST = "list --format json"
    COPY = "floor: COPY, ledger too"
    COPY_WITHOUT_KEYS = "floor: COPY, ledger too, keys off and on again"
    COPY_WITHOUT_LEDGER = "COPY, keys off and on again, no ledger"
    LOAD = "the transaction of that apply"
    CURSOR = "floor: all rows through a plain cursor"
    DIGESTS = "all rows, read and hashed as plans do"
    STATES = "all rows, read into states"
    HELP = "--help"
    VALIDATE = "validate examples/mailboxes.yaml"


@dataclass(frozen=True)
class Measured:
    """The figures of an estate of this size; of what needs no estate, where it is 0."""

    servers: int
    costs: Mapping[Job, Cost]
    kind: str = ""
    """Of the database."""
    manifests: float = 0
    """MiB of YAML."""
    database: float = 0
    """MiB of the database after the first apply."""
    saved: float | None = None
    """MB of the saved first plan."""

    def wall(self, job: Job) -> float | None:
        """Seconds; None where it was not measured."""
        return self.costs[job].wall if job in self.costs else None

    def floor(self, job: Job) -> float | None:
        """The seconds that those of a job are held against."""
        walls = [self.costs[floor].wall for floor in _FLOORS.get(job, ()) if floor in self.costs]
        return min(walls, default=None)


_FLOORS: Mapping[Job, tuple[Job, ...]] = {
    **dict.fromkeys((Job.PLAN, Job.ONE, Job.RENEWED, Job.UPGRADED), (Job.HASHES,)),
    **dict.fromkeys((Job.APPLY, Job.CHANGED, Job.COLD), (Job.FLOOR,)),
    Job.LOAD: (Job.COPY, Job.COPY_WITHOUT_KEYS),
    **dict.fromkeys((Job.DIGESTS, Job.STATES), (Job.CURSOR,)),
}


def start_up(runs: int) -> Measured:
    """The commands that people wait for without an estate."""
    with TemporaryDirectory(prefix="reconciler-bench-") as folder:
        place = Workplace(Path(folder), Sqlite(Path(folder, "none", "no.db")))
        validate = place.reconciler("validate", ROOT / "examples" / "mailboxes.yaml")
        return Measured(
            0, _costs(runs, {Job.HELP: place.reconciler("--help"), Job.VALIDATE: validate})
        )


def estate(servers: int, runs: int, *, with_terraform: bool = False) -> Iterator[Measured]:
    """Everything about an estate of this size, in SQLite and, if that is here, in PostgreSQL."""
    with TemporaryDirectory(prefix="reconciler-bench-") as name:
        folder = Path(name)
        place = Workplace(folder, Sqlite(folder / "database" / "estate.db"))
        place.write(servers)
        found = _measured(place, servers, runs)
        if with_terraform:
            costs = {Job.TERRAFORM: terraform.measure(servers, folder / "terraform")}
            found = replace(found, costs={**found.costs, **costs})
        yield found
        rmtree(folder / "database")
        with postgres(folder / "postgres") as server:
            if server:
                place = Workplace(folder, server)
                found = _measured(place, servers, runs)
                yield replace(found, costs={**found.costs, **_bulk(place, runs)})


def _measured(place: Workplace, servers: int, runs: int) -> Measured:
    costs = _costs(runs, {Job.SAVED: place.saved_plan(), Job.APPLY: place.first_apply()})
    saved = place.saved.stat().st_size / MB
    costs |= _costs(runs, _plans(place))
    # What is known of other settings, or by another tool, takes the place of what was known before.
    for job, command in (
        (Job.RENEWED, place.renewed_plan()),
        (Job.UPGRADED, place.upgraded_plan()),
    ):
        costs |= _costs(runs, {job: command})
    manifests = sum(file.stat().st_size for file in place.manifests.rglob("*.yaml"))
    database = place.database
    size = database.size() / MIB
    return Measured(servers, costs, database.kind, manifests / MIB, size, saved)


def _plans(place: Workplace) -> dict[Job, Command]:
    return {
        Job.HASHES: place.hashes(),
        Job.PLAN: place.plan(place.manifests),
        Job.ONE: place.plan(place.one_changed, exit_code=2),
        Job.CHANGED: place.plan(place.changed, exit_code=2),
        Job.FLOOR: place.floor(),
        Job.COLD: place.cold_plan(),
        Job.PARTNER: place.plan(place.manifests, "--partner", "partner-00001"),
        Job.CHECK: place.reconciler("validate", place.manifests),
        Job.ROLLBACK: replace(place.reconciler("rollback", "1"), exit_code=3),
        Job.LIST: place.reconciler("list", "--format", "json"),
    }


def _bulk(place: Workplace, runs: int) -> dict[Job, Cost]:
    rows = place.dump()
    return _costs(
        runs,
        {
            Job.COPY: place.bulk_load("copy", rows),
            Job.COPY_WITHOUT_KEYS: place.bulk_load("copy-without-keys", rows),
            Job.COPY_WITHOUT_LEDGER: place.bulk_load("copy-without-ledger", rows),
            Job.LOAD: place.bulk_apply(),
            Job.CURSOR: place.bulk_read("cursor"),
            Job.DIGESTS: place.bulk_read("digests"),
            Job.STATES: place.bulk_read("states"),
        },
    )


def _costs(runs: int, commands: Mapping[Job, Command]) -> dict[Job, Cost]:
    return dict(zip(commands, interleaved(list(commands.values()), runs), strict=True))
