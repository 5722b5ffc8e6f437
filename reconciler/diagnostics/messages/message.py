"""The form of a message."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.diagnostics.problem import Severity


class Message(NamedTuple):
    """The words of a code: what is wrong in one line, why, and the edit or command to repair it."""

    severity: Severity
    title: str
    cause: str
    repair: str


def error(title: str, cause: str, repair: str) -> Message:
    return Message(Severity.ERROR, title, cause, repair)


def warning(title: str, cause: str, repair: str) -> Message:
    return Message(Severity.WARNING, title, cause, repair)
