"""References: where a secret is, in the forms that manifests and the database have for it.

| in a manifest | in one line, `ref+` and | in the database |
|---|---|---|
| `{env: NAME}` | `env://NAME` | `env:NAME` |
| `{file: name}` | `file://name` | `file:name` |
| `{vault: {path: a/b, key: c, version: 7}}` | `vault://a/b?version=7#/c` | `vault:` and the same |
| `{aws: {name: a/b, key: c}}` | `awssecrets://a/b#/c` | `aws:` and the same |

Nothing is ever escaped: each part has an alphabet that needs no escapes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from reconciler.secrets.stores.kinds import KINDS
from reconciler.secrets.stores.store import StoreKind

SHORT = "ref+"
"""How every reference in one line begins."""
LONGEST = 200
"""How many characters a name may have."""
KEY = r"^[A-Za-z0-9._-]{1,64}$"
VERSION = r"^[1-9][0-9]{0,8}$"


class Reference(NamedTuple):
    """A name in a store; in some stores also a key below that name, and a version of it."""

    store: str
    name: str
    key: str | None = None
    version: int | None = None


_SCHEMES = {kind.scheme: store for store, kind in KINDS.items()}
_PARTS = re.compile(
    r"(?P<name>[^?#]+)"
    r"(?:\?version=(?P<version>[^?#]+))?"
    r"(?:#/(?P<key>[^?#]+)(?:\?version=(?P<late>[^?#]+))?)?"
)


class BadReferenceError(ValueError):
    """What was written is no reference. It may be a secret, so it is not repeated."""

    def __init__(self, store: str | None) -> None:
        kinds = [KINDS[store]] if store else KINDS.values()
        self.form = ", ".join(f"{SHORT}{kind.scheme}://{kind.example}" for kind in kinds)
        super().__init__(f"the form is {self.form}")


def from_short(text: str) -> Reference:
    """The reference that is written in one line, as in `ref+vault://path?version=7#/key`.

    Raises:
        BadReferenceError: it is none; `form` says how they are written.
    """
    scheme, _, rest = text.removeprefix(SHORT).partition("://")
    store = _SCHEMES.get(scheme) if text.startswith(SHORT) else None
    return _parse(store, rest)


def from_text(text: str) -> Reference:
    """The reference that the database keeps as `text`.

    Raises:
        BadReferenceError: it is none.
    """
    store, _, rest = text.partition(":")
    return _parse(store if store in KINDS else None, rest)


def _parse(store: str | None, rest: str) -> Reference:
    parts = _PARTS.fullmatch(rest)
    if store and parts and not (parts["version"] and parts["late"]):
        name, key, version = parts["name"], parts["key"], parts["version"] or parts["late"]
        if _fits(KINDS[store], name, key, version):
            return Reference(store, name, key, int(version) if version else None)
    raise BadReferenceError(store)


def _fits(kind: StoreKind, name: str, key: str | None, version: str | None) -> bool:
    if (key and not kind.word) or (kind.key_needed and not key) or (version and not kind.versions):
        return False
    patterns = ((kind.pattern, name), (KEY, key), (VERSION, version))
    return len(name) <= LONGEST and all(
        part is None or re.fullmatch(pattern, part) for pattern, part in patterns
    )


def is_text(text: str) -> bool:
    """Whether `text` is just what the database keeps of some reference."""
    try:
        return to_text(from_text(text)) == text
    except BadReferenceError:
        return False


def to_text(reference: Reference) -> str:
    """The reference as the database keeps it, in at most 300 characters."""
    version = f"?version={reference.version}" if reference.version else ""
    key = f"#/{reference.key}" if reference.key else ""
    return f"{reference.store}:{reference.name}{version}{key}"


def to_mapping(reference: Reference) -> dict[str, str | dict[str, str]]:
    """The reference as a manifest has it, every value a text."""
    store, name, key, version = reference
    word = KINDS[store].word
    if word is None:
        return {store: name}
    parts = {word: name, "key": key, "version": str(version) if version else None}
    return {store: {part: text for part, text in parts.items() if text is not None}}
