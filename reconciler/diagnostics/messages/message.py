"""The form of a message and of the files that hold them, and the words of problems."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from reconciler.diagnostics.problem import Severity


class Message(NamedTuple):
    """The words of a code: what is wrong in one line, why, and the edit or command to repair it."""

    severity: Severity
    title: str
    cause: str
    repair: str


def error(title: str, cause: str, repair: str) -> Message:
    return Message(Severity.ERROR, title, cause, repair)


def entries(name: str) -> dict[str, Any]:
    """What the TOML file of this name, beside this module, says."""
    import tomllib  # noqa: PLC0415 - most runs have nothing to tell
    from importlib.resources import files  # noqa: PLC0415

    return tomllib.loads(files(__package__ or "").joinpath(name).read_text("utf-8"))


def message_of(entry: Mapping[str, Any]) -> Message:
    """The message of an entry."""
    severity = Severity.WARNING if entry.get("warning") else Severity.ERROR
    return Message(severity, entry["title"], entry["cause"], entry["repair"])


@cache
def problems() -> Mapping[str, Mapping[str, Message]]:
    """Messages by their codes, in the groups of `problems.toml`."""
    return {
        group: {code: message_of(entry) for code, entry in codes.items()}
        for group, codes in entries("problems.toml").items()
    }
