"""Passwords on their way from a store into the database: compared, sealed, rotated, opened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.database.engine import transaction
from reconciler.diagnostics.problem import Failure, Stale
from reconciler.mailboxes import Mailboxes
from reconciler.operations.passwords import Sealer
from reconciler.plan.plan import Password
from reconciler.secrets.keyring import Keyring, generate, parse
from reconciler.secrets.read import ReadSecret
from reconciler.secrets.references import Reference
from reconciler.secrets.secret import Secret
from tests.support.estates import (
    FILE,
    Cli,
    Manifest,
    cnpj,
    companies,
    fetch,
    manifest,
    opened,
    outgoing,
    plan_of,
    write,
)
from tests.support.secretservers import Bao, aws, openbao, silent
from tests.support.servers import MAIN
from tests.support.servers.databases import Database

pytestmark = [pytest.mark.databases(*MAIN), pytest.mark.slow("postgres18")]
NFE, ALERTS = "hunter2-of-nfe", "hunter2-of-alerts"
Vary = Callable[..., None]


def declared(**servers: Manifest) -> dict[str, Manifest]:
    number = cnpj(1)
    given = servers or {
        "nfe-out": outgoing("nfe-out", password={"env": "ACME_NFE"}, companies=[number]),
        "alerts": outgoing("alerts", password={"env": "ACME_ALERTS"}, companies=[number]),
    }
    people = companies(number, notification_email="fiscal@acme.example")
    return {FILE: manifest(companies=people, mail_servers=given)}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key ring, in the environment as the passwords are."""
    text = generate().entry()
    monkeypatch.setenv("RECONCILER_KEYS", text)
    monkeypatch.setenv("ACME_NFE", NFE)
    monkeypatch.setenv("ACME_ALERTS", ALERTS)
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "manifests", declared())


def columns(database: Database) -> dict[str, tuple[Any, ...]]:
    """What the database has of each server's password."""
    query = (
        "SELECT stable_id, id, password_sealed, password_fingerprint, password_version "
        "FROM mail_server"
    )
    with opened(database.url) as engine:
        return {name: tuple(rest) for name, *rest in fetch(engine, query)}


def passwords(database: Database, ring: Keyring) -> dict[str, str]:
    """The passwords as the application reads them."""
    with opened(database.url) as engine, transaction(engine) as connection:
        mailboxes = Mailboxes(connection, ring)
        found = {
            box.stable_id or "": mailboxes.password(box) for box in mailboxes.of_company(cnpj(1))
        }
    return {name: secret.reveal() if secret else "" for name, secret in found.items()}


def program(database: Database, statement: str) -> None:
    with opened(database.url) as engine, transaction(engine) as connection:
        connection.exec_driver_sql(statement)


def apply(cli: Cli, folder: Path | str, *options: str) -> str:
    ran = cli("apply", folder, "--auto-approve", *options)
    assert ran.code == 0, ran.err
    return ran.out


# --- sealing


def test_an_apply_seals_and_the_application_opens(
    cli: Cli, database: Database, folder: Path, keys: str
) -> None:
    told = apply(cli, folder)
    assert "~ acme/nfe-out  password (sensitive, changed)" in told
    assert told.rstrip().endswith("2 passwords sealed.")
    assert passwords(database, parse(keys)) == {"nfe-out": NFE, "alerts": ALERTS}
    assert NFE not in str(columns(database)) + told


@pytest.mark.usefixtures("keys")
def test_nothing_is_written_where_nothing_changed(
    cli: Cli, database: Database, folder: Path
) -> None:
    apply(cli, folder)
    before = columns(database)
    told = apply(cli, folder)
    assert "Passwords: 2 unchanged." in told
    assert "Nothing to change." in told
    assert columns(database) == before
    assert cli("history").out.count("\n") == 2


