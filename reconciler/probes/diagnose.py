"""From the error that ended a conversation to its diagnosis."""

from __future__ import annotations

import re
import socket
import ssl
from functools import cache
from typing import NamedTuple

from reconciler.diagnostics.messages.failures import Again, ProbeFailure, Symptom, failures
from reconciler.diagnostics.problem import Failure
from reconciler.probes.results import REASON, Diagnosis, ProbeError, ServerRefusal
from reconciler.probes.target import Door

_TLS_PORTS = (465, 993, 995, 2465)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?!\d)")
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


class Ending(NamedTuple):
    """How a conversation ended, in the terms of `Symptom`."""

    step: str
    protocol: str
    provider: str
    kind: str = ""
    basic: str = ""
    enhanced: str = ""
    text: str = ""


def diagnose(error: BaseException, step: str, door: Door, provider: str | None) -> Diagnosis:
    """What `error`, raised in `step`, means. `line` is what the server said, secrets included."""
    if isinstance(error, Failure):
        problem = error.problems[0]  # why there is no secret, its values under prefixed names
        reasons = ((f"{REASON}_{name}", str(value)) for name, value in problem.values.items())
        values = ((REASON, problem.code), *reasons)
        return Diagnosis("MBX829", step, "", Again.NO, provider, values)
    if isinstance(error, ProbeError):
        again = failures()[error.code].again
        return Diagnosis(error.code, step, error.line, again, provider, error.values)
    ending = Ending(step, door.protocol, provider or "")
    if isinstance(error, ServerRefusal):
        line, enhanced = f"{error.basic} {error.text}".strip(), _enhanced(door.protocol, error.text)
        basic = error.basic or "nonsense"
        ending = ending._replace(basic=basic, enhanced=enhanced, text=error.text)
    else:
        kind = _kind(error, step, door)
        line = "" if kind.startswith("timeout") else str(error)
        ending = ending._replace(kind=kind, text=line)
    for symptom, failure in _symptoms():
        if _matches(symptom, ending):
            return Diagnosis(failure.code, step, line, symptom.again or failure.again, provider)
    return Diagnosis("MBX817", step, line, Again.NO, provider)


def _matches(symptom: Symptom, ending: Ending) -> bool:
    return (
        ending.step in symptom.steps
        and ending.protocol in symptom.protocols
        and symptom.kind == ending.kind
        and symptom.enhanced in ("", ending.enhanced)
        and ending.basic.startswith(symptom.basic)
        and ending.provider.startswith(symptom.provider)
        and (not symptom.text or re.search(symptom.text, ending.text, re.IGNORECASE) is not None)
    )


@cache
def _symptoms() -> tuple[tuple[Symptom, ProbeFailure], ...]:
    """Every symptom, the most specific first; among equals the order of the file decides."""
    pairs = [(symptom, failure) for failure in failures().values() for symptom in failure.symptoms]

    def weight(pair: tuple[Symptom, ProbeFailure]) -> tuple[bool, bool, bool, int]:
        item = pair[0]
        return bool(item.enhanced), bool(item.text), bool(item.provider), len(item.basic)

    return tuple(sorted(pairs, key=weight, reverse=True))


def _enhanced(protocol: str, text: str) -> str:
    match = (_ENHANCED if protocol == "smtp" else _BRACKETED).match(text)
    return match[1].upper() if match else ""


def _kind(error: BaseException, step: str, door: Door) -> str:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return "gaierror-temporary"
    kind = next((kind for family, kind in _KINDS if isinstance(error, family)), "system")
    if kind == "timeout" and step == "greeting" and door.security != "tls":
        return "timeout-on-tls-port" if door.port in _TLS_PORTS else kind
    return kind
