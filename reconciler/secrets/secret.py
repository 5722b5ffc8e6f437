"""A secret in memory: it can be used and compared, but not shown or stored by mistake."""

from __future__ import annotations

import resource
import sys
from typing import NamedTuple, NoReturn

_PR_SET_DUMPABLE = 4


def harden() -> None:
    """No core file of this process, and on Linux no look into its memory for others of its user.

    Where the system does not offer one of these, the other still holds.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - not needed elsewhere

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


class Hidden:
    """A value that cannot be turned into text, copied or pickled.

    Its `repr` is always the same, so that it may stand in a traceback; `str` and `format` fail,
    rather than hand a mail server asterisks for a password.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()}>"

    def __str__(self) -> NoReturn:  # noqa: PLE0307 - that is the point
        self._refuse()

    def __format__(self, _form: str) -> NoReturn:
        self._refuse()

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be pickled or copied."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is neither shown nor copied")


class Secret(Hidden):
    """A password, token or the like."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment] # equal secrets would have equal ones

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for whoever is about to use it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        """Compare in a time that does not depend on how much is right."""
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac  # noqa: PLC0415 - the settings need this module, and none of them compares

        mine, theirs = (item.reveal().encode("utf-8", "surrogatepass") for item in (self, other))
        return hmac.compare_digest(mine, theirs)


class SealedField(NamedTuple):
    """A field of a row, for as long as that row exists."""

    database: str
    """The id that the database has."""
    table: str
    row: str
    """What never changes about the row: the number it has."""
    field: str


class SealedRow(NamedTuple):
    """One sealed field as the database holds it."""

    number: int
    """The number of its row; a rotation goes through the rows in this order."""
    where: SealedField
    sealed: str
    fingerprint: str | None
