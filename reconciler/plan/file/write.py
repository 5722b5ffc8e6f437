"""Plan → the text of its file: JSON in the shape that Terraform's plans have.

Every resource change is a line of its own, made when it is written: a first plan of a large estate
never stands in memory twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from reconciler import __version__
from reconciler.diagnostics.problem import Source
from reconciler.model import as_json
from reconciler.model.unchanged import Unchanged
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Action, Change, changed_fields
from reconciler.plan.file.document import FORMAT, Actions, Digest, canonical, utc_text
from reconciler.plan.file.sign import PlanKey
from reconciler.plan.plan import Password, Plan, Refusal
from reconciler.plan.summary import summarise

Sourcing = Callable[[Change], Source | None]


def nowhere(_change: Change) -> None:
    """The source of changes whose manifests are not at hand."""
    return


class PlanFile:
    """The file of a plan, piece by piece."""

    def __init__(
        self,
        plan: Plan,
        unchanged: Iterable[Unchanged] = (),
        source_of: Sourcing = nowhere,
        key: PlanKey | None = None,
    ) -> None:
        """`source_of` finds where a change is written; with `key` the plan is signed.

        `unchanged` are facts for who applies it.
        """
        self._unchanged = tuple(unchanged)
        self._plan = plan
        self._source_of = source_of
        self._key = key
        self.digest = ""
        """Known once all pieces were taken."""

    def __iter__(self) -> Iterator[str]:
        first, head, digest = {"format_version": FORMAT}, self._head(), Digest()
        yield f'{canonical(first)[:-1]},{canonical(head)[1:-1]},"resource_changes":['
        separator = "\n"
        for change in map(canonical, _resource_changes(self._plan, self._source_of)):
            digest.add(change)
            yield separator + change
            separator = ",\n"
        self.digest = digest.of(first | head)
        signature = self._key.sign(self.digest) if self._key else None
        last = {"digest": self.digest, "signature": signature}
        yield f"\n],{canonical(last)[1:]}\n"

    def _head(self) -> dict[str, Any]:
        return {**_head(self._plan), "unchanged": [_fact(fact) for fact in self._unchanged]}


def _head(plan: Plan) -> dict[str, Any]:
    """All of the document but its format, its changes, and what vouches for them."""
    return {
        "tool_version": __version__,
        "plan_id": plan.id,
        "created_at": utc_text(plan.created_at),
        "expires_at": utc_text(plan.expires_at),
        "project": plan.project,
        "commit": plan.commit,
        "rolls_back": plan.rolls_back,
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
            **summarise(plan.partners, plan.changed_passwords)._asdict(),
            "noop": plan.unchanged,
            "left_alone": plan.left_alone,
        },
        "passwords": [_password(item) for item in plan.passwords],
    }


def _password(item: Password) -> dict[str, Any]:
    return {
        "partner": item.partner,
        "server": item.server,
        "reference": item.reference,
        "verdict": item.state,
    }


def _fact(fact: Unchanged) -> dict[str, Any]:
    files = [{"name": name, "sha256": sha} for name, sha in fact.files]
    return {**fact._asdict(), "files": files}


def _plain(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


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
    return {
        "address": change.address,
        "mode": "managed",
        "type": change.kind,
        "name": change.name,
        "partner": change.partner,
        "cause": _cause(cause),
        "change": _change(change),
    }


_ACTIONS: dict[Action, Actions] = {
    Action.CREATE: "create",
    Action.LINK: "create",
    Action.UPDATE: "update",
    Action.DELETE: "delete",
    Action.UNLINK: "delete",
}


def _cause(cause: Cause) -> dict[str, Any]:
    applied_at = utc_text(cause.applied_at) if cause.applied_at else None
    told: dict[str, Any] = {
        "changed": cause.changed,
        "revision": cause.revision,
        "applied_at": applied_at,
    }
    if cause.rolls_back is not None:
        told["rolls_back"] = cause.rolls_back
    if cause.fields:
        told["fields"] = dict(cause.fields)
    return told


def _change(change: Change) -> dict[str, Any]:
    updated = changed_fields(change) if change.action is Action.UPDATE else ()
    return {
        "actions": [_ACTIONS[change.action]],
        "action": change.action.value,
        "before": as_json.plain(change.before) if change.before else None,
        "after": as_json.plain(change.after) if change.after else None,
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
