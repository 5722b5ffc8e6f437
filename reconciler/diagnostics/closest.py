"""What somebody may have meant: the known name that is closest to the one written."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from itertools import islice

_COMPARED = 100
"""How many names are compared at most: ten thousand with ten thousand would take hours."""


def closest(name: str, known: Collection[str], likeness: float = 0.6) -> str:
    """The name among `known` that `name` is most like; empty where none is like it."""
    if len(known) > _COMPARED:
        alike = (item for item in known if item[:4] == name[:4] or item[-4:] == name[-4:])
        known = list(islice(alike, _COMPARED))
    return next(iter(get_close_matches(name, known, 1, likeness)), "")
