"""Plan → the text of its file: JSON in the shape that Terraform's plans have.

Every resource change is a line of its own, made when it is written: a first plan of a large estate
never stands in memory twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any

from reconciler import __version__, forms
from reconciler.diff import Action, Change, changed_fields
from reconciler.places import Source
from reconciler.plan import Plan, Refusal
from reconciler.planfile.document import FORMAT, Actions, Digest
from reconciler.summary import summarise

Sourcing = Callable[[Change], Source | None]


def nowhere(_change: Change) -> None:
    """The source of changes whose manifests are not at hand."""
    return


def text(plan: Plan, source_of: Sourcing = nowhere) -> Iterator[str]:
    """The file of a plan, piece by piece; `source_of` finds where a change is written."""
    head = _head(plan)
    digest = Digest(head)
    yield _dumped(head)[:-1] + ',"resource_changes":['
    separator = "\n"
    for change in _resource_changes(plan, source_of):
        digest.add([change])
        yield separator + _dumped(change)
        separator = ",\n"
    yield f'\n],"digest":"{digest}"}}\n'


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _head(plan: Plan) -> dict[str, Any]:
    """All of the document but its changes and its digest."""
    return {
        "format_version": FORMAT,
        "tool_version": __version__,
        "plan_id": plan.id,
        "created_at": plan.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "project": plan.project,
        "commit": plan.commit,
        "database": {**_plain(plan.target), "new": plan.target.id is None},
        "manifest_digest": plan.manifest_digest,
        "selection": {
            "partners": list(plan.selection.partners),
            "servers": ["/".join(server) for server in plan.selection.servers],
        },
        "complete": not plan.refusals,
        "errored": False,
        "applyable": bool(plan.applicable),
        "refusals": [_refusal(refusal) for refusal in plan.refusals],
        "accepted": [_plain(item) for part in plan.partners for item in part.accepted],
        "summary": {
            **summarise(plan.partners)._asdict(),
            "noop": plan.unchanged,
            "left_alone": plan.left_alone,
        },
    }


def _plain(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _resource_changes(plan: Plan, source_of: Sourcing) -> Iterator[dict[str, Any]]:
    for part in plan.partners:
        guards = list(dict.fromkeys(item.alarm.guard for item in part.refusals)) or None
        for change in part.changes:
            source = source_of(change)
            yield {
                "address": change.address,
                "mode": "managed",
                "type": change.kind,
                "name": change.name,
                "partner": change.partner,
                "source": source._asdict() if source else None,
                "change": _change(change),
                "refusal": guards,
            }


_ACTIONS: dict[Action, Actions] = {
    Action.CREATE: "create",
    Action.LINK: "create",
    Action.UPDATE: "update",
    Action.DELETE: "delete",
    Action.UNLINK: "delete",
}


def _change(change: Change) -> dict[str, Any]:
    updated = changed_fields(change) if change.action is Action.UPDATE else ()
    return {
        "actions": [_ACTIONS[change.action]],
        "action": change.action.value,
        "before": forms.plain(change.before) if change.before else None,
        "after": forms.plain(change.after) if change.after else None,
        "after_unknown": {},
        "before_sensitive": {},
        "after_sensitive": {},
        "changed_paths": ["/" + "/".join(field.path) for field in updated],
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "partner": refusal.partner,
        "guard": refusal.alarm.guard,
        "count": refusal.alarm.count,
        "offered": refusal.offered,
        "concerns": [concern._asdict() for concern in refusal.alarm.concerns],
    }
