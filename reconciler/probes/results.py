"""The results of probes, handed on one by one as they come, and the two ways to end one early."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import NamedTuple

from reconciler.diagnostics.messages.failures import Again, failures

Facts = tuple[tuple[str, str | int], ...]
"""Names and values, in the order in which they are shown."""
Hide = Callable[[str], str]
"""Hides the secrets in a text."""

REASON = "reason"
"""The value of a diagnosis that is itself a code; the values of that code are prefixed with it."""


class Level(IntEnum):
    """How far a probe goes. For incoming servers `SENDER` is the folder, and `SEND` the same."""

    CONNECT = 1
    TLS = 2
    LOGIN = 3
    SENDER = 4
    SEND = 5

    def __str__(self) -> str:
        return self.name.lower()


class ProbeOutcome(StrEnum):
    """`NOT_TESTED` says nothing about the mailbox: a secret was missing, or the server asks for
    another attempt later.
    """

    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTED = "not-tested"


class Step(NamedTuple):
    """A part of a conversation that went well: its name, its duration in seconds, its findings."""

    name: str
    seconds: float
    facts: Facts = ()


class Diagnosis(NamedTuple):
    """Why a conversation ended early.

    `line` is what the server said, without secrets; `values` fill in the message of `code`, and
    `provider` selects its repair.
    """

    code: str
    step: str
    line: str = ""
    again: Again = Again.NO
    provider: str | None = None
    values: Facts = ()

    @property
    def outcome(self) -> ProbeOutcome:
        """The outcome of a probe with this diagnosis."""
        return ProbeOutcome.NOT_TESTED if failures()[self.code].not_tested else ProbeOutcome.FAILED


class ProbeWarning(NamedTuple):
    """Something that works today and is going to stop."""

    code: str
    values: Facts = ()


class ProbeResult(NamedTuple):
    """The result for one mailbox, which holds for every server that shares it.

    `names` are servers as `partner/id`. `at` is when the last attempt began, in UTC (ISO 8601);
    `seconds` is how long it took. `given_up` says that no attempt was made, because others on the
    same host had failed with this very diagnosis.
    """

    names: tuple[str, ...]
    protocol: str
    host: str
    port: int
    security: str
    username: str
    level: Level
    outcome: ProbeOutcome
    steps: tuple[Step, ...] = ()
    diagnosis: Diagnosis | None = None
    warnings: tuple[ProbeWarning, ...] = ()
    attempts: int = 1
    given_up: bool = False
    at: str = ""
    seconds: float = 0.0


def redacted(facts: Facts, hide: Hide) -> Facts:
    """`facts` without the secrets in their texts."""
    return tuple((name, hide(value) if isinstance(value, str) else value) for name, value in facts)


class ServerRefusal(Exception):  # noqa: N818 - the server's word, not an error of the program
    """A server's refusal: `basic` is the status (`535`, `NO`, `-ERR`), `text` what follows it."""

    def __init__(self, basic: str, text: str) -> None:
        super().__init__(basic, text)
        self.basic = basic
        self.text = text


class ProbeError(Exception):
    """A failure whose code is known where it occurs; `values` fill in its message."""

    def __init__(self, code: str, line: str = "", **values: str | int) -> None:
        super().__init__(code, line)
        self.code = code
        self.line = line
        self.values = tuple(values.items())