def test_a_new_value_is_sealed_and_the_revision_says_so(
    cli: Cli, database: Database, folder: Path, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli, folder)
    monkeypatch.setenv("ACME_NFE", "another-one")
    assert "1 changed, 1 unchanged" in apply(cli, folder)
    assert passwords(database, parse(keys)) == {"nfe-out": "another-one", "alerts": ALERTS}
    assert "1 password sealed" in cli("history", "--server", "acme/nfe-out").out
    assert "1 password sealed" not in cli("history", "--server", "acme/alerts").out
    shown = cli("history", "2")
    assert "~ acme/nfe-out  password (sensitive, changed)" in shown.out
    data = json.loads(cli("history", "2", "--format", "json").out)
    assert data["passwords"] == [{"partner": "acme", "server": "nfe-out"}]
    assert data["revision"]["summary"]["seal"] == 1


@pytest.mark.usefixtures("keys")
def test_a_password_that_moves_to_another_reference_is_only_sealed_if_it_differs(
    cli: Cli, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli, folder)
    before = columns(database)
    monkeypatch.setenv("ACME_NEW", NFE)
    number = cnpj(1)
    servers = {
        "nfe-out": outgoing("nfe-out", password={"env": "ACME_NEW"}, companies=[number]),
        "alerts": outgoing("alerts", password={"env": "ACME_ALERTS"}, companies=[number]),
    }
    apply(cli, write(folder, declared(**servers)))
    assert columns(database) == before


@pytest.mark.usefixtures("keys")
def test_a_renamed_server_keeps_its_password(cli: Cli, database: Database, folder: Path) -> None:
    apply(cli, folder)
    before = columns(database)
    number = cnpj(1)
    servers = {
        "sending": outgoing(
            "nfe-out", password={"env": "ACME_NFE"}, companies=[number], renamed_from="nfe-out"
        ),
        "alerts": outgoing("alerts", password={"env": "ACME_ALERTS"}, companies=[number]),
    }
    told = apply(cli, write(folder, declared(**servers)))
    assert "Passwords: 2 unchanged." in told
    assert columns(database)["sending"] == before["nfe-out"]


