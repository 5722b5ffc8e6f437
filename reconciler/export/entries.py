"""Rows → the entries of manifests, with nothing in them that goes without saying."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from reconciler.diagnostics.words import _
from reconciler.manifests.schema import CompanyServer, PartnerServer
from reconciler.manifests.yamltext import Flow, InQuotes, Noted, Plain, Value
from reconciler.model.cnpj import masked
from reconciler.model.state import OPTIONS, Company, HostProfile, Link, MailServer
from reconciler.secrets.references import from_text, to_mapping

_FIRST = ("direction", "protocol", "nickname", "active", "host", *OPTIONS, "auth", "username")
_THEN = ("password", "sender", "reply_to", "folder")
_KEYS = {**CompanyServer.model_fields, **PartnerServer.model_fields}
SERVER_KEYS = (
    *_FIRST,
    *_THEN,
    *(key for key in _KEYS if key in MailServer._fields and key not in (*_FIRST, *_THEN)),
)
"""The keys of a mail server that say a field of its row, in the order they are written."""
USUAL_PROTOCOL = {"outgoing": "smtp", "incoming": "imap"}
USUAL_FOLDER = "INBOX"


def server(row: MailServer, options: Collection[str]) -> dict[str, Value]:
    """The entry of a mail server without its links; `options` are those that it writes itself."""
    written = {
        key: value_of(row, key) for key in SERVER_KEYS if key not in OPTIONS or key in options
    }
    return {key: value for key, value in written.items() if value is not None}


def value_of(row: MailServer, key: str) -> Value | None:
    """What is written behind a key for a row; None where leaving it out says the same."""
    return None if _goes_without_saying(row, key) else spelled(row, key)


def _goes_without_saying(row: MailServer, key: str) -> bool:
    match key:
        case "protocol":
            return row.protocol == USUAL_PROTOCOL.get(row.direction)
        case "folder":
            return row.protocol == "imap" and row.folder == USUAL_FOLDER
        case "importable":
            return bool(row.company or row.importable)
        case "password" | "sender":
            return False
        case _:
            return bool(getattr(row, key) == _KEYS[key].default)


def spelled(row: MailServer, key: str) -> Value | None:
    """A value in full, even where it goes without saying; None where the row has none."""
    match key:
        case "password":
            return reference(row.password_reference)
        case "sender":
            return _sender(row)
        case "timeout":
            return None if row.timeout is None else _seconds(row.timeout)
        case "ignore_changes":
            return _ignored(row.ignore_changes)
        case _:
            value = getattr(row, key)
            return None if value is None else _scalar(value)


def _ignored(fields: Sequence[str]) -> Value | None:
    reason = _("the database said so")
    return Flow({"fields": Flow([*fields]), "reason": reason}) if fields else None


def _scalar(value: Any) -> str:
    match value:
        case bool():
            return Plain("true" if value else "false")
        case int():
            return Plain(value)
        case _:
            return str(value)


def _seconds(value: Any) -> str:
    return Plain(f"{value}s") if isinstance(value, int) else str(value)


def reference(text: str | None) -> Value | None:
    """What leads to a password as a manifest writes it; `text` is what a row has for it."""
    if text is None:
        return None
    return Flow({store: _named(name) for store, name in to_mapping(from_text(text)).items()})


def _named(name: str | Mapping[str, str]) -> Value:
    if isinstance(name, str):
        return name
    return Flow({part: Plain(text) if part == "version" else text for part, text in name.items()})


def with_password(written: Mapping[str, Value], text: str) -> dict[str, Value]:
    """The entry with a place for the password, where it is usually written."""
    value = reference(text)
    assert value is not None
    noted = Noted(value, _("TODO: put the password there"))
    before = [key for key in written if key in _FIRST]
    rest = [key for key in written if key not in _FIRST]
    return {key: written.get(key, noted) for key in (*before, "password", *rest)}


def _sender(row: MailServer) -> Value | None:
    parts = {"name": row.sender_name, "email": row.sender_email}
    given = {key: value for key, value in parts.items() if value is not None}
    return Flow(given) if given else None


def link(row: Link) -> Value:
    """The item of a link: its CNPJ, alone where nothing differs for this company."""
    number = InQuotes(masked(row.cnpj))
    if row.sender_name is None and row.active:
        return number
    item: dict[str, Value] = {"cnpj": number}
    if row.sender_name is not None:
        item["sender_name"] = row.sender_name
    if not row.active:
        item["active"] = Plain("false")
    return item


def company(row: Company, *, head_office: bool) -> dict[str, Value]:
    """The entry of a company."""
    entry: dict[str, Value | None] = {
        "nickname": row.nickname,
        "head_office": Plain("true") if head_office else None,
        "notification_email": row.notification_email,
        "extensions": Flow(list(row.extensions)) if row.extensions else None,
        "own_mailboxes": Plain("true") if row.own_mailboxes else None,
    }
    return {key: value for key, value in entry.items() if value is not None}


def hosts(profiles: Iterable[HostProfile]) -> Mapping[str, Value]:
    """What stands below a host: the options of each protocol."""
    return {profile.protocol: Flow(_options(profile)) for profile in profiles}


def _options(profile: HostProfile) -> dict[str, str]:
    written = {name: getattr(profile, name) for name in OPTIONS}
    return {
        name: _seconds(value) if name == "timeout" else _scalar(value)
        for name, value in written.items()
        if value is not None
    }
