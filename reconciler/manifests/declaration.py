"""What manifests declare, one value a file: checked by itself, not yet against anything else.

The rows are those of `model`, with the advanced options still as far as the file gives them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from reconciler.diagnostics.problem import Place
from reconciler.model.state import Company, HostProfile, MailServer
from reconciler.plan.accept import Acceptance


class LinkItem(NamedTuple):
    """One item of a server's `companies`; `branches_of` and `all` stand for several links."""

    kind: Literal["company", "branches_of", "all"]
    cnpj: str
    sender_name: str | None
    active: bool


class ServerDeclaration(NamedTuple):
    server: MailServer
    links: tuple[LinkItem, ...]
    renamed_from: tuple[str, ...]
    exclusive_links: bool
    linked: bool

    @property
    def place(self) -> Place:
        return Place(self.server.file or "", ("mail_servers", self.server.stable_id))

    def link_place(self, index: int) -> Place:
        """Where item `index` of its companies stands; a company's own link is its `company:`."""
        if self.server.company:
            return Place(self.server.file or "", ("company",), "value")
        kind = self.links[index].kind
        key = "cnpj" if kind == "company" else kind  # not there where the item is a bare CNPJ
        path = ("mail_servers", self.server.stable_id, "companies", index, key)
        return Place(self.server.file or "", path, "value")


class CompanyDeclaration(NamedTuple):
    """A company and the text its key was written as."""

    key: str
    company: Company
    head_office: bool

    @property
    def place(self) -> Place:
        return Place(self.company.file or "", ("companies", self.key))


class HostDeclaration(NamedTuple):
    """A host profile and the text its key was written as."""

    key: str
    profile: HostProfile

    @property
    def place(self) -> Place:
        return Place(self.profile.file or "", ("hosts", self.key, self.profile.protocol))


class ImportDeclaration(NamedTuple):
    """An item of `import_from`: which server, and whether through the head office."""

    source: Literal["head_office", "partner"]
    server: str
    sender_name: str | None
    active: bool


class FileDeclaration(NamedTuple):
    """All that one manifest declares; `company` makes it a company's own file."""

    file: str
    partner: str
    company: str | None
    hosts: tuple[HostDeclaration, ...]
    companies: tuple[CompanyDeclaration, ...]
    servers: tuple[ServerDeclaration, ...]
    imports: tuple[ImportDeclaration, ...]
    acceptances: tuple[Acceptance, ...]
