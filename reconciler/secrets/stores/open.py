"""The stores that the settings declare, ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.redact import Redactor
from reconciler.secrets.settings import SecretSettings
from reconciler.secrets.stores.aws import AwsStore
from reconciler.secrets.stores.env import EnvStore
from reconciler.secrets.stores.file import DEFAULT_FOLDER, FileStore
from reconciler.secrets.stores.store import Store
from reconciler.secrets.stores.vault import VaultStore


class Stores:
    """All stores by name. None is asked, and none logs in, before a secret is read from it.

    What is read through them, and what they log in with, is made known to `redactor`.
    """

    def __init__(
        self, settings: SecretSettings, environment: Mapping[str, str], redactor: Redactor
    ) -> None:
        folder = settings.file.folder or environment.get("CREDENTIALS_DIRECTORY") or DEFAULT_FOLDER
        vault = settings.vault
        self.redactor = redactor
        self.vault = VaultStore(vault, environment, redactor) if vault else None
        self._stores: dict[str, Store | None] = {
            "env": EnvStore(environment),
            "file": FileStore(Path(folder)),
            "vault": self.vault,
            "aws": AwsStore(settings.aws) if settings.aws else None,
        }

    def __getitem__(self, name: str) -> Store:
        """The store of that name.

        Raises:
            Failure: the settings do not declare it.
        """
        if store := self._stores.get(name):
            return store
        raise Failure.of("MBX670", store=name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for store in self._stores.values():
            if store:
                store.close()
