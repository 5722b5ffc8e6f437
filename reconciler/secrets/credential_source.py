"""Where the tool's own credentials and keys are: a variable or a file, named in the settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings_types import VARIABLE, AbsolutePath, Section
from reconciler.secrets.stores import folder


class CredentialSource(Section):
    """Exactly one of both."""

    env: Annotated[str, StringConstraints(pattern=VARIABLE)] | None = None
    file: AbsolutePath | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("either env or file is needed")
        return self


def read(source: CredentialSource, environment: Mapping[str, str]) -> Secret:
    """The credential itself, stripped of space around it.

    Raises:
        Failure: it is missing or empty.
    """
    text = _file(source.file) if source.file else environment.get(source.env or "")
    if not text or not text.strip():
        raise Failure.of("MBX680", source=name(source))
    return Secret(text.strip())


def name(source: CredentialSource) -> str:
    """How messages name it."""
    return source.file or f"${source.env}"


def _file(path: str) -> str | None:
    try:
        data = folder.read(Path(path).parent, Path(path).name)
        return data.decode() if len(data) <= folder.LIMIT else None
    except (Failure, UnicodeDecodeError):
        return None
