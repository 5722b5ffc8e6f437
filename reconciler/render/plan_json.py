"""A plan as one JSON document for programs, in the shape that Terraform's plans have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

from reconciler import __version__
from reconciler.diagnostics.problem import Source
from reconciler.model import as_json
from reconciler.model.as_list import plain
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Action, Change, changed_fields
from reconciler.plan.guards import GUARDS
from reconciler.plan.plan import Password, Plan, Refusal, summarise
from reconciler.render.style import clean

FORMAT = "1.0"
Sourcing = Callable[[Change], Source | None]
_ACTIONS = {
    Action.CREATE: "create",
    Action.LINK: "create",
    Action.UPDATE: "update",
    Action.DELETE: "delete",
    Action.UNLINK: "delete",
}


def document(plan: Plan, source_of: Sourcing) -> Iterator[str]:
    """The document, piece by piece; `source_of` finds where a change is written."""
    yield from pieces(_head(plan), "resource_changes", _resource_changes(plan, source_of))
    yield "}\n"


def pieces(head: dict[str, Any], name: str, items: Iterable[Any]) -> Iterator[str]:
    """A JSON object up to the end of its list `name`, one line an item; the caller closes it."""
    yield f'{dumped(head)[:-1]},"{name}":['
    for number, item in enumerate(items):
        yield (",\n" if number else "\n") + dumped(item)
    yield "\n]"


def dumped(value: Any) -> str:
    """A value as one line of JSON that is harmless on a terminal."""
    return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _head(plan: Plan) -> dict[str, Any]:
    """All of the document but its changes."""
    target = plan.target
    return {
        "format_version": FORMAT,
        "tool_version": __version__,
        "plan_id": plan.id,
        "created_at": plain(plan.created_at),
        "expires_at": plain(plan.expires_at),
        "project": plan.project,
        "commit": plan.commit,
        "rolls_back": plan.rolls_back,
        "database": {
            "id": target.id,
            "dialect": target.dialect,
            "schema_revision": target.schema_revision,
            "new": target.id is None,
        },
        "manifest_digest": plan.manifest_digest,
        "selection": {
            "partners": plan.selection.partners,
            "servers": ["/".join(server) for server in plan.selection.servers],
        },
        "complete": not plan.refusals,
        "errored": False,
        "applyable": bool(plan.applicable),
        "refusals": [_refusal(refusal) for refusal in plan.refusals],
        "accepted": [asdict(item) for part in plan.partners for item in part.accepted],
        "summary": {
            **summarise(plan.partners, plan.changed_passwords)._asdict(),
            "noop": plan.unchanged,
            "left_alone": plan.left_alone,
        },
        "passwords": list(map(_password, plan.passwords)),
    }


def _password(password: Password) -> dict[str, str]:
    partner, server, reference, state = password
    return {"partner": partner, "server": server, "reference": reference, "verdict": state}


def _resource_changes(plan: Plan, source_of: Sourcing) -> Iterator[dict[str, Any]]:
    for part in plan.partners:
        guards = list(dict.fromkeys(item.alarm.guard for item in part.refusals)) or None
        for change, cause in part.explained:
            source = source_of(change)
            yield {
                **resource_change(change, cause),
                "source": source._asdict() if source else None,
                "refusal": guards,
            }


def resource_change(change: Change, cause: Cause) -> dict[str, Any]:
    """A change and why it is there, as all documents have it."""
    updated = changed_fields(change) if change.action is Action.UPDATE else ()
    return {
        "address": change.address,
        "mode": "managed",
        "type": change.kind,
        "name": change.name,
        "partner": change.partner,
        "cause": {
            "changed": cause.changed,
            "revision": cause.revision,
            "applied_at": plain(cause.applied_at) if cause.applied_at else None,
            **({} if cause.rolls_back is None else {"rolls_back": cause.rolls_back}),
            **({"fields": dict(cause.fields)} if cause.fields else {}),
        },
        "change": {
            "actions": [_ACTIONS[change.action]],
            "action": change.action.value,
            "before": as_json.plain(change.before) if change.before else None,
            "after": as_json.plain(change.after) if change.after else None,
            "after_unknown": {},
            "before_sensitive": {},
            "after_sensitive": {},
            "changed_paths": ["/" + "/".join(field.path) for field in updated],
        },
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    alarm, any_kind = refusal.alarm, GUARDS[refusal.alarm.guard].any_kind
    return {
        "partner": refusal.partner,
        "guard": alarm.guard,
        "count": alarm.count,
        "offered": refusal.miscounted,
        "concerns": [
            {
                "name": f"{item.kind}.{refusal.partner}/{item.name}" if any_kind else item.name,
                "detail": item.detail if item.number is None else str(item.number),
                "file": item.file,
                "nickname": item.nickname,
            }
            for item in alarm.concerns
        ],
    }
