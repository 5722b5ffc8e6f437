"""Rows as aligned columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from reconciler.diagnostics.words import _
from reconciler.render.style import Style


def table(headers: Iterable[str], rows: Iterable[Sequence[str]], style: Style) -> Iterator[str]:
    """A line of headers, translated here, and one for each row; none at all without rows."""
    head, *body = lines = [tuple(map(_, headers)), *rows]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    if body:
        yield style(_aligned(head, widths), "bold")
        yield from (_aligned(cells, widths) for cells in body)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(cells, widths, strict=True)
    return "  ".join(cell + " " * (width - _width(cell)) for cell, width in pairs).rstrip()


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))
