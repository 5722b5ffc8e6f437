"""Loading the key ring from a file or a variable, and wrapping keys with Vault's transit engine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, cast

from reconciler.diagnostics.problem import Failure
from reconciler.secrets import credential_source
from reconciler.secrets.keyring import Convert, Keyring, parse
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings import KeySettings, SecretSettings, TransitSettings
from reconciler.secrets.stores.open import Stores
from reconciler.secrets.stores.vault import VaultStore

VARIABLE = "RECONCILER_KEYS"
"""Where the keys are if the settings do not say."""


def load(
    settings: SecretSettings, environment: Mapping[str, str], stores: Stores, seconds: float
) -> Keyring | None:
    """The key ring; None where neither the settings nor the environment have one.

    Raises:
        Failure: it cannot be read, or `secret_mode` needs one.
    """
    where = settings.keys
    if where is None and VARIABLE in environment:
        where = KeySettings(env=VARIABLE)
    if where is None:
        if settings.secret_mode == "encrypted":  # noqa: S105 - no password
            raise Failure.of("MBX695", variable=VARIABLE)
        return None
    text = credential_source.read(where, environment).reveal()
    transit = where.transit
    unwrap = partial(_decrypted, transit, stores, seconds) if transit else None
    ring = parse(text, unwrap)
    for key in ring.keys:
        stores.redactor.add(Secret(key.entry().partition(":")[2]))
    return ring


def wrapping(settings: SecretSettings, stores: Stores, seconds: float) -> Convert | None:
    """The function that wraps a new key with Vault; None where keys are kept plain.

    It raises a Failure if Vault cannot do it.
    """
    transit = settings.keys.transit if settings.keys else None
    return partial(_encrypted, transit, stores, seconds) if transit else None


def _encrypted(transit: TransitSettings, stores: Stores, seconds: float, text: str) -> str:
    with _asked(transit, stores, seconds) as client:
        answer = client.secrets.transit.encrypt_data(transit.key, text, mount_point=transit.mount)
        return str(answer["data"]["ciphertext"])


def _decrypted(transit: TransitSettings, stores: Stores, seconds: float, text: str) -> str:
    with _asked(transit, stores, seconds) as client:
        answer = client.secrets.transit.decrypt_data(transit.key, text, mount_point=transit.mount)
        return str(answer["data"]["plaintext"])


def _asked(transit: TransitSettings, stores: Stores, seconds: float) -> AbstractContextManager[Any]:
    vault = cast(VaultStore, stores["vault"])
    return vault.asked(f"{transit.mount}/{transit.key}", seconds)