def test_a_saved_plan_made_without_keys_is_decided_by_apply(
    cli: Cli, database: Database, folder: Path, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = folder / "reconciler.toml"
    settings.write_text('[secrets]\nsecret_mode = "encrypted"\n')
    monkeypatch.delenv("RECONCILER_KEYS")
    monkeypatch.delenv("ACME_NFE")
    planned = cli("plan", folder, "-o", "plan.json", "--detailed-exitcode")
    assert planned.code == 2
    assert "Passwords: 2 not checked: apply compares them." in planned.out
    monkeypatch.setenv("RECONCILER_KEYS", keys)
    monkeypatch.setenv("ACME_NFE", NFE)
    apply(cli, "plan.json", "--settings", str(settings))
    assert passwords(database, parse(keys)) == {"nfe-out": NFE, "alerts": ALERTS}
    again = cli("plan", folder, "-o", "plan.json", "--detailed-exitcode")
    assert again.code == 0
    monkeypatch.setenv("ACME_NFE", "newer")
    told = apply(cli, "plan.json", "--settings", str(settings))
    assert "1 changed, 1 unchanged" in told
    assert passwords(database, parse(keys))["nfe-out"] == "newer"


@pytest.mark.usefixtures("keys")
def test_a_password_that_another_program_keeps_is_left_alone(
    cli: Cli, database: Database, folder: Path
) -> None:
    apply(cli, folder)
    program(
        database, "UPDATE mail_server SET password_sealed = 'its own' WHERE stable_id = 'alerts'"
    )
    told = apply(cli, folder)
    assert "1 unchanged, 1 left to another program" in told
    assert columns(database)["alerts"][1] == "its own"
    ran = cli("keys", "status")
    assert "1 left to another program" in ran.out


def test_what_another_program_does_in_between_is_seen_when_it_comes_to_sealing(
    cli: Cli, database: Database, folder: Path, keys: str
) -> None:
    apply(cli, folder)
    program(
        database, "UPDATE mail_server SET password_sealed = 'its own' WHERE stable_id = 'alerts'"
    )
    before = columns(database)
    secrets = {Reference("env", "ACME_ALERTS"): ReadSecret(Secret("newer"), None)}
    sealer = Sealer(parse(keys), secrets)
    with opened(database.url) as engine, transaction(engine) as connection:
        seen = Password("acme", "alerts", "env:ACME_ALERTS")
        assert sealer.write(connection, plan_of((), passwords=(seen,))) == {}
        elsewhere = seen._replace(server="nfe-out")
        with pytest.raises(Stale, match="MBX540"):
            sealer.write(connection, plan_of((), passwords=(elsewhere,)))
        gone = seen._replace(server="gone")
        with pytest.raises(Stale, match="MBX540"):
            sealer.write(connection, plan_of((), passwords=(gone,)))
    assert columns(database) == before


@pytest.mark.usefixtures("keys")
def test_all_that_cannot_be_read_is_told_and_nothing_is_written(
    cli: Cli, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_NFE")
    monkeypatch.delenv("ACME_ALERTS")
    ran = cli("apply", folder, "--auto-approve")
    assert ran.code == 1
    assert ran.err.count("MBX675") == 2
    assert f"{FILE}:" in ran.err
    assert columns(database) == {}


@pytest.mark.usefixtures("keys")
def test_a_partner_with_a_refusal_needs_no_secret(
    cli: Cli, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(database, "INSERT INTO partner (id) VALUES ('acme')")
    program(
        database,
        "INSERT INTO mail_server (partner, direction, protocol, nickname, host, username) "
        "VALUES ('acme', 'outgoing', 'smtp', 'theirs', 'mail.acme.example', "
        "'nfe-out@acme.example')",
    )
    monkeypatch.delenv("ACME_NFE")
    ran = cli("apply", folder, "--auto-approve")
    assert (ran.code, "takeover" in ran.out) == (3, True)
    assert "MBX675" not in ran.err


@pytest.mark.usefixtures("keys")
def test_a_reference_outside_the_scope_is_refused_by_apply_too(
    cli: Cli, database: Database, folder: Path
) -> None:
    planned = cli("plan", folder, "-o", "plan.json")
    assert planned.code == 0
    strict = folder / "strict.toml"
    strict.write_text('[secrets.partners.acme]\nenv = ["ONLY_THIS"]\n')
    ran = cli("apply", "plan.json", "--auto-approve", "--settings", strict)
    assert (ran.code, ran.err.count("MBX660")) == (1, 1)
    assert columns(database) == {}


# --- without keys


def test_without_a_key_only_the_reference_is_kept_and_apply_warns(
    cli: Cli, database: Database, folder: Path
) -> None:
    ran = cli("apply", folder, "--auto-approve")
    assert (ran.code, "MBX696" in ran.err) == (0, True)
    assert columns(database)["nfe-out"][1:] == (None, None, None)
    assert "MBX696" not in cli("apply", folder, "--auto-approve").err


def test_encrypted_without_a_key_is_an_error(cli: Cli, folder: Path) -> None:
    (folder / "reconciler.toml").write_text('[secrets]\nsecret_mode = "encrypted"\n')
    ran = cli("apply", folder, "--auto-approve")
    assert (ran.code, "MBX695" in ran.err) == (1, True)
    assert cli("plan", folder).code == 0


@pytest.mark.usefixtures("keys")
def test_reference_mode_warns_of_variables_and_lets_go_of_what_no_longer_fits(
    cli: Cli, database: Database, folder: Path
) -> None:
    apply(cli, folder)
    (folder / "reconciler.toml").write_text('[secrets]\nsecret_mode = "reference"\n')
    number = cnpj(1)
    servers = {
        "nfe-out": outgoing("nfe-out", password={"env": "ACME_OTHER"}, companies=[number]),
        "alerts": outgoing("alerts", password={"env": "ACME_ALERTS"}, companies=[number]),
    }
    ran = cli("apply", write(folder, declared(**servers)), "--auto-approve")
    assert (ran.code, "MBX697" in ran.err) == (0, True)
    found = columns(database)
    assert found["nfe-out"][1] is None
    assert found["alerts"][1] is not None


# --- plan --check-secrets


@pytest.mark.usefixtures("keys")
def test_check_secrets_makes_them_ordinary_changes(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli, folder)
    assert cli("plan", folder, "--check-secrets", "--detailed-exitcode").code == 0
    monkeypatch.setenv("ACME_NFE", "rotated-since")
    ran = cli("plan", folder, "--check-secrets", "--detailed-exitcode")
    assert ran.code == 2
    assert "~ acme/nfe-out  password (sensitive, changed)" in ran.out
    assert "1 password to seal" in ran.out
    data = json.loads(cli("plan", folder, "--check-secrets", "--format", "json").out)
    assert [item["verdict"] for item in data["passwords"]] == ["unchanged", "changed"]
    assert data["summary"]["seal"] == 1
    full = cli("plan", folder, "--check-secrets", "--full").out
    assert "acme/alerts  password (sensitive, unchanged)" in full


@pytest.mark.usefixtures("keys")
def test_check_secrets_says_which_cannot_be_read(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_NFE")
    ran = cli("plan", folder, "--check-secrets")
    assert (ran.code, ran.err.count("MBX675"), "ACME_NFE" in ran.err) == (1, 1, True)


@pytest.mark.usefixtures("keys")
def test_check_secrets_without_keys_never_says_unchanged(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli, folder)
    monkeypatch.delenv("RECONCILER_KEYS")
    assert "2 passwords can be read." in cli("plan", folder, "--check-secrets").err
    settings = '[secrets]\nsecret_mode = "encrypted"\n[secrets.keys]\nenv = "RECONCILER_KEYS"\n'
    (folder / "reconciler.toml").write_text(settings)
    assert "2 not checked" in cli("plan", folder, "--check-secrets").out
    monkeypatch.setenv("RECONCILER_KEYS", generate().entry())
    assert "2 not checked" in cli("plan", folder, "--check-secrets").out


# --- a rollback


def test_a_rollback_seals_what_the_reference_leads_to_now(
    cli: Cli, database: Database, folder: Path, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli, folder)
    monkeypatch.setenv("ACME_OTHER", "of-another-place")
    number = cnpj(1)
    servers = {
        "nfe-out": outgoing("nfe-out", password={"env": "ACME_OTHER"}, companies=[number]),
        "alerts": outgoing("alerts", password={"env": "ACME_ALERTS"}, companies=[number]),
    }
    apply(cli, write(folder, declared(**servers)))
    assert passwords(database, parse(keys))["nfe-out"] == "of-another-place"
    monkeypatch.setenv("ACME_NFE", "newest")
    assert cli("rollback", "2", "-o", "back.json").code == 0
    apply(cli, "back.json")
    assert passwords(database, parse(keys))["nfe-out"] == "newest"


# --- keys


def test_keys_are_changed_while_everybody_can_read(
    cli: Cli, database: Database, folder: Path, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli, folder)
    made = cli("keys", "generate").out.strip()
    both = f"{made} {keys}"
    monkeypatch.setenv("RECONCILER_KEYS", both)
    assert "2 passwords sealed anew, 0 already were" in cli("keys", "rotate").out
    assert "0 passwords sealed anew, 2 already were" in cli("keys", "rotate").out
    assert "may leave the key ring" in cli("keys", "status").out
    assert passwords(database, parse(both)) == {"nfe-out": NFE, "alerts": ALERTS}
    assert "2 unchanged" in cli("plan", folder, "--check-secrets").out
    monkeypatch.setenv("RECONCILER_KEYS", keys)
    ran = cli("keys", "status", "--format", "json")
    new = parse(made).active.id
    assert (ran.code, json.loads(ran.out)["missing"]) == (1, {new: 2})
    with pytest.raises(Failure, match="MBX693"):
        passwords(database, parse(keys))


def test_a_key_in_a_file_is_its_owners_alone_and_never_overwritten(
    cli: Cli, tmp_path: Path
) -> None:
    ran = cli("keys", "generate", "-o", "ring")
    assert ran.code == 0
    file = tmp_path / "ring"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(parse(file.read_text()).keys) == 1
    again = cli("keys", "generate", "-o", "ring")
    assert (again.code, "MBX689" in again.err) == (1, True)
    ran = cli("keys", "status")
    assert (ran.code, "MBX688" in ran.err) == (1, True)


# --- the application


def test_the_application_seals_what_it_registers_itself(
    cli: Cli, database: Database, folder: Path, keys: str
) -> None:
    apply(cli, folder)
    ring = parse(keys)
    number = columns(database)["nfe-out"][0]
    with opened(database.url) as engine, transaction(engine) as connection:
        mailboxes = Mailboxes(connection, ring)
        mailboxes.store(number, Secret("typed by hand"))
        with pytest.raises(Failure, match="MBX699"):
            mailboxes.store(number + 1000, Secret("x"))
    assert passwords(database, ring)["nfe-out"] == "typed by hand"


def test_a_password_copied_to_another_row_does_not_open(
    cli: Cli, database: Database, folder: Path, keys: str
) -> None:
    apply(cli, folder)
    text = columns(database)["nfe-out"][1]
    program(
        database, f"UPDATE mail_server SET password_sealed = '{text}' WHERE stable_id = 'alerts'"
    )
    with pytest.raises(Failure, match="MBX694"):
        passwords(database, parse(keys))
    boxes = "SELECT stable_id FROM company_mailbox WHERE password_sealed IS NOT NULL"
    with opened(database.url) as engine:
        assert len(fetch(engine, boxes)) == 2


# --- a store that counts versions


@pytest.fixture(scope="module")
def bao() -> Iterator[Bao]:
    with openbao() as server:
        yield server


@pytest.fixture
def vault(bao: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Manifests whose only password is in a server of OpenBao, and keys to seal it."""
    bao.put("smtp/acme/nfe", password=NFE)
    monkeypatch.setenv("VAULT_TOKEN", bao.token("secret/data/*", "secret/metadata/*"))
    monkeypatch.setenv("RECONCILER_KEYS", generate().entry())
    reference = {"vault": {"path": "smtp/acme/nfe", "key": "password"}}
    servers = {"nfe-out": outgoing("nfe-out", password=reference, companies=[cnpj(1)])}
    folder = write(tmp_path / "manifests", declared(**servers))
    settings = f'[secrets.vault]\naddress = "{bao.address}"\nprefix = "smtp/{{partner}}/"\n'
    (folder / "reconciler.toml").write_text(settings)
    return folder


def test_a_rotated_version_is_seen_without_reading_the_value(
    cli: Cli, database: Database, vault: Path, bao: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli, vault)
    first = columns(database)["nfe-out"][3]
    ring = parse(os.environ["RECONCILER_KEYS"])
    with monkeypatch.context() as only_versions:
        only_versions.setenv("VAULT_TOKEN", bao.token("secret/metadata/*"))
        assert "1 unchanged" in cli("plan", vault, "--check-secrets").out
        assert "1 unchanged" in apply(cli, vault)
        bao.put("smtp/acme/nfe", password="of version two")
        ran = cli("plan", vault, "--check-secrets")
        assert (ran.code, "MBX674" in ran.err) == (1, True)
    bao.token("secret/data/*", "secret/metadata/*")
    assert "1 changed" in apply(cli, vault)
    assert int(columns(database)["nfe-out"][3]) == int(first) + 1
    assert passwords(database, ring) == {"nfe-out": "of version two"}


def test_the_same_version_of_another_secret_is_another_secret(
    cli: Cli, database: Database, vault: Path, bao: Bao
) -> None:
    apply(cli, vault)
    version = int(columns(database)["nfe-out"][3])
    for number in range(version):
        bao.put(f"smtp/acme/{database.kind}", password=f"of another place {number}")
    reference = {"vault": {"path": f"smtp/acme/{database.kind}", "key": "password"}}
    servers = {"nfe-out": outgoing("nfe-out", password=reference, companies=[cnpj(1)])}
    assert "1 changed" in apply(cli, write(vault, declared(**servers)))
    assert columns(database)["nfe-out"][3] == str(version)
    ring = parse(os.environ["RECONCILER_KEYS"])
    found = {"nfe-out": f"of another place {version - 1}"}
    assert passwords(database, ring) == found


def test_a_version_tells_of_a_change_where_there_are_no_keys(
    cli: Cli, vault: Path, bao: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli, vault)
    settings = vault / "reconciler.toml"
    settings.write_text(settings.read_text() + '[secrets.keys]\nenv = "RECONCILER_KEYS"\n')
    monkeypatch.delenv("RECONCILER_KEYS")
    assert "1 unchanged" in cli("plan", vault, "--check-secrets").out
    bao.put("smtp/acme/nfe", password="newer")
    assert "1 changed" in cli("plan", vault, "--check-secrets").out


def test_a_store_that_is_down_ends_the_run_in_time_and_nothing_is_written(
    cli: Cli, database: Database, vault: Path
) -> None:
    with silent() as address:
        settings = f'[secrets]\ndeadline = 1\n[secrets.vault]\naddress = "{address}"\n'
        (vault / "reconciler.toml").write_text(settings)
        ran = cli("apply", vault, "--auto-approve")
    assert (ran.code, "MBX678" in ran.err) == (1, True)
    assert columns(database) == {}
    assert cli("plan", vault).code == 0


def test_keys_are_wrapped_by_the_transit_engine(
    cli: Cli, database: Database, vault: Path, bao: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bao.root() as client:
        if "transit/" not in client.sys.list_mounted_secrets_engines()["data"]:
            client.sys.enable_secrets_engine("transit")
        client.secrets.transit.create_key("reconciler")
    paths = ("secret/data/*", "secret/metadata/*", "transit/*")
    monkeypatch.setenv("VAULT_TOKEN", bao.token(*paths))
    settings = vault / "reconciler.toml"
    settings.write_text(
        settings.read_text()
        + '[secrets.keys]\nenv = "WRAPPED"\n[secrets.keys.transit]\nkey = "reconciler"\n'
    )
    made = cli("keys", "generate", "--settings", settings)
    assert ":vault:v1:" in made.out
    monkeypatch.setenv("WRAPPED", made.out.strip())
    apply(cli, vault)
    ran = cli("keys", "status", "--settings", settings)
    assert "1 password, seals" in ran.out
    assert columns(database)["nfe-out"][1].startswith("v1:")


@pytest.mark.usefixtures("keys")
def test_what_cannot_be_read_is_placed_also_where_manifests_need_not_be_read_again(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli, folder)
    monkeypatch.delenv("ACME_NFE")
    ran = cli("apply", folder, "--auto-approve")
    assert ran.code == 1
    line = (folder / FILE).read_text().splitlines().index('    "env": "ACME_NFE"')
    assert f"{FILE}:{line}:" in ran.err


@pytest.fixture(scope="module")
def aws_address() -> Iterator[str]:
    with aws() as address:
        yield address


def test_a_version_of_aws_is_seen_without_reading_the_value(
    cli: Cli, database: Database, tmp_path: Path, aws_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    keys = generate().entry()
    monkeypatch.setenv("RECONCILER_KEYS", keys)
    secret = f"smtp/acme/{tmp_path.name}"
    reference = {"aws": {"name": secret}}
    servers = {"nfe-out": outgoing("nfe-out", password=reference, companies=[cnpj(1)])}
    folder = write(tmp_path / "manifests", declared(**servers))
    settings = f'[secrets.aws]\nregion = "sa-east-1"\nendpoint = "{aws_address}"\n'
    (folder / "reconciler.toml").write_text(settings)
    client = boto3.client("secretsmanager", region_name="sa-east-1", endpoint_url=aws_address)
    client.create_secret(Name=secret, SecretString=NFE)
    apply(cli, folder)
    assert passwords(database, parse(keys)) == {"nfe-out": NFE}
    assert columns(database)["nfe-out"][3]
    assert "1 unchanged" in apply(cli, folder)
    client.put_secret_value(SecretId=secret, SecretString="rotated in aws")
    client.close()
    assert "1 changed" in apply(cli, folder)
    assert passwords(database, parse(keys)) == {"nfe-out": "rotated in aws"}


@pytest.mark.usefixtures("keys")
def test_a_password_that_is_left_to_other_programs_is_sealed_once(
    cli: Cli, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = {"fields": ["password_reference"], "reason": "the portal changes it"}
    server = outgoing("nfe-out", password={"env": "ACME_NFE"}, ignore_changes=left)
    folder = write(tmp_path / "m", declared(**{"nfe-out": server}))
    assert "1 password sealed" in apply(cli, folder)
    before = columns(database)
    monkeypatch.delenv("ACME_NFE")
    assert "Passwords" not in apply(cli, folder)
    assert columns(database) == before
