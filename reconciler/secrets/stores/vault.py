"""Secrets in the key-value engine of Vault or OpenBao: `{vault: {path, key, version}}`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.redact import Redactor
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings_types import (
    AbsolutePath,
    Address,
    CredentialSource,
    Mount,
    Section,
    Word,
)
from reconciler.secrets.stores.store import (
    TREE,
    Once,
    Store,
    StoredSecret,
    StoreKind,
    StoreSection,
    reason,
)

_LONGEST = 10.0
"""Seconds for one request."""
_CREDENTIALS = {
    "token": CredentialSource(env="VAULT_TOKEN"),
    "approle": CredentialSource(env="VAULT_SECRET_ID"),
    "jwt": CredentialSource(env="VAULT_ID_TOKEN"),
    "kubernetes": CredentialSource(file="/var/run/secrets/kubernetes.io/serviceaccount/token"),
}
"""By method: where the token, the secret id or the JWT is, if the settings do not say."""


class VaultLogin(Section):
    """How the tool logs in."""

    method: Literal["token", "approle", "jwt", "kubernetes"] = "token"
    role: Word | None = None
    mount: Mount | None = None
    credential: CredentialSource | None = None

    @model_validator(mode="after")
    def _role(self) -> Self:
        if (self.role is None) != (self.method == "token"):
            raise ValueError("role is needed, but for the method token, where it means nothing")
        return self

    def where(self) -> CredentialSource:
        """Where its token, secret id or JWT is."""
        return self.credential or _CREDENTIALS[self.method]


class VaultSettings(StoreSection):
    """A server of Vault or OpenBao."""

    address: Address
    ca_file: AbsolutePath | None = None
    namespace: Word | None = None
    mount: Mount = "secret"
    kv_version: Literal[1, 2] = 2
    login: VaultLogin = Field(default=VaultLogin())

    def credentials(self) -> Iterable[CredentialSource]:
        return (self.login.where(),)


class VaultStore(Store):
    def __init__(
        self, settings: VaultSettings, environment: Mapping[str, str], redactor: Redactor
    ) -> None:
        self._redactor = redactor
        self._settings = settings
        self._environment = environment
        self._client = Once(self._log_in)

    def fetch(self, name: str, version: int | None, seconds: float) -> StoredSecret:
        mount = self._settings.mount
        if self._settings.kv_version == 1:
            if version is not None:
                raise Failure.of("MBX681", store="vault")
            with self.asked(name, seconds) as client:
                data = client.secrets.kv.v1.read_secret(name, mount)["data"]
            return StoredSecret(_content(data))
        with self.asked(name, seconds) as client:
            data = client.secrets.kv.v2.read_secret_version(
                name, version, mount, raise_on_deleted_version=True
            )["data"]
            return StoredSecret(_content(data["data"]), str(data["metadata"]["version"]))

    def newest(self, name: str, seconds: float) -> str | None:
        if self._settings.kv_version == 1:
            return None
        with self.asked(name, seconds) as client:
            answer = client.secrets.kv.v2.read_secret_metadata(name, self._settings.mount)
            return str(answer["data"]["current_version"])

    def close(self) -> None:
        if client := self._client.made():
            client.adapter.close()

    @contextmanager
    def asked(self, name: str, seconds: float) -> Iterator[Any]:
        """The client of hvac, and what goes wrong with it in our words."""
        client = self._client.get(seconds)
        with _translated(name):
            yield client

    def _log_in(self, seconds: float) -> Any:
        try:
            import hvac  # noqa: PLC0415 - an extra
        except ImportError:
            raise Failure.of("MBX671", store="vault") from None
        settings = self._settings
        if settings.ca_file and not Path(settings.ca_file).is_file():
            raise Failure.of("MBX680", source=settings.ca_file)
        credential = settings.login.where().read(self._environment)
        self._redactor.add(credential)
        client = hvac.Client(
            url=settings.address,
            token="",  # hvac would look for one by itself
            verify=settings.ca_file or True,
            timeout=min(seconds, _LONGEST),
            namespace=settings.namespace,
        )
        with _translated(None):
            _log_in(client, settings.login, credential.reveal())
        self._redactor.add(Secret(client.token))
        return client


def _log_in(client: Any, login: VaultLogin, credential: str) -> None:
    mount = login.mount or login.method
    match login.method:
        case "token":
            client.token = credential
        case "approle":
            client.auth.approle.login(login.role, credential, mount_point=mount)
        case "jwt":
            client.auth.jwt.jwt_login(login.role, credential, path=mount)
        case "kubernetes":
            client.auth.kubernetes.login(login.role, credential, mount_point=mount)


def _content(data: Mapping[str, object]) -> dict[str, Secret]:
    """The texts below a path; what is no text cannot be a password."""
    return {key: Secret(value) for key, value in data.items() if isinstance(value, str)}


@contextmanager
def _translated(name: str | None) -> Iterator[None]:
    """Errors of hvac and requests in our words; without a name they are those of logging in."""
    from hvac import exceptions as hvac  # noqa: PLC0415 - an extra

    refused = (hvac.Forbidden, hvac.Unauthorized)
    try:
        yield
    except (hvac.VaultError, OSError, LookupError, TypeError, ValueError) as error:
        if name is None and isinstance(error, (*refused, hvac.InvalidRequest)):
            raise Failure.of("MBX673", store="vault") from None
        if name is not None and isinstance(error, refused):
            raise Failure.of("MBX674", store="vault", name=name, reason="403") from None
        if name is not None and isinstance(error, hvac.InvalidPath):
            raise Failure.of("MBX675", store="vault", name=name) from None
        raise Failure.of("MBX672", store="vault", reason=reason(error)) from None


VAULT = StoreKind(
    "vault",
    "vault",
    "path?version=1#/key",
    rf"^{TREE}",
    "The secret in HashiCorp Vault or OpenBao.",
    VaultSettings,
    VaultStore,
    word="path",
    word_description="Where it is, below the mount that the settings name.",
    key_needed=True,
    key_description="Which of the keys there.",
    versions=True,
)
