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

SHORT = "ref+"
"""How every reference in one line begins."""
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
FILE = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$"
_STEP = r"[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]*"
PATH = rf"^{_STEP}(?:/{_STEP})*$"
AWS_NAME = rf"^/?{_STEP}(?:/{_STEP})*$"
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


class Form(NamedTuple):
    """How the references of a store are written."""

    scheme: str
    """In one line, between `ref+` and `://`."""
    example: str
    """What follows there."""
    name: re.Pattern[str]
    word: str | None = None
    """What a manifest calls the name, where it has a key beside it."""
    key_needed: bool = False
    versions: bool = False


FORMS = {
    "env": Form("env", "NAME", re.compile(VARIABLE)),
    "file": Form("file", "name", re.compile(FILE)),
    "vault": Form("vault", "path?version=1#/key", re.compile(PATH), "path", True, True),
    "aws": Form("awssecrets", "name#/key", re.compile(AWS_NAME), "name"),
}
"""By the name of the store, which is also the key in a manifest."""
_SCHEMES = {form.scheme: store for store, form in FORMS.items()}
_PARTS = re.compile(
    r"(?P<name>[^?#]+)"
    r"(?:\?version=(?P<version>[^?#]+))?"
    r"(?:#/(?P<key>[^?#]+)(?:\?version=(?P<late>[^?#]+))?)?"
)
_KEY = re.compile(KEY)
_VERSION = re.compile(VERSION)


class BadReferenceError(ValueError):
    """What was written is no reference. It may be a secret, so it is not repeated."""

    def __init__(self, store: str | None) -> None:
        self.form = ", ".join(_shorts([store] if store else list(FORMS)))
        super().__init__(f"the form is {self.form}")


def _shorts(stores: list[str]) -> list[str]:
    return [f"{SHORT}{FORMS[store].scheme}://{FORMS[store].example}" for store in stores]


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
    return _parse(store if store in FORMS else None, rest)


def _parse(store: str | None, rest: str) -> Reference:
    parts = _PARTS.fullmatch(rest)
    if store is None or parts is None or (parts["version"] and parts["late"]):
        raise BadReferenceError(store)
    name, key, version = parts["name"], parts["key"], parts["version"] or parts["late"]
    if not _fits(FORMS[store], name, key, version):
        raise BadReferenceError(store)
    return Reference(store, name, key, int(version) if version else None)


def _fits(form: Form, name: str, key: str | None, version: str | None) -> bool:
    if (key and not form.word) or (form.key_needed and not key) or (version and not form.versions):
        return False
    if len(name) > LONGEST:
        return False
    return all(
        pattern.fullmatch(part)
        for pattern, part in ((form.name, name), (_KEY, key), (_VERSION, version))
        if part is not None
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
    word = FORMS[store].word
    if word is None:
        return {store: name}
    parts = {word: name, "key": key, "version": str(version) if version else None}
    return {store: {part: text for part, text in parts.items() if text is not None}}
