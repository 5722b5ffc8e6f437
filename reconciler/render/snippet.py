"""The line that a problem is about, showing no more of it than the problem itself.

Keys are shown; every scalar is masked but the one at fault, and that one too where it may be a
secret. Comments are left out.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from reconciler.diagnostics.problem import Mark, Path
from reconciler.manifests.positions import Positions

MASK = "***"
_WIDTH = 160
_KEY = re.compile(r"\s*(?:- +)*(?:(?:\"[^\"]*\"|'[^']*'|[^\s:'\"#]+)\s*:(?=\s|$))?\s*")
_SECRET = frozenset({"password", "client_secret", "refresh_token"})
_UNPARSED = frozenset({"MBX101", "MBX102", "MBX103", "MBX104", "MBX111", "MBX118"})
_HIDDEN = frozenset({"MBX106", "MBX108", "MBX113", "MBX201", "MBX215", "MBX224"})


class Snippet(NamedTuple):
    """A masked line, and where in it the problem stands: two offsets, the end exclusive."""

    text: str
    start: int
    end: int


def snippet(positions: Positions, mark: Mark, code: str, path: Path) -> Snippet | None:
    """The line at `mark`, masked; None where the file has no such line."""
    if not 0 < mark.line <= len(positions.lines):
        return None
    line = positions.lines[mark.line - 1]
    if code in _UNPARSED or _cut_short(positions, mark.line):
        return _cut(_unparsed(line, mark))
    shown = None if code in _HIDDEN or _SECRET & set(path) else mark
    scalars = list(positions.scalars.get(mark.line, ()))
    if code == "MBX215":  # a key below may be the secret
        keys = positions.keys.items()
        below = [key for at, key in keys if at[: len(path)] == path and at != path]
        scalars += [key for key in below if key.line == mark.line]
    return _cut(_masked(line, mark, shown, scalars))


def _cut_short(positions: Positions, line: int) -> bool:
    """Whether the parser gave up before the end of this line."""
    known = next(reversed(positions.scalars), 0)
    return line >= known and any(problem.code in _UNPARSED for problem in positions.problems)


def _unparsed(line: str, mark: Mark) -> Snippet:
    """Mask by shape, where the parser has not come far enough to know the scalars."""
    key = _KEY.match(line)
    kept = key.end() if key else 0
    text = line[:kept] + (MASK if line[kept:].strip() else "")
    start = min(mark.column - 1, len(text))
    return Snippet(text, start, start + 1)


def _masked(line: str, mark: Mark, shown: Mark | None, scalars: list[Mark]) -> Snippet:
    out, position = "", 0
    start, end = None, 0
    for scalar in sorted(scalars):
        at_fault = scalar.column <= mark.column < max(scalar.end, scalar.column + 1)
        out += _without_comment(line[position : scalar.column - 1])
        if start is None and mark.column <= scalar.column - 1 and not at_fault:
            start = len(out) - (scalar.column - mark.column)  # the mark ends before the scalar
            end = start + mark.end - mark.column
        begin = len(out)
        out += line[scalar.column - 1 : scalar.end - 1] if at_fault and shown else MASK
        if at_fault:
            start, end = begin, len(out)
        position = scalar.end - 1
    rest = _without_comment(line[position:])
    if start is None:
        start = len(out) + max(mark.column - 1 - position, 0)
        end = start + max(mark.end - mark.column, 1)
    return Snippet(out + rest, start, max(min(end, len(out + rest)), start + 1))


def _without_comment(text: str) -> str:
    return re.sub(r"(^|\s)#.*", "", text)


def _cut(snippet: Snippet) -> Snippet:
    """At most the width of a screen, around the problem."""
    text, start, end = snippet
    if len(text) <= _WIDTH:
        return Snippet(text.rstrip() if start < len(text.rstrip()) else text, start, end)
    left = max(0, min(start - 40, len(text) - _WIDTH))
    text = text[left : left + _WIDTH]
    return Snippet(text, start - left, min(end - left, len(text)))
