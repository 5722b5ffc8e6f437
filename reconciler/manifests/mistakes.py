"""The errors of pydantic → problems, in the terms of the configuration language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from unicodedata import normalize

from pydantic import BaseModel, Discriminator, Tag, ValidationError

from reconciler.diagnostics.closest import closest
from reconciler.diagnostics.problem import Mark, Path, Place, Problem
from reconciler.diagnostics.words import N_
from reconciler.manifests.schema import CompanyFile, PartnerFile, kind_of
from reconciler.manifests.values import ONE_LINE
from reconciler.secrets.stores.kinds import KINDS

_SHAPES = {
    "model_type": N_("keys with values"),
    "dict_type": N_("keys with values"),
    "model_attributes_type": N_("keys with values"),
    "list_type": N_("a list"),
    "string_type": N_("a text"),
}
_EITHER = {
    **{f"<{one}>": (one, *(other for other in KINDS if other != one)) for one in KINDS},
    "<link>": ("cnpj", "branches_of", "all"),
    "<branches_of>": ("branches_of", "cnpj", "all"),
    "<all>": ("all", "cnpj", "branches_of"),
    "<head_office>": ("head_office", "partner"),
    "<partner>": ("partner", "head_office"),
}
"""By what a mapping was taken for: the key that makes it so, and the alternatives."""
_HABITS = {
    "apelido": "nickname",
    "ativo": "active",
    "client_secret": "password",
    "empresa": "company",
    "empresas": "companies",
    "entrada": "incoming",
    "envio": "outgoing",
    "leitura": "incoming",
    "matriz": "head_office",
    "nome": "name",
    "parceiro": "partner",
    "pasta": "folder",
    "porta": "port",
    "protocolo": "protocol",
    "refresh_token": "password",
    "remetente": "sender",
    "saida": "outgoing",
    "senha": "password",
    "servidor": "host",
    "servidores": "mail_servers",
    "ssl": "tls",
    "usuario": "username",
    "versao": "version",
}
"""What people write out of habit, mostly in Portuguese, and what it is called here."""


def problems(error: ValidationError, raw: Any, file: str) -> Iterator[Problem]:
    """Every mistake of `error`, placed in `file`."""
    for item in error.errors(include_url=False):
        yield _problem(item, raw, file)


def _problem(item: Any, raw: Any, file: str) -> Problem:  # noqa: C901, PLR0911 - one for each kind
    path, on_key = _path(item["loc"], raw)
    kind, context, last = item["type"], item.get("ctx", {}), str(("", *item["loc"])[-1])
    value = Place(file, path, "key" if on_key else "value")
    whole = Place(file, path or item["loc"][:1])
    either = _EITHER.get(str(item["loc"][-2]), ()) if len(item["loc"]) > 1 else ()
    match kind:
        case "missing":
            return Problem("MBX202", whole, {"key": " | ".join(either) or last})
        case "extra_forbidden" if last in either:
            return Problem("MBX226", whole, {"key": last, "other": either[0]})
        case "extra_forbidden":
            return _unknown_key(Place(file, path), raw, last, either)
        case _ if kind == "too_short" or (
            item["input"] == "" and kind not in _SHAPES and not on_key
        ):
            return Problem("MBX205", whole, {"key": _key(path)})
        case "literal_error":
            return _not_a_choice(value, context["expected"], _at(raw, path))
        case "string_too_long":
            return Problem("MBX206", value, {"key": _key(path), "limit": context["max_length"]})
        case "string_pattern_mismatch":
            return _pattern_mismatch(value, context["pattern"], item["input"])
        case "MBX208" if (
            path == ("version",) and isinstance(item["input"], str) and item["input"] != "1"
        ):
            return _not_a_choice(value, "1", item["input"])
        case _ if kind.startswith("MBX"):
            return Problem(kind, value, {"key": _key(path), **context})
        case _ if kind.startswith("date_"):
            return Problem("MBX218", value, {"key": _key(path)})
        case "greater_than_equal" | "less_than_equal":
            return Problem("MBX208", value, {"key": _key(path)})
    shape = _shape(item["input"])
    if shape == "nothing" and not item["loc"]:
        return Problem("MBX110", Place(file, mark=Mark(1, 1, 2)))
    return Problem("MBX203", whole, {"expected": _SHAPES.get(kind, N_("a text")), "found": shape})


def without_mistaken(raw: Any, mistaken: Iterable[Problem]) -> Any:
    """`raw` without the entries that have mistakes."""
    if not isinstance(raw, dict):
        return raw
    rest = {key: copy(value) for key, value in raw.items()}
    wrong = {item.place.path[:2] for item in mistaken if item.place and item.place.path}
    for section, *below in sorted(wrong, key=_last_index_first):
        entries = rest.get(str(section))
        if below and isinstance(entries, dict):
            entries.pop(below[0], None)
        elif below and isinstance(entries, list) and isinstance(below[0], int):
            del entries[below[0]]
        elif section == "version":
            rest["version"] = "1"
        else:
            rest.pop(str(section), None)
    return rest


def _last_index_first(path: Path) -> int:
    return -path[1] if len(path) > 1 and isinstance(path[1], int) else 0


def _path(loc: tuple[int | str, ...], raw: Any) -> tuple[Path, bool]:
    """The path in the file for a location in the models, and whether it is about a key."""
    path: list[int | str] = []
    value = raw
    for step in loc:
        if step == "[key]":
            return tuple(path), True
        is_item = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if is_item or (isinstance(value, dict) and step in value):
            value = value[step]
            path.append(step)
    return tuple(path), False


def _at(raw: Any, path: Path) -> Any:
    for step in path:
        raw = raw[step]
    return raw


def _key(path: Path) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "")


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return N_("keys with values")
    if isinstance(value, list):
        return N_("a list")
    return N_("a text") if value else N_("nothing")


def _unknown_key(place: Place, raw: Any, key: str, either: tuple[str, ...]) -> Problem:
    kind, path = kind_of(raw), place.path[:-1]
    if key in _known_keys(PartnerFile if kind is CompanyFile else CompanyFile, raw, path):
        other = N_("partner") if kind is CompanyFile else N_("company")
        return Problem("MBX224", place, {"key": key, "kind": other})
    known = _known_keys(kind, raw, path)
    if either and either[0] not in _at(raw, path):
        known += either[1:]
    values = {"key": key, "suggestion": _meant(key, known), "known": ", ".join(sorted(known))}
    return Problem("MBX201", place, values)


def _meant(text: str, known: Sequence[str]) -> str:
    """Which of `known` was probably meant by `text`; empty if none."""
    plain = _plain_letters(text)
    habit = _HABITS.get(plain, "")
    return habit if habit in known else closest(plain, known)


def _plain_letters(text: str) -> str:
    """`text` in lower case and without accents."""
    return normalize("NFKD", text).encode("ascii", "ignore").decode().lower()


def _known_keys(model: type[BaseModel], raw: Any, path: Path) -> list[str]:
    """The keys that the mapping at `path` can have."""
    kind: Any = model
    for step in path:
        raw = raw[step]
        kind = _plain(_below(kind, step), raw)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []


def _below(kind: Any, step: int | str) -> Any:
    """The type at `step` below `kind`; None if the models have none."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(step))
        if field is None:
            return None
        return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return (get_args(kind) or (None,))[-1]


