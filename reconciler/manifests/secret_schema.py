"""How a manifest says where a secret is: a mapping for each store, or one line."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from reconciler.manifests.values import (
    AwsName,
    NotPlain,
    OptionalText,
    SecretFile,
    SecretKey,
    SecretVersion,
    ShortReference,
    Variable,
    VaultPath,
)
from reconciler.secrets.references import FORMS, Reference


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EnvironmentReference(Spec):
    env: Variable = Field(description="Name of the environment variable that holds the secret.")

    @property
    def reference(self) -> Reference:
        return Reference("env", self.env)


class FileReference(Spec):
    file: SecretFile = Field(description="Name of the file, in the secrets folder, that holds it.")

    @property
    def reference(self) -> Reference:
        return Reference("file", self.file)


class VaultSecret(Spec):
    path: VaultPath = Field(description="Where it is, below the mount that the settings name.")
    key: SecretKey = Field(description="Which of the keys there.")
    version: Annotated[SecretVersion | None, OptionalText] = Field(
        None, description="Which version; the newest if not given."
    )


class VaultReference(Spec):
    vault: VaultSecret = Field(description="The secret in HashiCorp Vault or OpenBao.")

    @property
    def reference(self) -> Reference:
        secret = self.vault
        return Reference("vault", secret.path, secret.key, secret.version)


class AwsSecret(Spec):
    name: AwsName = Field(description="Its name.")
    key: Annotated[SecretKey | None, OptionalText] = Field(
        None, description="Which of the keys, where it is an object of JSON."
    )


class AwsReference(Spec):
    aws: AwsSecret = Field(description="The secret in AWS Secrets Manager.")

    @property
    def reference(self) -> Reference:
        return Reference("aws", self.aws.name, self.aws.key)


def _reference_kind(value: Any) -> str:
    if not isinstance(value, dict):
        return "<short>"
    return next((f"<{store}>" for store in FORMS if store in value), "<env>")


SecretReference = Annotated[
    Annotated[
        Annotated[ShortReference, Tag("<short>")]
        | Annotated[EnvironmentReference, Tag("<env>")]
        | Annotated[FileReference, Tag("<file>")]
        | Annotated[VaultReference, Tag("<vault>")]
        | Annotated[AwsReference, Tag("<aws>")],
        Discriminator(_reference_kind),
    ],
    NotPlain,
]
