"""What all tests share: an environment that says nothing, databases, and the option for stories.

A test that asks for `kind`, `database` or `new_database` runs on each kind of database that the
marker `databases` names. A server that is not installed is a reason to skip, unless the environment
says `RECONCILER_TEST_REQUIRE=all`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.estates import Cli, fresh, run
from tests.support.servers import EVERY, SERVERS
from tests.support.servers.databases import Database, Databases
from tests.support.servers.runs import Run
from tests.support.suites import Suites

REQUIRED = os.environ.get("RECONCILER_TEST_REQUIRE") == "all"
RUN = pytest.StashKey[Run]()
DATABASES = pytest.StashKey[Databases]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-story", action="append", default=[], help="write what this story expects"
    )
    parser.addoption("--quick", action="store_true", help="only the quick tests")


# Databases


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "databases(*kinds): the kinds of database that a test runs on, by default every one",
        "slow(*kinds): left out by --quick, on these kinds of database or on all",
    ):
        config.addinivalue_line("markers", line)
    config.pluginmanager.register(Suites(config))
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    run = Run(Path(worker["run"])) if worker else Run.begin()
    config.stash[RUN] = run
    config.stash[DATABASES] = Databases(run, worker["workerid"] if worker else "main")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of pytest-xdist which run it belongs to."""
    node.workerinput["run"] = str(node.config.stash[RUN].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[DATABASES].close()
    if not hasattr(config, "workerinput"):
        config.stash[RUN].end()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the servers begin to start that a test will ask for; a cluster takes ten seconds."""
    kinds = {
        item.callspec.params.get("kind") for item in session.items if hasattr(item, "callspec")
    }
    for name, server in SERVERS.items():
        if name in kinds and not server.missing() and not session.config.option.collectonly:
            session.config.stash[RUN].start(name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("databases")
        metafunc.parametrize("kind", marker.args if marker else EVERY, indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database that a test runs on."""
    name = str(request.param)
    missing = SERVERS[name].missing() if name in SERVERS else ""
    if missing:
        (pytest.fail if REQUIRED else pytest.skip)(f"{name} is not installed: {missing}")
    return name


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Databases:
    """Where databases are made, for tests that need more than one."""
    return request.config.stash[DATABASES]


@pytest.fixture
def database(kind: str, databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """A database with all tables and nothing in them."""
    with databases.migrated(kind, tmp_path) as made:
        yield made


@pytest.fixture
def new_database(kind: str, databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """A database without tables."""
    with databases.new(kind, tmp_path) as made:
        yield made


@pytest.fixture
def engine(kind: str, databases: Databases) -> Iterator[Engine]:
    """A database with all tables, to write to; SQLite's is in memory."""
    with fresh(databases, kind) as made:
        yield made


@pytest.fixture
def bare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    """The command line, in a folder of the test's own and without being told of a database."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(capsys, *arguments)


@pytest.fixture
def cli(bare: Cli, database: Database, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, in a folder of the test's own and on a database with all tables."""
    monkeypatch.setenv("RECONCILER_DATABASE_URL", database.url)
    return bare


@pytest.fixture
def new_cli(bare: Cli, new_database: Database, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, in a folder of the test's own and on a database without tables."""
    monkeypatch.setenv("RECONCILER_DATABASE_URL", new_database.url)
    return bare


# Surroundings


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("RECONCILER_", "GITHUB_", "GITLAB_")) or name in ("CI", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    # Nor does any authority that it trusts; to read them all takes longer than to connect.
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, os.devnull)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that leaves the machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if host and host not in ("::1", "localhost") and not host.startswith("127."):
            pytest.fail(f"a test connects to {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
