"""What a kind of store is, what every store offers, and what they have in common."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.redact import Redactor
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings_types import CredentialSource, Prefix, Section

T = TypeVar("T")


class StoredSecret(NamedTuple):
    """What a store holds under a name: one text, or several by key; and its version, if any.

    Whether a text can be a password at all is checked later, for all stores alike.
    """

    content: Secret | Mapping[str, Secret]
    version: str | None = None


class Store(ABC):
    """A place that secrets are read from. Its methods are called from several threads at once."""

    @abstractmethod
    def fetch(self, name: str, version: int | None, seconds: float) -> StoredSecret:
        """Read what is under `name`, within about `seconds`.

        Raises:
            Failure: there is nothing, or it cannot be read.
        """

    def newest(self, _name: str, _seconds: float) -> str | None:
        """The newest version under `name`, without reading it; None where there are no versions.

        Raises:
            Failure: as for `fetch`.
        """
        return None

    def close(self) -> None:  # noqa: B027 - most stores keep nothing open
        """Close connections."""


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
    """A value that is made when it is first needed. If that fails, it is not tried again."""

    def __init__(self, make: Callable[[float], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: T | Failure | None = None

    def get(self, seconds: float) -> T:
        """The value; the first caller makes it, within `seconds`.

        Raises:
            Failure: what making it raised.
        """
        with self._lock:
            if self._made is None:
                try:
                    self._made = self._make(seconds)
                except Failure as failure:
                    self._made = failure
            if isinstance(self._made, Failure):
                raise self._made
            return self._made

    def made(self) -> T | None:
        """The value, if it has been made."""
        return None if isinstance(self._made, Failure) else self._made


def decoded(data: bytes) -> Secret:
    """`data` as a secret; an empty one if it is not UTF-8, as the error would carry the data."""
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
    errors: list[BaseException] = []
    while error is not None and error not in errors:
        errors.append(error)
        error = error.__cause__ or error.__context__
    return reversed(errors)
