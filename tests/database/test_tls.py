"""TLS to the database: asked for it is required, and verified against who may sign."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from sqlalchemy import make_url

from reconciler.database.dialect import Tls
from reconciler.database.engine import engine_of, transaction
from reconciler.diagnostics.problem import Failure
from tests.conftest import REQUIRED
from tests.support.estates import run
from tests.support.servers.databases import Database
from tests.support.servers.home import Home, Server, give, open_to_all
from tests.support.servers.mariadb import MariaDb
from tests.support.servers.postgres import DebianPostgres

CIPHER = {
    "postgresql": "SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mariadb": "SHOW STATUS LIKE 'Ssl_cipher'",
}


class Secured(NamedTuple):
    """A server whose certificate is for `localhost` alone, and who signed it."""

    url: str
    authority: str
    stranger: str

    def named(self, host: str) -> str:
        return make_url(self.url).set(host=host).render_as_string(hide_password=False)


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secured]:
    kind: Server = DebianPostgres("15") if request.param == "postgres" else MariaDb()
    if missing := kind.missing():
        (pytest.fail if REQUIRED else pytest.skip)(missing)
    folder = tmp_path_factory.mktemp("tls", numbered=True)
    open_to_all(folder)
    certificate, key, authority, stranger = _certificates(folder)
    home = Home(folder)
    try:
        if isinstance(kind, DebianPostgres):
            files = {"ssl_cert_file": certificate, "ssl_key_file": key}
            (url,) = kind.start(home, ssl="on", **files)
        else:
            assert isinstance(kind, MariaDb)
            (url,) = kind.start(home, f"--ssl-cert={certificate}", f"--ssl-key={key}")
        yield Secured(f"{url}/{_FIRST[request.param]}", authority, stranger)
    finally:
        home.stop()


_FIRST = {"postgres": "postgres", "mariadb": "mysql"}


def _certificates(folder: Path) -> tuple[str, str, str, str]:
    authority, stranger = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("localhost")
    contents = {
        "certificate.pem": issued.cert_chain_pems[0].bytes(),
        "key.pem": issued.private_key_pem.bytes(),
        "authority.pem": authority.cert_pem.bytes(),
        "stranger.pem": stranger.cert_pem.bytes(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
        give(folder / name)
    certificate, key, signer, other = (str(folder / name) for name in contents)
    return certificate, key, signer, other


def cipher(url: str, tls: Tls | None, ca_file: str | None) -> str:
    engine = engine_of(url, writes=False, tls=tls, ca_file=ca_file)
    with transaction(engine) as connection:
        row = connection.exec_driver_sql(CIPHER[engine.dialect.name]).one()
    engine.dispose()
    return str(row[-1] or "")


def test_required_it_is_used_whoever_signed(server: Secured) -> None:
    assert cipher(server.url, "require", None)


def test_verified_against_who_may_sign(server: Secured) -> None:
    assert cipher(server.named("localhost"), "verify", server.authority)


def test_a_certificate_for_another_host_is_refused(server: Secured) -> None:
    with pytest.raises(Failure, match="MBX531"):
        cipher(server.named("127.0.0.1"), "verify", server.authority)


def test_a_certificate_that_a_stranger_signed_is_refused(server: Secured) -> None:
    with pytest.raises(Failure, match="MBX531"):
        cipher(server.named("localhost"), "verify", server.stranger)
    with pytest.raises(Failure, match="MBX531"):
        cipher(server.named("localhost"), "verify", None)


def test_authorities_that_cannot_be_read_are_told(server: Secured, tmp_path: Path) -> None:
    with pytest.raises(Failure) as raised:
        cipher(server.named("localhost"), "verify", str(tmp_path / "missing.pem"))
    assert raised.value.problems[0].code in ("MBX531", "MBX542")


def test_the_settings_ask_for_it(
    server: Secured,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    url = server.named("localhost")
    settings = f'database = "{url}"\ndatabase_tls = "verify"\ndatabase_ca = "{{}}"\n'
    Path("reconciler.toml").write_text(settings.format(server.authority))
    assert run(capsys, "db", "status").code == 0
    Path("reconciler.toml").write_text(settings.format(server.stranger))
    told = run(capsys, "db", "status")
    assert told.code == 1
    assert "error MBX531: the database cannot be reached" in told.err
    assert str(make_url(url).password) not in told.err


@pytest.mark.databases("postgres18", "mariadb")
def test_a_server_without_it_is_refused(database: Database) -> None:
    with pytest.raises(Failure, match="MBX531"):
        cipher(database.url, "require", None)
