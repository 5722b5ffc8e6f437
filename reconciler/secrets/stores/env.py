"""Secrets in environment variables: `{env: NAME}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings_types import VARIABLE
from reconciler.secrets.stores.store import Store, StoredSecret, StoreKind, StoreSection


class EnvSettings(StoreSection):
    """The variables of this process."""


class EnvStore(Store):
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def fetch(self, name: str, _version: int | None, _seconds: float) -> StoredSecret:
        value = self._environment.get(name)
        if value is None:
            raise Failure.of("MBX675", store="env", name=name)
        return StoredSecret(Secret(value))


def variable(partner: str) -> str:
    """A partner's id as the names of variables have it: `acme-sul` is `ACME_SUL`, `3m` is `_3M`."""
    word = re.sub(r"[^A-Z0-9]", "_", partner.upper())
    return f"_{word}" if word[:1].isdigit() else word


ENV = StoreKind(
    "env",
    "env",
    "NAME",
    VARIABLE,
    "Name of the environment variable that holds the secret.",
    EnvSettings,
    lambda _section, environment, _redactor: EnvStore(environment),
    set_up=True,
    prefix="{partner}_",
    spelled=variable,
    reserved=(
        *("RECONCILER_", "AWS_", "VAULT_", "BAO_", "CI_", "GITHUB_", "GITLAB_", "ACTIONS_"),
        *("RUNNER_", "DOCKER_", "KUBERNETES_", "GOOGLE_", "AZURE_", "PYTHON"),
    ),
    own="RECONCILER_",
)
