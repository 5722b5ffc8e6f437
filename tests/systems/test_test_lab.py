"""`test` from manifest to verdict against real servers, and against very many simulated ones."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import maillab
from benchmarks.maillab import DOMAIN, PASSWORDS, Lab
from reconciler.model.cnpj import masked
from tests.conftest import REQUIRED
from tests.support.estates import Cli, cnpj, companies, incoming, manifest, outgoing, write
from tests.support.servers.databases import sqlite_template

ONE = cnpj(1)
HERE = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
needs_lab = pytest.mark.skipif(
    not maillab.is_possible() and not REQUIRED, reason="needs Postfix, Dovecot and root"
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with maillab.running(HERE) as found:
        yield found


@needs_lab
@pytest.mark.databases("sqlite")
def test_from_manifest_to_verdict(lab: Lab, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def box(make: Any, port: str, name: str, **keys: Any) -> dict[str, Any]:
        security = "tls" if port.endswith("s") else "starttls"
        where = {"host": HERE, "port": lab.ports[port], "security": security, "ca_file": "ca.pem"}
        who = {"username": f"{name}@{DOMAIN}", "password": {"env": f"ACME_{name.upper()}"}}
        return {**make(name), **where, **who, "companies": [masked(ONE)], **keys}

    for name, password in PASSWORDS.items():
        monkeypatch.setenv(f"ACME_{name.upper()}", password)
    monkeypatch.setenv("ACME_WRONG", "not it")
    sender = {"sender": {"email": f"nfe@{DOMAIN}"}}
    servers = {
        "sends": box(outgoing, "submission", "nfe", **sender),
        "reads": box(incoming, "imaps", "nfe"),
        "reads-pop3": box(incoming, "pop3s", "xml", protocol="pop3"),
        "not-its-own": box(outgoing, "submissions", "alias", **sender),
        "wrong": box(outgoing, "submissions", "xml", password={"env": "ACME_WRONG"}, **sender),
    }
    known = companies(ONE, extensions=["document_import"])
    write(Path("m"), {"acme.yaml": manifest(companies=known, mail_servers=servers)})
    Path("reconciler.toml").write_text(
        f'[probes]\nnetworks = ["{HERE}"]\nports = {sorted(lab.ports.values())}\n'
        f'ca_folder = "{lab.folder}"\n'
    )
    assert cli("apply", "m", "--auto-approve").code == 0
    said = cli("test", "--format", "json")
    found = {item["servers"][0]: item for item in json.loads(said.out)["results"]}
    codes = {name: item["failure"] and item["failure"]["code"] for name, item in found.items()}
    assert said.code == 6
    assert codes == {
        "acme/sends": None,
        "acme/reads": None,
        "acme/reads-pop3": None,
        "acme/not-its-own": "MBX786",
        "acme/wrong": "MBX775",
    }
    assert "not it" not in said.out
    back = cli("test", "--server", "sends", "--round-trip", "--format", "json")
    assert back.code == 0, back.out
    assert json.loads(back.out)["results"][0]["steps"][-1]["name"] == "round-trip"
    assert "FAILED MBX775" in cli("list", "--failed").out


# Very many


FEW, MANY = 1_000, 10_000
HOSTS = [f"127.0.1.{number + 1}" for number in range(50)]
_INSERT = (
    "INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host, port,"
    " security, auth, username, password_reference, sender_email, project, file, active)"
    " VALUES ('acme', ?, 'outgoing', 'smtp', 'x', ?, ?, 'none', 'password', ?, ?, ?, '', 'a', 1)"
)


@contextmanager
def simulated() -> Iterator[int]:
    """Servers at all `HOSTS` in a process of their own; their port."""
    with socket.create_server((HERE, 0)) as free:
        port: int = free.getsockname()[1]
    program = [sys.executable, "-m", "benchmarks.postbox", *HOSTS, str(port)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, cwd=ROOT) as server:
        try:
            assert server.stdout
            assert server.stdout.readline() == b"ready\n"
            yield port
        finally:
            server.kill()


def estate(file: Path, count: int, port: int) -> None:
    file.write_bytes(sqlite_template())
    with sqlite3.connect(file) as database:
        database.execute("INSERT INTO partner VALUES ('acme', '')")
        rows = (
            (f"b{n}", HOSTS[n % 50], port, f"u{n}", f"env:ACME_{n}", f"u{n}@bench.test")
            for n in range(count)
        )
        database.executemany(_INSERT, rows)
    database.close()


def test_memory_does_not_grow_with_the_mailboxes(tmp_path: Path) -> None:
    passwords = {f"ACME_{number}": f"{number:04x}-and-no-more" for number in range(MANY)}
    peaks = []
    with simulated() as port:
        for count in (FEW, MANY):
            file = tmp_path / f"{count}.db"
            estate(file, count, port)
            (tmp_path / "reconciler.toml").write_text(
                f'database = "sqlite:///{file}"\n'
                f'[probes]\nnetworks = ["127.0.0.0/8"]\nports = [{port}]\n'
            )
            program = [sys.executable, "-m", "reconciler", "test", "--format", "json"]
            running = subprocess.Popen(
                [*program, "-o", "found.json"],
                cwd=tmp_path,
                env={**os.environ, **passwords},
                stderr=subprocess.DEVNULL,
            )
            _, status, used = os.wait4(running.pid, 0)
            running.returncode = os.waitstatus_to_exitcode(status)
            summary = json.loads((tmp_path / "found.json").read_text())["summary"]
            assert (running.returncode, summary["passed"]) == (0, count)
            with sqlite3.connect(file) as database:
                (kept,) = database.execute("SELECT count(*) FROM probe_result").fetchone()
            assert kept == count
            peaks.append(used.ru_maxrss / 1024)
    assert peaks[1] - peaks[0] < 16, peaks
