"""Rows → the entries of manifests, by the keys of the schema and without its defaults."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from reconciler.diagnostics.words import _
from reconciler.manifests import schema
from reconciler.manifests.secret_schema import Spec
from reconciler.manifests.yamltext import Flow, InQuotes, Noted, Plain, Value, mapping
from reconciler.model.cnpj import masked
from reconciler.model.state import OPTIONS, Company, HostProfile, Link, MailServer
from reconciler.secrets.references import from_text, to_mapping

_FIRST = ("direction", "protocol", "nickname", "active", "host", *OPTIONS, "auth", "username")
_THEN = ("password", "sender", "reply_to", "folder")
_KEYS = {**schema.CompanyServer.model_fields, **schema.PartnerServer.model_fields}
SERVER_KEYS = (
    *_FIRST,
    *_THEN,
    *(key for key in _KEYS if key in MailServer._fields and key not in (*_FIRST, *_THEN)),
)
"""The keys of a mail server that give a field of its row, in the order they are written."""


def file_head(partner: str, company: str | None) -> str:
    """The keys that a manifest begins with; `company` is the CNPJ whose own file it is."""
    keys: dict[str, Value] = {"version": Plain("1"), "partner": partner}
    if company:
        keys["company"] = InQuotes(masked(company))
    return "".join(f"{line}\n" for line in mapping(keys.items()))


def server(row: MailServer, options: Collection[str], links: Collection[Link]) -> dict[str, Value]:
    """The entry of a mail server with these links, and with only these advanced `options`."""
    values = {
        key: value_of(row, key) for key in SERVER_KEYS if key not in OPTIONS or key in options
    }
    entry = {key: value for key, value in values.items() if value is not None}
    if row.company is None and links:
        entry["companies"] = [link(item) for item in links]
    elif row.company and row.company not in {item.cnpj for item in links}:
        entry["linked"] = Plain("false")
    return entry


def value_of(row: MailServer, key: str) -> Value | None:
    """The value of a key; None if leaving it out means the same."""
    match key:
        case "protocol":
            is_default = row.protocol == {"outgoing": "smtp", "incoming": "imap"}.get(row.direction)
        case "folder":
            is_default = row.protocol == "imap" and row.folder == "INBOX"
        case "importable":
            is_default = bool(row.company or row.importable)
        case "password" | "sender":
            is_default = False
        case _:
            is_default = getattr(row, key) == _KEYS[key].default
    return None if is_default else full_value(row, key)


def full_value(row: MailServer, key: str) -> Value | None:
    """The value of a key even if it is the default; None if the row has none."""
    match key:
        case "password":
            return reference(row.password_reference)
        case "sender":
            parts = {"name": row.sender_name, "email": row.sender_email}
            texts = {part: text for part, text in parts.items() if text is not None}
            return Flow(texts) if texts else None
        case "ignore_changes":
            reason = _("the database said so")
            fields = Flow([*row.ignore_changes])
            return Flow({"fields": fields, "reason": reason}) if row.ignore_changes else None
        case _:
            return _value(key, getattr(row, key))


def _value(key: str, value: Any) -> Value | None:
    match value:
        case None:
            return None
        case bool():
            return Plain("true" if value else "false")
        case int():
            return Plain(f"{value}s" if key == "timeout" else value)
        case tuple():
            return Flow([*value])
        case _:
            return str(value)


def _entry(model: type[Spec], fields: Mapping[str, Any]) -> dict[str, Value]:
    """The keys of a model whose fields have other values than its defaults."""
    values = {
        key: _value(key, fields[key])
        for key, field in model.model_fields.items()
        if key in fields and fields[key] not in (field.default, ())
    }
    return {key: value for key, value in values.items() if value is not None}


def reference(text: str | None) -> Value | None:
    """A reference to a password as a manifest writes it; `text` is how the database keeps it."""
    if text is None:
        return None
    ((store, name),) = to_mapping(from_text(text)).items()
    if isinstance(name, str):
        return Flow({store: name})
    parts = {part: Plain(word) if part == "version" else word for part, word in name.items()}
    return Flow({store: parts})


def with_password(entry: Mapping[str, Value], text: str) -> dict[str, Value]:
    """The entry with a reference to a password that is still to be put there."""
    value = reference(text)
    assert value is not None
    noted = Noted(value, _("TODO: put the password there"))
    before = [key for key in entry if key in _FIRST]
    rest = [key for key in entry if key not in _FIRST]
    return {key: entry.get(key, noted) for key in (*before, "password", *rest)}


@lru_cache(maxsize=1 << 16)
def link(row: Link) -> Value:
    """The item of a link: its CNPJ, alone if nothing differs for this company."""
    number = InQuotes(masked(row.cnpj))
    options = link_options(row)
    return {"cnpj": number, **options} if options else number


def link_options(row: Link) -> dict[str, Value]:
    """What a link changes for its company."""
    return _entry(schema.LinkOptions, row._asdict())


def company(row: Company, *, head_office: bool) -> dict[str, Value]:
    """The entry of a company."""
    return _entry(schema.CompanyEntry, {**row._asdict(), "head_office": head_office})


def hosts(profiles: Iterable[HostProfile]) -> Mapping[str, Value]:
    """The entry of a host: the options of each protocol."""
    return {row.protocol: Flow(_entry(schema.Options, row._asdict())) for row in profiles}
