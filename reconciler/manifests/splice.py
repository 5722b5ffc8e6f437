"""A text and the pieces of it that are to be replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LINE_END = re.compile(r"\r\n|\r|\n")


class SplicedText:
    """A text as it was read; all offsets are into that, however much is replaced."""

    def __init__(self, text: str) -> None:
        self.text = text
        first_end = _LINE_END.search(text)
        self.newline = first_end.group() if first_end else "\n"
        self.splices: list[tuple[int, int, str]] = []

    def result(self) -> str:
        """The text with all pieces replaced."""
        pieces, position = [], 0
        for start, end, text in sorted(self.splices, key=lambda splice: splice[:2]):
            assert position <= start, "two edits of the same place"
            pieces += [self.text[position:start], text]
            position = end
        return "".join([*pieces, self.text[position:]])

    def replace(self, start: int, end: int, text: str) -> None:
        self.splices.append((start, end, text))

    def insert(self, position: int, text: str) -> None:
        self.replace(position, position, text)

    def insert_lines(self, position: int, lines: Iterable[str]) -> None:
        """Put lines below the one that a position is on."""
        self.insert(self.line_end(position), "".join(self.newline + line for line in lines))

    def delete_lines(self, start: int, end: int) -> None:
        """Delete all lines from one position to another."""
        first, last = self.line_start(start), self.line_end(end)
        if ending := _LINE_END.match(self.text, last):
            last = ending.end()
        elif first:
            first -= 2 if self.text.endswith("\r\n", 0, first) else 1
        self.replace(first, last, "")

    def line_start(self, position: int) -> int:
        return max(self.text.rfind(end, 0, position) for end in "\r\n") + 1

    def line_end(self, position: int) -> int:
        """Where the line of a position ends, before the characters that end it."""
        end = _LINE_END.search(self.text, position)
        return end.start() if end else len(self.text)

    def indent(self, position: int) -> str | None:
        """What is before a position on its line, as long as that is blank."""
        before = self.text[self.line_start(position) : position]
        return None if before.strip() else before
