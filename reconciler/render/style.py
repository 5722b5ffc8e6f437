"""What keeps hostile text harmless on a terminal, and the little colour there is."""

from __future__ import annotations

import re

_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]"
)
_COLOURS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36, "bold": 1, "dim": 2}


def clean(text: object) -> str:
    """`text` with everything that a terminal would act on spelled out."""
    return _HARMFUL.sub(lambda match: f"\\u{ord(match.group()):04x}", str(text))


def one_line(text: object) -> str:
    """`clean`, and without line ends."""
    return clean(str(text).replace("\r", "\\r").replace("\n", "\\n").replace("\t", " "))


class Style:
    """Colours a text, or leaves it as it is."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colour else text


PLAIN = Style(colour=False)
