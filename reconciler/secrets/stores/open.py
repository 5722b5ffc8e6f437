"""The stores that the settings declare, ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.redact import Redactor
from reconciler.secrets.settings import SecretSettings
from reconciler.secrets.stores.kinds import KINDS
from reconciler.secrets.stores.store import Store


class Stores:
    """All stores by name. None is asked, and none logs in, before a secret is read from it.

    What is read through them, and what they log in with, is made known to `redactor`.
    """

    def __init__(
        self, settings: SecretSettings, environment: Mapping[str, str], redactor: Redactor
    ) -> None:
        self.redactor = redactor
        self._stores: dict[str, Store] = {
            name: kind.open(section, environment, redactor)
            for name, kind in KINDS.items()
            if (section := settings.section(name))
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
            store.close()
