"""Every message of the tool by its code: those of problems, and those of guards."""

from __future__ import annotations

from reconciler.diagnostics import messages
from reconciler.plan.guards import GUARDS

MESSAGES = {**messages.MESSAGES, **{guard.code: guard.message for guard in GUARDS.values()}}
