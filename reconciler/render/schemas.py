"""The JSON Schemas of manifests and plans, made from the models, in draft-07.

Draft-07 is what every editor understands; the few words that differ are lowered here.
"""

from __future__ import annotations

from typing import Any

from reconciler.manifests.schema import CompanyFile, PartnerFile

DRAFT = "http://json-schema.org/draft-07/schema#"


def manifest() -> dict[str, Any]:
    """The schema of a manifest: a company's own file where it says `company`, else a partner's."""
    from pydantic.json_schema import models_json_schema  # noqa: PLC0415 - only for this

    references, schema = models_json_schema(
        [(PartnerFile, "validation"), (CompanyFile, "validation")],
        ref_template="#/definitions/{model}",
    )
    return {
        "$schema": DRAFT,
        "title": "Partner mail servers",
        "description": "A manifest of reconciler, version 1.",
        "type": "object",
        "if": {"required": ["company"]},
        "then": references[CompanyFile, "validation"],
        "else": references[PartnerFile, "validation"],
        "definitions": _lowered(schema["$defs"]),
    }


def plan() -> dict[str, Any]:
    """The schema of a plan, as `plan --format json` prints it."""
    from reconciler.render.plan_schema import PlanDocument  # noqa: PLC0415 - manifests do without

    schema = PlanDocument.model_json_schema(
        mode="serialization", ref_template="#/definitions/{model}"
    )
    definitions = _lowered(schema.pop("$defs"))
    return {"$schema": DRAFT, **_lowered(schema), "definitions": definitions}


def _lowered(value: Any) -> Any:
    """`value` without the words that draft-07 does not know."""
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _lowered(item) for name, item in value.items() if name != "discriminator"}


SCHEMAS = {"manifest": manifest, "plan": plan}
