"""Signatures of plans: whoever has the plan key has made them, and nobody else."""

from __future__ import annotations

import hmac
from typing import NoReturn

from reconciler.diagnostics.problem import Failure

SHORTEST_KEY = 32
_KIND = "hmac-sha256:"
_WHAT_FOR = b"reconciler plan 1\x00"
"""Keeps a signature of a plan from being one of anything else under the same key."""


class PlanKey:
    """A key that plans are signed with. Nothing shows it, and it cannot be saved."""

    __slots__ = ("_key",)

    def __init__(self, text: bytes, source: str) -> None:
        """`source` is where it comes from; white space around it does not count.

        Raises:
            Failure: it is too short.
        """
        self._key = text.strip()
        if len(self._key) < SHORTEST_KEY:
            raise Failure.of("MBX650", source=source, least=SHORTEST_KEY)

    def __repr__(self) -> str:
        return "PlanKey(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(repr(self))

    def sign(self, digest: str) -> str:
        """The signature of the plan with this digest."""
        return _KIND + hmac.new(self._key, _WHAT_FOR + digest.encode(), "sha256").hexdigest()

    def has_signed(self, digest: str, signature: str) -> bool:
        """Whether it is the signature of the plan with this digest."""
        theirs = signature.encode(errors="surrogatepass")
        return hmac.compare_digest(self.sign(digest).encode(), theirs)
