"""Two texts → what differs, in the form that Git shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile

from reconciler.render.style import Style, one_line

_CONTEXT = 3
_EXACT = 2000
"""Up to how many lines the shortest difference is looked for; beyond, it would take minutes."""


def lines(before: str, after: str, names: tuple[str, str], style: Style) -> Iterator[str]:
    """The lines of the difference; `names` are those of the two texts."""
    old, new = before.splitlines(), after.splitlines()
    yield style(f"--- {one_line(names[0])}", "red")
    yield style(f"+++ {one_line(names[1])}", "green")
    start = max(_alike(old, new) - _CONTEXT, 0)
    end = max(_alike(old[:start:-1], new[:start:-1]) - _CONTEXT, 0)
    one, other = (text[start : len(text) - end] for text in (old, new))
    matcher = SequenceMatcher(None, one, other, autojunk=max(len(one), len(other)) > _EXACT)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        spans = (
            _span(start + first[1], last[2] - first[1]),
            _span(start + first[3], last[4] - first[3]),
        )
        yield style(f"@@ -{spans[0]} +{spans[1]} @@", "cyan")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from _marked(" ", one[i1:i2])
            else:
                yield from (style(line, "red") for line in _marked("-", one[i1:i2]))
                yield from (style(line, "green") for line in _marked("+", other[j1:j2]))


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines from the first on are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _marked(sign: str, lines: Sequence[str]) -> Iterator[str]:
    return (sign + one_line(line) for line in lines)


def _span(start: int, length: int) -> str:
    """Where a stretch begins, counted from 1, and how long it is."""
    begin = start + 1 if length else start
    return str(begin) if length == 1 else f"{begin},{length}"
