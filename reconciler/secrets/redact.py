"""The last line of defence: known secrets are taken out of whatever is about to be written."""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterator
from typing import TextIO

from reconciler.secrets.secret import Secret
from reconciler.secrets.spellings import SHORTEST, Spelling, spellings

MASK = "***"
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


class Redactor:
    """Knows secrets, and finds them in texts."""

    def __init__(self) -> None:
        self._seen: Counter[Spelling] = Counter()
        self._by_start: dict[str, list[Spelling]] = {}

    def add(self, secret: Secret) -> None:
        """Take this secret out of all texts from now on, unless it is shorter than 4 characters."""
        for spelling in _told(secret):
            if not self._seen[spelling]:
                self._by_start.setdefault(spelling.text[:SHORTEST], []).append(spelling)
            self._seen[spelling] += 1

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
        return "".join((*pieces, text[done:]))

    def _stretches(self, text: str) -> Iterator[tuple[int, int]]:
        """Where secrets begin and end; they may overlap."""
        for start in range(len(text) - SHORTEST + 1 if self._seen else 0):
            for spelling in self._by_start.get(text[start : start + SHORTEST], ()):
                if text.startswith(spelling.text, start):
                    yield _whole(text, start, start + len(spelling.text), spelling)


def _told(secret: Secret) -> set[Spelling]:
    return {item for item in spellings(secret.reveal()) if len(item.text) >= SHORTEST}


def _whole(text: str, start: int, end: int, spelling: Spelling) -> tuple[int, int]:
    """A stretch with the neighbours that hold the rest of the secret's first and last byte."""
    if not spelling.base64:
        return start, end
    return start - (text[start - 1 : start] in _BASE64), end + (text[end : end + 1] in _BASE64)


class RedactingFilter(logging.Filter):
    """Takes secrets out of log records, tracebacks included; it belongs on the handlers."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor
        self._formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without secrets."""
        try:
            record.msg = record.getMessage()
        except Exception:  # noqa: BLE001 - whatever the arguments do: a log record never fails
            record.msg = str(record.msg)
        record.args = None
        if record.exc_info:
            record.exc_text = self._formatter.formatException(record.exc_info)
            record.exc_info = None
        for name, value in vars(record).items():
            if isinstance(value, str):
                setattr(record, name, self._redactor.redact(value))
        return True


class RedactingStream(io.TextIOBase):
    """A text stream without secrets. A line goes out when it is whole, or at `flush`."""

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
        """Take `text`; whole lines go on at once."""
        lines, newline, self._pending = (self._pending + text).rpartition("\n")
        if newline:
            self._stream.write(self._redactor.redact(lines + newline))
        return len(text)

    def flush(self) -> None:
        """Send on what there is, be it half a line."""
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
