"""Plain values → YAML text, in the few shapes that manifests have.

A text is quoted exactly if some reader of YAML 1.1 or 1.2 could take it for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, Union

_BLOCK = re.compile(r"[^\W_](?:[\w .,;!?@/+()&'\"=%$*<>-]*[\w.,;!?@/+()&'\"=%$*<>-])?")
_FLOW = re.compile(r"[^\W_](?:[\w .;!@/+()&'\"=%$*<>-]*[\w.;!@/+()&'\"=%$*<>-])?")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_LIKE_A_NUMBER = re.compile(r"[0-9][-+.:_0-9a-fA-FoOnNtTxXzZ ]*")
"""Numbers of any base, dates and times."""


class Plain(str):
    """Written as it is: a number, a flag, a duration."""

    __slots__ = ()


class InQuotes(str):
    """Always written in quotes: a CNPJ."""

    __slots__ = ()


class Flow(NamedTuple):
    """A mapping or a list written on one line, in braces or brackets."""

    value: Mapping[str, Value] | list[Value]


class Noted(NamedTuple):
    """A value followed by a comment."""

    value: Value
    note: str


Value = Union[str, Flow, Noted, Mapping[str, "Value"], list["Value"]]  # noqa: UP007 - it is recursive


class Layout(NamedTuple):
    """How a file is laid out.

    `step` is how far the keys of a mapping are indented from its own key, `dash` how far the dashes
    of a list, in characters; `quoted` says that everything is in quotes, as in JSON.
    """

    step: int = 2
    dash: int = 2
    quoted: bool = False


LAYOUT = Layout()


@lru_cache(maxsize=1 << 16, typed=True)
def scalar(text: str, *, flow: bool = False, quoted: bool = False) -> str:
    """One value as it is written; with `flow`, inside braces or brackets."""
    if isinstance(text, Plain):
        return str(text)
    quoted = quoted or isinstance(text, InQuotes)
    fits = (_FLOW if flow else _BLOCK).fullmatch(text) and not _LIKE_A_NUMBER.fullmatch(text)
    if fits and not quoted and text.lower() not in _WORDS:
        return text
    if not text.isprintable() or '"' in text or "\\" in text:
        text = "".join(map(_escaped, text))
    return f'"{text}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == "\t":
        return "\\t"
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def flow(value: Value, layout: Layout = LAYOUT) -> str:
    """Any value on one line."""
    match value:
        case Noted() | Flow():
            return flow(value.value, layout)
        case str():
            return scalar(value, flow=True, quoted=layout.quoted)
        case list():
            return f"[{', '.join(flow(item, layout) for item in value)}]"
        case _:
            return f"{{{', '.join(pair(key, item, layout) for key, item in value.items())}}}"


def pair(key: str, value: Value, layout: Layout = LAYOUT) -> str:
    """A key and its value inside braces."""
    return f"{scalar(key, flow=True, quoted=layout.quoted)}: {flow(value, layout)}"


def mapping(
    items: Iterable[tuple[str, Value]], indent: int = 0, layout: Layout = LAYOUT
) -> Iterator[str]:
    """The lines of a mapping, without line ends."""
    for key, value in items:
        yield from entry(key, value, indent, layout)


def entry(key: str, value: Value, indent: int = 0, layout: Layout = LAYOUT) -> Iterator[str]:
    """The lines of a key with its value, without line ends."""
    head = f"{' ' * indent}{scalar(key, quoted=layout.quoted)}:"
    if isinstance(value, Noted):
        first, *rest = entry(key, value.value, indent, layout)
        yield f"{first}  # {value.note}"
        yield from rest
    elif isinstance(value, str):
        yield f"{head} {scalar(value, quoted=layout.quoted)}"
    elif isinstance(value, Flow) or not value:
        yield f"{head} {flow(value, layout)}"
    elif isinstance(value, list):
        yield head
        yield from items(value, indent + layout.dash, layout)
    else:
        yield head
        yield from mapping(value.items(), indent + layout.step, layout)


def items(values: Iterable[Value], indent: int = 0, layout: Layout = LAYOUT) -> Iterator[str]:
    """The lines of a list, without line ends; a mapping begins beside its dash."""
    for value in values:
        dash = f"{' ' * indent}- "
        if isinstance(value, str):
            yield dash + scalar(value, quoted=layout.quoted)
        elif isinstance(value, Mapping):
            lines = mapping(value.items(), indent + 2, layout)
            yield dash + next(lines)[indent + 2 :]
            yield from lines
        else:
            yield dash + flow(value, layout)
