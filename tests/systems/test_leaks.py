"""No secret is ever written down: every command with marked ones, and a search of every byte.

Each command is a process of its own, in a folder of its own; what it prints and every file that is
there afterwards is searched, the database among them, for each secret as it is and in the forms in
which it could hide.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from reconciler.secrets.keyring import generate
from tests.support.estates import FILE, cnpj, companies, incoming, manifest, outgoing, write
from tests.support.secretservers import Bao, openbao
from tests.support.stepping import Stepping

MARK = "pá55-&wörd <of> 'nfe' \"1\""
IN_FILE = "Zq7!file;secret==%s"
TYPED = "typed-by-mistake-#9"
IN_URL = "urlpw!77"
KEY_PART = generate().entry().partition(":")[2]
SECRETS = {MARK, IN_FILE, TYPED, IN_URL, KEY_PART}


def forms(secret: str) -> Iterator[bytes]:
    """A secret as it is, and as it could stand inside other texts."""
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    yield quote_plus(secret).encode()
    yield raw.hex().encode()
    yield json.dumps(secret)[1:-1].encode()
    yield repr(secret)[1:-1].encode()
    for offset in range(3):
        text = base64.b64encode(b"x" * offset + raw)
        inner = text[4 if offset else 0 : len(text) // 4 * 4 - 4]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


FORMS = {form: secret for secret in SECRETS for form in forms(secret) if len(form) > 5}


HERE = {"host": "127.0.0.1", "port": 2525, "security": "none"}
"""Where no test may connect to, unless the settings allow it; and no name is looked up."""


class Place:
    """A folder with manifests and a database, and what commands that run in it may know."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.work = folder / "work"
        self.secrets = folder / "secrets"
        for made in (self.home, self.work, self.secrets):
            made.mkdir()
        (self.secrets / "acme-xml").write_text(IN_FILE)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "RECONCILER_DATABASE_URL": f"sqlite:///{self.work}/reconciler.db",
            "RECONCILER_KEYS": f"{generate().entry()}",
            "CREDENTIALS_DIRECTORY": str(self.secrets),
            "ACME_NFE": MARK,
        }

    def declare(self, **servers: object) -> None:
        number = cnpj(1)
        given = servers or {
            "nfe-out": outgoing(
                "nfe-out", password={"env": "ACME_NFE"}, companies=[number], **HERE
            ),
            "nfe-in": incoming("nfe-in", password={"file": "acme-xml"}, companies=[number], **HERE),
        }
        people = companies(number, extensions=["document_import"])
        write(self.work / "m", {FILE: manifest(companies=people, mail_servers=given)})

    def run(self, *arguments: str, expect: int | None = 0, **environment: str) -> str:
        """Run a command; its output and every file that it leaves are searched."""
        done = subprocess.run(
            (sys.executable, "-m", "reconciler", *arguments),
            cwd=self.work,
            env=self.environment | environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        assert leaks(done.stdout) == leaks(done.stderr) == set(), arguments
        assert self.leaks() == {}, arguments
        if expect is not None:
            assert done.returncode == expect, (arguments, done.stderr.decode())
        return (done.stdout + done.stderr).decode()

    def leaks(self) -> Mapping[str, set[str]]:
        """Which files hold which secrets, but for those that are the secrets' own."""
        found = {}
        for file in sorted(self.folder.rglob("*")):
            if (
                file.is_file()
                and self.secrets not in file.parents
                and (hidden := leaks(file.read_bytes()))
            ):
                found[str(file)] = hidden
        return found


def leaks(data: bytes) -> set[str]:
    return {secret for form, secret in FORMS.items() if form in data}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.declare()
    return made


def test_the_search_finds_every_form() -> None:
    for form, secret in FORMS.items():
        assert secret in leaks(b"before " + form + b" after")
    hidden = base64.b64encode(f"\0user\0{MARK}".encode())
    assert MARK in leaks(hidden)


def test_no_command_that_succeeds_shows_a_secret(place: Place) -> None:
    for arguments in (
        ["validate", "m"],
        ["plan", "m"],
        ["plan", "m", "--check-secrets", "--full"],
        ["plan", "m", "--check-secrets", "--format", "json"],
        ["plan", "m", "--check-secrets", "-o", "plan.json"],
        ["apply", "plan.json", "--auto-approve", "--full"],
    ):
        place.run(*arguments)
    assert "1 changed" in place.run("apply", "m", "--auto-approve", ACME_NFE=f"{MARK}-2")
    for arguments in (
        ["plan", "m", "--check-secrets", "--full"],
        *(["list", "--format", form] for form in ("text", "json")),
        *(["show", "acme/nfe-out", "--format", form] for form in ("text", "json")),
        *(["history", "--format", form] for form in ("text", "json")),
        *(["history", "1", "--full", "--format", form] for form in ("text", "json")),
        *(["history", "2", "--format", form] for form in ("text", "json")),
        ["rollback", "1", "--accept", "mass-delete=2", "-o", "back.json"],
        *(["drift", "--format", form] for form in ("text", "json")),
        ["export", "-o", "exported"],
        ["adopt", "acme/nfe-out", "m", "--auto-approve"],
        *(["keys", "status", "--format", form] for form in ("text", "json")),
        *(["test", "--format", form] for form in ("text", "json", "junit", "markdown")),
        ["apply", "m", "--auto-approve", "--verify"],
        ["explain", "MBX675"],
        ["db", "status"],
        ["schema", "plan"],
    ):
        place.run(*arguments, expect=None)
    more = place.environment["RECONCILER_KEYS"]
    place.run("keys", "rotate", RECONCILER_KEYS=f"{generate().entry()} {more}")


@pytest.fixture(scope="module")
def bao() -> Iterator[Bao]:
    with openbao() as server:
        yield server


def test_nothing_of_a_store_is_shown(place: Place, bao: Bao) -> None:
    bao.put("acme/nfe", password=MARK, other=IN_FILE)
    token = bao.token("secret/data/*", "secret/metadata/*")
    reference = {"vault": {"path": "acme/nfe", "key": "password"}}
    place.declare(**{"nfe-out": outgoing("nfe-out", password=reference, companies=[], **HERE)})
    settings = place.work / "m" / "reconciler.toml"
    settings.write_text(f'[secrets.vault]\naddress = "{bao.address}"\n')
    FORMS.update(dict.fromkeys(forms(token), token))
    for arguments in (
        ["plan", "m", "--check-secrets", "--full"],
        ["plan", "m", "--check-secrets", "--format", "json"],
        ["apply", "m", "--auto-approve"],
        ["apply", "m", "--auto-approve"],
    ):
        place.run(*arguments, VAULT_TOKEN=token)
    missing = {"vault": {"path": "acme/nfe", "key": "none"}}
    place.declare(**{"nfe-out": outgoing("nfe-out", password=missing, companies=[], **HERE)})
    assert "MBX676" in place.run("plan", "m", "--check-secrets", expect=1, VAULT_TOKEN=token)
    refused = place.run("plan", "m", "--check-secrets", expect=1, VAULT_TOKEN=TYPED)
    assert "MBX67" in refused
    settings.write_text('[secrets.vault]\naddress = "http://127.0.0.1:9"\n')
    assert "MBX672" in place.run("plan", "m", "--check-secrets", expect=1, VAULT_TOKEN=token)


FAILURES: dict[str, tuple[list[str], int, str, dict[str, str]]] = {
    "a secret that is missing": (
        ["apply", "m", "--auto-approve"],
        1,
        "MBX675",
        {"CREDENTIALS_DIRECTORY": "nowhere"},
    ),
    "a secret that is empty": (["plan", "m", "--check-secrets"], 1, "MBX677", {"ACME_NFE": ""}),
    "a value that no protocol can send": (
        ["apply", "m", "--auto-approve"], 1, "MBX677", {"ACME_NFE": f"{MARK}\n{MARK}"},
    ),
    "a key ring that is damaged": (
        ["apply", "m", "--auto-approve"], 1, "MBX690", {"RECONCILER_KEYS": f"00000000:{KEY_PART}"},
    ),
    "a database that cannot be reached": (
        ["apply", "m", "--auto-approve"], 1, "MBX531",
        {"RECONCILER_DATABASE_URL": f"postgresql://app:{quote(IN_URL)}@127.0.0.1:9/invoices"},
    ),
    "a plan that was altered": (["apply", "old.json", "--auto-approve"], 4, "MBX521", {}),
    "nobody to ask": (["apply", "m"], 1, "MBX604", {}),
    "an own fault": (
        ["apply", "m", "--auto-approve"], 1, "MBX900", {"PYTHONPATH": "broken"},
    ),
    "an own fault with its traceback": (
        ["apply", "m", "--auto-approve"], 1, "RuntimeError",
        {"PYTHONPATH": "broken", "RECONCILER_TRACEBACK": "1"},
    ),
}  # fmt: skip

BROKEN = """
from reconciler.secrets import seal as sealing

def seal(secret, where, key):
    raise RuntimeError(f"cannot seal {secret.reveal()!r}")

sealing.seal = seal
"""


@pytest.mark.parametrize("name", FAILURES)
def test_no_failure_shows_a_secret(name: str, place: Place) -> None:
    arguments, code, told, environment = FAILURES[name]
    place.run("plan", "m", "-o", "old.json")
    saved = place.work / "old.json"
    saved.write_text(saved.read_text().replace('"expires_at":"2', '"expires_at":"1'))
    broken = place.work / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(BROKEN)
    if "PYTHONPATH" in environment:
        environment = environment | {"PYTHONPATH": str(broken)}
    assert told in place.run(*arguments, expect=code, **environment)


@pytest.mark.parametrize("command", [["validate", "m"], ["plan", "m"], ["apply", "m"]])
@pytest.mark.parametrize("key", ["password", "passwort", "client_secret"])
def test_a_password_typed_into_a_manifest_is_not_repeated(
    place: Place, command: list[str], key: str
) -> None:
    place.declare(**{"nfe-out": outgoing("nfe-out", companies=[]) | {key: TYPED}})
    manifests = (place.work / "m" / FILE).read_bytes()
    assert leaks(manifests) == {TYPED}
    (place.secrets / "m").mkdir()
    (place.secrets / "m" / FILE).write_bytes(manifests)
    (place.work / "m" / FILE).unlink()
    place.run(command[0], str(place.secrets / "m"), *command[2:], expect=1)


def test_what_runs_leaves_no_core_file_and_shows_nothing_in_its_arguments(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.run("db", "upgrade")
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    url = place.environment["RECONCILER_DATABASE_URL"]
    command = ("apply", "m", "--auto-approve")
    process = Stepping("with the passwords sealed", "wait", url, *command, cwd=place.work)
    try:
        process.reach()
        proc = Path("/proc") / str(process.pid)
        assert leaks((proc / "cmdline").read_bytes()) == set()
        limits = (proc / "limits").read_text().splitlines()
        (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
        assert core[4:6] == ["0", "0"]
        os.kill(process.pid, signal.SIGABRT)
        process.end()
    finally:
        process.kill()
    assert place.leaks() == {}
