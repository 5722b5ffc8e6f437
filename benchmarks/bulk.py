"""Rows into PostgreSQL and out of it: by the tool, and by the fastest raw way there is.

`python -m benchmarks.bulk WHAT URL [FOLDER]` prints the seconds of wall and processor time of just
the part that counts: neither start-up nor what is prepared before, as the plan that is applied.

`apply` applies a plan of the manifests in FOLDER to a new database, of which it makes the tables.
`copy` loads the same rows from the files that `dump` wrote there, those of the ledger too, into
tables that are there, with the foreign keys left as they are; `copy-without-keys` takes them off
and puts them back on again, `copy-without-ledger` leaves out the ledger as well. `states` and
`digests` read all rows as the tool does, to plan and, in several processes, to see that nothing has
changed; `cursor` does nothing with them.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from benchmarks.databases import connect
from benchmarks.rows import TABLES, batches, connected

if TYPE_CHECKING:
    from psycopg import Connection
    from sqlalchemy import Connection as Transaction

LEDGER = ("revision", "revision_change", "revision_acceptance", "unchanged")
_CHUNK = 1 << 20
Part = Callable[[], None]
"""What is timed."""


def dump(url: str, folder: Path) -> None:
    """Write the rows of each table to a file, in the form that COPY takes."""
    folder.mkdir(exist_ok=True)
    with connect(url) as connection, connection.cursor() as cursor:
        for table in (*TABLES, *LEDGER):
            with (
                (folder / table).open("wb") as file,
                cursor.copy(f'COPY "{table}" TO STDOUT') as rows,
            ):
                for data in rows:
                    file.write(data)


def copying(url: str, folder: Path, tables: Iterable[str], *, keys: bool) -> Part:
    connection = connect(url)

    def copy() -> None:
        with connection:
            taken = [] if keys else _take_keys(connection)
            for table in tables:
                _copy(connection, table, folder / table)
            for statement in taken:
                connection.execute(statement)

    return copy


def _copy(connection: Connection[Any], table: str, file: Path) -> None:
    with (
        connection.cursor() as cursor,
        file.open("rb") as rows,
        cursor.copy(f'COPY "{table}" FROM STDIN') as target,
    ):
        while data := rows.read(_CHUNK):
            target.write(data)


def _take_keys(connection: Connection[Any]) -> list[Any]:
    """Drop all foreign keys; the statements that add them again are returned."""
    keys = connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
        "FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    ).fetchall()
    for table, name, _definition in keys:
        connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    return [f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {text}' for table, name, text in keys]


def applying(url: str, manifests: Path) -> Part:
    from reconciler.database.lock import Claim  # noqa: PLC0415 - raw ways do without
    from reconciler.operations.commit import commit  # noqa: PLC0415
    from reconciler.operations.context import Context  # noqa: PLC0415
    from reconciler.operations.plan import plan  # noqa: PLC0415
    from reconciler.operations.transaction import Work  # noqa: PLC0415

    context = Context.of({}, paths=[manifests], database=url)
    planned = plan(context, recording=True)
    parts = planned.plan.applicable
    partners = tuple(part.partner for part in parts)
    claim = Claim(partners, "benchmark", "here", sum(len(part.changes) for part in parts))
    engine = context.engine(writes=True)

    def apply() -> None:
        work = Work(planned.plan, unchanged=planned.unchanged)
        commit(engine, work, _make_tables, claim, seconds=60)

    return apply


def _make_tables(connection: Transaction) -> bool:
    """What a first apply does in its transaction, into a database that is new."""
    from reconciler.database import schema  # noqa: PLC0415 - raw ways do without

    schema.upgrade(connection)
    return True


def understanding(url: str) -> Part:
    from sqlalchemy import select  # noqa: PLC0415 - raw ways do without

    from reconciler.database import observe  # noqa: PLC0415
    from reconciler.database.engine import engine_of, transaction  # noqa: PLC0415
    from reconciler.database.tables import partner  # noqa: PLC0415

    engine = engine_of(url, writes=False)

    def read() -> None:
        with transaction(engine) as connection:
            names = connection.execute(select(partner.c.id).order_by(partner.c.id)).scalars().all()
            for _found in observe.read(connection, names):
                pass

    return read


def hashing(url: str) -> Part:
    from reconciler.operations import unchanged  # noqa: PLC0415 - raw ways do without
    from reconciler.operations.context import Context  # noqa: PLC0415

    context = Context.of({}, database=url)
    facts = unchanged.facts(context)

    def read() -> None:
        assert len(unchanged.holding(facts, context)) == len(facts) > 0

    return read


def fetching(url: str) -> Part:
    connection = connected(url)

    def fetch() -> None:
        for _rows in batches(connection):
            pass

    return fetch


def _part(what: str, url: str, folder: Path) -> Part:  # noqa: PLR0911 - one for each way
    match what:
        case "apply":
            return applying(url, folder)
        case "copy":
            return copying(url, folder, (*TABLES, *LEDGER), keys=True)
        case "copy-without-keys":
            return copying(url, folder, (*TABLES, *LEDGER), keys=False)
        case "copy-without-ledger":
            return copying(url, folder, TABLES, keys=False)
        case "states":
            return understanding(url)
        case "digests":
            return hashing(url)
        case "cursor":
            return fetching(url)
        case _:
            raise SystemExit(f"{what} is nothing that can be measured")


def main() -> None:
    what, url, *folder = sys.argv[1:]
    gc.disable()  # as the commands do
    part = _part(what, url, Path(*folder))
    wall, processor = perf_counter(), process_time()
    part()
    print(perf_counter() - wall, process_time() - processor)


if __name__ == "__main__":
    main()
