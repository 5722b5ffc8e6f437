"""What all sections about secrets in the settings have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from reconciler.diagnostics.problem import Failure
from reconciler.secrets.secret import Secret
from reconciler.secrets.stores import folder


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, named = parts.hostname or "", parts.username or parts.password
        _port = parts.port
    except ValueError:
        raise ValueError("this is no URL") from None
    if not host or named or parts.query or parts.fragment:
        raise ValueError("a URL of the form https://host:port is expected")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(host)):
        raise ValueError("https is needed, except on this machine")
    return value


def _is_this_machine(host: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415 - few settings have an address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _absolute(value: str) -> str:
    if not value.startswith("/") or "\0" in value:
        raise ValueError("an absolute path is expected")
    return value


def _template(value: str) -> str:
    if value.count("{partner}") != 1:
        raise ValueError("it has to hold {partner} once")
    return value


Address = Annotated[str, AfterValidator(_address)]
AbsolutePath = Annotated[str, AfterValidator(_absolute)]
Prefix = Annotated[str, AfterValidator(_template)]
Mount = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")]
Word = Annotated[str, Field(min_length=1)]
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
"""The name of an environment variable."""


class CredentialSource(Section):
    """Where one of the tool's own credentials or keys is: a variable or a file, exactly one."""

    env: Annotated[str, StringConstraints(pattern=VARIABLE)] | None = None
    file: AbsolutePath | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("either env or file is needed")
        return self

    def read(self, environment: Mapping[str, str]) -> Secret:
        """The credential itself, stripped of space around it.

        Raises:
            Failure: it is missing or empty.
        """
        text = _text(Path(self.file)) if self.file else environment.get(self.env or "", "")
        if not text.strip():
            raise Failure.of("MBX680", source=self.file or f"${self.env}")
        return Secret(text.strip())


def _text(path: Path) -> str:
    """What a file holds; empty where that cannot be a credential."""
    try:
        data = folder.read(path.parent, path.name)
        return data.decode() if len(data) <= folder.LIMIT else ""
    except (Failure, UnicodeDecodeError):
        return ""
