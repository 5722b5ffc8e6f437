"""The ways in which a secret may be written: plain, quoted, escaped and encoded."""

from __future__ import annotations

import json
import quopri
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from html import escape
from typing import NamedTuple
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters; anything shorter would match everywhere."""
_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9_.~-]+")
"""What every way of quoting and escaping leaves as it is."""


class Spelling(NamedTuple):
    """A text that gives a secret away."""

    text: str
    base64: bool = False
    """Whether the characters beside it hold the rest of its first and last byte."""


def spellings(value: str) -> Iterator[Spelling]:
    """Every spelling of `value`, and of each of its lines; some are short, some come twice."""
    for text in {value, *re.split(r"[\r\n]+", value)}:
        if len(text) >= SHORTEST:
            data = text.encode("utf-8", "surrogatepass")
            yield from map(Spelling, (text, data.hex(), data.hex().upper()))
            if not _NEVER_ESCAPED.fullmatch(text):
                yield from map(Spelling, (*_escaped(text), *_encoded(data)))
            yield from (Spelling(part, base64=True) for part in _base64(data))


def _escaped(text: str) -> Iterator[str]:
    yield text.replace("'", "''")
    yield repr(text)[1:-1]
    yield escape(text)
    yield escape(text, quote=False)
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _encoded(data: bytes) -> Iterator[str]:
    yield repr(data)[2:-1]
    for written in (quote(data), quote(data, safe=""), quote_plus(data)):
        yield from (written, re.sub("%..", lambda match: match[0].lower(), written))
    yield quopri.encodestring(data).decode().replace("=\n", "")


def _base64(data: bytes) -> Iterator[str]:
    """What base64 makes of `data` for certain, with 0, 1 or 2 other bytes before its group."""
    for before in range(3):
        certain = slice(-(-before * 4 // 3), (before + len(data)) * 4 // 3)
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(before) + data).decode()[certain]
