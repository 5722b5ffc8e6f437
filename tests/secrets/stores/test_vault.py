"""Vault, with a real server of OpenBao: logins, versions, permissions, and what goes wrong."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import certifi
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reconciler.diagnostics.problem import Failure
from reconciler.secrets import keyring
from reconciler.secrets.keyring import generate, parse
from reconciler.secrets.read import Stores, newest_versions
from reconciler.secrets.redact import MASK, Redactor
from reconciler.secrets.references import from_text
from reconciler.secrets.settings import SecretSettings
from reconciler.secrets.stores.vault import VaultStore
from tests.support import secretservers
from tests.support.resolving import MARK, codes, failures, opened, resolved, values
from tests.support.secretservers import Bao

NFE = "smtp/acme/nfe"
ALL = ("secret/data/*", "secret/metadata/*")


@pytest.fixture(scope="module")
def bao() -> Iterator[Bao]:
    with secretservers.openbao() as server:
        server.put(NFE, password=f"{MARK}-1", username="nfe@acme.example")
        server.put(NFE, password=f"{MARK}-2", username="nfe@acme.example")
        yield server


def logged_in(server: Bao, token: str | None = None, **section: Any) -> Stores:
    environment = {"VAULT_TOKEN": token or server.token(*ALL)}
    return opened(environment, vault={"address": server.address, **section})


# --- reading


def test_the_newest_version_and_a_pinned_one(bao: Bao) -> None:
    texts = [f"vault:{NFE}{version}#/password" for version in ("", "?version=1", "?version=2")]
    found = resolved(*texts, f"vault:{NFE}#/username", stores=logged_in(bao))
    assert values(found) == [f"{MARK}-2", "nfe@acme.example", f"{MARK}-1", f"{MARK}-2"]
    assert [item.version for item in found.read.values()] == ["2", "2", "1", "2"]


def test_all_keys_of_a_path_come_with_one_request(bao: Bao) -> None:
    bao.token(*ALL)
    with bao.root() as client:
        limited = client.auth.token.create(policies=["some"], num_uses=1)["auth"]["client_token"]
    texts = [f"vault:{NFE}#/password", f"vault:{NFE}#/username"]
    assert len(values(resolved(*texts, stores=logged_in(bao, limited)))) == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("vault:smtp/acme/missing#/password", "MBX675"),
        (f"vault:{NFE}?version=9#/password", "MBX675"),
        (f"vault:{NFE}#/missing", "MBX676"),
        ("vault:smtp/acme/odd#/number", "MBX676"),
        ("vault:smtp/acme/odd#/newline", "MBX677"),
        ("vault:smtp/acme/odd#/empty", "MBX677"),
        ("vault:smtp/acme/gone#/password", "MBX675"),
    ],
)
def test_what_is_not_there(bao: Bao, text: str, code: str) -> None:
    odd: dict[str, Any] = {"number": 7, "newline": f"{MARK}\n", "empty": "", "good": MARK}
    bao.put("smtp/acme/odd", **odd)
    bao.put("smtp/acme/gone", password=MARK)
    with bao.root() as client:
        client.secrets.kv.v2.delete_latest_version_of_secret("smtp/acme/gone")
    (told,) = failures(resolved(text, stores=logged_in(bao))).values()
    assert told == [code]
    assert values(resolved("vault:smtp/acme/odd#/good", stores=logged_in(bao))) == [MARK]


def test_what_may_not_be_read(bao: Bao) -> None:
    bao.put("smtp/beta/nfe", password=MARK)
    stores = logged_in(bao, bao.token("secret/data/smtp/acme/*"))
    found = resolved(f"vault:{NFE}#/password", "vault:smtp/beta/nfe#/password", stores=stores)
    assert [item.secret.reveal() for item in found.read.values()] == [f"{MARK}-2"]
    assert [codes(bad) for bad in found.failed.values()] == [["MBX674"]]


def test_another_mount_and_the_first_version_of_the_engine(bao: Bao) -> None:
    with bao.root() as client:
        client.sys.enable_secrets_engine("kv", "mail/old", options={"version": "1"})
        client.secrets.kv.v1.create_or_update_secret("acme", {"p": MARK}, mount_point="mail/old")
    token = bao.token("mail/old/*")
    section = {"mount": "mail/old", "kv_version": 1}
    found = resolved("vault:acme#/p", stores=logged_in(bao, token, **section))
    assert values(found) == [MARK]
    assert [item.version for item in found.read.values()] == [None]
    pinned = resolved("vault:acme?version=1#/p", stores=logged_in(bao, token, **section))
    assert failures(pinned) == {"acme": ["MBX681"]}
    with logged_in(bao, token, **section) as stores:
        assert list(newest_versions([from_text("vault:acme#/p")], stores, 5).values()) == [None]


def test_a_namespace(bao: Bao) -> None:
    with bao.root() as client:
        client.sys.create_namespace("team")
    with bao.root("team") as client:
        client.sys.enable_secrets_engine("kv", "secret", options={"version": "2"})
        client.secrets.kv.v2.create_or_update_secret("acme", {"p": MARK})
    text = "vault:acme#/p"
    stores = logged_in(bao, secretservers.ROOT_TOKEN, namespace="team")
    assert values(resolved(text, stores=stores)) == [MARK]
    stores = logged_in(bao, secretservers.ROOT_TOKEN)
    assert failures(resolved(text, stores=stores)) == {"acme": ["MBX675"]}


def test_a_rotated_version_is_seen_without_reading_it(bao: Bao) -> None:
    reference = from_text("vault:smtp/acme/rotated#/password")
    bao.put(reference.name, password=MARK)
    only_metadata = bao.token("secret/metadata/*")
    with logged_in(bao, only_metadata) as stores:
        assert newest_versions([reference], stores, 5) == {reference: "1"}
        bao.put(reference.name, password=f"{MARK}-new")
        assert newest_versions([reference], stores, 5) == {reference: "2"}
    found = resolved("vault:smtp/acme/rotated#/password", stores=logged_in(bao, only_metadata))
    assert failures(found) == {reference.name: ["MBX674"]}


def test_a_version_that_cannot_be_asked_for_is_unknown(bao: Bao) -> None:
    reference = from_text(f"vault:{NFE}#/password")
    with logged_in(bao, bao.token("secret/data/*")) as stores:
        assert newest_versions([reference], stores, 5) == {reference: None}


# --- logging in


def with_login(server: Bao, environment: dict[str, str], **login: Any) -> Stores:
    return opened(environment, vault={"address": server.address, "login": login})


@pytest.fixture(scope="module")
def approle(bao: Bao) -> tuple[str, str]:
    """A role and a secret id."""
    bao.token(*ALL)
    with bao.root() as client:
        client.sys.enable_auth_method("approle", path="ci/approle")
        where = {"mount_point": "ci/approle"}
        client.auth.approle.create_or_update_approle("mail", token_policies=["some"], **where)
        role = client.auth.approle.read_role_id("mail", **where)["data"]["role_id"]
        made = client.auth.approle.generate_secret_id("mail", **where)["data"]
    return role, made["secret_id"]


def test_the_login_of_a_pipeline(
    bao: Bao, approle: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "not this one")
    monkeypatch.setenv("VAULT_ADDR", "http://192.0.2.1")
    bao.token(*ALL)
    role, secret_id = approle
    login = {"method": "approle", "mount": "ci/approle", "role": role}
    stores = with_login(bao, {"VAULT_SECRET_ID": secret_id}, **login)
    with stores:
        assert values(resolved(f"vault:{NFE}#/password", stores=stores)) == [f"{MARK}-2"]
        vault = stores["vault"]
        assert isinstance(vault, VaultStore)
        with vault.asked("x", 5) as client:
            said = stores.redactor.redact(f"{secret_id} {client.token} {MARK}-2 {MARK}-1")
    assert said == f"{MASK} {MASK} {MASK} {MARK}-1"
    stores = with_login(bao, {"VAULT_SECRET_ID": MARK}, **login)
    texts = [f"vault:{NFE}#/password", "vault:other#/password"]
    assert failures(resolved(*texts, stores=stores)) == {NFE: ["MBX673"], "other": ["MBX673"]}


def test_a_login_without_its_credential(bao: Bao) -> None:
    stores = with_login(bao, {})
    found = resolved(f"vault:{NFE}#/password", stores=stores)
    assert failures(found) == {NFE: ["MBX680"]}


def test_a_wrong_token(bao: Bao) -> None:
    found = resolved(f"vault:{NFE}#/password", stores=logged_in(bao, MARK))
    assert failures(found) == {NFE: ["MBX674"]}


KEY = rsa.generate_private_key(65537, 2048)


def signed(**claims: Any) -> str:
    """A JWT with these claims."""
    now = int(time())
    parts = ({"alg": "RS256", "typ": "JWT"}, {"iat": now, "exp": now + 600, **claims})
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return f"{text}.{encoded(KEY.sign(text.encode(), PKCS1v15(), SHA256()))}"


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def test_the_login_with_a_token_of_the_pipeline(bao: Bao) -> None:
    bao.token(*ALL)
    with bao.root() as client:
        client.sys.enable_auth_method("jwt")
        public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        client.auth.jwt.configure(jwt_validation_pubkeys=[public.decode()])
        client.auth.jwt.create_role(
            "mail",
            role_type="jwt",
            user_claim="sub",
            allowed_redirect_uris=[],
            bound_audiences=["vault"],
            token_policies=["some"],
        )
    login = {"method": "jwt", "role": "mail", "credential": {"env": "ID_TOKEN"}}
    good = signed(sub="project", aud="vault")
    stores = with_login(bao, {"ID_TOKEN": good}, **login)
    assert values(resolved(f"vault:{NFE}#/password", stores=stores)) == [f"{MARK}-2"]
    other = signed(sub="project", aud=MARK)
    stores = with_login(bao, {"ID_TOKEN": other}, **login)
    assert failures(resolved(f"vault:{NFE}#/password", stores=stores)) == {NFE: ["MBX673"]}


def test_the_login_of_a_pod(bao: Bao, tmp_path: Path) -> None:
    bao.token(*ALL)
    account = {"namespace": "mail", "service_account": {"name": "reconciler"}}
    token = signed(
        iss="kubernetes/serviceaccount",
        **{
            "kubernetes.io/serviceaccount/namespace": account["namespace"],
            "kubernetes.io/serviceaccount/service-account.name": "reconciler",
            "kubernetes.io/serviceaccount/service-account.uid": "1",
        },
    )
    (tmp_path / "..1").mkdir()
    (tmp_path / "..1" / "token").write_text(token)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "token").symlink_to("..data/token")
    with secretservers.kubernetes("mail:reconciler") as address, bao.root() as client:
        client.sys.enable_auth_method("kubernetes")
        client.write_data(
            "auth/kubernetes/config",
            data={
                "kubernetes_host": address,
                "token_reviewer_jwt": token,
                "disable_local_ca_jwt": True,
                "kubernetes_ca_cert": certifi.contents(),
                "disable_iss_validation": True,
            },
        )
        for role, name in (("mail", "reconciler"), ("other", "another")):
            client.auth.kubernetes.create_role(role, name, "mail", policies=["some"])
        credential = {"file": str(tmp_path / "token")}
        for role, code in (("mail", None), ("other", "MBX673")):
            login = {"method": "kubernetes", "role": role, "credential": credential}
            found = resolved(f"vault:{NFE}#/password", stores=with_login(bao, {}, **login))
            if code:
                assert failures(found) == {NFE: [code]}
            else:
                assert values(found) == [f"{MARK}-2"]


# --- the connection


def reason(found: Any) -> object:
    ((problem,),) = found.failed.values()
    assert codes([problem]) == ["MBX672"]
    return problem.values["reason"]


def test_the_certificate_is_checked(tmp_path: Path) -> None:
    with secretservers.openbao(tls=True) as server:
        server.put(NFE, password=MARK)
        text = f"vault:{NFE}#/password"
        stores = logged_in(server, ca_file=server.ca_file)
        assert values(resolved(text, stores=stores)) == [MARK]
        assert reason(resolved(text, stores=logged_in(server, secretservers.ROOT_TOKEN))) in (
            "unable to get local issuer certificate",
            "self-signed certificate in certificate chain",
        )
        found = resolved(text, stores=logged_in(server, "t", ca_file=str(tmp_path / "none")))
        assert failures(found) == {NFE: ["MBX680"]}


def test_a_server_that_is_not_there() -> None:
    address = f"http://127.0.0.1:{secretservers.free_port()}"
    stores = opened({"VAULT_TOKEN": "t"}, vault={"address": address})
    assert reason(resolved(f"vault:{NFE}#/password", stores=stores)) == "Connection refused"


def test_something_else_than_vault_answers() -> None:
    with secretservers.kubernetes("mail:reconciler") as address:
        stores = opened({"VAULT_TOKEN": "t"}, vault={"address": address})
        assert reason(resolved(f"vault:{NFE}#/password", stores=stores)) == "VaultNotInitialized"


# --- keys wrapped by the transit engine


def test_a_wrapped_key_ring(bao: Bao) -> None:
    with bao.root() as client:
        client.sys.enable_secrets_engine("transit", "mail-transit")
        client.secrets.transit.create_key("reconciler", mount_point="mail-transit")
    token = bao.token("mail-transit/encrypt/reconciler", "mail-transit/decrypt/reconciler")
    settings = SecretSettings.model_validate(
        {
            "keys": {"env": "KEYS", "transit": {"mount": "mail-transit", "key": "reconciler"}},
            "vault": {"address": bao.address},
        }
    )
    key, plain = generate(), generate()
    with Stores(settings, {"VAULT_TOKEN": token}, Redactor()) as stores:
        wrap = keyring.wrapping(settings, stores, 5)
        entry = key.entry(wrap)
        assert entry.startswith(f"{key.id}:vault:v1:")
        ring = keyring.load(settings, {"KEYS": f"{entry} {plain.entry()}"}, stores, 5)
        assert ring
        assert [one.derive(b"x") for one in ring.keys] == [one.derive(b"x") for one in (key, plain)]
        for damaged in (entry[:-4], entry.replace(key.id, plain.id)):
            with pytest.raises(Failure, match=r"MBX672|MBX690"):
                keyring.load(settings, {"KEYS": damaged}, stores, 5)
    with pytest.raises(Failure, match="MBX691"):
        parse(entry)
    other = {"VAULT_TOKEN": bao.token("secret/*")}
    with Stores(settings, other, Redactor()) as stores, pytest.raises(Failure, match="MBX674"):
        keyring.load(settings, {"KEYS": entry}, stores, 5)


def test_a_wrapped_key_ring_needs_vault() -> None:
    settings = SecretSettings.model_validate({"keys": {"env": "KEYS", "transit": {"key": "k"}}})
    entry = generate().entry(lambda _text: "vault:v1:abc")
    with Stores(settings, {}, Redactor()) as stores, pytest.raises(Failure, match="MBX670"):
        keyring.load(settings, {"KEYS": entry}, stores, 5)
