"""Loading: files to declarations, in one process or in many."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifests import load
from reconciler.manifests.files import Base
from reconciler.manifests.load import Loaded, Manifests
from reconciler.manifests.read import ReadLimits

GOOD = """\
version: 1
partner: partner-{number}
mail_servers:
  out:
    direction: outgoing
    nickname: Envio {number}
    host: mail.example
    username: nfe-{number}@acme.example
    password: {{env: SENHA}}
    sender: {{email: nfe@acme.example}}
    companies: ["12.345.678/0001-95", {{all: true}}]
"""
BROKEN = GOOD + "  second: {{direction: sideways}}\n"


def read(folder: Path) -> Loaded:
    manifests = Manifests([folder], Base(folder, whole=True), ReadLimits(), "project")
    manifests.begin_parsing()
    return manifests.loaded()


def write(folder: Path, count: int) -> None:
    for number in range(count):
        text = BROKEN if number % 3 == 0 else GOOD
        (folder / f"{number:03}.yaml").write_text(text.format(number=number))


@pytest.mark.filterwarnings("default::DeprecationWarning")
def test_many_processes_read_what_one_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 40)
    monkeypatch.setattr(load, "MANY", 1000)
    alone = read(tmp_path)
    monkeypatch.setattr(load, "MANY", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1})
    together = read(tmp_path)
    assert together == alone
    assert len(alone.files) == 40
    assert [problem.code for problem in alone.problems] == ["MBX204", *["MBX202"] * 2] * 14


def test_a_wrong_entry_does_not_hide_the_others(tmp_path: Path) -> None:
    write(tmp_path, 1)
    (declared,) = read(tmp_path).files
    assert [server.server.stable_id for server in declared.servers] == ["out"]


def test_the_digest_names_content_and_place(tmp_path: Path) -> None:
    write(tmp_path, 2)
    first = read(tmp_path).digest
    assert read(tmp_path).digest == first
    (tmp_path / "001.yaml").rename(tmp_path / "002.yaml")
    second = read(tmp_path).digest
    (tmp_path / "002.yaml").write_text(GOOD.format(number=7))
    assert len({first, second, read(tmp_path).digest}) == 3
