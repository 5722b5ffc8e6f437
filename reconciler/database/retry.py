"""Trying again what others got in the way of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import uniform

TRIES = 6
"""How often a transaction is begun that others keep getting in the way of."""


def attempts(tries: int = TRIES, pause: tuple[float, float] = (0, 0.2)) -> Iterator[int]:
    """How many attempts are left after each one, with a pause before each but the first.

    The pause is some time between the two given, in seconds, so that two do not try in step.
    """
    for left in range(tries - 1, -1, -1):
        yield left
        if left:
            time.sleep(uniform(*pause))  # noqa: S311 - no secret
