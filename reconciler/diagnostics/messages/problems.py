"""The words of problems, each of which is one entry in `problems.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from reconciler.diagnostics.messages.message import Message, entries, message_of


@cache
def problems() -> Mapping[str, Mapping[str, Message]]:
    """Messages by their codes, in groups of what they are about."""
    return {
        group: {code: message_of(entry) for code, entry in codes.items()}
        for group, codes in entries("problems.toml").items()
    }
