"""Values from plain data, checked by the types of the model: what JSON holds is hostile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

Build = Callable[[Any], Any]
"""Makes a value from plain data, or raises a ValueError."""
_SCALARS = (bool, int, float, str, NoneType)
_LARGEST = 2**63
"""The bound of a 64-bit integer, the largest that a database column holds."""


@cache
def builder(hint: Any) -> Build:
    """What makes a value of this type from lists, texts, numbers, truth values and None.

    A named tuple or data class is the list of its fields, an enumeration its value, a time its ISO
    form in UTC.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (other,) = (item for item in arguments if item is not NoneType)
        build = builder(other)
        return lambda data: None if data is None else build(data)
    if origin is tuple:
        return _tuple(arguments)
    if names := _names(hint):
        hints = get_type_hints(hint)
        parts = _tuple(tuple(hints[name] for name in names))
        return lambda data: hint(*parts(data))
    return _scalar(hint, arguments)


def _scalar(hint: Any, possible: tuple[Any, ...]) -> Build:
    if possible:  # a literal
        return lambda data: _require(data, type(data) is str and data in possible)
    if hint is datetime:
        return _moment
    if hint is int:
        return lambda data: _require(data, type(data) is int and -_LARGEST <= data < _LARGEST)
    if issubclass(hint, Enum):
        return lambda data: hint(_require(data, type(data) is str))
    return lambda data: _require(data, type(data) is hint)


@cache
def lenient(hint: Any) -> Build:
    """The same for an observed row, whose fields may hold any scalar instead."""
    hints = get_type_hints(hint)
    strict = [builder(hints[name]) for name in _names(hint)]

    def made(data: Any) -> Any:
        pairs = zip(strict, _list(data), strict=True)
        return hint(*(item if type(item) in _SCALARS else build(item) for build, item in pairs))

    return made


def plain(value: Any) -> Any:
    """A value in the form that `builder` takes: the `default` of a JSON encoder."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return [getattr(value, name) for name in _names(type(value))]


def _names(hint: Any) -> tuple[str, ...]:
    """The fields of a named tuple or data class, in their order; none of another type."""
    return getattr(hint, "__match_args__", ())


def _tuple(hints: tuple[Any, ...]) -> Build:
    if hints[1:] == (...,):
        build = builder(hints[0])
        return lambda data: tuple(map(build, _list(data)))
    builds = tuple(map(builder, hints))

    def made(data: Any) -> tuple[Any, ...]:
        return tuple(build(item) for build, item in zip(builds, _list(data), strict=True))

    return made


def _list(data: Any) -> Any:
    return _require(data, type(data) is list)


def _moment(data: Any) -> datetime:
    moment = datetime.fromisoformat(_require(data, type(data) is str))
    if moment.tzinfo is None or moment.utcoffset():
        raise ValueError(data)
    return moment.astimezone(UTC)


def _require(data: Any, fits: bool) -> Any:
    if not fits:
        raise ValueError(data)
    return data
