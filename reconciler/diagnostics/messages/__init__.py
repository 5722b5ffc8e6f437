"""The title, cause and repair of every problem: one entry a code.

A code never changes its meaning. `{names}` are filled in from the problem's values.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType

from reconciler.diagnostics.messages.failures import failures
from reconciler.diagnostics.messages.message import Message, problems


class Catalogue(Mapping[str, Message]):
    """Messages by their codes, with `more`; their files are read when one is asked for."""

    def __init__(self, more: Mapping[str, Message] = MappingProxyType({})) -> None:
        self._more = more

    @cached_property
    def _messages(self) -> Mapping[str, Message]:
        of_failures = {code: failure.message for code, failure in failures().items()}
        return ChainMap(dict(self._more), *map(dict, problems().values()), of_failures)

    def __getitem__(self, code: str) -> Message:
        return self._messages[code]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._messages))

    def __len__(self) -> int:
        return len(self._messages)


MESSAGES: Mapping[str, Message] = Catalogue()
