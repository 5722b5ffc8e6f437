"""The section `[secrets]` of the settings: stores, who may use what of them, and keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints, create_model

from reconciler.secrets.scope import Rules
from reconciler.secrets.settings_types import CredentialSource, Mount, Section, Word
from reconciler.secrets.stores.kinds import KINDS
from reconciler.secrets.stores.store import StoreSection

if TYPE_CHECKING:
    StoreName = str
else:
    StoreName = Literal[tuple(KINDS)]
KEYS = "RECONCILER_KEYS"
"""The variable that has the keys if the settings do not say where they are."""
Pattern = Annotated[str, StringConstraints(pattern=r"^[^*]*\*?$", min_length=1)]


class TransitSettings(Section):
    """The key of Vault's transit engine that the keys are wrapped with."""

    key: Word
    mount: Mount = "transit"


class KeySettings(CredentialSource):
    """Where the keys of the passwords in the database are, plain or wrapped."""

    transit: TransitSettings | None = None


class _Common(Section):
    """What the section has beside one section for each kind of store."""

    secret_mode: Literal["encrypted", "reference"] | None = None
    deadline: int = Field(default=30, ge=1, le=600)
    keys: KeySettings | None = None
    partners: dict[str, dict[StoreName, list[Pattern]]] = Field(default={})

    def section(self, store: str) -> StoreSection | None:
        """The section about a store; None where it is not set up."""
        section: StoreSection | None = getattr(self, store)
        return section


if TYPE_CHECKING:

    class SecretSettings(_Common):
        """Everything about secrets."""

        def __getattr__(self, store: str) -> Any: ...

else:
    SecretSettings = create_model(
        "SecretSettings",
        __base__=_Common,
        **{
            name: (kind.section | None, kind.section() if kind.set_up else None)
            for name, kind in KINDS.items()
        },
    )


def rules(settings: SecretSettings) -> Rules:
    """What the settings say about who may use which secrets."""
    partners = {
        partner: {str(store): tuple(patterns) for store, patterns in stores.items()}
        for partner, stores in settings.partners.items()
    }
    sections = {store: section for store in KINDS if (section := settings.section(store))}
    prefixes = {store: section.prefix for store, section in sections.items()}
    sources = [source for section in sections.values() for source in section.credentials()]
    if settings.keys:
        sources.append(settings.keys)
    return Rules(partners, prefixes, frozenset(_names(sources)))


def _names(sources: Iterable[CredentialSource]) -> Iterator[tuple[str, str]]:
    """The store and name of each; a file counts by its name, whatever its folder."""
    for source in sources:
        if source.env:
            yield "env", source.env
        if source.file:
            yield "file", Path(source.file).name
