"""The JSON Schemas of manifests and plans, made from the models, in draft-07.

Draft-07 is what every editor understands; the few words that differ are lowered here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from reconciler.manifests.schema import CompanyFile, PartnerFile
from reconciler.plan.cause import Changed
from reconciler.plan.diff import Action
from reconciler.plan.plan import PasswordState

DRAFT = "http://json-schema.org/draft-07/schema#"
Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""As large as a database can hold."""
Value = bool | Number | str | list[str] | dict[str, str] | None
"""A field of a row."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Database(_Part):
    """The database that the plan is for; `new` while none of the tool's tables is there."""

    id: str | None
    dialect: str
    schema_revision: str | None
    new: bool


class SourceForm(_Part):
    """Where in the manifests a row is written."""

    file: str
    line: int
    column: int


class ChangeForm(_Part):
    """What a change does. `action` is the tool's own word, `actions` Terraform's."""

    actions: list[Literal["create", "update", "delete", "no-op"]]
    action: Action
    before: dict[str, Value] | None
    after: dict[str, Value] | None
    after_unknown: dict[str, bool] = Field({}, description="Always empty: nothing is unknown.")
    before_sensitive: dict[str, bool] = Field({}, description="Always empty: no secret is here.")
    after_sensitive: dict[str, bool] = Field({}, description="Always empty: no secret is here.")
    changed_paths: list[str] = []


class CauseForm(_Part):
    """Why a row differs: since the revision that last touched it, if any, the manifests changed,
    the database did, or both; `fields` tells it for each field where they differ in that.
    """

    changed: Changed
    revision: Number | None
    applied_at: AwareDatetime | None
    rolls_back: Number | None = Field(None, description="The revision that this one undid.")
    fields: dict[str, Changed] = {}


class ResourceChange(_Part):
    """One row that differs; `refusal` names the guards that keep its partner as it is."""

    address: str
    mode: Literal["managed"] = "managed"
    type: Literal["partner", "company", "head_office", "host", "server", "link"]
    name: str
    partner: str
    source: SourceForm | None
    cause: CauseForm
    change: ChangeForm
    refusal: list[str] | None


class ConcernForm(_Part):
    name: str
    detail: str
    file: str | None
    nickname: str = ""


class RefusalForm(_Part):
    """A guard that stops a partner; `count` is what an acceptance must name."""

    partner: str
    guard: str
    count: int
    offered: int | None
    concerns: list[ConcernForm]


class AcceptedForm(_Part):
    partner: str
    guard: str
    count: int
    reason: str
    until: str


class PasswordForm(_Part):
    """Where the password of a mail server is, and what is known of it; never what it is."""

    partner: Annotated[str, Field(min_length=1, max_length=63)]
    server: Annotated[str, Field(min_length=1, max_length=63)]
    reference: Annotated[str, Field(max_length=300)]
    verdict: PasswordState


class SelectionForm(_Part):
    partners: list[str]
    servers: list[str]


class SummaryForm(_Part):
    create: int
    update: int
    delete: int
    link: int
    unlink: int
    refused: int
    seal: int = Field(description="Passwords whose values are known to have changed.")
    noop: int
    left_alone: int


class PlanDocument(_Part):
    """A plan of reconciler. A minor version adds keys; a major one is another format."""

    format_version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")]
    tool_version: str
    plan_id: str
    created_at: AwareDatetime = Field(description="By the clock of the database.")
    expires_at: AwareDatetime = Field(description="Until when it can be applied, by that clock.")
    project: str
    commit: str | None
    rolls_back: Number | None = Field(description="The revision that the plan undoes, if any.")
    database: Database
    manifest_digest: str
    selection: SelectionForm
    complete: bool = Field(description="Whether nothing is refused.")
    errored: bool
    applyable: bool = Field(description="Whether there is anything that can be applied.")
    resource_changes: list[ResourceChange]
    refusals: list[RefusalForm]
    accepted: list[AcceptedForm]
    summary: SummaryForm
    passwords: list[PasswordForm] = Field(
        description="What an apply compares with the passwords that the database keeps sealed."
    )


def manifest() -> dict[str, Any]:
    """The schema of a manifest: a company's own file where it says `company`, else a partner's."""
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
