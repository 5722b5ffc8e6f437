"""The title, cause and repair of every problem: one entry a code.

A code never changes its meaning. `{names}` are filled in from the problem's values.
"""

from __future__ import annotations

from reconciler.diagnostics.messages.adoption import ADOPTION
from reconciler.diagnostics.messages.commands import COMMANDS
from reconciler.diagnostics.messages.fields import FIELDS
from reconciler.diagnostics.messages.message import Message
from reconciler.diagnostics.messages.options import OPTIONS
from reconciler.diagnostics.messages.plans import PLANS
from reconciler.diagnostics.messages.probe_connecting import CONNECTING
from reconciler.diagnostics.messages.probe_logging_in import LOGGING_IN
from reconciler.diagnostics.messages.probe_others import OTHERS
from reconciler.diagnostics.messages.probe_reading import READING as READING_MAIL
from reconciler.diagnostics.messages.probe_sending import SENDING
from reconciler.diagnostics.messages.reading import READING
from reconciler.diagnostics.messages.rollbacks import ROLLBACKS
from reconciler.diagnostics.messages.rules import RULES
from reconciler.diagnostics.messages.secrets import SECRETS

PROBES = {**CONNECTING, **LOGGING_IN, **SENDING, **READING_MAIL, **OTHERS}
MESSAGES: dict[str, Message] = {
    **READING,
    **FIELDS,
    **RULES,
    **OPTIONS,
    **PLANS,
    **ROLLBACKS,
    **ADOPTION,
    **COMMANDS,
    **SECRETS,
    **PROBES,
}
