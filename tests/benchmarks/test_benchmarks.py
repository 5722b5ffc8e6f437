"""The benchmarks measure what they say: the estate is what was asked for, the floor reads it."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from stdnum.br import cnpj as oracle

from benchmarks import (
    bars,
    databases,
    estate,
    floor,
    hashes,
    measure,
    partners,
    rows,
    suite,
    table,
    terraform_state,
    workplace,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.yaml")}


def documents(folder: Path) -> list[Any]:
    return [yaml.load(text, Loader=yaml.CBaseLoader) for text in contents(folder).values()]


def written(folder: Path, servers: int, changed_percent: float = 0) -> Path:
    estate.write(folder, servers, changed_percent)
    return folder


def test_the_estate_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a", 240), written(tmp_path / "b", 240)
    assert contents(first) == contents(second)


@pytest.mark.parametrize(("servers", "files"), [(1, 1), (20, 1), (30, 1), (47, 2), (2_040, 102)])
def test_it_has_what_was_asked_for(tmp_path: Path, servers: int, files: int) -> None:
    manifests = documents(written(tmp_path, servers))
    declared = [server for one in manifests for server in one["mail_servers"].values()]
    assert len(manifests) == files
    assert len(declared) == servers
    assert {len(server["companies"]) for server in declared} == {10}
    assert {len(manifest["companies"]) for manifest in manifests} == {20}


def test_a_partner_has_one_head_office_and_no_mailbox_twice(tmp_path: Path) -> None:
    for manifest in documents(written(tmp_path, 60)):
        servers = manifest["mail_servers"].values()
        mailboxes = {(one["protocol"], one["host"], one["username"]) for one in servers}
        assert len(mailboxes) == len(servers)
        assert sum("head_office" in one for one in manifest["companies"].values()) == 1


def test_every_link_names_a_declared_company_once(tmp_path: Path) -> None:
    for manifest in documents(written(tmp_path, 60)):
        for server in manifest["mail_servers"].values():
            links = [one if isinstance(one, str) else one["cnpj"] for one in server["companies"]]
            assert len(set(links)) == len(links)
            assert set(links) <= set(manifest["companies"])


def test_every_cnpj_is_valid_and_there_once(tmp_path: Path) -> None:
    manifests = documents(written(tmp_path, 600))
    cnpjs = [cnpj for manifest in manifests for cnpj in manifest["companies"]]
    assert len(set(cnpjs)) == len(cnpjs) == 600
    assert all(oracle.is_valid(cnpj) for cnpj in cnpjs)
    assert any(oracle.compact(cnpj).isdecimal() for cnpj in cnpjs)
    assert any(not oracle.compact(cnpj).isdecimal() for cnpj in cnpjs)


def test_so_many_nicknames_change_and_nothing_else(tmp_path: Path) -> None:
    before = contents(written(tmp_path / "before", 1_000))
    after = contents(written(tmp_path / "after", 1_000, changed_percent=1))
    differing = [
        (old, new)
        for name in before
        for old, new in zip(before[name].splitlines(), after[name].splitlines(), strict=True)
        if old != new
    ]
    assert len(differing) == 10
    assert all(new.startswith(old) and b"nickname:" in old for old, new in differing)


def test_the_floor_builds_what_pyyaml_builds(tmp_path: Path) -> None:
    for text in contents(written(tmp_path, 60)).values():
        assert floor.read(text) == yaml.load(text, Loader=yaml.CBaseLoader)


def test_the_floors_read_files_and_rows(tmp_path: Path) -> None:
    manifests = str(written(tmp_path / "estate", 20))
    database = tmp_path / "some.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in rows.TABLES:
            connection.execute(f"CREATE TABLE {table} (id)")
        floor.read_files(manifests)
        floor.read_rows(f"sqlite:///{database}")
        files, there = hashes.hash_files(manifests), hashes.hash_rows(f"sqlite:///{database}")
        connection.execute("INSERT INTO link VALUES (1)")
        connection.commit()
        assert hashes.hash_rows(f"sqlite:///{database}") != there
    (tmp_path / "estate" / "more.yaml").write_text("")
    assert hashes.hash_files(manifests) != files


def test_a_command_is_measured_as_a_process(tmp_path: Path) -> None:
    command = measure.Command((sys.executable, "-c", "print('x' * 99)"), tmp_path)
    (cost,) = measure.interleaved([command], runs=2)
    assert cost.wall > 0
    assert cost.memory > 1


def test_a_command_that_ends_otherwise_is_no_measurement(tmp_path: Path) -> None:
    command = measure.Command((sys.executable, "-c", "raise SystemExit('why')"), tmp_path)
    with pytest.raises(SystemExit, match=r"exit 1, expected 0\nwhy"):
        measure.once(command)


def test_a_command_may_tell_which_seconds_count(tmp_path: Path) -> None:
    words = (sys.executable, "-c", "print('and so on'); print(12.5, 7.25)")
    (cost,) = measure.interleaved([measure.Command(words, tmp_path, tells_seconds=True)], runs=1)
    assert (cost.wall, cost.cpu) == (12.5, 7.25)


def test_one_file_is_changed_and_the_others_are_the_same(tmp_path: Path) -> None:
    place = workplace.Workplace(tmp_path, databases.Sqlite(tmp_path / "database" / "estate.db"))
    place.write(60)
    before, after = contents(place.manifests), contents(place.one_changed)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == [max(before)]


def test_the_terraform_state_tells_types_as_terraform_does() -> None:
    stored = terraform_state.resource("a", {"on": True, "links": [{"cnpj": "1"}]})
    kept = stored["instances"][0]["attributes"]["input"]["type"]
    links = ["tuple", [["object", {"cnpj": "string"}]]]
    assert kept == ["object", {"on": "bool", "links": links}]


def figures(servers: int, wall: float, read: float, kind: str = "SQLite") -> suite.Measured:
    plan = measure.Cost(wall=wall, cpu=wall, memory=100, read=read)
    other = measure.Cost(wall=wall, cpu=wall, memory=100, read=8)
    costs = dict.fromkeys(suite.Job, plan)
    for job in (suite.Job.HELP, suite.Job.VALIDATE, suite.Job.TERRAFORM):
        del costs[job]
    for job in (suite.Job.FLOOR, suite.Job.HASHES, suite.Job.COPY, suite.Job.CURSOR):
        costs[job] = measure.Cost(wall=1, cpu=1, memory=20, read=read)
    costs[suite.Job.PARTNER] = replace(other, read=10)
    costs[suite.Job.CHECK] = other
    costs[suite.Job.COLD] = replace(plan, wall=wall * 0.7)
    return suite.Measured(servers, costs, kind, saved=wall * 90)


def test_bars_are_kept_or_missed() -> None:
    kept = bars.bars([figures(10_000, 2, 20), figures(100_000, 2, 200)])
    missed = bars.bars([figures(10_000, 6, 20), figures(100_000, 67, 200)])
    verdicts = [bar.verdict for bar in kept if bar.figure is not None]
    assert verdicts == ["ok"] * 20
    assert [bar.verdict for bar in missed].count("MISSED") == 16


def test_the_bars_of_a_server_are_its_own() -> None:
    kept = bars.bars([figures(100_000, 2, 200, "PostgreSQL")])
    missed = bars.bars([figures(100_000, 3, 200, "PostgreSQL")])
    assert [bar.verdict for bar in kept if bar.figure is not None] == ["ok"] * 6
    assert [bar.verdict for bar in missed].count("MISSED") == 6


def test_a_load_is_held_against_the_faster_of_two_ways() -> None:
    measured = figures(100_000, 8, 200)
    assert measured.floor(suite.Job.LOAD) == 1
    assert measured.floor(suite.Job.LIST) is None


def test_a_bar_that_was_not_measured_says_so() -> None:
    assert {bar.verdict for bar in bars.bars([])} == {"not run"}


def test_the_table_is_aligned() -> None:
    lines = table.table([figures(10_000, 2, 20), figures(100_000, 20, 200)]).splitlines()
    assert len({len(line) for line in lines}) == 1


def test_partners_are_told_apart_by_number() -> None:
    ids = [partner.id for partner in partners.partners(60)]
    assert ids == ["partner-00001", "partner-00002", "partner-00003"]
