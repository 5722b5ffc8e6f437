"""What must be consistent within one mail server or one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.diagnostics.problem import Place, Problem
from reconciler.manifests.declaration import FileDeclaration, ServerDeclaration
from reconciler.model.cnpj import CnpjError, masked
from reconciler.model.cnpj import parse as parse_cnpj
from reconciler.model.state import MailServer

PROTOCOLS = {"outgoing": ("smtp",), "incoming": ("imap", "pop3")}
_ONLY_OUTGOING = ("sender_email", "reply_to", "ehlo_name")
_WRITTEN_AS = {"sender_email": "sender"}


def problems(declaration: FileDeclaration, raw: Any) -> Iterator[Problem]:
    """Everything in one file that is not consistent."""
    for server in declaration.servers:
        yield from _server_problems(server, raw["mail_servers"][server.server.stable_id])


def _server_problems(declaration: ServerDeclaration, raw: Any) -> Iterator[Problem]:
    server, place = declaration.server, declaration.place
    if server.protocol not in PROTOCOLS[server.direction]:
        expected = " | ".join(PROTOCOLS[server.direction])
        values = {"direction": server.direction, "protocol": server.protocol, "expected": expected}
        yield Problem("MBX220", Place(*_below(place, "protocol")[:2], "value"), values)
        return
    for key in _unfitting_keys(server, raw):
        yield Problem("MBX223", _below(place, key), {"key": key, "kind": _kind(server)})
    for key in _missing_keys(server):
        yield Problem("MBX221", place, {"key": key, "because": _because(server, key)})
    if server.password_reference and server.auth == "none":
        yield Problem("MBX222", _below(place, "password"), {"auth": server.auth})


def _below(place: Place, key: str) -> Place:
    return Place(place.file, (*place.path, key))


def _kind(server: MailServer) -> str:
    return f"direction: {server.direction}, protocol: {server.protocol}"


def _unfitting_keys(server: MailServer, raw: Any) -> Iterator[str]:
    if server.direction == "incoming":
        for name in _ONLY_OUTGOING:
            if getattr(server, name) is not None:
                yield _WRITTEN_AS.get(name, name)
    if server.protocol != "imap" and "folder" in raw and server.folder:
        yield "folder"


def _missing_keys(server: MailServer) -> Iterator[str]:
    if server.direction == "outgoing" and server.sender_email is None:
        yield "sender"
    if server.auth != "none" and server.username is None:
        yield "username"
    if server.needs_password and server.password_reference is None:
        yield "password"


def _because(server: MailServer, key: str) -> str:
    if key == "sender":
        return "direction: outgoing"
    active = ", active: true" if (key, server.auth) == ("password", "oauth2") else ""
    return f"auth: {server.auth}{active}"


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


def without(repeated: Iterable[Problem], raw: Any) -> Any:
    """`raw` with only the first of each repeated key."""
    rest = dict(raw)
    for problem in repeated:
        assert problem.place is not None
        section, key = problem.place.path[:2]
        rest[section] = {name: value for name, value in rest[section].items() if name != key}
    return rest


def _bare_cnpj(text: str) -> str:
    try:
        return parse_cnpj(text)
    except CnpjError:
        return text
