"""The mail server that is adopted: what the manifests say of it, and what the database has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.desired.compare import Comparison
from reconciler.desired.link import DOCUMENT_IMPORT
from reconciler.export.adopt.sheets import Sheets
from reconciler.manifests.declaration import ServerDeclaration
from reconciler.manifests.edit import Cursor
from reconciler.model.state import Link, MailServer, State


@dataclass(frozen=True, slots=True)
class AdoptedRow:
    """A mail server by the name it has in the manifests, and the sheets that it is written in."""

    name: str
    comparison: Comparison
    sheets: Sheets
    project: str

    @property
    def row(self) -> MailServer:
        """The row in the database."""
        return self.comparison.before.servers[self.name]

    @property
    def declared(self) -> ServerDeclaration:
        """The entry in the manifests."""
        return self.comparison.declaration.servers[self.name]

    @property
    def entry(self) -> Cursor:
        """Where the entry is."""
        place = self.declared.place
        return self.sheets.at(place.file, place.path)

    def link(self, cnpj: str) -> Cursor | None:
        """Where the link to a company is written; None if it is not, or only as one of many."""
        for index, item in enumerate(self.declared.links):
            if item.kind == "company" and item.cnpj == cnpj:
                return self.entry / "companies" / index
        for imported in self.comparison.declaration.imports:
            if (imported.company, imported.item.server) == (cnpj, self.name):
                return self.sheets.at(imported.place.file, imported.place.path[:-1])
        return None

    def host_option(self, name: str) -> Cursor | None:
        """Where an option is under `hosts:`, if all servers that take it from there agree on it."""
        declaration, own = self.comparison.declaration, self.declared.server
        key = (own.host, own.protocol)
        profile = declaration.hosts.get(key)
        if profile is None or getattr(profile.profile, name) is None:
            return None
        users = [
            stable_id
            for stable_id, item in declaration.servers.items()
            if (item.server.host, item.server.protocol) == key
            and getattr(item.server, name) is None
        ]
        rows = [self.comparison.before.servers.get(stable_id) for stable_id in users]
        value = getattr(self.row, name)
        agree = all(row is not None and getattr(row, name) == value for row in rows)
        if self.name not in users or not agree:
            return None
        return self.sheets.at(profile.place.file, profile.place.path) / name

    def can_declare(self, link: Link) -> bool:
        """Whether a manifest may link the company."""
        return can_declare(self.row, link, self.comparison.desired.state)

    def foreign_links(self) -> Iterator[Link]:
        """The links of other programs that manifests can declare."""
        for link in self.comparison.desired.state.links.get(self.name, ()):
            if link.project != self.project and self.can_declare(link):
                yield link


def can_declare(row: MailServer, link: Link, state: State) -> bool:
    """Whether a manifest may link this company of `state` to a server."""
    if row.company:
        return (link.cnpj, link.sender_name, link.active) == (row.company, None, True)
    company = state.companies.get(link.cnpj)
    if company is None:
        return False
    return row.direction != "incoming" or DOCUMENT_IMPORT in company.extensions
