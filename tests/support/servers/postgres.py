"""PostgreSQL, of Debian and of the wheels that bring a server along."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

from tests.support.servers.home import Home, Server, free_ports, not_root

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "jit": "off",
    "deadlock_timeout": "100ms",
    # Nothing is waited for that long: a test that would hang fails.
    "lock_timeout": "20s",
    # What a test provokes is no news.
    "log_min_messages": "fatal",
}


@dataclass(frozen=True)
class DebianPostgres(Server):
    """The version that Debian has, in a folder of its own."""

    version: str

    def missing(self) -> str:
        return "" if self._programs().exists() else f"apt-get install postgresql-{self.version}"

    def start(self, home: Home, **settings: str) -> list[str]:
        """Start it with these settings beside those that all have."""
        return [_start(home, self._programs(), **settings)]

    def _programs(self) -> Path:
        return Path(f"/usr/lib/postgresql/{self.version}/bin")


@dataclass(frozen=True)
class WheelPostgres(Server):
    """A wheel with the programs of PostgreSQL. Its own code is left aside: as root, it would make
    a user on the machine.
    """

    package: str

    def missing(self) -> str:
        return "" if find_spec(self.package) else f"pip install {self.package.replace('_', '-')}"

    def start(self, home: Home, **settings: str) -> list[str]:
        """Start it with these settings beside those that all have."""
        spec = find_spec(self.package)
        assert spec
        assert spec.origin
        package = Path(spec.origin).parent
        if not _can_run(package / "pginstall/bin/postgres"):
            shutil.copytree(package, home.folder / package.name)
            libraries = f"{package.name}.libs"
            shutil.copytree(package.with_name(libraries), home.folder / libraries)
            package = home.folder / package.name
        return [_start(home, package / "pginstall/bin", **settings)]


def _can_run(program: Path) -> bool:
    """Whether it is reached without being root; a home folder may be closed to others."""
    try:
        subprocess.run([program, "--version"], check=True, capture_output=True, **not_root())
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _start(home: Home, programs: Path, **more: str) -> str:
    data, (port,), password = home.data(), free_ports(1), secrets.token_hex(16)
    password_file = home.folder / "password"
    password_file.write_text(password)
    home.run(
        *(programs / "initdb", "--pgdata", data, "--username", "tests", "--no-sync"),
        *("--auth", "password", "--pwfile", password_file, "--encoding", "UTF8", "--no-locale"),
    )
    settings = [text for item in (_SETTINGS | more).items() for text in ("-c", "=".join(item))]
    server = home.spawn(
        *(programs / "postgres", "-D", data, "-p", str(port)), *settings, end=signal.SIGQUIT
    )
    conninfo = f"host=127.0.0.1 port={port} user=tests password={password} dbname=postgres"
    home.wait(server, lambda: _answers(conninfo))
    return f"postgresql+psycopg://tests:{password}@127.0.0.1:{port}"


def _answers(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
