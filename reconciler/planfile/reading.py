"""The text of a plan file → plan."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reconciler import forms
from reconciler.alarms import Alarm, Concern
from reconciler.diagnostics import Failure, Stale
from reconciler.diff import Change
from reconciler.plan import Accepted, PartnerPlan, Plan, Refusal, Selection, Target
from reconciler.planfile.document import FORMAT, Digest, PlanDocument, ResourceChange, SelectionForm


def read(text: bytes, file: str) -> Plan:
    """The plan that a file holds.

    Raises:
        Failure: it is no plan.
        Stale: it was altered, or its format is newer than this version of the tool.
    """
    try:
        data = json.loads(text)
        version = str(data["format_version"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Failure.of("MBX523", file=file, reason="not a JSON document of this kind") from None
    if version.partition(".")[0] != FORMAT.partition(".")[0]:
        raise Stale.of("MBX524", file=file, found=version, known=FORMAT)
    changes = data.pop("resource_changes", [])
    _check_digest(data, changes, file)
    try:
        document = PlanDocument.model_validate({**data, "resource_changes": []})
        return _plan(document, map(_change, _spent(changes)))
    except ValidationError as error:
        raise Failure.of("MBX523", file=file, reason=_first(error)) from None


def _check_digest(data: dict[str, Any], changes: Any, file: str) -> None:
    if not isinstance(changes, list):
        raise Failure.of("MBX523", file=file, reason="resource_changes is no list")
    digest = Digest(data)
    digest.add(changes)
    if data.get("digest") != str(digest):
        raise Stale.of("MBX521", file=file)


def _spent(items: list[Any]) -> Iterator[Any]:
    """The items in their order, each let go once it is taken."""
    items.reverse()
    while items:
        yield items.pop()


def _first(error: ValidationError) -> str:
    item = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, item['loc']))}: {item['msg']}"


def _plan(document: PlanDocument, changes: Iterable[Change]) -> Plan:
    database = document.database
    return Plan(
        id=document.plan_id,
        created_at=document.created_at,
        project=document.project,
        target=Target(database.id, database.dialect, database.schema_revision),
        manifest_digest=document.manifest_digest,
        selection=_selection(document.selection),
        partners=tuple(_partners(document, changes)),
        unchanged=document.summary.noop,
        left_alone=document.summary.left_alone,
        commit=document.commit,
    )


def _selection(form: SelectionForm) -> Selection:
    servers = (server.partition("/") for server in form.servers)
    return Selection(tuple(form.partners), tuple((partner, name) for partner, _, name in servers))


def _partners(document: PlanDocument, found: Iterable[Change]) -> Iterator[PartnerPlan]:
    changes: dict[str, list[Change]] = {}
    for change in found:
        changes.setdefault(change.partner, []).append(change)
    refusals: dict[str, list[Refusal]] = {}
    for form in document.refusals:
        concerns = tuple(Concern(**item.model_dump()) for item in form.concerns)
        alarm = Alarm(form.guard, form.count, concerns)
        refusals.setdefault(form.partner, []).append(Refusal(form.partner, alarm, form.offered))
    accepted: dict[str, list[Accepted]] = {}
    for offer in document.accepted:
        accepted.setdefault(offer.partner, []).append(Accepted(**offer.model_dump()))
    for name in sorted({*changes, *refusals}):
        yield PartnerPlan(
            name,
            tuple(changes.get(name, ())),
            tuple(refusals.get(name, ())),
            tuple(accepted.get(name, ())),
        )


def _change(data: Any) -> Change:
    item = ResourceChange.model_validate(data)
    before, after = item.change.before, item.change.after
    return Change(
        item.partner,
        item.name,
        _row(item.type, before) if before is not None else None,
        _row(item.type, after) if after is not None else None,
    )


_ADAPTERS = {kind: TypeAdapter(row) for kind, row in forms.TYPES.items()}


def _row(kind: str, data: dict[str, Any]) -> Any:
    return _ADAPTERS[kind].validate_python(data)
