"""What every store of secrets offers, and what they have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.secret import Secret

T = TypeVar("T")


class Document(NamedTuple):
    """What a store holds under a name: one text, or several by key; and which version that is.

    Whether a text can be a password at all is looked at later, for all stores alike.
    """

    content: Secret | Mapping[str, Secret]
    version: str | None = None


class Store(Protocol):
    """A place that secrets are read from. Its methods are called from several threads at once."""

    def fetch(self, name: str, version: int | None, seconds: float) -> Document:
        """What is under `name`, within about `seconds`.

        Raises:
            Failure: it is not there, or could not be had.
        """

    def newest(self, name: str, seconds: float) -> str | None:
        """Which version is under `name` now, without reading it; None where there are none.

        Raises:
            Failure: as for `fetch`.
        """

    def close(self) -> None:
        """Let go of connections."""


class Once(Generic[T]):
    """Makes a value when it is first asked for, and then gives out that value, or that failure."""

    def __init__(self, make: Callable[[float], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: T | None = None
        self._failure: Failure | None = None

    def get(self, seconds: float) -> T:
        """The value; whoever comes first makes it, in `seconds`.

        Raises:
            Failure: what making it raised.
        """
        with self._lock:
            if self._failure:
                raise self._failure
            if self._made is None:
                self._made = self._attempt(seconds)
            return self._made

    def _attempt(self, seconds: float) -> T:
        try:
            return self._make(seconds)
        except Failure as failure:
            self._failure = failure
            raise

    def made(self) -> T | None:
        """The value, if there is one by now."""
        return self._made


def decoded(data: bytes) -> Secret:
    """`data` as a secret; an empty one for what is no text, as its error would carry the data."""
    try:
        return Secret(data.decode())
    except UnicodeDecodeError:
        return Secret("")


def reason(error: BaseException) -> str:
    """Why a connection failed, in the words of the system; nothing that was sent is in it."""
    import ssl  # noqa: PLC0415 - the settings need this module, and few need that one

    for inner in _chain(error):
        if isinstance(inner, ssl.SSLCertVerificationError):
            return inner.verify_message
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
    return type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what led to it, the root first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return reversed(found)
