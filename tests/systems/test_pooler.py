"""Behind a pooler that gives every transaction another connection."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.conftest import REQUIRED
from tests.support.estates import cnpj, companies, manifest, outgoing, plain_sql, run, write
from tests.support.servers.databases import Database
from tests.support.servers.home import Home, free_ports, give, open_to_all
from tests.support.stepping import Stepping

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
SETTINGS = """\
[databases]
{name} = host=127.0.0.1 port={server} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 50
"""


@pytest.fixture
def pooled(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database through the pooler."""
    if not Path(PROGRAM).exists():
        (pytest.fail if REQUIRED else pytest.skip)("apt-get install pgbouncer")
    url = make_url(database.url)
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("pooler")
    open_to_all(folder)
    file = folder / "pgbouncer.ini"
    file.write_text(
        SETTINGS.format(
            name=url.database, server=url.port, user=url.username, password=url.password, port=port
        )
    )
    give(file)
    home = Home(folder)
    pooler = home.spawn(PROGRAM, file)
    through = url.set(port=port)
    home.wait(pooler, lambda: _answers(port, str(url.database)))
    yield through.render_as_string(hide_password=False)
    home.stop()


def _answers(port: int, name: str) -> bool:
    try:
        psycopg.connect(f"host=127.0.0.1 port={port} dbname={name} user=tests").close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.databases("postgres18")
def test_plans_are_made_and_applied(
    pooled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = cnpj(1)
    for nickname in ("Envio", "Outro", "Ainda outro"):
        servers = {f"s{n}": outgoing(f"s{n}", nickname=nickname, companies=[first]) for n in (1, 2)}
        given = manifest(companies=companies(first), mail_servers=servers)
        root = write(tmp_path / "manifests", {"acme.yaml": given})
        where = ("--database", pooled)
        told = run(capsys, "apply", root, "--auto-approve", *where)
        assert told.code == 0, told.err
        assert run(capsys, "plan", root, "--detailed-exitcode", *where).code == 0


@pytest.mark.databases("postgres18")
def test_the_lock_holds(
    pooled: str, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "manifests", {"acme.yaml": manifest(mail_servers={"a": outgoing()})})
    arguments = ("apply", "manifests", "--auto-approve")
    first = Stepping("before the commit", "wait", pooled, *arguments, cwd=tmp_path)
    first.reach()
    told = run(capsys, "apply", root, "--auto-approve", "--database", pooled, "--lock-timeout", "0")
    assert told.code == 5
    assert "error MBX547" in told.err
    assert first.end()[0] == 0
    with plain_sql(database.url) as program:
        assert list(program.execute("SELECT count(*) FROM revision")) == [(1,)]