def _plain(kind: Any, raw: Any) -> Any:
    """`kind` without its annotations, and of a union the part that `raw` is meant to be."""
    discriminator = None
    while get_origin(kind) is Annotated:
        kind, *metadata = get_args(kind)
        discriminator = discriminator or next(
            (item.discriminator for item in metadata if isinstance(item, Discriminator)), None
        )
    if get_origin(kind) not in (Union, UnionType):
        return kind
    parts = [part for part in get_args(kind) if part is not type(None)]
    if not callable(discriminator):
        return _plain(parts[0], raw)
    chosen = str(discriminator(raw))
    return next(_plain(part, raw) for part in parts if Tag(chosen) in get_args(part)[1:])


def _not_a_choice(place: Place, expected: str, value: Any) -> Problem:
    choices = re.findall(r"'([^']*)'", expected) or [expected.lower()]
    if not isinstance(value, str):
        whole = Place(place.file, place.path)
        return Problem("MBX203", whole, {"expected": N_("a text"), "found": _shape(value)})
    if _key(place.path) == "version":
        return Problem("MBX219", place, {"found": value})
    values = {"suggestion": _meant(value, choices), "choices": " | ".join(choices)}
    return Problem("MBX204", place, {"key": _key(place.path), "found": value, **values})


def _pattern_mismatch(place: Place, pattern: str, text: str) -> Problem:
    if pattern.startswith("^[a-z0-9]"):
        suggestion = re.sub("[^a-z0-9._]+", "-", _plain_letters(text)).strip("._-")[:63]
        return Problem("MBX209", place, {"suggestion": suggestion})
    if pattern == ONE_LINE:
        return Problem("MBX225", place, {"key": _key(place.path)})
    code = "MBX217" if "ca_file" in place.path else "MBX216"
    return Problem(code, place, {"key": _key(place.path)})
