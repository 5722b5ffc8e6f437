"""What must be consistent within one mail server or one file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from reconciler.diagnostics.problem import Place, Problem
from reconciler.manifests.declaration import FileDeclaration, ServerDeclaration
from reconciler.model.cnpj import CnpjError, masked
from reconciler.model.cnpj import parse as parse_cnpj
from reconciler.model.state import MailServer

PROTOCOLS = {"outgoing": ("smtp",), "incoming": ("imap", "pop3")}


def problems(declaration: FileDeclaration, raw: Any) -> Iterator[Problem]:
    """Everything in one file that is not consistent."""
    for server in declaration.servers:
        yield from _server_problems(server, raw["mail_servers"][server.server.stable_id])


def _server_problems(declaration: ServerDeclaration, raw: Any) -> Iterator[Problem]:
    server, place = declaration.server, declaration.place
    if server.protocol not in PROTOCOLS[server.direction]:
        expected = " | ".join(PROTOCOLS[server.direction])
        values = {"direction": server.direction, "protocol": server.protocol, "expected": expected}
        yield Problem("MBX220", place.below("protocol", on="value"), values)
        return
    kind = f"direction: {server.direction}, protocol: {server.protocol}"
    for key in _unfitting_keys(server, raw):
        yield Problem("MBX223", place.below(key), {"key": key, "kind": kind})
    for key, because in _missing_keys(server):
        yield Problem("MBX221", place, {"key": key, "because": because})
    if server.password_reference and server.auth == "none":
        yield Problem("MBX222", place.below("password"), {"auth": server.auth})


def _unfitting_keys(server: MailServer, raw: Any) -> Iterator[str]:
    if server.direction == "incoming":
        for name in ("sender_email", "reply_to", "ehlo_name"):
            if getattr(server, name) is not None:
                yield name.removesuffix("_email")
    if server.protocol != "imap" and "folder" in raw and server.folder:
        yield "folder"


def _missing_keys(server: MailServer) -> Iterator[tuple[str, str]]:
    """Each key that is missing, and what makes it necessary."""
    if server.direction == "outgoing" and server.sender_email is None:
        yield "sender", "direction: outgoing"
    if server.auth != "none" and server.username is None:
        yield "username", f"auth: {server.auth}"
    if server.needs_password and server.password_reference is None:
        yield "password", f"auth: {server.auth}{', active: true' * (server.auth == 'oauth2')}"


def repeated_keys(raw: Any, file: str) -> Iterator[Problem]:
    """Companies and hosts that one file has twice, in different spellings."""
    for section, spelling, code in (
        ("companies", _bare_cnpj, "MBX302"),
        ("hosts", str.lower, "MBX303"),
    ):
        entries = raw.get(section) if isinstance(raw, dict) else None
        seen: dict[str, str] = {}
        for key in entries if isinstance(entries, dict) else ():
            first = seen.setdefault(spelling(key), key)
            if first is not key:
                place, other = Place(file, (section, key)), Place(file, (section, first))
                yield Problem(code, place, {"name": masked(spelling(key))}, (other,))


def _bare_cnpj(text: str) -> str:
    with suppress(CnpjError):
        return parse_cnpj(text)
    return text
