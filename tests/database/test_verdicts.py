"""The last verdict on each mail server: kept, shown, filtered by, and gone with its server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from reconciler.database import verdicts
from reconciler.database.engine import engine_of, transaction
from reconciler.database.listing import read
from reconciler.database.verdicts import FAILED, NOT_TESTED, PASSED, Last
from reconciler.database.verdicts import TestVerdict as Verdict
from tests.support.estates import Cli, execute, manifest, outgoing, plain_sql, write
from tests.support.servers import MAIN
from tests.support.servers.databases import Database

OK = Verdict(PASSED, "send")
REFUSED = Verdict(FAILED, "send", "MBX775", "login", "535 5.7.8 authentication failed")
OLD = "2026-01-02 03:04:05"


@pytest.fixture
def scene(cli: Cli) -> Cli:
    """A partner with the servers `a` and `b`, applied."""
    servers = {name: outgoing(name) for name in ("a", "b")}
    write(Path("m"), {"acme.yaml": manifest(mail_servers=servers)})
    assert cli("apply", "m", "--auto-approve").code == 0
    return cli


@contextmanager
def writing() -> Iterator[Engine]:
    engine = engine_of(os.environ["RECONCILER_DATABASE_URL"], writes=True)
    yield engine
    engine.dispose()


def rows() -> dict[str, tuple[int, Last | None]]:
    with writing() as engine, transaction(engine) as connection:
        return {row.server.stable_id: (row.row_id, row.last) for row in read(connection)}


def kept(**found: Verdict) -> None:
    known = rows()
    with writing() as engine:
        verdicts.keep(engine, ((known[name][0], verdict) for name, verdict in found.items()))


def last(name: str) -> Last:
    found = rows()[name][1]
    assert found is not None
    return found


def made_old() -> None:
    execute(f"UPDATE probe_result SET tried_at = '{OLD}', since = '{OLD}'")


def listed(cli: Cli, *arguments: str) -> Any:
    said = cli("list", "--format", "json", *arguments)
    assert said.code == 0
    return {
        server["stable_id"]: server["last_test"] for server in json.loads(said.out)["mail_servers"]
    }


def test_what_was_found_is_kept(scene: Cli) -> None:
    assert listed(scene) == {"a": None, "b": None}
    kept(a=OK, b=REFUSED)
    found = last("b")
    assert found.found == REFUSED
    assert found.since == found.tried_at
    assert listed(scene)["a"]["outcome"] == "passed"
    assert listed(scene)["b"]["failure"] == {
        "code": "MBX775",
        "step": "login",
        "server_said": "535 5.7.8 authentication failed",
    }


@pytest.mark.usefixtures("scene")
def test_since_is_when_it_began_to_be_so() -> None:
    kept(a=REFUSED, b=OK)
    made_old()
    kept(a=REFUSED._replace(line="another text"), b=OK)
    for name in ("a", "b"):
        found = last(name)
        assert str(found.since).startswith(OLD)
        assert not str(found.tried_at).startswith(OLD)
    made_old()
    kept(a=REFUSED._replace(code="MBX776"), b=Verdict(NOT_TESTED, "send", "MBX829", "login"))
    for name in ("a", "b"):
        found = last(name)
        assert found.since == found.tried_at
        assert not str(found.since).startswith(OLD)


def test_a_server_that_is_gone_is_passed_over(scene: Cli) -> None:
    number = rows()["a"][0]
    write(Path("m"), {"acme.yaml": manifest(mail_servers={"b": outgoing("b")})})
    kept(a=OK)
    assert scene("apply", "m", "--auto-approve").code == 0
    with writing() as engine:
        verdicts.keep(engine, [(number, REFUSED), (rows()["b"][0], OK)])
    assert last("b").found == OK
    with plain_sql(os.environ["RECONCILER_DATABASE_URL"]) as program:
        assert len(list(program.execute("SELECT * FROM probe_result"))) == 1


def test_lines_are_bounded_and_many_are_written_in_batches(
    scene: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "BATCH", 1)
    kept(a=REFUSED._replace(line="é" * 5_000), b=OK)
    assert last("a").found.line == "é" * 400
    assert last("b").found == OK
    assert listed(scene, "--failed").keys() == {"a"}


def test_list_and_show_say_it(scene: Cli) -> None:
    assert "LAST TEST" not in scene("list").out
    assert "last test" not in scene("show", "acme/a").out
    kept(a=REFUSED)
    made_old()
    out = scene("list").out
    assert "FAILED MBX775 since 2026-01-02" in out
    shown = scene("show", "acme/a").out
    assert (
        "  last test: FAILED MBX775 since 2026-01-02, level send, on 2026-01-02 03:04:05 UTC\n"
        "    the server said (login): 535 5.7.8 authentication failed\n"
        "    what that means: reconciler explain MBX775\n"
    ) in shown
    assert "last test" not in scene("show", "acme/b").out
    found = json.loads(scene("show", "acme/a", "--format", "json").out)
    assert found["mail_server"]["last_test"]["since"] == "2026-01-02T03:04:05+00:00"


@pytest.mark.databases("sqlite")
def test_strange_rows_are_shown_all_the_same(scene: Cli) -> None:
    kept(a=REFUSED)
    execute("UPDATE probe_result SET verdict = 5, code = X'FF1B', since = 'soon', tried_at = 7")
    assert "5 \\xff\\u001b" in scene("list").out
    assert scene("show", "acme/a").code == 0
    assert listed(scene)["a"]["since"] is None


@pytest.mark.databases(*MAIN)
@pytest.mark.usefixtures("scene")
def test_a_server_takes_its_verdict_along(database: Database) -> None:
    """Other programs delete it too, on any database."""
    kept(a=OK, b=REFUSED)
    with plain_sql(database.url) as program:
        program.script("DELETE FROM mail_server WHERE stable_id = 'a'")
        assert [row[0] for row in program.execute("SELECT verdict FROM probe_result")] == [FAILED]
