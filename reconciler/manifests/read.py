"""YAML bytes → plain values, exactly as written.

A scalar stays the text that is in the file; its meaning is decided by the type that it is validated
as. This is the fast path for files without mistakes, which keeps no positions. It raises `Suspect`
for whatever is refused, and `positions` then finds out what, where, and what else.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls, but for tab and line ends
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # overrides of the writing direction
    "\u2028\u2029\ufeff"  # line ends of other standards, a byte order mark inside
    "\ud800-\udfff\ufffe\uffff]"  # lone surrogates, and what is no character at all
)
_HARMLESS_ASCII = bytes([*range(0x20, 0x7F), 0x09, 0x0A, 0x0D])
_BOM = b"\xef\xbb\xbf"


class ReadLimits(NamedTuple):
    """How large one manifest may be; the settings can raise it."""

    file_bytes: int = 4 * 1024 * 1024
    scalar_bytes: int = 64 * 1024
    depth: int = 64


class Suspect(Exception):  # noqa: N818 - not an error yet: `positions` decides
    """The file contains something that the fast path does not read."""


class Quoted(str):
    """A short scalar in quotes: text, even where it spells `true`, `null` or a number."""

    __slots__ = ()


QUOTED_LENGTH = 8
"""The longest quoted scalar, in characters, that could be mistaken for another type."""


def has_forbidden(data: bytes, text: str) -> bool:
    """Whether the file contains a character that no manifest may contain."""
    if text.isascii():
        return bool(data.translate(None, _HARMLESS_ASCII))
    return FORBIDDEN.search(text, 1 if data.startswith(_BOM) else 0) is not None


def read(data: bytes, limits: ReadLimits) -> Any:
    """The one document of `data` as dicts, lists and texts; `Suspect` if anything is refused."""
    try:
        if len(data) > limits.file_bytes or has_forbidden(data, data.decode()):
            raise Suspect
        loader = Loader(data)
        try:
            careful = b"\\" in data or len(data) > limits.scalar_bytes
            documents = _documents(loader.get_event, limits, careful=careful)
        finally:
            loader.dispose()
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise Suspect from error
    if not documents:
        raise Suspect
    return documents[0]


# One flat loop: every call it makes would be made a million times on a large estate.
def _documents(get_event: Any, limits: ReadLimits, *, careful: bool) -> list[Any]:  # noqa: C901, PLR0912
    documents: list[Any] = []
    container, in_list = documents, True
    key: Any = None
    parents: list[tuple[Any, bool]] = []
    while (kind := type(event := get_event())) is not StreamEndEvent:
        if kind is ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                raise Suspect
            value = event.value
            if event.style and len(value) <= QUOTED_LENGTH:
                value = Quoted(value)
            if careful and (FORBIDDEN.search(value) or len(value.encode()) > limits.scalar_bytes):
                raise Suspect
            if key is None and not in_list:
                if value in container or (value == "<<" and not event.style):
                    raise Suspect
                key = value
                continue
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.anchor is not None or event.tag is not None or len(parents) >= limits.depth:
                raise Suspect
            if key is None and not in_list:
                raise Suspect
            value = {} if kind is MappingStartEvent else []
        else:
            if kind is MappingEndEvent or kind is SequenceEndEvent:
                container, in_list = parents.pop()
            elif kind is AliasEvent or (kind is DocumentStartEvent and documents):
                raise Suspect
            continue
        if in_list:
            container.append(value)
        else:
            container[key], key = value, None
        if kind is not ScalarEvent:
            parents.append((container, in_list))
            container, in_list = value, kind is SequenceStartEvent
    return documents
