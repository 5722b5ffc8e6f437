"""The configuration language, version 1: what each file may hold.

The JSON Schema that editors use is made from these models; their descriptions are its help texts.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from reconciler.manifests import values as v
from reconciler.manifests.secret_schema import SECRET_FORMS, SecretReference, Spec
from reconciler.model.state import Ignorable
from reconciler.plan.guards import IN_MANIFESTS

if TYPE_CHECKING:
    Guard = str
else:
    Guard = Literal[IN_MANIFESTS]


def optional(description: str, default: Any = None) -> Any:
    """A field that may be left out."""
    return Field(default, description=description)


class Options(Spec):
    """The advanced options of a host, or of one mail server."""

    port: v.OrNull[v.Port] = optional("Port; without it the usual one of protocol and security.")
    security: v.OrNull[v.Security] = optional(
        "How the connection is encrypted: tls from the start, starttls, or none "
        "(only on the same machine)."
    )
    verify_certificate: v.OrNull[v.Flag] = optional(
        "Whether the server's certificate must be valid. Leave it on."
    )
    ca_file: v.OrNull[v.Name] = optional(
        "Name of the file with the authority that signed the certificate."
    )
    timeout: v.OrNull[v.Seconds] = optional(
        "How long to wait for the server, as in 30s or 2m; at most 10m."
    )
    ehlo_name: v.OrNull[v.Host] = optional(
        "The name this side gives when it greets an outgoing server."
    )


class HostOptions(Spec):
    """The advanced options of one host, for each protocol it speaks."""

    smtp: Options | None = None
    imap: Options | None = None
    pop3: Options | None = None


class CompanyEntry(Spec):
    """A company of the partner."""

    nickname: v.Text = Field(description="The name people call it by.")
    head_office: v.Flag = optional("Whether it is the head office of its CNPJ root.", False)
    notification_email: v.OrNull[v.Email] = optional("Whom to tell when its mailboxes fail.")
    extensions: list[Literal["document_import"]] = optional(
        "document_import is needed to link an incoming mailbox.", []
    )
    own_mailboxes: v.Flag = optional(
        "Whether it may register mailboxes in a file of its own.", False
    )


class Sender(Spec):
    """From whom the messages of an outgoing server come."""

    email: v.Email = Field(description="The sender address.")
    name: v.OrNull[v.Text] = optional("The sender name; a link may change it for its company.")


class LinkOptions(Spec):
    sender_name: v.OrNull[v.Text] = optional(
        "The sender name for this company, in place of the server's."
    )
    active: v.Flag = optional("Whether the company uses the server.", True)


class CompanyLink(LinkOptions):
    """A link to one company."""

    cnpj: v.Cnpj


class BranchesLink(LinkOptions):
    """Links to all other companies of the root of this CNPJ."""

    branches_of: v.Cnpj


class AllLink(LinkOptions):
    """Links to all companies of the partner."""

    all: Annotated[Literal[True], v.AsFlag]


def _link_kind(value: Any) -> str:
    if not isinstance(value, dict):
        return "<cnpj>"
    if "branches_of" in value:
        return "<branches_of>"
    return "<all>" if "all" in value else "<link>"


LinkSpec = Annotated[
    Annotated[v.Cnpj, Tag("<cnpj>")]
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
    reason: v.Text = Field(description="Why, for those who read it later.")


class Server(Options):
    """One mailbox, outgoing or incoming."""

    direction: Literal["outgoing", "incoming"] = Field(
        description="outgoing sends, incoming is read."
    )
    protocol: v.OrNull[Literal["smtp", "imap", "pop3"]] = optional(
        "smtp is the default of outgoing, imap of incoming."
    )
    nickname: v.Text = Field(description="The name people call it by.")
    active: v.Flag = optional("Whether it is used at all.", True)
    host: v.Host = Field(description="Name of the mail server's host.")
    username: v.OrNull[v.Text] = optional("The login name.")
    auth: Literal["password", "oauth2", "none"] = optional("How it logs in.", "password")
    password: v.OrNull[SecretReference] = optional(
        "Where the password, or the credentials of oauth2, are: "
        f"{SECRET_FORMS} or ref+…://…; never the password."
    )
    sender: Sender | None = None
    reply_to: v.OrNull[v.Email] = optional("Where answers go, if not to the sender.")
    folder: v.OrNull[v.Text] = optional("The folder that is read over IMAP; INBOX if not given.")
    ignore_changes: v.OrNull[Annotated[IgnoreChanges, v.NotAlone]] = optional(
        "Which fields are left to other programs: {fields: [active], reason: …}."
    )
    renamed_from: Annotated[list[v.Identifier], v.OneOrMany] = optional(
        "The id it had before, or a list of them.", []
    )


class PartnerServer(Server):
    """A mail server of the partner."""

    companies: list[LinkSpec] = optional("The companies linked to it.", [])
    exclusive_links: v.Flag = optional(
        "Whether links that no manifest declares are removed.", False
    )
    importable: v.Flag = optional("Whether companies may link it in files of their own.", True)


class CompanyServer(Server):
    """A mail server of one company, linked to that company."""

    linked: v.Flag = optional(
        "false removes the link, so that the server can be removed next.", True
    )


class HeadOfficeImport(LinkOptions):
    """A link to a server that the head office is linked to."""

    head_office: v.Identifier


class PartnerImport(LinkOptions):
    """A link to a server of the partner."""

    partner: v.Identifier


def _import_kind(value: Any) -> str:
    return "<partner>" if isinstance(value, dict) and "partner" in value else "<head_office>"


ImportSpec = Annotated[
    Annotated[HeadOfficeImport, Tag("<head_office>")] | Annotated[PartnerImport, Tag("<partner>")],
    Discriminator(_import_kind),
]


class AcceptanceEntry(Spec):
    """A guard that this change may pass, by its exact count; used once."""

    guard: Guard
    count: v.Positive
    reason: v.Text
    until: Annotated[date, v.Day] = Field(description="Last day, in UTC, on which it counts.")


class ManifestFile(Spec):
    json_schema: str | None = Field(None, alias="$schema", description="Ignored; for editors.")
    version: Annotated[Literal[1], v.AsNumber] = Field(description="Version of the language: 1.")
    partner: v.Identifier = Field(description="The partner that everything in this file is of.")
    accept: list[AcceptanceEntry] = optional("Guards that a change may pass.", [])


class PartnerFile(ManifestFile):
    """A file of a partner."""

    hosts: dict[v.Host, HostOptions] = optional("Advanced options, once per host and protocol.", {})
    companies: dict[v.Cnpj, CompanyEntry] = optional("The companies, by CNPJ.", {})
    mail_servers: dict[v.Identifier, PartnerServer] = optional(
        "The mail servers, by an id that never changes.", {}
    )


class CompanyFile(ManifestFile):
    """A company's own file."""

    company: v.Cnpj = Field(description="The company that this file is of.")
    import_from: list[ImportSpec] = optional(
        "Servers of the head office or the partner to link.", []
    )
    mail_servers: dict[v.Identifier, CompanyServer] = optional(
        "The company's own mail servers, by an id that never changes.", {}
    )


def kind_of(data: Any) -> type[PartnerFile | CompanyFile]:
    """Which of the two files `data` is meant to be."""
    return CompanyFile if isinstance(data, dict) and "company" in data else PartnerFile
