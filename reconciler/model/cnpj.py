"""The CNPJ: a company's registration number.

Fourteen characters `[0-9A-Z]{12}[0-9]{2}`, letters included since July 2026 (IN RFB 2.229/2024):
eight of the root, four of the order, two check digits. Kept bare and in capitals, shown masked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import mul
from sys import intern

_BARE = re.compile(r"[0-9A-Z]{12}[0-9]{2}")
_MASKED = re.compile(r"([0-9A-Z]{2})\.([0-9A-Z]{3})\.([0-9A-Z]{3})/([0-9A-Z]{4})-([0-9]{2})")
_WEIGHTS = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


class CnpjError(ValueError):
    """Why a text is not a CNPJ: `shape`, or `digits` with the check digits it should end in."""

    def __init__(self, reason: str, expected: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.expected = expected


@lru_cache(maxsize=1 << 20)
def parse(text: str) -> str:
    """The bare CNPJ that `text` writes, with or without its mask.

    Raises:
        CnpjError: it does not have the shape of a CNPJ, or its check digits are wrong.
    """
    upper = text.upper() if text.isascii() else text
    masked = _MASKED.fullmatch(upper)
    bare = "".join(masked.groups()) if masked else upper
    if not _BARE.fullmatch(bare) or bare == "0" * 14:
        raise CnpjError("shape")
    expected = check_digits(bare[:12])
    if bare[12:] != expected:
        raise CnpjError("digits", expected)
    return intern(bare)


def check_digits(base: str) -> str:
    """The two check digits of the first twelve characters, as the RFB computes them."""
    first = _check_digit(base)
    return first + _check_digit(base + first)


def _check_digit(text: str) -> str:
    weights = _WEIGHTS[-len(text) :]
    total = sum(map(mul, text.encode(), weights)) - ord("0") * sum(weights)
    rest = total % 11
    return "0" if rest < 2 else str(11 - rest)


def root(cnpj: str) -> str:
    """The first eight characters: the same for a head office and its branches."""
    return cnpj[:8]


def masked(cnpj: str) -> str:
    """`12345678000195` as people read it: `12.345.678/0001-95`; anything else as it is."""
    if len(cnpj) != 14:
        return cnpj
    return f"{cnpj[:2]}.{cnpj[2:5]}.{cnpj[5:8]}/{cnpj[8:12]}-{cnpj[12:]}"
