"""How a manifest refers to a secret: by a mapping for each kind of store, or in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, create_model
from pydantic import StringConstraints as Constraints

from reconciler.manifests.values import NotPlain, OrNull, Positive, SecretKey, ShortReference
from reconciler.secrets.references import LONGEST, Reference, to_text
from reconciler.secrets.stores.kinds import KINDS
from reconciler.secrets.stores.store import StoreKind

OptionalKey = OrNull[SecretKey]
OptionalVersion = OrNull[Positive]


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _secret_entry(kind: StoreKind) -> Any:
    """How a manifest refers to a secret of a store; the value is how the database keeps that."""
    most = LONGEST if kind.word else None
    below: Any = Annotated[str, Constraints(pattern=kind.pattern, max_length=most)]
    if kind.word:
        key = Field(... if kind.key_needed else None, description=kind.key_description)
        fields: dict[str, Any] = {
            kind.word: (below, Field(description=kind.word_description)),
            "key": (SecretKey if kind.key_needed else OptionalKey, key),
        }
        if kind.versions:
            newest = Field(None, description="Which version; the newest if not given.")
            fields["version"] = (OptionalVersion, newest)
        below = create_model(f"{kind.name.title()}Secret", __base__=Spec, **fields)
    fields = {kind.name: (below, Field(description=kind.description))}
    entry: Any = create_model(f"{kind.name.title()}Reference", __base__=Spec, **fields)

    def text(value: Any) -> str:
        item = getattr(value, kind.name)
        if kind.word is None:
            return to_text(Reference(kind.name, item))
        version = item.version if kind.versions else None
        return to_text(Reference(kind.name, getattr(item, kind.word), item.key, version))

    return Annotated[entry, AfterValidator(text), Tag(f"<{kind.name}>")]


def _written(kind: StoreKind) -> str:
    """An example of a reference to a store."""
    keys = ", ".join(filter(None, (kind.word, "key" if kind.key_needed else "")))
    return f"{{{kind.name}: {f'{{{keys}}}' if keys else kind.example}}}"


def _reference_kind(value: Any) -> str:
    if not isinstance(value, dict):
        return "<short>"
    return next((f"<{store}>" for store in KINDS if store in value), "<env>")


if TYPE_CHECKING:
    SecretReference = str
else:
    SecretReference = Annotated[
        Annotated[
            Union[(Annotated[ShortReference, Tag("<short>")], *map(_secret_entry, KINDS.values()))],
            Discriminator(_reference_kind),
        ],
        NotPlain,
    ]

SECRET_FORMS = ", ".join(map(_written, KINDS.values()))
"""How references to all kinds of stores are written, as help texts say it."""
