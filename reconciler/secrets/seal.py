"""What the database holds instead of a password: sealed text, and a fingerprint to compare.

A sealed text is `v1:<key id>:<nonce>:<ciphertext>`, both in base64url without padding: AES-256-GCM,
with a nonce of 12 random bytes, and the tag at the end of the ciphertext. Its additional data names
the field it was made for, so that it cannot be opened in another row, field or database.

A fingerprint is `v1:<key id>:<32 hexadecimal digits>`: half of an HMAC-SHA256 whose key is derived
for that place, so that equal passwords of two rows do not look equal, and nobody without the key
can try passwords out.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.keyring import Key, Keyring
from reconciler.secrets.secret import SealedField, SealedRow, Secret

_FORM = "v1"
_NONCE = 12
_BEGINNING = re.compile(rf"{_FORM}:([0-9a-f]{{8}}):")


def seal(secret: Secret, where: SealedField, key: Key) -> str:
    """The sealed text of `secret` for this field; it is never the same twice."""
    nonce = os.urandom(_NONCE)
    data = _bytes(secret.reveal())
    ciphertext = AESGCM(key.derive(b"sealing")).encrypt(nonce, data, _bound_to(where, key))
    return ":".join((_FORM, key.id, _encode(nonce), _encode(ciphertext)))


def key_id(text: str) -> str | None:
    """The id of the key that made a sealed text or fingerprint; None if it was not made here."""
    match = _BEGINNING.match(text)
    return match[1] if match else None


def unseal(text: str, where: SealedField, ring: Keyring) -> Secret:
    """The secret in a sealed text.

    Raises:
        Failure: it is of another form (MBX692), its key is not in the ring (MBX693), or it was
            altered, or made for another place (MBX694).
    """
    nonce, ciphertext, key = _parts(text, ring)
    try:
        data = AESGCM(key.derive(b"sealing")).decrypt(nonce, ciphertext, _bound_to(where, key))
    except InvalidTag:
        raise Failure.of("MBX694", table=where.table, row=where.row, field=where.field) from None
    return Secret(data.decode("utf-8", "surrogatepass"))


def _parts(text: str, ring: Keyring) -> tuple[bytes, bytes, Key]:
    id_, parts = key_id(text), text.split(":")[2:]
    nonce, ciphertext = (_decode(part) for part in parts) if len(parts) == 2 else (None, None)
    if id_ is None or nonce is None or ciphertext is None or len(nonce) != _NONCE:
        raise Failure.of("MBX692")
    key = ring.find(id_)
    if key is None:
        raise Failure.of("MBX693", key=id_)
    return nonce, ciphertext, key


def fingerprint(secret: Secret, where: SealedField, key: Key) -> str:
    """A fingerprint by which a holder of the key can tell later whether the secret has changed."""
    own = key.derive(b"fingerprint " + _bound_to(where, key))
    digest = hmac.digest(own, _bytes(secret.reveal()), "sha256")
    return ":".join((_FORM, key.id, digest[:16].hex()))


def is_same(secret: Secret, known: str, where: SealedField, ring: Keyring) -> bool | None:
    """Whether `secret` has that fingerprint; None where the key for it is missing."""
    key = ring.find(key_id(known) or "")
    if key is None:
        return None
    return hmac.compare_digest(_bytes(fingerprint(secret, where, key)), _bytes(known))


def _bytes(text: str) -> bytes:
    """`text` in UTF-8, without an error that would carry it."""
    return text.encode("utf-8", "surrogatepass")


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes | None:
    """The bytes of base64url without padding; None for any other text."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return data if _encode(data) == text else None


def _bound_to(where: SealedField, key: Key) -> bytes:
    """The additional data that binds a sealed text to its field and key."""
    return json.dumps([_FORM, key.id, *where], ensure_ascii=True, separators=(",", ":")).encode()


# Rotation


class SealedRows(Protocol):
    """The rows of one sealed field."""

    def after(self, number: int, count: int) -> Sequence[SealedRow]:
        """The next sealed rows above `number`, at most `count`, in order of their numbers."""

    def replace(self, rows: Sequence[tuple[SealedRow, SealedRow]]) -> int:
        """Put the second of each pair in place of the first, all in one transaction.

        A row that is no longer as the first says is left alone; how many were replaced is returned.
        """


class RotationProgress(NamedTuple):
    """How many fields a rotation has seen so far, by what became of them."""

    renewed: int = 0
    current: int = 0
    """Sealed with the newest key already."""
    moved: int = 0
    """Somebody else changed them meanwhile; the next rotation sees to them."""
    unreadable: int = 0
    """Foreign, altered, or sealed with a key that is not here; left as they are."""


def rotate(rows: SealedRows, ring: Keyring, batch: int = 500) -> Iterator[RotationProgress]:
    """Renew all rows, one transaction for each batch; the progress so far comes after each.

    It may be interrupted anywhere: what is renewed stays, a later run renews the rest, and whoever
    has both keys can read every row at any time.
    """
    progress, number = RotationProgress(), -1
    while batch_rows := rows.after(number, batch):
        counts = zip(progress, _batch(rows, batch_rows, ring), strict=True)
        progress = RotationProgress(*map(sum, counts))
        number = batch_rows[-1].number
        yield progress


def _batch(rows: SealedRows, batch: Sequence[SealedRow], ring: Keyring) -> RotationProgress:
    pairs, current, unreadable = [], 0, 0
    for row in batch:
        if key_id(row.sealed) == ring.active.id:
            current += 1
        elif (new := _renewed(row, ring)) is None:
            unreadable += 1
        else:
            pairs.append((row, new))
    done = rows.replace(pairs) if pairs else 0
    return RotationProgress(done, current, len(pairs) - done, unreadable)


def _renewed(row: SealedRow, ring: Keyring) -> SealedRow | None:
    """The row with its field sealed by the newest key; None where it cannot be opened."""
    try:
        secret = unseal(row.sealed, row.where, ring)
    except Failure:
        return None
    sealed = seal(secret, row.where, ring.active)
    return row._replace(sealed=sealed, fingerprint=fingerprint(secret, row.where, ring.active))


class KeyStatus(NamedTuple):
    """What the fields of a database are sealed with."""

    by_key: dict[str, int]
    """For each key of the ring, newest first, how many it has sealed."""
    missing: dict[str, int]
    """The same for keys that are not in the ring."""
    foreign: int
    """What no key of this tool has sealed."""


def status(texts: Iterable[str], ring: Keyring) -> KeyStatus:
    """How much is sealed with which key. An older key with nothing left may leave the ring."""
    counts = Counter(map(key_id, texts))
    foreign = counts.pop(None, 0)
    by_key = {key.id: counts.pop(key.id, 0) for key in ring.keys}
    return KeyStatus(by_key, {key: counts[key] for key in sorted(counts, key=str) if key}, foreign)
