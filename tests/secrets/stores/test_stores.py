"""Reading secrets: from variables and files, all at once, in time, with every failure together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from reconciler import settings
from reconciler.diagnostics.problem import Failure, Place
from reconciler.secrets.read import Resolved, Stores, at_once, newest_versions, problems
from reconciler.secrets.references import Reference, from_text
from reconciler.secrets.settings import SecretSettings, rules
from reconciler.secrets.settings_types import CredentialSource
from reconciler.secrets.stores.env import EnvStore
from reconciler.secrets.stores.folder import LIMIT
from reconciler.secrets.stores.store import Once, StoredSecret
from tests.support import secretservers
from tests.support.resolving import MARK, codes, failures, opened, resolved, values

# --- variables


def test_a_variable() -> None:
    found = resolved("env:A", "env:B", stores=opened({"A": MARK, "B": "b b "}))
    assert values(found) == [MARK, "b b "]


def test_a_document_may_have_lines() -> None:
    """The key file of a service account, as its provider hands it out."""
    document = '{\n  "type": "service_account"\n}'
    assert values(resolved("env:A", stores=opened({"A": document}))) == [document]
    for broken in ("{\n" * 9_000, "{\n", "[\n]"):
        found = resolved("env:A", stores=opened({"A": broken}))
        assert failures(found) == {"A": ["MBX677"]}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "MBX675"),
        ("", "MBX677"),
        (f"{MARK}\n", "MBX677"),
        (f"{MARK}\0", "MBX677"),
        (f"{MARK}\udcff", "MBX677"),
        ("a" * (LIMIT + 1), "MBX677"),
    ],
)
def test_a_variable_that_cannot_be_a_secret(value: str | None, code: str) -> None:
    found = resolved("env:A", stores=opened({} if value is None else {"A": value}))
    assert failures(found) == {"A": [code]}


# --- files


def in_folder(folder: Path, name: str = "acme") -> Resolved:
    return resolved(f"file:{name}", stores=opened(file={"folder": str(folder)}))


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b" secret \n", " secret "),
        ("sêcret".encode(), "sêcret"),
        (b"a" * LIMIT + b"\n", "a" * LIMIT),
    ],
)
def test_a_file(tmp_path: Path, data: bytes, value: str) -> None:
    (tmp_path / "acme").write_bytes(data)
    assert values(in_folder(tmp_path)) == [value]


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"secret\n\n", b"two\nlines", b"secret\r", b"\xff\xfe", b"a" * (LIMIT + 2)]
)
def test_a_file_that_cannot_be_a_secret(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "acme").write_bytes(data)
    assert failures(in_folder(tmp_path)) == {"acme": ["MBX677"]}


def mount(folder: Path, stamp: str, **files: str) -> None:
    """What kubelet does: files in a folder of their own, and links that lead there."""
    real = folder / stamp
    real.mkdir()
    for name, text in files.items():
        (real / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(stamp)
    (folder / "..data_tmp").rename(folder / "..data")


def test_a_mounted_kubernetes_secret(tmp_path: Path) -> None:
    mount(tmp_path, "..2026_11_24_07_55_00.123", acme="one")
    assert values(in_folder(tmp_path)) == ["one"]
    mount(tmp_path, "..2026_11_24_07_55_00.456", acme="two")
    assert values(in_folder(tmp_path)) == ["two"]


def test_a_mount_that_is_replaced_while_it_is_read(tmp_path: Path) -> None:
    mount(tmp_path, "..1", acme="one")
    (tmp_path / "..1").rename(tmp_path / "gone")
    assert failures(in_folder(tmp_path)) == {"acme": ["MBX675"]}


def link_to(target: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "acme").symlink_to(target)


def mounted(data: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "..data").symlink_to(data)
        (folder / "acme").symlink_to("..data/acme")

    return make


def inside_the_mount(folder: Path) -> None:
    (folder / "..1").mkdir()
    (folder / "..1" / "acme").symlink_to("../../outside/acme")
    mounted("..1")(folder)


def over_two_links(folder: Path) -> None:
    (folder / "..1").symlink_to("../outside")
    mounted("..1")(folder)


ODD = {
    "a link that leads out": link_to("../outside/acme"),
    "a link beside": link_to("other"),
    "a link to another name of the mount": link_to("..data/other"),
    "a link to itself": link_to("acme"),
    "a mount that leads out": mounted("../outside"),
    "a mount that is the folder above": mounted(".."),
    "a mount that has another form": mounted("plain"),
    "a link inside the mount": inside_the_mount,
    "a mount over two links": over_two_links,
    "a folder": lambda folder: (folder / "acme").mkdir(),
    "a pipe": lambda folder: os.mkfifo(folder / "acme"),
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_nothing_but_a_regular_file_in_the_folder_is_read(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "secrets"
    for place in (tmp_path, tmp_path / "outside", folder / "plain"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "acme").write_text(MARK)
    (folder / "other").write_text(MARK)
    make(folder)
    assert failures(in_folder(folder)) == {"acme": ["MBX679"]}


def test_a_folder_that_is_missing_has_no_files(tmp_path: Path) -> None:
    assert failures(in_folder(tmp_path / "nowhere")) == {"acme": ["MBX675"]}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells")
def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    mount(tmp_path, "..1", acme="one")
    (tmp_path / "folder").mkdir()
    before = descriptors()
    for name in ("acme", "folder", "missing"):
        in_folder(tmp_path, name)
    assert descriptors() == before


def test_the_folder_is_systemds_unless_the_settings_name_one(tmp_path: Path) -> None:
    for name in ("given", "systemd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "acme").write_text(name)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "systemd")}
    given = {"folder": str(tmp_path / "given")}
    assert values(resolved("file:acme", stores=opened(environment))) == ["systemd"]
    assert values(resolved("file:acme", stores=opened(environment, file=given))) == ["given"]


# --- the tool's own credentials


def test_a_credential_is_read_from_where_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f" {MARK}\n")
    assert CredentialSource(file=str(tmp_path / "token")).read({}).reveal() == MARK
    assert CredentialSource(env="TOKEN").read({"TOKEN": MARK}).reveal() == MARK


@pytest.mark.parametrize("source", [{"env": "TOKEN"}, {"env": "EMPTY"}, {"file": "/no/where"}])
def test_a_credential_that_is_missing_is_named(source: dict[str, str]) -> None:
    with pytest.raises(Failure) as caught:
        CredentialSource(**source).read({"EMPTY": " \n"})
    (problem,) = caught.value.problems
    assert problem.code == "MBX680"
    assert next(iter(source.values())) in str(problem.values["source"])


# --- all at once


def replaced(store: EnvStore) -> Stores:
    """Stores of which this one reads the variables."""
    stores = opened()
    stores._stores["env"] = store
    return stores


def test_everything_is_read_even_if_something_fails() -> None:
    found = resolved(
        "env:A", "env:B", "env:C", "vault:a#/b", "aws:c", stores=opened({"B": "b"}), seconds=5
    )
    assert [item.name for item in found.read] == ["B"]
    told = {item.store: codes(bad) for item, bad in found.failed.items()}
    assert told == {"env": ["MBX675"], "vault": ["MBX670"], "aws": ["MBX670"]}


def test_the_same_failure_is_told_once_with_all_its_places() -> None:
    found = resolved("env:A", "vault:a#/b", "vault:c#/d", stores=opened())
    places = {item: [Place("a.yaml", (item.name,))] for item in found.failed}
    places[Reference("env", "A")] *= 2
    told = problems(found.failed, places)
    assert [(one.code, one.place, one.others) for one in told] == [
        ("MBX675", Place("a.yaml", ("A",)), (Place("a.yaml", ("A",)),)),
        ("MBX670", Place("a.yaml", ("a",)), (Place("a.yaml", ("c",)),)),
    ]
    assert [one.place for one in problems(found.failed, {})] == [None, None]


def test_a_name_is_read_once_for_all_its_keys() -> None:
    asked: list[str] = []

    class Counted(EnvStore):
        def fetch(self, name: str, version: int | None, seconds: float) -> StoredSecret:
            asked.append(name)
            return super().fetch(name, version, seconds)

    with replaced(Counted({"A": "a", "B": "b"})) as stores:
        resolved(*["env:A"] * 3, "env:B", stores=stores)
    assert sorted(asked) == ["A", "B"]


def test_tasks_run_side_by_side() -> None:
    barrier = threading.Barrier(4, timeout=10)
    tasks = {number: lambda _left: barrier.wait() for number in range(4)}
    assert sorted(at_once(tasks, 10).values()) == [0, 1, 2, 3]


def test_who_is_late_is_left_behind() -> None:
    never = threading.Event()
    try:
        done = at_once({"late": lambda _left: never.wait(), "quick": lambda left: left > 0}, 0.2)
    finally:
        never.set()
    assert done == {"quick": True}


def test_nothing_takes_longer_than_the_deadline() -> None:
    with secretservers.silent() as address:
        stores = opened({"VAULT_TOKEN": "t"}, vault={"address": address})
        start = monotonic()
        found = resolved("vault:a#/b", "vault:c#/b", "env:A", stores=stores, seconds=0.3)
        assert monotonic() - start < 3
    told = failures(found)
    assert told["A"] == ["MBX675"]
    assert told["a"] == told["c"]
    assert told["a"][0] in ("MBX672", "MBX678")


def test_an_unknown_error_is_not_repeated() -> None:
    class Broken(EnvStore):
        def fetch(self, _name: str, _version: int | None, _seconds: float) -> StoredSecret:
            raise RuntimeError(MARK)

    with replaced(Broken({})) as stores:
        found = resolved("env:A", stores=stores)
    assert failures(found) == {"A": ["MBX672"]}
    assert "RuntimeError" in str(found)


def test_versions_of_what_has_none_are_unknown() -> None:
    wanted = [from_text(text) for text in ("env:A", "file:a", "vault:a?version=7#/b")]
    with opened() as stores:
        found = newest_versions(wanted, stores, 5)
    assert list(map(found.get, wanted)) == [None, None, "7"]


def test_a_store_logs_in_once_even_when_that_fails() -> None:
    attempts: list[float] = []

    def make(seconds: float) -> int:
        attempts.append(seconds)
        raise Failure.of("MBX673", store="vault")

    once = Once(make)
    for _ in range(3):
        with pytest.raises(Failure, match="MBX673"):
            once.get(5)
    assert (attempts, once.made()) == ([5], None)


# --- settings


def load(tmp_path: Path, text: str) -> SecretSettings:
    (tmp_path / "reconciler.toml").write_text(text)
    return settings.load(tmp_path / "reconciler.toml", {}).secrets


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[secrets]\ndeadline = 0", "secrets.deadline"),
        ('[secrets]\nsecret_mode = "plain"', "secrets.secret_mode"),
        ('[secrets.http]\naddress = "x"', "secrets.http"),
        ('[secrets.file]\nfolder = "secrets"', "secrets.file.folder"),
        ('[secrets.vault]\naddress = "http://vault.example"', "secrets.vault.address"),
        ('[secrets.vault]\naddress = "https://u:hunter2@v.example"', "secrets.vault.address"),
        ('[secrets.vault]\naddress = "https://v.example:x"', "secrets.vault.address"),
        ('[secrets.vault]\naddress = "https://[v.example"', "secrets.vault.address"),
        ('[secrets.vault]\nmount = "secret"', "secrets.vault.address"),
        (
            '[secrets.vault]\naddress = "https://v.example"\nlogin = {method = "approle"}',
            "secrets.vault.login",
        ),
        (
            '[secrets.vault]\naddress = "https://v.example"\nlogin = {token = "hunter2"}',
            "secrets.vault.login.token",
        ),
        ('[secrets.aws]\nendpoint = "ftp://aws.example"', "secrets.aws.endpoint"),
        ('[secrets.env]\nprefix = "MAIL_"', "secrets.env.prefix"),
        ('[secrets.partners.acme]\nenv = ["A*B"]', "secrets.partners.acme.env.0"),
        ('[secrets.partners.acme]\ngcp = ["A*"]', "secrets.partners.acme.gcp.[key]"),
        ('[secrets.keys]\nenv = "A"\nfile = "/b"', "secrets.keys"),
        ("[secrets.keys]", "secrets.keys"),
    ],
)
def test_wrong_settings_are_told_by_their_key(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(Failure) as caught:
        load(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.values["key"] == key
    assert "hunter2" not in str(problem)


def test_settings_become_rules(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        """
        [secrets.env]
        prefix = "MAIL_{partner}_"
        [secrets.vault]
        address = "https://vault.example:8200"
        login = {method = "approle", role = "r", credential = {file = "/run/secrets/acme-id"}}
        [secrets.keys]
        env = "ACME_KEYS"
        [secrets.partners.acme]
        env = ["ACME_*", "SHARED"]
        """,
    )
    made = rules(found)
    assert made.partners == {"acme": {"env": ("ACME_*", "SHARED")}}
    assert made.prefixes == {"env": "MAIL_{partner}_", "file": None, "vault": None}
    assert made.own == {("env", "ACME_KEYS"), ("file", "acme-id")}


def test_what_an_address_on_this_machine_may_be(tmp_path: Path) -> None:
    for host in ("127.0.0.1:8200", "localhost", "[::1]:8200"):
        found = load(tmp_path, f'[secrets.vault]\naddress = "http://{host}"')
        assert found.vault
