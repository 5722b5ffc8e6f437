"""Every message of the tool by its code: those of problems, and those of guards."""

from __future__ import annotations

from reconciler.diagnostics.messages import Catalogue
from reconciler.plan.guards import GUARDS

MESSAGES = Catalogue({guard.code: guard.message for guard in GUARDS.values()})
