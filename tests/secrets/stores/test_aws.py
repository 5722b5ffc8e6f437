"""AWS Secrets Manager, as moto plays it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from reconciler.secrets.read import Stores, newest_versions
from reconciler.secrets.references import from_text
from tests.support import secretservers
from tests.support.resolving import MARK, codes, failures, opened, resolved, values

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with secretservers.aws() as found:
        yield found


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who logs in, as boto3 reads it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client(address: str) -> Iterator[Any]:
    found = boto3.client("secretsmanager", region_name="sa-east-1", endpoint_url=address)
    yield found
    found.close()


def logged_in(address: str) -> Stores:
    return opened(aws={"region": "sa-east-1", "endpoint": address})


def test_a_text_and_texts_by_key(address: str, client: Any) -> None:
    client.create_secret(Name="acme/plain", SecretString=MARK)
    client.create_secret(Name="/prod/acme/several", SecretString=f'{{"a": "{MARK}-a", "n": 1}}')
    client.create_secret(Name="acme/number", SecretString="1234")
    texts = ("aws:/prod/acme/several#/a", "aws:acme/number", "aws:acme/plain")
    found = resolved(*texts, stores=logged_in(address))
    assert values(found) == [f"{MARK}-a", "1234", MARK]
    assert all(item.version for item in found.read.values())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("aws:acme/missing", "MBX675"),
        ("aws:acme/deleted", "MBX675"),
        ("aws:acme/one#/key", "MBX676"),
        ("aws:acme/many", "MBX676"),
        ("aws:acme/many#/missing", "MBX676"),
        ("aws:acme/many#/number", "MBX676"),
        ("aws:acme/binary", "MBX677"),
    ],
)
def test_what_is_not_there(address: str, client: Any, text: str, code: str) -> None:
    for name in ("one", "deleted"):
        put(client, f"acme/{name}", SecretString=MARK)
    put(client, "acme/many", SecretString=f'{{"a": "{MARK}", "number": 1}}')
    put(client, "acme/binary", SecretBinary=MARK.encode())
    client.delete_secret(SecretId="acme/deleted")
    (told,) = failures(resolved(text, stores=logged_in(address))).values()
    assert told == [code]


def put(client: Any, name: str, **content: Any) -> None:
    try:
        client.create_secret(Name=name, **content)
    except client.exceptions.ResourceExistsException:
        client.restore_secret(SecretId=name)


def test_a_rotated_version_is_seen_without_reading_it(
    address: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.create_secret(Name="acme/rotated", SecretString=MARK)["VersionId"]
    reference = from_text("aws:acme/rotated")
    with logged_in(address) as stores:
        assert newest_versions([reference], stores, 10) == {reference: first}
        second = client.put_secret_value(SecretId="acme/rotated", SecretString="new")["VersionId"]
        assert newest_versions([reference], stores, 10) == {reference: second}
    (found,) = resolved("aws:acme/rotated", stores=logged_in(address)).read.values()
    assert found.version == second
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with logged_in(address) as stores:
        assert newest_versions([reference], stores, 10) == {reference: None}


def reason(found: Any) -> object:
    ((problem,),) = found.failed.values()
    assert codes([problem]) == ["MBX672"]
    return problem.values["reason"]


def test_what_boto3_misses_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason(resolved("aws:a", stores=opened(aws={"endpoint": address}))) == "NoRegionError"
    profile = {"region": "sa-east-1", "profile": "missing"}
    assert reason(resolved("aws:a", stores=opened(aws=profile))) == "ProfileNotFound"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert reason(resolved("aws:a", stores=logged_in(address))) == "NoCredentialsError"


def test_a_server_that_is_not_there() -> None:
    stores = logged_in(f"http://127.0.0.1:{secretservers.free_port()}")
    assert reason(resolved("aws:a", stores=stores)) == "Connection refused"


def test_who_may_not_read(address: str) -> None:
    allow(address, b"0")
    try:
        found = resolved("aws:acme/any", stores=logged_in(address))
    finally:
        allow(address, b"inf")
    assert failures(found) == {"acme/any": ["MBX674"]}


def allow(address: str, requests: bytes) -> None:
    """Let so many requests pass before moto looks at permissions."""
    plain = {"Content-Type": "text/plain"}
    with urlopen(Request(f"{address}/moto-api/reset-auth", requests, plain), timeout=10) as answer:
        assert answer.status == 200


def test_even_a_talkative_log_has_no_secret(
    address: str, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client.create_secret(Name="acme/logged", SecretString=MARK)
    with caplog.at_level(logging.DEBUG):
        assert values(resolved("aws:acme/logged", stores=logged_in(address))) == [MARK]
    assert caplog.text
    assert MARK not in caplog.text
