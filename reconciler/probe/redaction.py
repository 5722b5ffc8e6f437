"""The server's own words, without the secrets it may have echoed."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator

HIDDEN = "***"
LONGEST = 400
_ENOUGH, _ENOUGH_ENCODED = 12, 8
"""A stretch of a secret that is this long gives it away; shorter ones may be plain words."""
_SHORT = 4
_BEARER = re.compile(r"(?i)\b(bearer|auth=bearer)\s+\S+")


def redacted(line: str, username: str, secrets: Iterable[str]) -> str:
    """`line` fit to be shown and kept: one line, not too long, and nothing of the secrets in it."""
    text = _BEARER.sub(r"\1 " + HIDDEN, _one_line(line[: LONGEST * 4]))
    for secret in secrets:
        text = _without(text, secret, _ENOUGH)
        for form in _encoded(username, secret):
            text = _without(text, form, _ENOUGH_ENCODED)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _one_line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.strip()
    kept = (
        " " if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") else sign for sign in text
    )
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


def _without(text: str, form: str, enough: int) -> str:
    """`text` without `form`, and without every stretch of it that is `enough` characters long."""
    size = min(len(form), enough)
    if not size or size > len(text):
        return text
    if size < _SHORT:
        return re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", HIDDEN, text)
    parts = {form[start : start + size] for start in range(len(form) - size + 1)}
    covered = bytearray(len(text))
    for start in range(len(text) - size + 1):
        if text[start : start + size] in parts:
            covered[start : start + size] = b"\1" * size
    kept = ("\1" if hidden else sign for sign, hidden in zip(text, covered, strict=True))
    return re.sub("\1+", HIDDEN, "".join(kept))
