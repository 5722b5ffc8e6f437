"""Sealing passwords again with the newest key, and counting which key seals how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.seal import fingerprint, key_id, seal, unseal
from reconciler.secrets.secret import SealedRow


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
        progress = _together(progress, _batch(rows, batch_rows, ring))
        number = batch_rows[-1].number
        yield progress


def _batch(rows: SealedRows, batch: Sequence[SealedRow], ring: Keyring) -> RotationProgress:
    pairs, current, unreadable = [], 0, 0
    for row in batch:
        if key_id(row.sealed) == ring.active.id:
            current += 1
        elif (new := renewed(row, ring)) is None:
            unreadable += 1
        else:
            pairs.append((row, new))
    done = rows.replace(pairs) if pairs else 0
    return RotationProgress(done, current, len(pairs) - done, unreadable)


def renewed(row: SealedRow, ring: Keyring) -> SealedRow | None:
    """The row with its field sealed by the newest key; None where it cannot be opened."""
    try:
        secret = unseal(row.sealed, row.where, ring)
    except Failure:
        return None
    sealed = seal(secret, row.where, ring.active)
    return row._replace(sealed=sealed, fingerprint=fingerprint(secret, row.where, ring.active))


def _together(one: RotationProgress, other: RotationProgress) -> RotationProgress:
    return RotationProgress(*map(sum, zip(one, other, strict=True)))


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
