"""Secrets in environment variables: `{env: NAME}`."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings_types import Prefix, Section
from reconciler.secrets.stores.store import Document


class EnvSettings(Section):
    """The variables of this process."""

    prefix: Prefix | None = None


class EnvStore:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def fetch(self, name: str, _version: int | None, _seconds: float) -> Document:
        value = self._environment.get(name)
        if value is None:
            raise Failure.of("MBX675", store="env", name=name)
        return Document(Secret(value))

    def newest(self, _name: str, _seconds: float) -> None:
        return None

    def close(self) -> None:
        pass
