"""The document that a plan file holds, as models: what its JSON Schema is made from.

It holds all that applying needs, and never a secret: passwords are references everywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from reconciler.diff import Action

FORMAT = "1.0"
Actions = Literal["create", "update", "delete", "no-op"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


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

    actions: list[Actions]
    action: Action
    before: dict[str, JsonValue] | None
    after: dict[str, JsonValue] | None
    after_unknown: dict[str, bool] = Field({}, description="Always empty: nothing is unknown.")
    before_sensitive: dict[str, bool] = Field({}, description="Always empty: no secret is here.")
    after_sensitive: dict[str, bool] = Field({}, description="Always empty: no secret is here.")
    changed_paths: list[str] = []


class ResourceChange(_Part):
    """One row that differs; `refusal` names the guards that keep its partner as it is."""

    address: str
    mode: Literal["managed"] = "managed"
    type: Literal["partner", "company", "head_office", "host", "server", "link"]
    name: str
    partner: str
    source: SourceForm | None
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
    noop: int
    left_alone: int


class PlanDocument(_Part):
    """A plan of reconciler. A minor version adds keys; a major one is another format."""

    format_version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")]
    tool_version: str
    plan_id: str
    created_at: datetime
    project: str
    commit: str | None
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
    digest: str = Field(
        description="SHA-256 over the canonical form of the document without this key and "
        "`resource_changes`, and then of each of these."
    )


def canonical(value: Any) -> str:
    """JSON with sorted keys and no space: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Digest:
    """The digest of a document, taken part by part so that no part has to be kept."""

    def __init__(self, head: dict[str, Any]) -> None:
        left_out = ("digest", "resource_changes")
        content = {name: value for name, value in head.items() if name not in left_out}
        self._hash = hashlib.sha256(_bytes(content))

    def add(self, changes: Iterable[Any]) -> None:
        """Take in resource changes, in their order."""
        for change in changes:
            self._hash.update(_bytes(change))

    def __str__(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _bytes(value: Any) -> bytes:
    return canonical(value).encode(errors="surrogatepass")
