"""The servers of the tests: there when they are needed, and gone when the run is over."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support.estates import dump, plain_sql
from tests.support.servers import SERVERS
from tests.support.servers.databases import Databases

A_SERVER = (
    "INSERT INTO mail_server (partner, direction, protocol, nickname, host) "
    "VALUES ('acme', 'outgoing', 'smtp', 'Envio', 'x.example')"
)
BEGIN = """
import sys
from tests.support.servers.runs import Run
run = Run.begin()
print(run.folder, *run.urls("postgres18"), flush=True)
sys.stdin.read()
run.end()
"""


@pytest.mark.parametrize("ends", ["by itself", "killed"])
def test_no_server_outlives_its_run(ends: str) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", BEGIN],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdin
    assert run.stdout
    folder, url = run.stdout.readline().split()
    assert listens(url)
    if ends == "killed":
        run.send_signal(signal.SIGKILL)
    run.communicate()
    deadline = time.monotonic() + 30
    while Path(folder).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not listens(url)


def listens(url: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", make_url(url).port or 0)) == 0


CHANGES = [
    "DROP TABLE revision_change",
    "UPDATE alembic_version SET version_num = '0000'",
    "UPDATE database_identity SET id = 'another'",
    "ALTER TABLE partner ADD COLUMN more INTEGER",
    "CREATE TABLE more (id INTEGER)",
]


@pytest.mark.databases(*SERVERS)
def test_a_database_is_as_new_whatever_was_done_to_the_one_before(
    databases: Databases, kind: str, tmp_path: Path
) -> None:
    with databases.migrated(kind, tmp_path) as made:
        as_new = dump(made.url)
    numbers = set()
    for change in ("", *CHANGES):
        with databases.migrated(kind, tmp_path) as made, plain_sql(made.url) as program:
            assert dump(made.url) == as_new
            program.script(f"INSERT INTO partner (id) VALUES ('acme'); {A_SERVER}; {change}")
            numbers.add(program.execute("SELECT id FROM mail_server").scalar_one())
    with databases.migrated(kind, tmp_path) as made:
        assert dump(made.url) == as_new
    assert len(numbers) == 1
