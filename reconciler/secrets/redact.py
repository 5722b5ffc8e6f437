"""The last line of defence: known secrets are taken out of whatever is about to be written."""

from __future__ import annotations

import io
import json
import logging
import quopri
import re
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from html import escape
from typing import NamedTuple, TextIO
from urllib.parse import quote, quote_plus

from reconciler.secrets.secret import Secret

MASK = "***"
LONGEST_LINE = 400
"""Characters that are shown of what a server says."""
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
_ENOUGH, _ENOUGH_ENCODED = 12, 8
"""A part of a secret that is this long gives it away; a shorter one may be a plain word."""
SHORTEST = 4
"""Characters; anything shorter would match everywhere."""
_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9_.~-]+")
"""What every way of quoting and escaping leaves as it is."""
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_BEARER = re.compile(r"(?i)\b(bearer|auth=bearer)\s+\S+")


class Redactor:
    """Knows secrets, and finds them in texts."""

    def __init__(self) -> None:
        self._seen: Counter[_Spelling] = Counter()
        self._by_start: dict[str, list[_Spelling]] = {}
        self._parts: dict[int, set[str]] = {}
        self._words: list[re.Pattern[str]] = []

    def add(self, secret: Secret) -> None:
        """Take this secret out of all texts from now on, unless it is shorter than 4 characters."""
        for spelling in _told(secret):
            if not self._seen[spelling]:
                self._by_start.setdefault(spelling.text[:SHORTEST], []).append(spelling)
            self._seen[spelling] += 1

    def add_parts(self, secret: str, username: str) -> None:
        """Take out parts of this secret too, as it is and as a login sends it, however short it is.

        It is for what a server says, which may repeat a part of what it was sent.
        """
        for text, enough in ((secret, _ENOUGH), *_sent(username, secret)):
            size = min(len(text), enough)
            if size >= SHORTEST:
                self._parts.setdefault(size, set()).update(_slices(text, size))
            elif size:
                self._words.append(re.compile(rf"(?<!\w){re.escape(text)}(?!\w)"))

    def forget(self, secret: Secret) -> None:
        """Undo one `add`, so that a long run need not know the secrets of what is long over."""
        for spelling in _told(secret):
            self._seen[spelling] -= 1
            if not self._seen[spelling]:
                del self._seen[spelling]
                start = spelling.text[:SHORTEST]
                self._by_start[start].remove(spelling)
                if not self._by_start[start]:
                    del self._by_start[start]

    def redact(self, text: str) -> str:
        """`text` with a mask in place of every secret in it."""
        pieces: list[str] = []
        done = 0
        for begin, end in sorted(self._stretches(text)):
            if begin > done or not pieces:
                pieces += [text[done:begin], MASK]
            done = max(done, end)
        redacted = "".join((*pieces, text[done:]))
        for word in self._words:
            redacted = word.sub(MASK, redacted)
        return redacted

    def line(self, text: str) -> str:
        """What a server said, fit to be shown and kept: one line, not too long, and no secret."""
        said = self.redact(_BEARER.sub(rf"\1 {MASK}", _one_line(text[: LONGEST_LINE * 4])))
        return said if len(said) <= LONGEST_LINE else said[: LONGEST_LINE - 1] + "…"

    def _stretches(self, text: str) -> Iterator[tuple[int, int]]:
        """Where secrets begin and end; they may overlap."""
        for start in range(len(text) - SHORTEST + 1 if self._seen else 0):
            for spelling in self._by_start.get(text[start : start + SHORTEST], ()):
                if text.startswith(spelling.text, start):
                    yield _whole(text, start, start + len(spelling.text), spelling)
        for size, parts in self._parts.items():
            for start, part in enumerate(_slices(text, size)):
                if part in parts:
                    yield start, start + size


def _slices(text: str, size: int) -> Iterator[str]:
    """Every part of a text that has this size."""
    return (text[start : start + size] for start in range(len(text) - size + 1))


class _Spelling(NamedTuple):
    """A text that gives a secret away."""

    text: str
    base64: bool = False
    """Whether the characters beside it hold the rest of its first and last byte."""


def _told(secret: Secret) -> set[_Spelling]:
    """The spellings of a secret that are long enough to be taken out."""
    return {item for item in _spellings(secret.reveal()) if len(item.text) >= SHORTEST}


def _spellings(value: str) -> Iterator[_Spelling]:
    """Every spelling of `value`, and of each of its lines; some are short, some come twice."""
    for text in {value, *re.split(r"[\r\n]+", value)}:
        if len(text) >= SHORTEST:
            data = text.encode("utf-8", "surrogatepass")
            yield from map(_Spelling, (text, data.hex(), data.hex().upper()))
            if not _NEVER_ESCAPED.fullmatch(text):
                yield from map(_Spelling, (*_escaped(text), *_encoded(data)))
            yield from (_Spelling(part, base64=True) for part in _base64(data))


def _escaped(text: str) -> Iterator[str]:
    yield from (text.replace("'", "''"), repr(text)[1:-1], escape(text), escape(text, quote=False))
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


def _whole(text: str, start: int, end: int, spelling: _Spelling) -> tuple[int, int]:
    """A stretch with the neighbours that hold the rest of the secret's first and last byte."""
    if not spelling.base64:
        return start, end
    return start - (text[start - 1 : start] in _BASE64), end + (text[end : end + 1] in _BASE64)


def _sent(username: str, secret: str) -> Iterator[tuple[str, int]]:
    """What logins send of a secret, and how long a part of that gives it away."""
    sasl = (secret, f"\0{username}\0{secret}", f"user={username}\1auth=Bearer {secret}\1\1")
    for text in sasl:
        yield b64encode(text.encode("utf-8", "surrogateescape")).decode(), _ENOUGH_ENCODED


def _one_line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.strip()
    kept = (" " if unicodedata.category(sign) in _UNSEEN else sign for sign in text)
    return " ".join("".join(kept).split())


class RedactingFilter(logging.Filter):
    """Takes secrets out of log records, tracebacks included; it belongs on the handlers."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record, and let it pass."""
        try:
            record.msg = record.getMessage()
        except Exception:  # noqa: BLE001 - whatever the arguments do: a log record never fails
            record.msg = str(record.msg)
        record.args = None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        for name, value in vars(record).items():
            if isinstance(value, str):
                setattr(record, name, self._redactor.redact(value))
        return True


class RedactingStream(io.TextIOBase):
    """A text stream without secrets. A line is written when it is whole, or at `flush`."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream = stream
        self._redactor = redactor
        self._pending = ""

    @property
    def encoding(self) -> str:  # type: ignore[override] # a plain attribute in typeshed
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def write(self, text: str) -> int:
        """Take `text`; whole lines are written at once."""
        lines, newline, self._pending = (self._pending + text).rpartition("\n")
        if newline:
            self._stream.write(self._redactor.redact(lines + newline))
        return len(text)

    def flush(self) -> None:
        """Write what is pending, even half a line."""
        if self._pending:
            self._stream.write(self._redactor.redact(self._pending))
            self._pending = ""
        self._stream.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()
