"""The server's own words, without the secrets it may have echoed."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterator

HIDDEN = "***"
LONGEST = 400
_ENOUGH, _ENOUGH_ENCODED = 12, 8
"""A stretch of a secret that is this long gives it away; shorter ones may be plain words."""
_SHORT = 4
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_BEARER = re.compile(r"(?i)\b(bearer|auth=bearer)\s+\S+")


class Redactor:
    """Knows the secrets of an attempt, and hides them in what a server said."""

    def __init__(self, username: str) -> None:
        self._username = username
        self._secrets: list[str] = []
        self._stretches: dict[int, set[str]] = {}
        self._words: list[re.Pattern[str]] = []

    def hide(self, secret: str) -> None:
        """Hide `secret` from now on, as it is and in the forms that go over the wire."""
        self._learn(secret, _ENOUGH)
        for form in _encoded(self._username, secret):
            self._learn(form, _ENOUGH_ENCODED)

    def __call__(self, line: str) -> str:
        """`line` fit to be shown and kept: one line, not too long, and no secret in it."""
        text = _BEARER.sub(r"\1 " + HIDDEN, _one_line(line[: LONGEST * 4]))
        for size, stretches in self._stretches.items():
            text = _without(text, size, stretches)
        for word in self._words:
            text = word.sub(HIDDEN, text)
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

    def _learn(self, form: str, enough: int) -> None:
        size = min(len(form), enough)
        if size >= _SHORT:
            parts = {form[start : start + size] for start in range(len(form) - size + 1)}
            self._stretches.setdefault(size, set()).update(parts)
        elif size:
            self._words.append(re.compile(rf"(?<!\w){re.escape(form)}(?!\w)"))


def _one_line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.strip()
    kept = (" " if unicodedata.category(sign) in _UNSEEN else sign for sign in text)
    return " ".join("".join(kept).split())


def _encoded(username: str, secret: str) -> Iterator[str]:
    """The forms in which a secret goes over the wire, and is echoed."""
    whole = (
        secret,
        f"\0{username}\0{secret}",
        f"user={username}\1auth=Bearer {secret}\1\1",
    )
    for text in whole:
        yield b64encode(text.encode("utf-8", "surrogateescape")).decode()


def _without(text: str, size: int, stretches: set[str]) -> str:
    """`text` without every stretch of `size` characters that is one of `stretches`."""
    starts = [i for i in range(len(text) - size + 1) if text[i : i + size] in stretches]
    if not starts:
        return text
    covered = bytearray(len(text))
    for start in starts:
        covered[start : start + size] = b"\1" * size
    kept = ("\1" if hidden else sign for sign, hidden in zip(text, covered, strict=True))
    return re.sub("\1+", HIDDEN, "".join(kept))
