"""From the way a conversation ended to its diagnosis."""

from __future__ import annotations

import re
import socket
import ssl
from functools import cache, lru_cache
from typing import NamedTuple

from reconciler.probes.failure import ServerRefusal, Trouble
from reconciler.probes.failures import ROWS, Row, Sign
from reconciler.probes.results import Again
from reconciler.probes.target import Door

_TLS_PORTS = (465, 993, 995, 2465)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\d)")
_BRACKETED = re.compile(r"\[([A-Z][A-Z0-9/-]*)[^\]]*\]", re.IGNORECASE)
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    # The first that fits; some are families of others.
    (ssl.SSLCertVerificationError, "verify"),
    (ssl.SSLZeroReturnError, "dropped"),
    (ssl.SSLEOFError, "dropped"),
    (ssl.SSLError, "ssl"),
    (socket.gaierror, "gaierror"),
    (ValueError, "name"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "dropped"),
)
NONSENSE = "nonsense"


class Ending(NamedTuple):
    """How a conversation ended, in the terms of the table."""

    step: str
    protocol: str
    provider: str
    kind: str = ""
    basic: str = ""
    enhanced: str = ""
    text: str = ""


class Found(NamedTuple):
    code: str
    again: Again
    line: str


def diagnose(error: BaseException, step: str, door: Door, provider: str | None) -> Found:
    """What `error`, raised while `step` was taken, means."""
    protocol = door.protocol
    if isinstance(error, Trouble):
        return Found(error.code, ROWS[error.code].again, error.line)
    provider = provider or ""
    if isinstance(error, ServerRefusal):
        line = f"{error.basic} {error.text}".strip()
        basic = error.basic or NONSENSE
        enhanced = _enhanced(protocol, error.text)
        return _found(Ending(step, protocol, provider, "", basic, enhanced, error.text), line)
    kind = _kind(error)
    text = "" if kind == "timeout" else str(error)
    if kind == "timeout" and step == "greeting" and door.security != "tls":
        kind = "timeout-on-tls-port" if door.port in _TLS_PORTS else kind
    return _found(Ending(step, protocol, provider, kind, text=text), text)


def _found(ending: Ending, line: str) -> Found:
    for sign, row in _signs():
        if _fits(sign, ending):
            return Found(row.code, sign.again or row.again, line)
    return Found("MBX817", Again.NO, line)


def _fits(sign: Sign, ending: Ending) -> bool:
    return (
        ending.step in sign.steps.split()
        and ending.protocol in sign.protocols.split()
        and sign.kind == ending.kind
        and sign.enhanced in ("", ending.enhanced)
        and ending.basic.startswith(sign.basic)
        and (not sign.provider or ending.provider.startswith(sign.provider))
        and (not sign.text or _pattern(sign.text).search(ending.text) is not None)
    )


@cache
def _signs() -> tuple[tuple[Sign, Row], ...]:
    """Every sign of the table, the more telling one first; the order of rows settles the rest."""
    found = [(sign, row) for row in ROWS.values() for sign in row.signs]
    return tuple(sorted(found, key=lambda pair: _weight(pair[0]), reverse=True))


def _weight(sign: Sign) -> tuple[bool, bool, bool, int]:
    return (bool(sign.enhanced), bool(sign.text), bool(sign.provider), len(sign.basic))


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


def _enhanced(protocol: str, text: str) -> str:
    if protocol == "smtp":
        match = _ENHANCED.match(text)
        return match[0] if match else ""
    bracketed = _BRACKETED.match(text)
    return bracketed[1].upper() if bracketed else ""


def _kind(error: BaseException) -> str:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return "gaierror-temporary"
    return next((kind for family, kind in _KINDS if isinstance(error, family)), "system")
