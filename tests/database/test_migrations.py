"""Migrations: on every database they lead to the tables, wherever they were cut off before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, event
from sqlalchemy.dialects.mysql import LONGTEXT

from reconciler.database import schema, tables
from reconciler.database.engine import transaction
from reconciler.database.schema import Condition
from tests.support.estates import Cli, dump, opened, plain_sql, read_back
from tests.support.servers import MAIN, SERVERS
from tests.support.servers.databases import Database, Databases


def differences(engine: Engine) -> list[object]:
    """What the database has that the tables do not say, and the other way round."""
    with transaction(engine) as connection:
        compare = {"compare_type": _is_another_type, "compare_server_default": _is_another_default}
        context = MigrationContext.configure(connection, opts=compare)
        return list(compare_metadata(context, tables.metadata))


def _is_another_type(
    _context: Any, _found: Any, column: Any, found: Any, _type: Any
) -> bool | None:
    """None leaves it to Alembic. MariaDB makes of a length the type that has room for it."""
    return False if column.type is tables.LONG_TEXT and isinstance(found, LONGTEXT) else None


def _is_another_default(*values: Any) -> bool:
    _context, _found, _column, inspected, _default, rendered = values
    return _plain(inspected) != _plain(rendered)


def _plain(default: str | None) -> str:
    """A default without the clothes that each database puts on it."""
    bare = (default or "").split("::")[0].strip("()'")
    if bare == "NULL" or bare.startswith("nextval"):
        return ""
    return {"0": "false", "1": "true"}.get(bare, bare)


def identities(database: Database) -> list[tuple[object, ...]]:
    with plain_sql(database.url) as program:
        return [tuple(row) for row in program.execute("SELECT id FROM database_identity")]


def test_all_of_them_lead_to_the_tables(new_database: Database) -> None:
    with opened(new_database.url) as engine:
        assert schema.status(engine) == schema.NEW
        with transaction(engine) as connection:
            schema.upgrade(connection)
        assert differences(engine) == []
        assert schema.status(engine).condition is Condition.CURRENT
        assert read_back(engine).servers == {}
    with plain_sql(new_database.url) as program:
        assert program.execute("SELECT * FROM company_mailbox").all() == []


class CutOff(Exception):  # noqa: N818 - as a process that is killed
    """The run ends here."""


def cut_off_before(engine: Engine, number: int) -> bool:
    """Run the migrations as far as their statement of this number; whether they came that far."""
    count = 0

    def counted(_connection: Any, _cursor: Any, statement: str, *_arguments: Any) -> None:
        nonlocal count
        if statement.lstrip().startswith(("CREATE", "\nCREATE", "INSERT")):
            count += 1
            if count > number:
                raise CutOff

    event.listen(engine, "before_cursor_execute", counted)
    try:
        with transaction(engine) as connection:
            schema.upgrade(connection)
    except CutOff:
        return True
    finally:
        event.remove(engine, "before_cursor_execute", counted)
    return False


@pytest.mark.slow
def test_a_run_that_was_cut_off_anywhere_goes_on(
    databases: Databases, tmp_path: Path, kind: str
) -> None:
    """Where DDL commits by itself, tables may be there and the revision not be noted."""
    number, cut = 0, True
    while cut:
        with databases.new(kind, tmp_path, str(number)) as made, opened(made.url) as engine:
            cut = cut_off_before(engine, number)
            assert (schema.status(engine).condition is Condition.CURRENT) is not cut
            with transaction(engine) as connection:
                schema.upgrade(connection)
            assert differences(engine) == []
            assert schema.status(engine).condition is Condition.CURRENT
            assert len(identities(made)) == 1
        number += 4 if kind in SERVERS else 1
    assert number > 20


def test_a_second_run_changes_nothing(cli: Cli, database: Database) -> None:
    before = dump(database.url)
    assert cli("db", "upgrade").code == 0
    assert dump(database.url) == before


@pytest.mark.databases(*MAIN)
def test_two_runs_at_once_make_one_database(new_cli: Cli, new_database: Database) -> None:
    """MariaDB knows no lock for it: one may be told that another does the same, and try again."""
    upgrade = [sys.executable, "-m", "reconciler", "db", "upgrade"]
    runs = [subprocess.Popen(upgrade, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in "12"]
    said = [run.communicate()[1].decode() for run in runs]
    codes = [run.returncode for run in runs]
    assert 0 in codes, said
    if new_database.kind == "mariadb":
        assert all(
            code == 0 or "error MBX5" in text for code, text in zip(codes, said, strict=True)
        )
    else:
        assert codes == [0, 0], said
    assert new_cli("db", "upgrade").code == 0
    assert len(identities(new_database)) == 1


@pytest.mark.databases("mariadb", "galera")
def test_every_table_compares_text_as_it_is(database: Database) -> None:
    query = (
        "SELECT table_name, table_collation FROM information_schema.tables "
        "WHERE table_schema = database() AND table_type = 'BASE TABLE'"
    )
    with plain_sql(database.url) as program:
        collations = dict(list(map(tuple, program.execute(query))))
    assert collations.keys() == {*tables.metadata.tables, "alembic_version"}
    collations.pop("alembic_version")
    assert set(collations.values()) == {"utf8mb4_nopad_bin"}
