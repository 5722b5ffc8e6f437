"""JSON text → the members of its outermost object, one after the other.

A plan of a large estate is hundreds of megabytes, and parsed at once it would take gigabytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, NoReturn, TextIO

from reconciler.diagnostics.words import N_, Word

LARGEST_TEXT = 2 << 30
"""How many characters a text may have."""
LARGEST_VALUE = 256 << 20
"""How many characters one value in it may have."""
_CHUNK = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")


class Malformed(ValueError):  # noqa: N818 - what it is
    """It is no JSON object, or one that could be read in two ways. `reason` says why."""

    def __init__(self, reason: Word) -> None:
        super().__init__(reason)
        self.reason = reason


def members(stream: TextIO, listed: str) -> Iterator[tuple[str, Any]]:
    """Every member of the object that is the whole text, as name and value.

    The member `listed`, which must be an array, comes item by item under that name.

    Raises:
        Malformed: it is not JSON, has a name twice, is too large or nested too deep.
    """
    try:
        yield from _members(_Text(stream), listed)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed(N_("It is not JSON.")) from None


def _members(text: _Text, listed: str) -> Iterator[tuple[str, Any]]:
    seen = set()
    for _ in text.items("{", "}"):
        name = text.value()
        if not isinstance(name, str):
            raise Malformed(N_("It is not JSON."))
        if name in seen:
            raise Malformed(N_("A name is in it twice."))
        seen.add(name)
        text.take(":")
        if name == listed:
            if text.next() != "[":
                raise Malformed(N_("What should be a list in it is none."))
            for _ in text.items("[", "]"):
                yield name, text.value()
        else:
            yield name, text.value()
    if text.next():
        raise Malformed(N_("Something follows after its end."))


class _Text:
    """A text that is read from the front, and kept no longer than it is needed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._kept = ""
        self._at = 0
        self._taken = 0

    def items(self, opening: str, closing: str) -> Iterator[None]:
        """Stops before every item of an array or object, and once after its end."""
        self.take(opening)
        if self.next() == closing:
            self.take(closing)
            return
        while True:
            yield
            if self.take(",", closing) == closing:
                return

    def next(self) -> str:
        """The next character that is no space; empty at the end. It is not taken."""
        while True:
            space = _SPACE.match(self._kept, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._kept) or not self._more():
                return self._kept[self._at : self._at + 1]

    def take(self, *possible: str) -> str:
        """Take the next character, which must be one of these."""
        found = self.next()
        if found not in possible:
            raise Malformed(N_("It is not JSON."))
        self._at += 1
        return found

    def value(self) -> Any:
        """Take the next value, whole."""
        self.next()
        while True:
            try:
                value, end = _decode(self._kept, self._at)
            except JSONDecodeError:
                if not self._more():
                    raise
                continue
            # A number near the end may go on in the next piece, as in `1` and `.5`.
            if end + 2 < len(self._kept) or not self._more():
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on, as much again as is kept; False at the end, where nothing moves."""
        rest = self._kept[self._at :]
        piece = self._stream.read(max(_CHUNK, len(rest)))
        if not piece:
            return False
        self._kept, self._at, self._taken = rest + piece, 0, self._taken + len(piece)
        if len(rest) > LARGEST_VALUE or self._taken > LARGEST_TEXT:
            raise Malformed(N_("It is too large."))
        return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed(N_("A name is in it twice."))
    return found


def _no_number(_text: str) -> NoReturn:
    raise Malformed(N_("A number in it is none."))


_decode = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number).raw_decode
