"""A validated manifest → what it declares."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any

from reconciler.diagnostics.problem import Place
from reconciler.manifests import declaration as d
from reconciler.manifests import schema
from reconciler.model.state import OPTIONS, Company, HostProfile, MailServer
from reconciler.plan.guards import Acceptance

_item = lru_cache(maxsize=1 << 16)(d.LinkItem)
_COMPANY_KEYS = [name for name in schema.CompanyEntry.model_fields if name in Company._fields]
_SERVER_KEYS = [
    name
    for name in schema.Server.model_fields
    if name in MailServer._fields and name not in ("protocol", "folder", "ignore_changes")
]
"""The keys whose values the row takes as they are."""
_values_of = attrgetter(*_SERVER_KEYS)

Raw = dict[str, dict[str, object]]


def declare(
    manifest: schema.PartnerFile | schema.CompanyFile, raw: Raw, file: str, project: str
) -> d.FileDeclaration:
    """What `manifest`, read from `raw`, declares as part of `project`."""
    hosts: tuple[d.HostDeclaration, ...] = ()
    companies: tuple[d.CompanyDeclaration, ...] = ()
    imports: tuple[d.ImportDeclaration, ...] = ()
    company = None
    if isinstance(manifest, schema.PartnerFile):
        hosts = tuple(_hosts(manifest, raw, file, project))
        companies = tuple(_companies(manifest, raw, file, project))
    else:
        company, imports = manifest.company, tuple(map(_import, manifest.import_from))
    servers = tuple(
        _server(stable_id, server, company, file, project)
        for stable_id, server in manifest.mail_servers.items()
    )
    accepted = tuple(
        Acceptance(item.guard, item.count, item.reason, item.until, Place(file, ("accept", index)))
        for index, item in enumerate(manifest.accept)
    )
    return d.FileDeclaration(
        file, manifest.partner, company, hosts, companies, servers, imports, accepted
    )


def _hosts(
    manifest: schema.PartnerFile, raw: Raw, file: str, project: str
) -> Iterator[d.HostDeclaration]:
    for key, (host, profile) in zip(raw.get("hosts", ()), manifest.hosts.items(), strict=True):
        for protocol in ("smtp", "imap", "pop3"):
            options = getattr(profile, protocol)
            if options:
                values = {name: getattr(options, name) for name in OPTIONS}
                row = HostProfile(host, protocol, **values, project=project, file=file)
                yield d.HostDeclaration(key, row)


def _companies(
    manifest: schema.PartnerFile, raw: Raw, file: str, project: str
) -> Iterator[d.CompanyDeclaration]:
    entries = manifest.companies.items()
    for key, (cnpj, company) in zip(raw.get("companies", ()), entries, strict=True):
        values = {name: getattr(company, name) for name in _COMPANY_KEYS}
        values["extensions"] = tuple(sorted(set(company.extensions)))
        row = Company(cnpj, **values, project=project, file=file)
        yield d.CompanyDeclaration(key, row, company.head_office)


def _server(
    stable_id: str, server: schema.Server, company: str | None, file: str, project: str
) -> d.ServerDeclaration:
    row = _row(stable_id, server, company, file, project)
    renamed_from = tuple(server.renamed_from)
    if isinstance(server, schema.PartnerServer):
        links = tuple(map(_link, server.companies))
        return d.ServerDeclaration(row, links, renamed_from, server.exclusive_links, linked=True)
    linked = isinstance(server, schema.CompanyServer) and server.linked
    own = (_item("company", company or "", None, True),)
    return d.ServerDeclaration(row, own, renamed_from, exclusive_links=False, linked=linked)


def _row(
    stable_id: str, server: schema.Server, company: str | None, file: str, project: str
) -> MailServer:
    protocol = server.protocol or ("smtp" if server.direction == "outgoing" else "imap")
    sender, ignored = server.sender, server.ignore_changes
    same: dict[str, Any] = dict(zip(_SERVER_KEYS, _values_of(server), strict=True))
    return MailServer(
        **same,
        stable_id=stable_id,
        protocol=protocol,
        origins=None,
        password_reference=server.password,
        sender_name=sender.name if sender else None,
        sender_email=sender.email if sender else None,
        folder=server.folder or ("INBOX" if protocol == "imap" else None),
        company=company,
        importable=server.importable if isinstance(server, schema.PartnerServer) else False,
        ignore_changes=tuple(sorted(set(ignored.fields))) if ignored else (),
        project=project,
        file=file,
    )


def _link(link: schema.LinkSpec) -> d.LinkItem:
    match link:
        case str():
            return _item("company", link, None, True)
        case schema.CompanyLink():
            return _item("company", link.cnpj, link.sender_name, link.active)
        case schema.BranchesLink():
            return _item("branches_of", link.branches_of, link.sender_name, link.active)
        case schema.AllLink():
            return _item("all", "", link.sender_name, link.active)


def _import(item: schema.ImportSpec) -> d.ImportDeclaration:
    if isinstance(item, schema.HeadOfficeImport):
        return d.ImportDeclaration("head_office", item.head_office, item.sender_name, item.active)
    return d.ImportDeclaration("partner", item.partner, item.sender_name, item.active)
