"""The configuration language, version 1: what each file may hold.

The JSON Schema that editors use is made from these models; their descriptions are its help texts.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from reconciler.manifests.secret_schema import SECRET_FORMS, SecretReference, Spec
from reconciler.manifests.values import (
    AsFlag,
    AsNumber,
    Cnpj,
    Day,
    Email,
    Flag,
    Host,
    Identifier,
    Name,
    NotAlone,
    Number,
    OneOrMany,
    OptionalText,
    Port,
    Seconds,
    Security,
    Text,
)
from reconciler.model.state import Ignorable
from reconciler.plan.guards import IN_MANIFESTS

Protocol = Literal["smtp", "imap", "pop3"]
if TYPE_CHECKING:
    Guard = str
else:
    Guard = Literal[IN_MANIFESTS]


class Options(Spec):
    """The advanced options of a host, or of one mail server."""

    port: Annotated[Port | None, OptionalText] = Field(
        None, description="Port; without it the usual one of protocol and security."
    )
    security: Annotated[Security | None, OptionalText] = Field(
        None,
        description="How the connection is encrypted: tls from the start, starttls, or none "
        "(only on the same machine).",
    )
    verify_certificate: Annotated[Flag | None, OptionalText] = Field(
        None, description="Whether the server's certificate must be valid. Leave it on."
    )
    ca_file: Annotated[Name | None, OptionalText] = Field(
        None, description="Name of the file with the authority that signed the certificate."
    )
    timeout: Annotated[Seconds | None, OptionalText] = Field(
        None, description="How long to wait for the server, as in 30s or 2m; at most 10m."
    )
    ehlo_name: Annotated[Host | None, OptionalText] = Field(
        None, description="The name this side gives when it greets an outgoing server."
    )


class HostOptions(Spec):
    """The advanced options of one host, for each protocol it speaks."""

    smtp: Options | None = None
    imap: Options | None = None
    pop3: Options | None = None


class CompanyEntry(Spec):
    """A company of the partner."""

    nickname: Text = Field(description="The name people call it by.")
    head_office: Flag = Field(
        default=False, description="Whether it is the head office of its CNPJ root."
    )
    notification_email: Annotated[Email | None, OptionalText] = Field(
        None, description="Whom to tell when its mailboxes fail."
    )
    extensions: list[Literal["document_import"]] = Field(
        default=[], description="document_import is needed to link an incoming mailbox."
    )
    own_mailboxes: Flag = Field(
        default=False, description="Whether it may register mailboxes in a file of its own."
    )


class Sender(Spec):
    """From whom the messages of an outgoing server come."""

    email: Email = Field(description="The sender address.")
    name: Annotated[Text | None, OptionalText] = Field(
        None, description="The sender name; a link may change it for its company."
    )


class LinkOptions(Spec):
    sender_name: Annotated[Text | None, OptionalText] = Field(
        None, description="The sender name for this company, in place of the server's."
    )
    active: Flag = Field(default=True, description="Whether the company uses the server.")


class CompanyLink(LinkOptions):
    """A link to one company."""

    cnpj: Cnpj


class BranchesLink(LinkOptions):
    """Links to all other companies of the root of this CNPJ."""

    branches_of: Cnpj


class AllLink(LinkOptions):
    """Links to all companies of the partner."""

    all: Annotated[Literal[True], AsFlag]


def _link_kind(value: Any) -> str:
    if not isinstance(value, dict):
        return "<cnpj>"
    if "branches_of" in value:
        return "<branches_of>"
    return "<all>" if "all" in value else "<link>"


LinkSpec = Annotated[
    Annotated[Cnpj, Tag("<cnpj>")]
    | Annotated[CompanyLink, Tag("<link>")]
    | Annotated[BranchesLink, Tag("<branches_of>")]
    | Annotated[AllLink, Tag("<all>")],
    Discriminator(_link_kind),
]


class IgnoreChanges(Spec):
    """The fields of a mail server that other programs may change, and why."""

    fields: Annotated[list[Ignorable], Field(min_length=1)] = Field(
        description="What is left to them, once the server is there."
    )
    reason: Text = Field(description="Why, for those who read it later.")


class Server(Options):
    """One mailbox, outgoing or incoming."""

    direction: Literal["outgoing", "incoming"] = Field(
        description="outgoing sends, incoming is read."
    )
    protocol: Annotated[Protocol | None, OptionalText] = Field(
        None, description="smtp is the default of outgoing, imap of incoming."
    )
    nickname: Text = Field(description="The name people call it by.")
    active: Flag = Field(default=True, description="Whether it is used at all.")
    host: Host = Field(description="Name of the mail server's host.")
    username: Annotated[Text | None, OptionalText] = Field(None, description="The login name.")
    auth: Literal["password", "oauth2", "none"] = Field(
        default="password", description="How it logs in."
    )
    password: Annotated[SecretReference | None, OptionalText] = Field(
        None,
        description="Where the password, or the credentials of oauth2, are: "
        f"{SECRET_FORMS} or ref+…://…; never the password.",
    )
    sender: Sender | None = None
    reply_to: Annotated[Email | None, OptionalText] = Field(
        None, description="Where answers go, if not to the sender."
    )
    folder: Annotated[Text | None, OptionalText] = Field(
        None, description="The folder that is read over IMAP; INBOX if not given."
    )
    ignore_changes: Annotated[IgnoreChanges | None, NotAlone, OptionalText] = Field(
        None, description="Which fields are left to other programs: {fields: [active], reason: …}."
    )
    renamed_from: Annotated[list[Identifier], OneOrMany] = Field(
        default=[], description="The id it had before, or a list of them."
    )


class PartnerServer(Server):
    """A mail server of the partner."""

    companies: list[LinkSpec] = Field(default=[], description="The companies linked to it.")
    exclusive_links: Flag = Field(
        default=False, description="Whether links that no manifest declares are removed."
    )
    importable: Flag = Field(
        default=True, description="Whether companies may link it in files of their own."
    )


class CompanyServer(Server):
    """A mail server of one company, linked to that company."""

    linked: Flag = Field(
        default=True, description="false removes the link, so that the server can be removed next."
    )


class HeadOfficeImport(LinkOptions):
    """A link to a server that the head office is linked to."""

    head_office: Identifier


class PartnerImport(LinkOptions):
    """A link to a server of the partner."""

    partner: Identifier


def _import_kind(value: Any) -> str:
    return "<partner>" if isinstance(value, dict) and "partner" in value else "<head_office>"


ImportSpec = Annotated[
    Annotated[HeadOfficeImport, Tag("<head_office>")] | Annotated[PartnerImport, Tag("<partner>")],
    Discriminator(_import_kind),
]


class AcceptanceEntry(Spec):
    """A guard that this change may pass, by its exact count; used once."""

    guard: Guard
    count: Annotated[Number, Field(ge=1)]
    reason: Text
    until: Annotated[date, Day] = Field(description="Last day, in UTC, on which it counts.")


class ManifestFile(Spec):
    json_schema: str | None = Field(None, alias="$schema", description="Ignored; for editors.")
    version: Annotated[Literal[1], AsNumber] = Field(description="Version of the language: 1.")
    partner: Identifier = Field(description="The partner that everything in this file is of.")
    accept: list[AcceptanceEntry] = Field(default=[], description="Guards that a change may pass.")


class PartnerFile(ManifestFile):
    """A file of a partner."""

    hosts: dict[Host, HostOptions] = Field(
        default={}, description="Advanced options, once per host and protocol."
    )
    companies: dict[Cnpj, CompanyEntry] = Field(default={}, description="The companies, by CNPJ.")
    mail_servers: dict[Identifier, PartnerServer] = Field(
        default={}, description="The mail servers, by an id that never changes."
    )


class CompanyFile(ManifestFile):
    """A company's own file."""

    company: Cnpj = Field(description="The company that this file is of.")
    import_from: list[ImportSpec] = Field(
        default=[], description="Servers of the head office or the partner to link."
    )
    mail_servers: dict[Identifier, CompanyServer] = Field(
        default={}, description="The company's own mail servers, by an id that never changes."
    )


def kind_of(data: Any) -> type[PartnerFile | CompanyFile]:
    """Which of the two files `data` is meant to be."""
    return CompanyFile if isinstance(data, dict) and "company" in data else PartnerFile
