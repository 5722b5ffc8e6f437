"""MariaDB, and a Galera cluster of three nodes, as Debian has them."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pymysql

from tests.support.servers.home import Home, Server, free_ports, give

_NODES = 3
_PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=10M",
    "--innodb-buffer-pool-size=64M",
    "--performance-schema=0",
    # Nothing is waited for that long: a test that would hang fails.
    "--lock-wait-timeout=20",
    "--innodb-lock-wait-timeout=20",
)
_CLUSTER = (
    "--wsrep-on=ON",
    f"--wsrep-provider={_PROVIDER}",
    "--wsrep-cluster-name=tests",
    "--wsrep-node-address=127.0.0.1",
    "--binlog-format=ROW",
    "--innodb-autoinc-lock-mode=2",
)


class MariaDb(Server):
    def missing(self) -> str:
        return "" if _program("mariadbd").exists() else "apt-get install mariadb-server"

    def start(self, home: Home, *options: str) -> list[str]:
        """Start it with these options beside those that all have."""
        data, (port,), password = _installed(home), free_ports(1), secrets.token_hex(16)
        user = f"--init-file={_user(home, password)}"
        server = home.spawn(*_command(data, port), user, *options)
        home.wait(server, lambda: _status(port, password) is not None)
        return [_url(port, password)]


class Galera(Server):
    """A cluster whose nodes begin with the same data, so that none has to fetch it from another."""

    def missing(self) -> str:
        return MariaDb().missing() or ("" if _PROVIDER.exists() else "apt-get install galera-4")

    def start(self, home: Home) -> list[str]:
        password = secrets.token_hex(16)
        data = _installed(home)
        self._seed(home, data, password)
        ports, own, others = (free_ports(_NODES) for _ in range(3))
        for node in range(_NODES):
            folder = home.folder / f"node{node}"
            shutil.copytree(data, folder)
            give(folder)
            cluster = [f"127.0.0.1:{port}" for port in own[:node]]
            server = home.spawn(
                *_command(folder, ports[node]),
                *_CLUSTER,
                f"--wsrep-node-name=node{node}",
                f"--wsrep-cluster-address=gcomm://{','.join(cluster)}",
                _options(own[node], others[node]),
                *([] if node else ["--wsrep-new-cluster"]),
            )
            # Of two that join at once, one may give up.
            self._wait(home, server, ports[node], password)
        return [_url(port, password) for port in ports]

    def _seed(self, home: Home, data: Path, password: str) -> None:
        """Make a cluster of one and stop it: its data then names the cluster and its position."""
        port, own, other = free_ports(3)
        server = home.spawn(
            *(*_command(data, port), *_CLUSTER, f"--init-file={_user(home, password)}"),
            *("--wsrep-cluster-address=gcomm://", "--wsrep-new-cluster", _options(own, other)),
        )
        self._wait(home, server, port, password)
        server.terminate()
        server.wait(timeout=60)
        for name in ("galera.cache", "gvwstate.dat"):
            (data / name).unlink(missing_ok=True)

    def _wait(self, home: Home, server: subprocess.Popen[bytes], port: int, password: str) -> None:
        home.wait(server, lambda: _status(port, password) == "Synced")


def _program(name: str) -> Path:
    """A program of the server, which may be where only root looks for programs."""
    return Path(shutil.which(name) or f"/usr/sbin/{name}")


def _installed(home: Home) -> Path:
    data = home.data()
    home.run(
        *(_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}"),
        *("--skip-test-db", "--innodb-log-file-size=10M"),
    )
    return data


def _user(home: Home, password: str) -> Path:
    """A file that makes the user whom the tests are; the root that is there needs a socket."""
    file = home.folder / "user.sql"
    file.write_text(
        f"CREATE USER tests@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO tests@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    return file


def _command(data: Path, port: int) -> Sequence[str | Path]:
    return (
        *(_program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--port={port}"),
        *(f"--socket={data}/socket", f"--pid-file={data}/pid", *_SETTINGS),
    )


def _options(own: int, other: int) -> str:
    listens = f"gmcast.listen_addr=tcp://127.0.0.1:{own};ist.recv_addr=127.0.0.1:{other}"
    return f"--wsrep-provider-options={listens};base_host=127.0.0.1;base_port={own};gcache.size=16M"


def _url(port: int, password: str) -> str:
    return f"mariadb+pymysql://tests:{password}@127.0.0.1:{port}"


def _status(port: int, password: str) -> str | None:
    """The state of a node in its cluster, empty without one; None where nobody answers."""
    try:
        connection = pymysql.connect(
            host="127.0.0.1", port=port, user="tests", password=password, connect_timeout=5
        )
    except pymysql.Error:
        return None
    with connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'wsrep_local_state_comment'")
        row = cursor.fetchone()
        return str(row[1]) if row else ""
