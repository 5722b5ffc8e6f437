"""The settings of the platform engineer: `reconciler.toml` and `RECONCILER_*`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from reconciler.diagnostics.problem import Failure, Problem
from reconciler.plan.guards import ELSEWHERE
from reconciler.probes.policy import ProbeSettings
from reconciler.secrets.settings import SecretSettings

if TYPE_CHECKING:
    Guard = str
else:
    Guard = Literal[ELSEWHERE]

FILE = "reconciler.toml"
DEFAULT_DATABASE = "sqlite:///reconciler.db"
ENVIRONMENT = {
    "RECONCILER_DATABASE_URL": "database",
    "RECONCILER_DATABASE_ID": "database_id",
    "RECONCILER_DATABASE_TLS": "database_tls",
    "RECONCILER_DATABASE_CA": "database_ca",
    "RECONCILER_PROJECT": "project",
    "RECONCILER_PLAN_LIFETIME": "plan_lifetime",
    "RECONCILER_PLAN_KEY_FILE": "plan_key_file",
}
"""The settings that the environment can set; it takes precedence over the file."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limits(_Section):
    """How large one manifest may be."""

    file_bytes: int = Field(default=4 * 1024 * 1024, ge=1)
    scalar_bytes: int = Field(default=64 * 1024, ge=1)
    depth: int = Field(default=64, ge=8, le=400)


class AcceptedGuard(_Section):
    """A guard that one change may pass."""

    partner: str
    guard: Guard
    count: int = Field(ge=1)
    reason: str = ""
    until: date | None = None


class Guards(_Section):
    """When the mass guards stop a plan, and what is accepted."""

    most: int = Field(default=10, ge=0)
    least: int = Field(default=3, ge=1)
    percent: int = Field(default=30, ge=0, le=100)
    accept: list[AcceptedGuard] = []


_LIFETIME = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _lifetime(value: object) -> timedelta:
    match = _LIFETIME.fullmatch(value) if isinstance(value, str) else None
    lifetime = int(match[1]) * _UNITS[match[2]] if match else timedelta()
    if not timedelta(minutes=1) <= lifetime <= timedelta(days=30):
        raise PydanticCustomError("MBX651", "")
    return lifetime


class Settings(_Section):
    """All settings of a run."""

    project: str = Field(default="", max_length=100)
    database: str | None = None
    database_id: str | None = None
    database_tls: Literal["require", "verify"] | None = None
    database_ca: str | None = None
    plan_lifetime: Annotated[timedelta, BeforeValidator(_lifetime)] = timedelta(hours=24)
    plan_key_file: str | None = None
    limits: Limits = Limits()
    guards: Guards = Guards()
    probes: ProbeSettings = ProbeSettings()
    paths: dict[str, list[str]] = {}
    secrets: SecretSettings = SecretSettings()


def find(named: Path | None, folders: tuple[Path, ...]) -> Path | None:
    """The settings file: the one named, or the first in one of `folders`."""
    if named is not None:
        return named
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def load(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """The settings of `file`, overridden by the environment.

    Raises:
        Failure: the file cannot be read, or holds something that is no setting.
    """
    data = _read(file) if file else {}
    for variable, name in ENVIRONMENT.items():
        if value := environment.get(variable):
            data[name] = value
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        name = str(file or "RECONCILER_*")
        raise Failure(_problem(name, item) for item in error.errors()) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "UTF-8"
        raise Failure.of("MBX603", file=str(file), reason=reason) from None
    except tomllib.TOMLDecodeError as error:
        raise Failure.of("MBX601", file=str(file), reason=str(error)) from None


def _problem(file: str, item: Any) -> Problem:
    key = ".".join(str(step) for step in item["loc"])
    code = item["type"] if item["type"].startswith("MBX") else "MBX602"
    return Problem(code, None, {"file": file, "key": key, "reason": item["msg"]})
