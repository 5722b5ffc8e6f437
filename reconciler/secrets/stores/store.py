"""What a kind of store is, what every store offers, and what they have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.credential_source import CredentialSource
from reconciler.secrets.redact import Redactor
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings_types import Prefix, Section

T = TypeVar("T")


class StoredSecret(NamedTuple):
    """What a store holds under a name: one text, or several by key; and which version that is.

    Whether a text can be a password at all is looked at later, for all stores alike.
    """

    content: Secret | Mapping[str, Secret]
    version: str | None = None


class Store(Protocol):
    """A place that secrets are read from. Its methods are called from several threads at once."""

    def fetch(self, name: str, version: int | None, seconds: float) -> StoredSecret:
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


class StoreSection(Section):
    """The section of the settings about a store."""

    prefix: Prefix | None = None

    def credentials(self) -> Iterable[CredentialSource]:
        """Where the secrets are that the tool itself logs in to the store with."""
        return ()


Open = Callable[[Any, Mapping[str, str], Redactor], Store]
"""Opens a store from its section, with the environment; the redactor learns its credentials."""
TREE = r"[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]*(?:/[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]*)*$"
"""A path of names, none of which begins with a dot."""


@dataclass(frozen=True, slots=True)
class StoreKind:
    """All there is to say of a kind of store; `stores.kinds` registers it."""

    name: str
    """The key in manifests and settings, and how references begin in the database."""
    scheme: str
    """How they begin in one line, between `ref+` and `://`."""
    example: str
    """What follows there."""
    pattern: str
    """The regular expression that names fit."""
    description: str
    """Of the reference in a manifest, for editors."""
    section: type[StoreSection]
    open: Open
    set_up: bool = False
    """Whether it works without a section in the settings."""
    word: str | None = None
    """What a manifest calls the name, where it has a key beside it."""
    word_description: str = ""
    key_needed: bool = False
    key_description: str = ""
    versions: bool = False
    prefix: str | None = None
    """What a partner's names begin with. Without one the store is a tree, where the partner's id is
    one of the steps of the path: `…/acme/…`."""
    spelled: Callable[[str], str] = str
    """How a partner's id is spelled in `prefix`."""
    reserved: tuple[str, ...] = ()
    """Prefixes of what pipelines and the tool need; a partner of that name has no default."""
    own: str | None = None
    """The prefix of the tool's own secrets, which no partner may ever use."""


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
