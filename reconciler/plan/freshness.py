"""Whether a plan may be applied here and now: its database, its time and its schema."""

from __future__ import annotations

from datetime import datetime

from reconciler.diagnostics.problem import Stale
from reconciler.diagnostics.words import _
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


def require_target(plan: Plan, current: DatabaseTarget, *, empty: bool) -> None:
    """Refuse a plan for another database than the `current` one.

    One that was new may have got its tables since, as long as it is `empty`.

    Raises:
        Stale: it is for another database.
    """
    planned = plan.target
    same = planned.id == current.id or (planned.id is None and empty)
    if not (same and planned.dialect == current.dialect):
        raise Stale.of("MBX522", planned=_name(planned), found=_name(current))


def _name(target: DatabaseTarget) -> str:
    return f"{target.dialect} {target.id or _('a new one')}"


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
