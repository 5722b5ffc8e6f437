"""What a probe found: frozen values, streamed to whoever wants them."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

from reconciler.diagnostics.messages.failures import Again, failures

Facts = tuple[tuple[str, str | int], ...]
"""Names and values that a step learned, in the order they are shown."""


REASON = "reason"
"""The value of a diagnosis that is another code; the values of that begin with it and `_`."""


class Level(IntEnum):
    """How far a probe goes. Reading mailboxes know nothing between login and their folder."""

    CONNECT = 1
    TLS = 2
    LOGIN = 3
    SENDER = 4
    SEND = 5

    def __str__(self) -> str:
        return self.name.lower()


class Outcome(StrEnum):
    """`NOT_TESTED` is no verdict: a secret was missing, or the server asks to come back later."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTED = "not-tested"


class Step(NamedTuple):
    """A part of a conversation that went well: its name, its seconds, and what it learned."""

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
    def outcome(self) -> Outcome:
        """The outcome of a test that ended so."""
        return Outcome.NOT_TESTED if failures()[self.code].not_tested else Outcome.FAILED


class Warned(NamedTuple):
    """Something that works today and will not for ever."""

    code: str
    values: Facts = ()


class ProbeResult(NamedTuple):
    """The verdict on one mailbox, for every server that shares it.

    `names` are servers as `partner/id`. `at` is when the last attempt began, in UTC (ISO 8601);
    `seconds` is what it took. `given_up` says that no attempt was made, because others
    had failed on the same host with this very diagnosis.
    """

    names: tuple[str, ...]
    protocol: str
    host: str
    port: int
    security: str
    username: str
    level: Level
    outcome: Outcome
    steps: tuple[Step, ...] = ()
    diagnosis: Diagnosis | None = None
    warnings: tuple[Warned, ...] = ()
    attempts: int = 1
    given_up: bool = False
    at: str = ""
    seconds: float = 0.0
