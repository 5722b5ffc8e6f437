"""The keys that seal passwords in the database. They are never kept in the database themselves.

A key ring is text, one key to a word, the key that seals first:

    1f3a9c04:q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=   # since November
    77d0b2e5:vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM1…

Before the colon stands the id of the key, which follows from the key, so that a damaged one is
noticed; behind it are its 32 bytes in base64, or what Vault's transit engine has wrapped them into.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, cast

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.read import Stores
from reconciler.secrets.secret import Hidden, Secret
from reconciler.secrets.settings import KEYS, KeySettings, SecretSettings, TransitSettings
from reconciler.secrets.stores.vault import VaultStore

SIZE = 32
_COMMENT = re.compile(r"(?:^|\s)#.*$", re.MULTILINE)

Convert = Callable[[str], str]
"""Wraps a text in base64 with another key, or unwraps it."""


class Key(Hidden):
    """32 random bytes, from which each use derives a key of its own."""

    __slots__ = ("_material", "id")

    def __init__(self, material: bytes) -> None:
        self._material = material
        self.id = self.derive(b"id")[:4].hex()

    def derive(self, purpose: bytes) -> bytes:
        """32 bytes by HKDF-SHA256 (RFC 5869), which reveal neither the key nor any others."""
        info = b"reconciler " + purpose
        return HKDF(SHA256(), SIZE, salt=None, info=info).derive(self._material)

    def entry(self, wrap: Convert | None = None) -> str:
        """The key as a key ring has it: the secret itself, unless it is wrapped."""
        text = b64encode(self._material).decode()
        return f"{self.id}:{wrap(text) if wrap else text}"


class Keyring(NamedTuple):
    """Keys, the one that seals first; all of them open."""

    keys: tuple[Key, ...]

    @property
    def active(self) -> Key:
        return self.keys[0]

    def find(self, key_id: str) -> Key | None:
        """The key of that id, if it is here."""
        return next((key for key in self.keys if key.id == key_id), None)


def generate() -> Key:
    return Key(os.urandom(SIZE))


def parse(text: str, unwrap: Convert | None = None) -> Keyring:
    """The key ring that is written as `text`; wrapped keys need `unwrap`.

    Raises:
        Failure: it has no key, or one that is damaged. None is repeated.
    """
    keys = []
    for number, word in enumerate(_COMMENT.sub("", text).split(), 1):
        key_id, _, value = word.partition(":")
        if value.startswith("vault:"):
            if unwrap is None:
                raise Failure.of("MBX691", number=number)
            value = unwrap(value)
        try:
            material = b64decode(value, validate=True)
        except ValueError:
            material = b""
        if len(material) != SIZE or (key := Key(material)).id != key_id:
            raise Failure.of("MBX690", number=number)
        keys.append(key)
    if not keys:
        raise Failure.of("MBX690", number=1)
    return Keyring(tuple(keys))


def load(
    settings: SecretSettings, environment: Mapping[str, str], stores: Stores, seconds: float
) -> Keyring | None:
    """The key ring; None where neither the settings nor the environment have one.

    Raises:
        Failure: it cannot be read, or `secret_mode` needs one.
    """
    where = settings.keys
    if where is None and KEYS in environment:
        where = KeySettings(env=KEYS)
    if where is None:
        if settings.secret_mode == "encrypted":  # noqa: S105 - no password
            raise Failure.of("MBX695", variable=KEYS)
        return None
    text = where.read(environment).reveal()
    unwrap = partial(_unwrapped, where.transit, stores, seconds) if where.transit else None
    ring = parse(text, unwrap)
    for key in ring.keys:
        stores.redactor.add(Secret(key.entry().partition(":")[2]))
    return ring


def wrapping(settings: SecretSettings, stores: Stores, seconds: float) -> Convert | None:
    """Wraps a new key with Vault, or raises a Failure; None where keys are kept plain."""
    transit = settings.keys.transit if settings.keys else None
    return partial(_wrapped, transit, stores, seconds) if transit else None


def _wrapped(transit: TransitSettings, stores: Stores, seconds: float, text: str) -> str:
    vault = cast(VaultStore, stores["vault"])
    with vault.asked(f"{transit.mount}/{transit.key}", seconds) as client:
        answer = client.secrets.transit.encrypt_data(transit.key, text, mount_point=transit.mount)
        return str(answer["data"]["ciphertext"])


def _unwrapped(transit: TransitSettings, stores: Stores, seconds: float, text: str) -> str:
    vault = cast(VaultStore, stores["vault"])
    with vault.asked(f"{transit.mount}/{transit.key}", seconds) as client:
        answer = client.secrets.transit.decrypt_data(transit.key, text, mount_point=transit.mount)
        return str(answer["data"]["plaintext"])
