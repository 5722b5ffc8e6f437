"""What every problem is called, what it means and how it is mended: one entry a code.

A code never changes its meaning. `{names}` are filled in from the problem's values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

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


class _Catalogue(Mapping[str, Message]):
    """All messages by their codes; those of failures of tests are read when one is asked for."""

    def __getitem__(self, code: str) -> Message:
        return _MESSAGES.get(code) or failures()[code].message

    def __iter__(self) -> Iterator[str]:
        return chain(_MESSAGES, failures())

    def __len__(self) -> int:
        return len(_MESSAGES) + len(failures())


MESSAGES: Mapping[str, Message] = _Catalogue()
GUARD_CODES = {
    "linked-delete": "MBX501",
    "mass-delete": "MBX502",
    "mass-unlink": "MBX503",
    "mass-deactivate": "MBX504",
    "lost-input": "MBX505",
    "suspected-rename": "MBX506",
    "orphaned-company": "MBX507",
    "takeover": "MBX508",
    "credential-moved": "MBX509",
    "older-commit": "MBX510",
    "undoes-rollback": "MBX514",
    "lost-password": "MBX515",
}
