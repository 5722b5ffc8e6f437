"""Where a change is written: the place in the manifests of the row that it is about."""

from __future__ import annotations

from functools import cached_property

from reconciler.desired.link import expansions, stands_for
from reconciler.diagnostics.problem import Place
from reconciler.manifests import declaration as d
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model.state import Company, HeadOffice, HostProfile, Link, MailServer
from reconciler.plan.diff import Change


class Places:
    """The places of all that one partner declares."""

    def __init__(self, declared: PartnerDeclaration) -> None:
        self._declared = declared

    def of(self, change: Change) -> Place | None:
        """The place of a change, if the manifests say anything about its row."""
        declared, row = self._declared, change.row
        item: d.CompanyDeclaration | d.HostDeclaration | d.ServerDeclaration | None
        match row:
            case Link(cnpj=cnpj):
                link = self._links.get((change.server, cnpj))
                return link or self._expansion(change.server, cnpj)
            case MailServer():
                item = declared.servers.get(change.name)
            case Company() | HeadOffice():
                item = declared.companies.get(row.cnpj)
            case HostProfile():
                item = declared.hosts.get((row.host, row.protocol))
            case _:
                return declared.place
        return item.place if item else None

    @cached_property
    def _links(self) -> dict[tuple[str, str], Place]:
        """Where links are written by name."""
        places: dict[tuple[str, str], Place] = {}
        for name, server in self._declared.servers.items():
            for index, item in enumerate(server.links):
                if item.kind == "company":
                    places.setdefault((name, item.cnpj), server.link_place(index))
        for imported in self._declared.imports:
            places.setdefault((imported.item.server, imported.company), imported.place)
        return places

    def _expansion(self, name: str, cnpj: str) -> Place | None:
        """The item that stands for a link; the server itself where none does."""
        server = self._declared.servers.get(name)
        if server is None:
            return None
        for index, item in expansions(server):
            if stands_for(item, cnpj):
                return server.link_place(index)
        return server.place
