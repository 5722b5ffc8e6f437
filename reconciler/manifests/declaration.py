"""What each manifest declares, checked by itself but not yet against anything else.

The rows are those of `model`, with only the advanced options that the file gives.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from reconciler.diagnostics.problem import Place
from reconciler.model.state import Company, HostProfile, MailServer
from reconciler.plan.guards import Acceptance


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
        """The place of item `index` of its companies; a company's own link is at `company:`."""
        if self.server.company:
            return Place(self.server.file or "", ("company",), "value")
        kind = self.links[index].kind
        key = "cnpj" if kind == "company" else kind  # which a bare CNPJ does not have
        path = ("mail_servers", self.server.stable_id, "companies", index, key)
        return Place(self.server.file or "", path, "value")


class CompanyDeclaration(NamedTuple):
    """A company, and its key as it is written."""

    key: str
    company: Company
    head_office: bool

    @property
    def place(self) -> Place:
        return Place(self.company.file or "", ("companies", self.key))


class HostDeclaration(NamedTuple):
    """A host profile, and its key as it is written."""

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
    """All that one manifest declares; `company` is the CNPJ whose own file it is."""

    file: str
    partner: str
    company: str | None
    hosts: tuple[HostDeclaration, ...]
    companies: tuple[CompanyDeclaration, ...]
    servers: tuple[ServerDeclaration, ...]
    imports: tuple[ImportDeclaration, ...]
    acceptances: tuple[Acceptance, ...]
