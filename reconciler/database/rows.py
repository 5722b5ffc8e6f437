"""A row as the driver gives it → the value of `model` that it is, for everything that reads rows.

Read leniently: a strange row must still be readable, or it could never be repaired.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_type_hints

from sqlalchemy import ColumnElement

from reconciler.database.tables import company, host_profile, link, mail_server, partner
from reconciler.model.state import (
    Company,
    HostProfile,
    Link,
    MailServer,
    Origins,
    Partner,
    Row,
    called,
)

R = TypeVar("R", Partner, Company, HostProfile, MailServer, Link)
_TABLES = {
    Partner: partner,
    Company: company,
    HostProfile: host_profile,
    MailServer: mail_server,
    Link: link,
}
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _text(value: bytes) -> str:
    """Bytes as text; what is none begins with a sign that no manifest can say."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "\ufffd" + value.decode(errors="backslashreplace")


_AS_TEXT: dict[type, Callable[[Any], str]] = {bytes: _text, float: repr}


def flag(value: Any) -> bool | None:
    """A truth value as it counts in a query: SQLite lets any text stand for one, in which it looks
    for a number at the beginning.
    """
    if value is None or type(value) is bool:
        return value
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        number = _NUMBER.match(value)
        return number is not None and float(number[0]) != 0
    return bool(value)


def readable(values: Sequence[Any]) -> list[Any]:
    """Values with text for bytes and fractions, which SQLite takes in any column.

    No two different bytes become the same text, so that rows that they name stay apart.
    """
    fields = list(values)
    if not _AS_TEXT.keys().isdisjoint(map(type, fields)):
        for index, value in enumerate(fields):
            if as_text := _AS_TEXT.get(type(value)):
                fields[index] = as_text(value)
    return fields


def name_of(stable_id: Any, number: int) -> str:
    """What the server with this id is called; `number` is that of its row. See `model.called`."""
    if type(stable_id) is str and not stable_id.startswith("#"):
        return stable_id
    (text,) = readable([stable_id])
    return called(text, number)


def columns(kind: type[Row]) -> list[ColumnElement[Any]]:
    """The columns of a kind of row, in the order of its fields."""
    table = _TABLES[kind]
    return [table.c[name] for name in kind._fields]


def _reader(kind: Callable[..., R]) -> Callable[[Sequence[Any]], R]:
    """What makes a row of the values of `columns`; a server has its name in place of its id.

    What a column means follows from the type of its field.
    """
    hints = get_type_hints(kind)
    meanings = [
        (index, _MEANINGS[hint]) for index, hint in enumerate(hints.values()) if hint in _MEANINGS
    ]

    def read(values: Sequence[Any]) -> R:
        fields = readable(values)
        for index, meaning in meanings:
            fields[index] = meaning(fields[index])
        return kind(*fields)

    return read


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(sorted((text or "").split()))


_MEANINGS: dict[Any, Callable[[Any], Any]] = {
    str: str,
    bool: lambda value: bool(flag(value)),
    bool | None: flag,
    tuple[str, ...]: _words,
    Origins | None: Origins.parse,
}
read_partner = _reader(Partner)
read_company = _reader(Company)
read_host = _reader(HostProfile)
read_server = _reader(MailServer)
read_link = _reader(Link)
