"""Rows → plain data: the one form they have in plan files and in the ledger."""

from __future__ import annotations

import json
from functools import lru_cache, partial
from json.encoder import encode_basestring
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from reconciler.model.state import KINDS, Link, Origins, Row

TYPES: dict[str, type[Row]] = {kind: row for row, kind in KINDS.items()}
_TEMPLATES = {
    row: "{" + ",".join(f'"{name}":%s' for name in row._fields) + "}" for row in TYPES.values()
}
"""A JSON template of each kind of row, with `%s` for each value."""
_KEYS = frozenset({"id", "cnpj", "root", "host", "protocol", "stable_id"})


def plain(row: Row) -> dict[str, Any]:
    """The fields of a row as JSON can hold them."""
    data = row._asdict()
    for name, value in data.items():
        if isinstance(value, Origins):
            data[name] = value._asdict()
        elif isinstance(value, tuple):
            data[name] = list(value)
    return data


def text(row: Row | None) -> str | None:
    """The row as one line of JSON; None for no row."""
    if row is None:
        return None
    return _link_text(row) if isinstance(row, Link) else _dumped(row)


def _dumped(row: Row) -> str:
    """The same text as `json.dumps(plain(row))`, in a third of the time."""
    return _TEMPLATES[type(row)] % tuple(
        [encode_basestring(value) if type(value) is str else _other(value) for value in row]
    )


@lru_cache(maxsize=1 << 12, typed=True)
def _other(value: Any) -> str:
    """The value of a field as JSON; cached, since the same few values recur."""
    data = value._asdict() if isinstance(value, Origins) else value
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def row(kind: str, text: str | None) -> Row | None:
    """The row that `text` wrote; None for no row, and for a field missing from it.

    Raises:
        ValueError: it is no JSON object.
    """
    if text is None:
        return None
    return _link(text) if kind == "link" else _parsed(kind, text)


def _parsed(kind: str, text: str) -> Row:
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError(kind)  # noqa: TRY004 - of the text, not of a type
    type_ = TYPES[kind]
    values = map(data.get, type_._fields)
    return type_._make(
        [_compound(value) if isinstance(value, dict | list) else value for value in values]
    )


def _compound(value: dict[str, Any] | list[Any]) -> Origins | tuple[Any, ...]:
    if isinstance(value, dict):
        return Origins._make(map(value.get, Origins._fields))
    return tuple(value)


class Readable(NamedTuple):
    """As much of a row as can be read; a field that cannot is None, and the row not `whole`."""

    row: Row | None
    whole: bool


@lru_cache(maxsize=1 << 12)
def readable(kind: str, document: str | None) -> Readable | None:
    """What can be read of a text that anybody may have written; None where it is of no row."""
    try:
        read = row(kind, document)
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if read is None:
        return Readable(None, whole=True)
    values: tuple[Any, ...] = read
    strange, compound = _odd_fields(kind, tuple(map(type, values)))
    strange = strange.union(
        read._fields[place]
        for place in compound
        if any(type(item) is not str for item in values[place])
    )
    if _KEYS & strange:
        return None
    none: dict[str, Any] = dict.fromkeys(strange)
    return Readable(read._replace(**none) if strange else read, whole=not strange)


@lru_cache
def _odd_fields(kind: str, types: tuple[type, ...]) -> tuple[frozenset[str], tuple[int, ...]]:
    """The fields that may not have a value of their type, and the places of those with items."""
    strange = set()
    for (name, hint), type_ in zip(get_type_hints(TYPES[kind]).items(), types, strict=True):
        options = get_args(hint) if NoneType in get_args(hint) else (hint,)
        if type_ not in [get_origin(option) or option for option in options]:
            strange.add(name)
    places = (place for place, type_ in enumerate(types) if issubclass(type_, tuple))
    return frozenset(strange), tuple(places)


def differing(*rows: Row | None) -> tuple[str, ...]:
    """For each row, the fields in which the rows differ, as text; a dash for no row."""
    documents = [plain(row) if row is not None else {} for row in rows]
    different = [
        name
        for name in sorted(set().union(*documents))
        if len({repr(fields.get(name)) for fields in documents if fields}) > 1
    ]
    return tuple(_fields(fields, different) if fields else "–" for fields in documents)


def _fields(fields: dict[str, Any], names: list[str]) -> str:
    shown = {name: fields[name] for name in names if name in fields}
    return json.dumps(shown, ensure_ascii=False) if shown else "{…}"


_link_text = lru_cache(maxsize=1 << 12)(_dumped)
_link = lru_cache(maxsize=1 << 12)(partial(_parsed, "link"))
