"""The failures of tests of mailboxes, each of which is one entry in `failures.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from reconciler.diagnostics.messages.message import Message, entries, message_of

ENVELOPE = ("sender", "recipient", "data")
STEPS = ("resolve", "connect", "tls", "greeting", "login", *ENVELOPE, "folder")
_GROUPS = {"any": STEPS, "envelope": ENVELOPE}


class Again(StrEnum):
    """Whether a machine may try the same again, and when."""

    NO = "no"
    ONCE = "once"
    SOON = "soon"
    WAIT = "in minutes"
    LATER = "another day"


class Symptom(NamedTuple):
    """How a failure is recognized: everything that is not empty must match.

    `text` is a regular expression, found anywhere in what the server says; `basic` and `provider`
    are beginnings. `again` takes the place of the failure's.
    """

    steps: frozenset[str]
    protocols: frozenset[str]
    enhanced: str = ""
    text: str = ""
    basic: str = ""
    kind: str = ""
    provider: str = ""
    again: Again | None = None


class ProbeFailure(NamedTuple):
    """A failure, its words, and how it is recognized; without symptoms it is raised by its code.

    `server_says` is what people search for. One that is `not_tested` says nothing about the
    mailbox. `repairs` take the place of the message's, by the name of the provider.
    """

    code: str
    message: Message
    server_says: str
    again: Again
    not_tested: bool
    symptoms: tuple[Symptom, ...]
    repairs: Mapping[str, str]

    @property
    def steps(self) -> list[str]:
        """The steps in which a server may cause it, in their order."""
        return [step for step in STEPS if any(step in one.steps for one in self.symptoms)]


@cache
def failures() -> Mapping[str, ProbeFailure]:
    """Every failure by its code, in the order of the codes."""
    table = entries("failures.toml")
    advice = table.pop("at_provider")
    return {code: _failure(code, entry, advice) for code, entry in sorted(table.items())}


def _failure(code: str, entry: Mapping[str, Any], advice: list[Mapping[str, Any]]) -> ProbeFailure:
    at_code = [item for item in advice if code in item["codes"]]
    repairs = {name: item["repair"] for item in at_code for name in item["providers"]}
    return ProbeFailure(
        code,
        message_of(entry),
        entry.get("server_says", ""),
        Again(entry.get("again", "no")),
        entry.get("not_tested", False),
        tuple(_symptom(**symptom) for symptom in entry.get("symptoms", ())),
        dict(sorted(repairs.items())),
    )


def _symptom(
    step: str, protocol: str = "smtp imap pop3", again: str | None = None, **patterns: str
) -> Symptom:
    steps = (name for word in step.split() for name in _GROUPS.get(word, (word,)))
    return Symptom(
        frozenset(steps),
        frozenset(protocol.split()),
        again=Again(again) if again else None,
        **patterns,
    )
