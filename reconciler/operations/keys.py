"""`keys`: new keys, passwords sealed again with the newest, and which keys are in use."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.database import passwords
from reconciler.database.passwords import SealedPasswords
from reconciler.database.schema import Condition
from reconciler.diagnostics.problem import Failure
from reconciler.operations.context import Context
from reconciler.operations.secrets import ring
from reconciler.secrets import keyring, seal
from reconciler.secrets.keyring import Key, Keyring
from reconciler.secrets.read import Stores
from reconciler.secrets.seal import KeyStatus, RotationProgress
from reconciler.secrets.settings import KEYS


def new_key(context: Context) -> tuple[Key, str]:
    """A new key and its line of a key ring, wrapped where the settings name a key of Vault."""
    settings = context.settings.secrets
    with Stores(settings, context.environ, context.redacting()) as stores:
        key = keyring.generate()
        return key, key.entry(keyring.wrapping(settings, stores, settings.deadline))


def rotation(context: Context) -> tuple[Key, Iterator[RotationProgress]]:
    """Seal with the first key of the key ring, which is returned, what its others have sealed.

    The progress comes after each batch.

    Raises:
        Failure: there is no key ring, or the database is new.
    """
    keys = _ring(context)
    status = context.status()
    if status.condition is Condition.NEW:
        raise Failure.of("MBX541")
    rows = SealedPasswords(context.engine(writes=True), status.database_id or "")
    return keys.active, seal.rotate(rows, keys)


def usage(context: Context) -> tuple[Key, KeyStatus]:
    """The key that seals, and how many passwords each has sealed; raises as `rotation`."""
    keys = _ring(context)
    with context.existing() as connection:
        return keys.active, seal.status(passwords.texts(connection), keys)


def _ring(context: Context) -> Keyring:
    with Stores(context.settings.secrets, context.environ, context.redacting()) as stores:
        keys = ring(context, stores, needed=True)
    if keys is None:
        raise Failure.of("MBX688", variable=KEYS)
    return keys
