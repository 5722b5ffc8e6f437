"""The types of single values, which decide what the text of a scalar means.

Each type either makes its value of the text or raises a `PydanticCustomError` whose type is the
code of the problem.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from reconciler.manifests.read import Quoted
from reconciler.model import cnpj as cnpjs
from reconciler.secrets import references
from reconciler.secrets.references import SHORT, BadReferenceError, from_short, is_text, to_text
from reconciler.secrets.stores.kinds import KINDS

T = TypeVar("T")

_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = frozenset({"null", "Null", "NULL", "~", ""})
_INTEGER = re.compile(r"0|[1-9][0-9]{0,8}")
ONE_LINE = r"^[^\r\n]*$"
_DURATION = re.compile(r"([1-9][0-9]{0,3})(s|m)")
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_EMAIL = re.compile(
    r"(?=.{1,64}@)[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24})"
)


def _flag(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Quoted) and value in _FLAGS:
        return _FLAGS[value]
    raise PydanticCustomError("MBX207", "")


def _number(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Quoted) and _INTEGER.fullmatch(value):
        return int(value)
    raise PydanticCustomError("MBX208", "")


def _null(value: Any) -> Any:
    if isinstance(value, str) and value in _NULL and not isinstance(value, Quoted):
        return None
    return value


def _duration(value: Any) -> Any:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = int(match[1]) * (60 if match[2] == "m" else 1) if match else 0
    if not 1 <= seconds <= 600:
        raise PydanticCustomError("MBX214", "")
    return seconds


def _cnpj(value: str) -> str:
    try:
        return cnpjs.parse(value)
    except cnpjs.CnpjError as error:
        if error.reason == "digits":
            raise PydanticCustomError("MBX211", "", {"expected": error.expected}) from None
        raise PydanticCustomError("MBX210", "") from None


@lru_cache(maxsize=1 << 16)
def _host(value: str) -> str:
    lower = value.lower()
    if _HOST.fullmatch(lower) and not lower.rpartition(".")[2].isdigit():
        return lower
    from ipaddress import ip_address  # noqa: PLC0415 - few hosts are addresses

    with suppress(ValueError):
        return str(ip_address(lower))
    import idna  # noqa: PLC0415 - few hosts have letters beyond ASCII

    with suppress(idna.IDNAError):
        if not value.isascii():
            return idna.encode(value, uts46=True).decode()
    raise PydanticCustomError("MBX213", "")


@lru_cache(maxsize=1 << 16)
def _email(value: str) -> str:
    plain = _EMAIL.fullmatch(value)
    if plain and _HOST.fullmatch(plain[1].lower()):
        return value
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    with suppress(EmailNotValidError):
        checked = validate_email(value, check_deliverability=False, test_environment=True)
        if checked.ascii_email is not None:
            return checked.ascii_email
    raise PydanticCustomError("MBX212", "")


def _written_secret(value: Any) -> Any:
    """Refuse a secret, but not a reference as the database has it: `_short` says what is wrong."""
    if isinstance(value, dict):
        is_written = _is_only_a_key(value, KINDS) or any(
            _is_only_a_key(below, ("path", "name", "key", "version"))
            for below in value.values()
            if isinstance(below, dict)
        )
    else:
        is_written = not isinstance(value, str) or not (value.startswith(SHORT) or is_text(value))
    if is_written:
        raise PydanticCustomError("MBX215", "")
    return value


def _is_only_a_key(value: dict[str, Any], known: Collection[str]) -> bool:
    """Whether `value` is a secret in braces, as in `{secret}`."""
    return bool(value) and not any(value.values()) and value.keys().isdisjoint(known)


def _short(value: str) -> str:
    """A reference in one line as the database keeps it."""
    try:
        return to_text(from_short(value))
    except BadReferenceError as error:
        raise PydanticCustomError("MBX665", "", {"form": error.form}) from None


def _fields_without_reason(value: Any) -> Any:
    if isinstance(value, str | list):
        raise PydanticCustomError("MBX227", "")
    return value


def _text_as_date(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise PydanticCustomError("MBX218", "")
    return value


AsFlag = BeforeValidator(_flag)
AsNumber = BeforeValidator(_number)
Flag = Annotated[bool, AsFlag]
Number = Annotated[int, AsNumber]
Positive = Annotated[Number, Field(ge=1)]
Port = Annotated[Number, Field(ge=1, le=65535)]
OrNull = Annotated[T | None, BeforeValidator(_null)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=ONE_LINE)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$")]
SecretKey = Annotated[str, StringConstraints(pattern=references.KEY)]
ShortReference = Annotated[
    str,
    AfterValidator(_short),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^ref\+({'|'.join(kind.scheme for kind in KINDS.values())})://[^\s]+$",
            "examples": ["ref+vault://smtp/acme#/nfe"],
        }
    ),
]
Cnpj = Annotated[
    str,
    AfterValidator(_cnpj),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^([0-9A-Za-z]{12}[0-9]{2}"
            r"|[0-9A-Za-z]{2}\.[0-9A-Za-z]{3}\.[0-9A-Za-z]{3}/[0-9A-Za-z]{4}-[0-9]{2})$",
            "examples": ["12.345.678/0001-95"],
        }
    ),
]
Host = Annotated[str, AfterValidator(_host)]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)]
Seconds = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{0,3}(s|m)$", "examples": ["30s"]}),
]
Day = BeforeValidator(_text_as_date)
Security = Literal["tls", "starttls", "none"]
NotAlone = BeforeValidator(_fields_without_reason)
NotPlain = BeforeValidator(_written_secret)
OneOrMany = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
