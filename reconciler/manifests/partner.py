"""The files of a run → what each partner declares, and what files contradict each other in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.diagnostics.problem import Place, Problem
from reconciler.manifests import declaration as d
from reconciler.model.cnpj import masked
from reconciler.plan.guards import Acceptance


@dataclass(frozen=True, slots=True)
class Import:
    """An item of `import_from`, the company it is of, and its place."""

    company: str
    item: d.ImportDeclaration
    place: Place


@dataclass(frozen=True, slots=True)
class PartnerDeclaration:
    """All that the manifests of a run declare for one partner."""

    partner: str
    place: Place
    hosts: dict[tuple[str, str], d.HostDeclaration] = field(default_factory=dict)
    companies: dict[str, d.CompanyDeclaration] = field(default_factory=dict)
    servers: dict[str, d.ServerDeclaration] = field(default_factory=dict)
    company_files: list[d.FileDeclaration] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    acceptances: list[Acceptance] = field(default_factory=list)

    def named_cnpjs(self) -> set[str]:
        """Every CNPJ that is declared or linked."""
        named = set(self.companies)
        items = {item for server in self.servers.values() for item in server.links}
        named.update(item.cnpj for item in items if item.kind == "company")
        named.update(item.company for item in self.imports)
        named.update(file.company for file in self.company_files if file.company)
        return named


def owners(declared: Mapping[str, PartnerDeclaration]) -> dict[str, str]:
    """The partner that declares each CNPJ; the first if several do."""
    owned: dict[str, str] = {}
    for name, item in declared.items():
        for cnpj in item.companies:
            owned.setdefault(cnpj, name)
    return owned


def elsewhere(partner: str, cnpjs: Iterable[str], owned: Mapping[str, str]) -> frozenset[str]:
    """Those of `cnpjs` that belong to another partner."""
    return frozenset(cnpj for cnpj in cnpjs if owned.get(cnpj, partner) != partner)


def by_partner(
    files: Iterable[d.FileDeclaration], paths: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, PartnerDeclaration], list[Problem]]:
    """What each partner declares in all files, by name and in order of names.

    `paths` are the folders, relative to the root, that partners are bound to.
    """
    partners: dict[str, PartnerDeclaration] = {}
    problems: list[Problem] = []
    for file in files:
        problems.extend(_outside(file, paths))
        place = Place(file.file, ("partner",), "value")
        declared = partners.setdefault(file.partner, PartnerDeclaration(file.partner, place))
        problems.extend(_merge(declared, file))
    for declared in partners.values():
        problems.extend(_same_mailboxes(declared))
    return dict(sorted(partners.items())), problems


def _outside(file: d.FileDeclaration, paths: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    folders = paths.get(file.partner, (".",))
    names = (folder.strip("/") for folder in folders)
    if not any(name in (".", file.file) or file.file.startswith(f"{name}/") for name in names):
        values = {"partner": file.partner, "folders": ", ".join(folders)}
        yield Problem("MBX320", Place(file.file, ("partner",), "value"), values)


def _merge(declared: PartnerDeclaration, file: d.FileDeclaration) -> Iterator[Problem]:
    for host in file.hosts:
        key = (host.profile.host, host.profile.protocol)
        first_host = declared.hosts.setdefault(key, host)
        if first_host is not host:
            yield Problem("MBX303", host.place, {"name": host.key}, (first_host.place,))
    for company in file.companies:
        first = declared.companies.setdefault(company.company.cnpj, company)
        if first is not company:
            values = {"name": masked(company.company.cnpj)}
            yield Problem("MBX302", company.place, values, (first.place,))
    for server in file.servers:
        first_server = declared.servers.setdefault(server.server.stable_id, server)
        if first_server is not server:
            values = {"name": server.server.stable_id}
            yield Problem("MBX301", server.place, values, (first_server.place,))
    declared.acceptances.extend(file.acceptances)
    if file.company:
        declared.company_files.append(file)
        for index, item in enumerate(file.imports):
            place = Place(file.file, ("import_from", index, item.source), "value")
            declared.imports.append(Import(file.company, item, place))


def _same_mailboxes(declared: PartnerDeclaration) -> Iterator[Problem]:
    seen: dict[tuple[str, str, str], d.ServerDeclaration] = {}
    for server in declared.servers.values():
        if server.server.username is None and server.server.auth != "none":
            continue  # its username is missing, which is a problem of its own
        first = seen.setdefault(server.server.mailbox, server)
        if first is not server:
            values = {"name": server.server.stable_id, "first": first.server.stable_id}
            yield Problem("MBX304", server.place, values, (first.place,))
