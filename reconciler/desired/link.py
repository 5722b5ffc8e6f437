"""Which companies each declared mail server is linked to, from whichever side that is written.

Explicit beats `branches_of`, which beats `all`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from reconciler.desired.match import old_names
from reconciler.diagnostics.closest import closest
from reconciler.diagnostics.problem import Place, Problem
from reconciler.manifests.declaration import LinkItem, ServerDeclaration
from reconciler.manifests.partner import Import, PartnerDeclaration
from reconciler.model.cnpj import masked, root
from reconciler.model.state import Company, HeadOffice, Link, MailServer

_made = lru_cache(maxsize=1 << 16)(Link)
DOCUMENT_IMPORT = "document_import"


@dataclass(frozen=True)
class Known:
    """What links may point at, declared or in the database; `elsewhere` are others' CNPJs."""

    companies: Mapping[str, Company]
    head_offices: Mapping[str, HeadOffice]
    servers: Mapping[str, MailServer]
    elsewhere: frozenset[str]
    offline: bool
    project: str

    @cached_property
    def unreadable(self) -> frozenset[str]:
        """The companies that may not be linked to incoming servers."""
        return frozenset(
            cnpj for cnpj, row in self.companies.items() if DOCUMENT_IMPORT not in row.extensions
        )


@dataclass(slots=True)
class Linking:
    """The declared links by server and CNPJ, and the companies that cannot read mail."""

    links: dict[str, dict[str, Link]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)


def link(declared: PartnerDeclaration, known: Known) -> Linking:
    """Every link that `declared` asks for."""
    linking = Linking()
    for server in declared.servers.values():
        _explicit(server, declared, known, linking)
    for item in declared.imports:
        _import(item, declared, known, linking)
    for server in declared.servers.values():
        for index, expansion in expansions(server):
            _expand(server, server.link_place(index), expansion, known, linking)
    for item in declared.imports:
        linking.problems.extend(_head_office_import(item, known, linking))
    return linking


def _explicit(
    server: ServerDeclaration, declared: PartnerDeclaration, known: Known, linking: Linking
) -> None:
    row = server.server
    links = linking.links.setdefault(row.stable_id, {})
    unreadable = known.unreadable if row.direction == "incoming" else ()
    for index, item in enumerate(server.links):
        if item.kind != "company" or not server.linked:
            continue
        cnpj = item.cnpj
        if cnpj not in known.companies or cnpj in links or cnpj in unreadable:
            place = server.link_place(index)
            if cnpj in links:
                linking.problems.append(_twice(cnpj, row.stable_id, place, declared))
            linking.problems.extend(_company_problems(cnpj, row, place, known))
        made = _made(cnpj, item.sender_name, item.active, known.project, row.file)
        links.setdefault(cnpj, made)


def _twice(cnpj: str, server: str, place: Place, declared: PartnerDeclaration) -> Problem:
    """The link is written by name at `place`, and at another as well."""
    item = declared.servers.get(server)
    links = enumerate(item.links if item else ())
    named = [index for index, other in links if (other.kind, other.cnpj) == ("company", cnpj)]
    places = [item.link_place(index) for index in named] if item else []
    imports = (one for one in declared.imports if (one.company, one.item.server) == (cnpj, server))
    others = [other for other in (*places, *(one.place for one in imports)) if other != place]
    return Problem("MBX305", place, {"name": masked(cnpj), "server": server}, tuple(others[:1]))


def _company_problems(
    cnpj: str, server: MailServer, place: Place, known: Known
) -> Iterator[Problem]:
    """What is wrong with linking this company to a server at `place`."""
    name = masked(cnpj)
    company = known.companies.get(cnpj)
    if cnpj in known.elsewhere:
        yield Problem("MBX306", place, {"name": name})
    elif company is None:
        code = "MBX308" if known.offline else "MBX309"
        similar = masked(closest(cnpj, known.companies))
        yield Problem(code, place, {"name": name, "suggestion": similar})
    elif server.direction == "incoming" and cnpj in known.unreadable:
        yield Problem("MBX314", place, {"name": name, "server": server.stable_id})


def _import(item: Import, declared: PartnerDeclaration, known: Known, linking: Linking) -> None:
    name, cnpj, place = item.item.server, item.company, item.place
    server = known.servers.get(name)
    renamed = old_names(declared).get(name)
    if renamed or server is None:
        code = "MBX318" if renamed else "MBX310" if known.offline else "MBX311"
        suggestion = renamed or closest(name, known.servers)
        linking.problems.append(Problem(code, place, {"name": name, "suggestion": suggestion}))
        return
    if server.company or (item.item.source == "partner" and not server.importable):
        linking.problems.append(Problem("MBX313", place, {"name": name}))
        return
    links = linking.links.setdefault(name, {})
    if cnpj in links:
        linking.problems.append(_twice(cnpj, name, place, declared))
    if cnpj in known.companies:
        linking.problems.extend(_company_problems(cnpj, server, place, known))
    made = Link(cnpj, item.item.sender_name, item.item.active, known.project, place.file)
    links.setdefault(cnpj, made)


def expansions(server: ServerDeclaration) -> Iterator[tuple[int, LinkItem]]:
    for kind in ("branches_of", "all"):
        for index, item in enumerate(server.links):
            if item.kind == kind:
                yield index, item


def _expand(
    server: ServerDeclaration, place: Place, item: LinkItem, known: Known, linking: Linking
) -> None:
    links = linking.links[server.server.stable_id]
    cnpjs = [cnpj for cnpj in sorted(known.companies) if stands_for(item, cnpj)]
    if not cnpjs and not known.offline:
        linking.problems.append(Problem("MBX326", place, {"name": masked(item.cnpj)}))
    for cnpj in cnpjs:
        if cnpj in links:
            continue
        if server.server.direction == "incoming" and cnpj in known.unreadable:
            linking.left_out.add(cnpj)
        else:
            file = server.server.file
            links[cnpj] = Link(cnpj, item.sender_name, item.active, known.project, file)


def stands_for(item: LinkItem, cnpj: str) -> bool:
    return item.kind == "all" or (root(cnpj) == root(item.cnpj) and cnpj != item.cnpj)


def _head_office_import(item: Import, known: Known, linking: Linking) -> Iterator[Problem]:
    """An import through the head office needs the head office on that server."""
    name = item.item.server
    if item.item.source != "head_office" or name not in known.servers:
        return
    head_office = known.head_offices.get(root(item.company))
    others = linking.links.get(name, {}).keys() - {item.company}
    linked = head_office and head_office.cnpj in others
    if not linked and not (head_office is None and known.offline):
        values = {"name": name, "head_office": masked(head_office.cnpj) if head_office else "–"}
        yield Problem("MBX312", item.place, values)
