"""Faults made to happen for real: killed, cut off, contended, out of room.

Whatever happens, the database is as before or as planned, the ledger says which, and nothing is
left that anybody must clean up.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from reconciler.operations import commit
from tests.conftest import REQUIRED
from tests.support.estates import (
    Manifest,
    Ran,
    cnpj,
    companies,
    dump,
    manifest,
    outgoing,
    plain_sql,
    run,
    write,
)
from tests.support.proxy import Cut, proxied
from tests.support.servers import EVERY, MAIN
from tests.support.servers.databases import Database
from tests.support.servers.home import give, open_to_all
from tests.support.stepping import LAST, STEPS, Stepping, at_step

FIRST, SECOND = cnpj(1), cnpj(2)
SETTINGS = "[guards]\nmost = 99\nleast = 99\n"


class Scene:
    """An applied estate, and the manifests that change it, with each thing that apply can do."""

    def __init__(
        self, database: Database, folder: Path, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.database = database
        self.folder = folder
        self.capture = capture
        self._processes: list[Stepping] = []
        self.given(kept=outgoing("kept", companies=[FIRST]), gone=outgoing("gone"))
        assert self("apply").code == 0
        self.change()

    def given(self, **servers: Manifest) -> None:
        declared = manifest(companies=companies(FIRST, SECOND), mail_servers=servers)
        root = write(self.folder / "manifests", {"acme.yaml": declared})
        (root / "reconciler.toml").write_text(SETTINGS)

    def change(self) -> None:
        self.given(
            kept=outgoing("kept", nickname="Novo", companies=[SECOND]),
            new=outgoing("new", companies=[FIRST]),
        )

    def __call__(self, command: str, *arguments: str, url: str = "") -> Ran:
        """Run a command in this process."""
        where = ("--database", url or self.database.url, *arguments)
        approve = ("--auto-approve",) if command == "apply" else ()
        return run(self.capture, command, self.folder / "manifests", *where, *approve)

    def apply_saved(self) -> Ran:
        """Apply `plan.json`."""
        file = self.folder / "plan.json"
        where = ("--database", self.database.url, "--auto-approve")
        return run(self.capture, "apply", file, *where)

    def stepping(self, step: str, action: str, url: str = "", *arguments: str) -> Stepping:
        """Begin to apply in a process of its own."""
        given = ("apply", "manifests", "--auto-approve", *arguments)
        begun = Stepping(step, action, url or self.database.url, *given, cwd=self.folder)
        self._processes.append(begun)
        return begun

    def close(self) -> None:
        """End what a test that failed has left running."""
        for process in self._processes:
            process.kill()

    def state(self) -> list[Any]:
        return list(dump(self.database.url))

    def revisions(self) -> int:
        return int(self.sql("SELECT count(*) FROM revision")[0][0])

    def sql(self, statement: str, url: str = "") -> list[Any]:
        """What another program does, committed at once."""
        with plain_sql(url or self.database.url) as program:
            done = program.execute(statement)
            return list(done) if done.returns_rows else []

    def let_locks_run_out(self) -> None:
        """As if the time had passed that a lock is held for by somebody who is gone."""
        self.sql("UPDATE partner_lock SET until = '2000-01-01 00:00:00' WHERE holder IS NOT NULL")

    def settled(self) -> None:
        """Nothing is left to do, and nobody holds a lock."""
        assert self("plan", "--detailed-exitcode").code == 0
        assert self.sql("SELECT partner FROM partner_lock WHERE holder IS NOT NULL") == []


@pytest.fixture
def scene(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Scene]:
    made = Scene(database, tmp_path, capsys)
    yield made
    made.close()


# Killed


@pytest.mark.databases(*MAIN, "galera")
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_all_is_as_before_or_as_planned(step: str, scene: Scene) -> None:
    before = scene.state()
    code, said = scene.stepping(step, "kill").end()
    assert code == -signal.SIGKILL, said
    if step == LAST:
        assert scene.revisions() == 2
        scene.settled()
    else:
        assert scene.state() == before
        assert scene.revisions() == 1
        scene.let_locks_run_out()
        assert scene("apply", "--lock-timeout", "5").code == 0
        scene.settled()


@pytest.mark.databases(*MAIN)
def test_killed_while_the_tables_are_made_the_next_apply_makes_them(
    new_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "manifests", {"acme.yaml": manifest()})
    arguments = ("apply", "manifests", "--auto-approve")
    stepping = Stepping(
        "before the rows are written", "kill", new_database.url, *arguments, cwd=tmp_path
    )
    code, said = stepping.end()
    assert code == -signal.SIGKILL, said
    where = ("--database", new_database.url)
    told = run(capsys, "apply", root, "--auto-approve", *where)
    assert told.code == 0, told.err
    assert run(capsys, "plan", root, "--detailed-exitcode", *where).code == 0


@pytest.mark.databases(*MAIN)
def test_a_lock_of_somebody_who_was_killed_ends_by_itself(scene: Scene) -> None:
    scene.stepping("with the lock taken", "kill").end()
    told = scene("apply", "--lock-timeout", "0")
    assert told.code == 5
    assert "error MBX547: another apply holds the lock of acme" in told.err
    scene.let_locks_run_out()
    assert scene("apply", "--lock-timeout", "0").code == 0


# Two at once


@pytest.mark.databases(*EVERY)
def test_who_waits_in_vain_is_told_who_holds_the_lock(scene: Scene) -> None:
    first = scene.stepping("before the commit", "wait", "")
    first.reach()
    other = scene.database.others[0] if scene.database.others else ""
    told = scene("apply", "--lock-timeout", "0", url=other)
    assert told.code == 5
    assert "error MBX547: another apply holds the lock of acme" in told.err
    assert f"process {first.pid}, since 20" in told.err
    assert first.end()[0] == 0
    scene.settled()


@pytest.mark.databases(*EVERY)
def test_who_waits_goes_on_with_what_is_there_then(scene: Scene) -> None:
    """Both change the same rows: the second finds them changed, and changes nothing."""
    first = scene.stepping("before the commit", "wait")
    first.reach()
    scene.given(
        kept=outgoing("kept", nickname="Outro", companies=[SECOND]),
        new=outgoing("new", companies=[FIRST]),
    )
    other = scene.database.others[0] if scene.database.others else ""
    second = scene.stepping("before the lock", "wait", other, "--lock-timeout", "30")
    second.reach()
    second.go()
    assert first.end()[0] == 0
    code, said = second.end()
    assert code == 4, said
    assert "MBX520" in said
    assert scene.revisions() == 2
    scene.change()
    scene.settled()


@pytest.mark.databases(*EVERY)
def test_two_applies_of_different_partners_do_not_wait_for_each_other(scene: Scene) -> None:
    if scene.database.kind == "sqlite":
        pytest.skip("SQLite has one lock for the whole database")
    first = scene.stepping("before the commit", "wait")
    first.reach()
    beta = manifest("beta", mail_servers={"out": outgoing()})
    root = write(scene.folder / "beta", {"beta.yaml": beta})
    other = scene.database.others[0] if scene.database.others else scene.database.url
    where = ("--database", other, "--partner", "beta", "--lock-timeout", "0", "--auto-approve")
    told = run(scene.capture, "apply", root, *where)
    assert told.code == 0, told.err
    assert first.end()[0] == 0
    assert scene.revisions() == 3


@pytest.mark.databases(*MAIN, "galera")
def test_of_many_that_race_each_is_applied_or_told_why_not(scene: Scene) -> None:
    urls = (scene.database.url, *scene.database.others)
    racing = [
        scene.stepping("before the lock", "wait", urls[number % len(urls)], "--lock-timeout", "30")
        for number in range(4)
    ]
    for process in racing:
        process.reach()
    for process in racing:
        process.go()
    ended = [process.end() for process in racing]
    assert sorted(code for code, _ in ended) == [0, 4, 4, 4], ended
    assert scene.revisions() == 2
    scene.settled()


# Conflicts


@pytest.mark.databases("postgres15", "postgres18", "mariadb")
def test_after_a_deadlock_the_transaction_is_run_again(scene: Scene) -> None:
    """Another program has what apply wants, and wants what apply has."""
    apply = scene.stepping("with the lock given back", "wait", "", "--lock-timeout", "30")
    apply.reach()
    with program(scene.database) as other:
        # It has done more than apply has, so that apply is the one that is sent back.
        for name in ("link", "company", "mail_server"):
            other.exec_driver_sql(f"UPDATE {name} SET project = 'x'")
            other.exec_driver_sql(f"UPDATE {name} SET project = ''")
        wanting = threading.Thread(
            target=other.exec_driver_sql, args=("UPDATE partner_lock SET serial = serial",)
        )
        wanting.start()
        apply.go()
        wanting.join()
        other.commit()
    code, said = apply.end()
    assert code == 0, said
    assert scene.revisions() == 2
    scene.settled()


@pytest.mark.databases("galera")
def test_a_conflict_at_the_commit_of_a_cluster_is_run_again(scene: Scene) -> None:
    """Another program writes the same row on another node, which sends this transaction back."""
    apply = scene.stepping("before the commit", "wait")
    apply.reach()
    other = scene.database.others[0]
    scene.sql("UPDATE mail_server SET nickname = 'X' WHERE stable_id = 'kept'", other)
    scene.sql("UPDATE mail_server SET nickname = 'Envio' WHERE stable_id = 'kept'", other)
    code, said = apply.end()
    assert code == 0, said
    assert scene.revisions() == 2
    scene.settled()


@pytest.mark.databases("galera")
def test_a_conflict_at_the_commit_of_a_cluster_that_changed_a_row(scene: Scene) -> None:
    before = scene.revisions()
    apply = scene.stepping("before the commit", "wait")
    apply.reach()
    other = scene.database.others[0]
    scene.sql("UPDATE mail_server SET nickname = 'X' WHERE stable_id = 'kept'", other)
    code, said = apply.end()
    assert code == 4, said
    assert "MBX520" in said
    assert scene.revisions() == before


@pytest.mark.databases("postgres18", "mariadb")
def test_a_row_that_another_program_keeps_is_waited_for(scene: Scene) -> None:
    with program(scene.database) as other:
        other.exec_driver_sql("UPDATE mail_server SET project = project")
        before = scene.state()
        told = scene("apply", "--lock-timeout", "0")
        assert told.code == 5
        assert "error MBX535: another process holds the database" in told.err
        other.rollback()
    assert scene.state() == before
    assert scene("apply").code == 0
    scene.settled()


@contextmanager
def program(database: Database) -> Iterator[Connection]:
    """Another program, with a transaction of its own."""
    engine = create_engine(database.url, poolclass=NullPool)
    with engine.connect() as connection:
        if database.kind.startswith("postgres"):
            connection.exec_driver_sql("SET deadlock_timeout = '1h'")
        yield connection


# Links in between


@pytest.mark.databases(*EVERY)
def test_a_link_that_appears_between_plan_and_apply(scene: Scene) -> None:
    planned = scene("plan", "--out", str(scene.folder / "plan.json"))
    assert planned.code == 0
    scene.sql(LINKED)
    before = scene.state()
    told = scene.apply_saved()
    assert told.code == 4
    assert "error MBX520: server.acme/gone has changed since the plan was made" in told.err
    assert scene.state() == before
    refused = scene("plan")
    assert refused.code == 3
    assert "linked-delete" in refused.out


@pytest.mark.databases("postgres15", "postgres16", "postgres18", "mariadb")
def test_a_link_cannot_appear_while_its_server_is_being_deleted(scene: Scene) -> None:
    apply = scene.stepping("before the commit", "wait")
    apply.reach()
    with pytest.raises(DBAPIError):
        scene.sql(LINKED)
    assert apply.end()[0] == 0
    with pytest.raises(DBAPIError):
        scene.sql(LINKED.replace("SELECT id", "SELECT 999999").replace("gone", "kept"))
    scene.settled()


LINKED = (
    f"INSERT INTO link (mail_server_id, cnpj) SELECT id, '{FIRST}' FROM mail_server"
    " WHERE stable_id = 'gone'"
)


# Cut off


@pytest.mark.databases("postgres15", "postgres16", "postgres18", "mariadb", "galera")
@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("with the rows written", "MBX544"),
        ("with the revision recorded", "MBX544"),
        ("before the commit", "MBX545"),
    ],
)
def test_a_connection_that_is_ended_in_the_middle(step: str, code: str, scene: Scene) -> None:
    before = scene.state()
    undo = at_step(step, partial(end_connection, scene))
    told = scene("apply")
    undo()
    assert told.code == 1
    assert f"error {code}: the connection to the database was lost" in told.err
    assert scene.state() == before
    assert scene("apply", "--lock-timeout", "0").code == 0
    scene.settled()


def end_connection(scene: Scene, user: Any) -> None:
    """What an administrator does to a connection."""
    connection = user if isinstance(user, Connection) else user._connection
    if scene.database.kind.startswith("postgres"):
        number = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        scene.sql(f"SELECT pg_terminate_backend({number}, 5000)")
    else:
        number = connection.exec_driver_sql("SELECT connection_id()").scalar()
        scene.sql(f"KILL {number}")


@pytest.mark.databases("postgres15", "postgres18", "mariadb", "galera")
@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_lost_commit_is_looked_up(cut: Cut, scene: Scene) -> None:
    before = scene.state()
    with proxied(scene.database.url) as proxy:

        def arm(_: Any) -> None:
            proxy.cut = cut

        undo = at_step("before the commit", arm)
        told = scene("apply", url=proxy.url.render_as_string(hide_password=False))
        undo()
    assert proxy.was_cut.is_set()
    if cut == "before":
        assert told.code == 1
        assert "error MBX545" in told.err
        assert scene.state() == before
        assert scene("apply", "--lock-timeout", "10").code == 0
    else:
        assert told.code == 0
        assert "The connection broke while committing; the ledger has the plan." in told.err
        assert "Applied as revision" in told.out
    assert scene.revisions() == 2
    scene.settled()


@pytest.mark.databases("postgres18", "mariadb")
def test_a_lost_commit_that_nobody_can_be_asked_about(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "_LOOKS", 2)
    monkeypatch.setattr(commit, "_LOOK_SECONDS", 0)
    with proxied(scene.database.url) as proxy:

        def arm(_: Any) -> None:
            proxy.cut = "after"
            proxy.stop_listening()

        undo = at_step("before the commit", arm)
        told = scene("apply", url=proxy.url.render_as_string(hide_password=False))
        undo()
    assert told.code == 1
    assert "error MBX546: it is not known whether the plan was applied" in told.err
    scene.settled()


# No room


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with little room, which a server can write to."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        (pytest.fail if REQUIRED else pytest.skip)(f"no disk can be mounted: {mounted.stderr}")
    open_to_all(tmp_path)
    give(folder)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


class Filling:
    """A manifest that was applied, and a larger one for which there is no room."""

    def __init__(self, url: str, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self._url, self._root, self._capture = url, folder / "manifests", capture
        self._small = {"a": outgoing("a")}
        self._large = {f"s{number}": outgoing(f"s{number}") for number in range(1500)}
        assert self._run("apply", self._small, "--auto-approve").code == 0

    def fails(self, word: str) -> None:
        """The larger one fails, with this word of the database, and nothing has happened."""
        before = dump(self._url)
        told = self._run("apply", self._small | self._large, "--auto-approve")
        assert told.code == 1
        assert "error MBX539: the database refused" in told.err
        assert word in told.err
        assert dump(self._url) == before
        assert self._run("plan", self._small, "--detailed-exitcode").code == 0

    def _run(self, command: str, servers: dict[str, Manifest], *options: str) -> Ran:
        write(self._root, {"acme.yaml": manifest(mail_servers=servers)})
        return run(self._capture, command, self._root, *options, "--database", self._url)


def test_a_disk_that_fills_up(
    small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Filling(f"sqlite:///{small_disk / 'reconciler.db'}", tmp_path, capsys).fails("full")


@pytest.mark.databases("postgres15", "postgres18")
def test_a_disk_of_a_server_that_fills_up(
    new_database: Database, small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filling = Filling(new_database.url, tmp_path, capsys)
    with plain_sql(new_database.url) as program:
        program.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
        program.execute("ALTER TABLE revision_change SET TABLESPACE small")
        filling.fails("No space left")
        program.execute("DROP TABLE revision_change CASCADE")
        program.execute("DROP TABLESPACE small")
