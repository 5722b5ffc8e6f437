"""Secrets in AWS Secrets Manager: `{aws: {name, key}}`.

Who logs in, and how, is up to boto3: its own variables, profiles and roles.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings_types import Address, Word
from reconciler.secrets.stores.store import (
    TREE,
    Once,
    Store,
    StoredSecret,
    StoreKind,
    StoreSection,
    reason,
)

_REFUSED = frozenset({
    "403", "AccessDenied", "AccessDeniedException", "DecryptionFailure", "ExpiredTokenException",
    "InvalidClientTokenId", "InvalidSignatureException", "UnrecognizedClientException",
})  # fmt: skip
_MISSING = frozenset({"InvalidRequestException", "ResourceNotFoundException"})
"""The first is what it says of a secret that is about to be deleted."""


class AwsSettings(StoreSection):
    """AWS Secrets Manager in one region."""

    region: Word | None = None
    profile: Word | None = None
    endpoint: Address | None = None


class AwsStore(Store):
    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._client = Once(self._connect)

    def fetch(self, name: str, _version: int | None, seconds: float) -> StoredSecret:
        with self._asked(name, seconds) as client:
            answer = client.get_secret_value(SecretId=name)
        return StoredSecret(_content(answer.get("SecretString", "")), answer["VersionId"])

    def newest(self, name: str, seconds: float) -> str | None:
        with self._asked(name, seconds) as client:
            stages = client.describe_secret(SecretId=name).get("VersionIdsToStages", {})
        return next((version for version, at in stages.items() if "AWSCURRENT" in at), None)

    def close(self) -> None:
        if client := self._client.made():
            client.close()

    def _connect(self, seconds: float) -> Any:
        import logging  # noqa: PLC0415 - as in the other modules here, only for who needs it

        try:
            import boto3  # noqa: PLC0415 - an extra
            from botocore.config import Config  # noqa: PLC0415
        except ImportError:
            raise Failure.of("MBX671", store="aws") from None
        logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it logs whole answers
        settings, longest = self._settings, min(seconds, 10.0)
        config = Config(connect_timeout=longest, read_timeout=longest, retries={"mode": "standard"})
        with _translated(None):
            session = boto3.Session(region_name=settings.region, profile_name=settings.profile)
            return session.client("secretsmanager", endpoint_url=settings.endpoint, config=config)

    @contextmanager
    def _asked(self, name: str, seconds: float) -> Iterator[Any]:
        client = self._client.get(seconds)
        with _translated(name):
            yield client


def _content(text: str) -> Secret | dict[str, Secret]:
    """One secret, or several by key where the text is an object of JSON."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return Secret(text)
    return {key: Secret(value) for key, value in data.items() if isinstance(value, str)}


@contextmanager
def _translated(name: str | None) -> Iterator[None]:
    """Errors of boto3 in our words; without a name they are those of connecting."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
    except (BotoCoreError, OSError, ValueError) as error:
        raise Failure.of("MBX672", store="aws", reason=reason(error)) from None
    else:
        return
    if code in _MISSING:
        raise Failure.of("MBX675", store="aws", name=name)
    if code in _REFUSED:
        raise Failure.of("MBX674", store="aws", name=name, reason=code)
    raise Failure.of("MBX672", store="aws", reason=code)


AWS = StoreKind(
    "aws",
    "awssecrets",
    "name#/key",
    rf"^/?{TREE}",
    "The secret in AWS Secrets Manager.",
    AwsSettings,
    lambda section, _environment, _redactor: AwsStore(section),
    word="name",
    word_description="Its name.",
    key_description="Which of the keys, where it is an object of JSON.",
)
