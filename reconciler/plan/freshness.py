"""Whether a plan may still be applied: its time, and the schema it was made for."""

from __future__ import annotations

from datetime import datetime

from reconciler.diagnostics.problem import Stale
from reconciler.plan.plan import DatabaseTarget, Plan


def require(plan: Plan, found: DatabaseTarget, now: datetime) -> None:
    """Refuse a plan whose time is over, or that was made for another schema than `found` has.

    `now` is the time by the clock of that database. A plan for a new one fits every schema.

    Raises:
        Stale: it must be made anew.
    """
    if now >= plan.expires_at:
        raise Stale.of("MBX550", until=_text(plan.expires_at), now=_text(now))
    planned = plan.target
    if planned.id is not None and planned.schema_revision != found.schema_revision:
        raise Stale.of("MBX555", planned=planned.schema_revision, found=found.schema_revision)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
