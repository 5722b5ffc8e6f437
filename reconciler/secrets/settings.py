"""The section `[secrets]` of the settings: stores, who may use what of them, and keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from reconciler.secrets.credential_source import Source
from reconciler.secrets.references import FORMS
from reconciler.secrets.scope import Rules
from reconciler.secrets.settings_types import Mount, Section, Word
from reconciler.secrets.stores.aws import AwsSettings
from reconciler.secrets.stores.env import EnvSettings
from reconciler.secrets.stores.file import FileSettings
from reconciler.secrets.stores.vault import VaultSettings

StoreName = Literal["env", "file", "vault", "aws"]
Pattern = Annotated[str, StringConstraints(pattern=r"^[^*]*\*?$", min_length=1)]


class TransitSettings(Section):
    """The key of Vault's transit engine that the keys are wrapped with."""

    key: Word
    mount: Mount = "transit"


class KeySettings(Source):
    """Where the keys of the passwords in the database are, plain or wrapped."""

    transit: TransitSettings | None = None


class SecretSettings(Section):
    """Everything about secrets."""

    secret_mode: Literal["encrypted", "reference"] | None = None
    deadline: int = Field(default=30, ge=1, le=600)
    keys: KeySettings | None = None
    env: EnvSettings = EnvSettings()
    file: FileSettings = FileSettings()
    vault: VaultSettings | None = None
    aws: AwsSettings | None = None
    partners: dict[str, dict[StoreName, list[Pattern]]] = Field(default={})


def rules(settings: SecretSettings) -> Rules:
    """What the settings say about who may use which secrets."""
    partners = {
        partner: {str(store): tuple(patterns) for store, patterns in stores.items()}
        for partner, stores in settings.partners.items()
    }
    sections = {store: getattr(settings, store) for store in FORMS}
    prefixes = {store: section.prefix for store, section in sections.items() if section}
    return Rules(partners, prefixes, frozenset(_own(settings)))


def _own(settings: SecretSettings) -> Iterator[tuple[str, str]]:
    """What the tool itself reads, by store and name; for files in whatever folder."""
    sources: list[Source | None] = [settings.keys]
    if settings.vault:
        sources.append(settings.vault.login.where())
    for source in sources:
        if source and source.env:
            yield "env", source.env
        if source and source.file:
            yield "file", Path(source.file).name
