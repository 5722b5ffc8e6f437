"""What Terraform keeps of a resource in its state, version 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterable

Json: TypeAlias = dict[str, Any]


def resource(name: str, fields: Json) -> Json:
    """One `terraform_data` resource after an apply."""
    value = {"value": fields, "type": _type(fields)}
    own_id = str(uuid5(NAMESPACE_URL, name))
    attributes = {"id": own_id, "input": value, "output": value, "triggers_replace": None}
    instance = {"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}
    return {
        "mode": "managed",
        "type": "terraform_data",
        "name": name,
        "provider": 'provider["terraform.io/builtin/terraform"]',
        "instances": [instance],
    }


def _type(value: Any) -> Any:
    """The type that Terraform infers for a value and keeps beside it."""
    if isinstance(value, dict):
        return ["object", {key: _type(item) for key, item in value.items()}]
    if isinstance(value, list):
        return ["tuple", [_type(item) for item in value]]
    return "bool" if isinstance(value, bool) else "string"


def shapes(resources: Iterable[Json]) -> dict[str, Json]:
    """The resources by name, without the id that is random."""
    shapes = {}
    for resource in resources:
        (instance,) = resource["instances"]
        attributes = {**instance["attributes"], "id": None}
        shapes[resource["name"]] = {
            **resource,
            "instances": [{**instance, "attributes": attributes}],
        }
    return shapes
