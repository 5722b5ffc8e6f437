"""The title, cause and repair of every problem: one entry a code.

A code never changes its meaning. `{names}` are filled in from the problem's values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType

from reconciler.diagnostics.messages.adoption import ADOPTION
from reconciler.diagnostics.messages.commands import COMMANDS
from reconciler.diagnostics.messages.failures import failures
from reconciler.diagnostics.messages.fields import FIELDS
from reconciler.diagnostics.messages.message import Message
from reconciler.diagnostics.messages.options import OPTIONS
from reconciler.diagnostics.messages.plans import PLANS
from reconciler.diagnostics.messages.reading import READING
from reconciler.diagnostics.messages.rollbacks import ROLLBACKS
from reconciler.diagnostics.messages.rules import RULES
from reconciler.diagnostics.messages.secrets import SECRETS
from reconciler.diagnostics.messages.tests import TESTS

_MESSAGES = {
    **READING,
    **FIELDS,
    **RULES,
    **OPTIONS,
    **PLANS,
    **ROLLBACKS,
    **ADOPTION,
    **COMMANDS,
    **SECRETS,
    **TESTS,
}


class Catalogue(Mapping[str, Message]):
    """Messages by their codes, with `more`; those of failures of tests are read when one is asked
    for.
    """

    def __init__(self, more: Mapping[str, Message] = MappingProxyType({})) -> None:
        self._messages = {**_MESSAGES, **more}

    def __getitem__(self, code: str) -> Message:
        return self._messages.get(code) or failures()[code].message

    def __iter__(self) -> Iterator[str]:
        return chain(self._messages, failures())

    def __len__(self) -> int:
        return len(self._messages) + len(failures())


MESSAGES: Mapping[str, Message] = Catalogue()
