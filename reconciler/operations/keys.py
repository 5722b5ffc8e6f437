"""`keys`: new keys, passwords sealed again with the newest, and which keys are in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.database import passwords
from reconciler.database.passwords import SealedPasswords
from reconciler.database.schema import Condition
from reconciler.diagnostics.problem import Failure
from reconciler.operations.context import Context
from reconciler.operations.secrets import KEYS, ring
from reconciler.secrets import keyring_source, rotate
from reconciler.secrets.keyring import Key, Keyring, generate
from reconciler.secrets.rotate import KeyStatus, RotationProgress
from reconciler.secrets.stores.open import Stores


class NewKey(NamedTuple):
    """A key, and its line of a key ring."""

    key: Key
    entry: str


def new_key(context: Context) -> NewKey:
    """Make a key, wrapped where the settings name a key of Vault's transit engine."""
    settings = context.settings.secrets
    with Stores(settings, context.environ, context.redacting()) as stores:
        key = generate()
        return NewKey(key, key.entry(keyring_source.wrapping(settings, stores, settings.deadline)))


class Rotation(NamedTuple):
    """The key that everything is sealed with again, and the progress after each batch."""

    active: str
    progress: Iterator[RotationProgress]


def rotation(context: Context) -> Rotation:
    """Seal with the first key of the key ring what its other keys have sealed.

    Raises:
        Failure: there is no key ring, or the database is new.
    """
    keys = _ring(context)
    status = context.status()
    if status.condition is Condition.NEW:
        raise Failure.of("MBX541")
    rows = SealedPasswords(context.engine(writes=True), status.database_id or "")
    return Rotation(keys.active.id, rotate.rotate(rows, keys))


class Usage(NamedTuple):
    """The key that seals, and how many passwords are sealed with which."""

    active: str
    keys: KeyStatus


def usage(context: Context) -> Usage:
    """Which keys the passwords are sealed with; raises as `rotation`."""
    keys = _ring(context)
    with context.existing() as connection:
        return Usage(keys.active.id, rotate.status(passwords.texts(connection), keys))


def _ring(context: Context) -> Keyring:
    with Stores(context.settings.secrets, context.environ, context.redacting()) as stores:
        keys = ring(context, stores, needed=True)
    if keys is None:
        raise Failure.of("MBX688", variable=KEYS)
    return keys
