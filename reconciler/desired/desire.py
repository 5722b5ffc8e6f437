"""What a partner declares and what the database has → the State that the database should have.

Everything that a run may not touch is carried over as it is, so that comparing the two states needs
no special cases: what is missing here is to be deleted, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from reconciler.desired import options, rules
from reconciler.desired.link import Known, Linking, link
from reconciler.desired.match import name_rows
from reconciler.diagnostics.problem import Problem
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model.cnpj import root
from reconciler.model.coverage import Coverage
from reconciler.model.state import (
    Company,
    HeadOffice,
    HostProfile,
    Link,
    Links,
    MailServer,
    Partner,
    State,
)


@dataclass(frozen=True, slots=True)
class Desired:
    """`new_names` leads from rows to what they are called from now on; `skipped` counts companies
    that `all` and `branches_of` left out for having no document import.
    """

    state: State
    new_names: Mapping[str, str]
    problems: tuple[Problem, ...]
    skipped: int


def desire(
    declared: PartnerDeclaration,
    observed: State,
    coverage: Coverage,
    elsewhere: frozenset[str] = frozenset(),
    *,
    applied_names: Mapping[str, str] = MappingProxyType({}),
    offline: bool = False,
) -> Desired:
    """The state that `declared` leads to from `observed`.

    `elsewhere` are the CNPJs that another partner has; `applied_names` are the last old ids of
    servers by their ids now; `offline` means that nothing was observed.
    """
    naming = name_rows(declared, observed, coverage.project, applied_names)
    before = observed.renamed(naming.new_names)
    companies = _companies(declared, before, coverage)
    head_offices = _head_offices(declared, before)
    servers = _servers(declared, before, coverage)
    known = Known(companies, head_offices, servers, elsewhere, offline, coverage.project)
    linking = link(declared, known)
    state = State(
        partner=before.partner or Partner(declared.partner, coverage.project),
        companies=companies,
        head_offices=head_offices,
        hosts=_hosts(declared, before, coverage),
        servers=servers,
        links=_links(declared, before, servers, linking, coverage),
    )
    problems = (*naming.problems, *linking.problems, *rules.check(declared, state, known))
    return Desired(state, naming.new_names, problems, linking.skipped)


R = TypeVar("R", Company, HostProfile)


def _released(row: R, coverage: Coverage) -> R:
    """A row that is no longer declared is released; `file` stays, to tell it from a foreign row."""
    return row._replace(project=None) if coverage.holds(row) else row


def _companies(
    declared: PartnerDeclaration, before: State, coverage: Coverage
) -> dict[str, Company]:
    kept = {cnpj: _released(row, coverage) for cnpj, row in before.companies.items()}
    return kept | {cnpj: item.company for cnpj, item in declared.companies.items()}


def _head_offices(declared: PartnerDeclaration, before: State) -> dict[str, HeadOffice]:
    kept = {}
    for base, row in before.head_offices.items():
        # A strange database has several of one root; those that are declared have their say below.
        others = [cnpj for cnpj in row.cnpj.split() if cnpj not in declared.companies]
        if others:
            kept[base] = HeadOffice(base, " ".join(others))
    for cnpj, item in declared.companies.items():
        if item.head_office:
            kept[root(cnpj)] = HeadOffice(root(cnpj), cnpj)
    return kept


def _hosts(
    declared: PartnerDeclaration, before: State, coverage: Coverage
) -> dict[tuple[str, str], HostProfile]:
    kept = {key: _released(row, coverage) for key, row in before.hosts.items()}
    return kept | {key: item.profile for key, item in declared.hosts.items()}


def _servers(
    declared: PartnerDeclaration, before: State, coverage: Coverage
) -> dict[str, MailServer]:
    kept = {name: row for name, row in before.servers.items() if not coverage.holds(row)}
    foreign = _foreign(before)
    for stable_id, item in declared.servers.items():
        key = (item.server.host, item.server.protocol)
        hosts = declared.hosts.get(key)
        profile = hosts.profile if hosts else _declared_elsewhere(before.hosts.get(key), coverage)
        server = options.resolve(item.server, profile, foreign.get(key))
        kept[stable_id] = _left_to_others(server, before.servers.get(stable_id))
    return kept


def _left_to_others(server: MailServer, row: MailServer | None) -> MailServer:
    """The server with its ignored fields as its row has them; a new server keeps its own."""
    return server.keeping(server.ignore_changes, row) if row and server.ignore_changes else server


def _declared_elsewhere(profile: HostProfile | None, coverage: Coverage) -> HostProfile | None:
    """The profile, if a file of the project that is not part of this run declares it."""
    if profile and profile.project == coverage.project and not coverage.holds(profile):
        return profile
    return None


def _foreign(state: State) -> dict[tuple[str, str], HostProfile]:
    """The profiles that another program wrote; released ones still have a `file`."""
    return {
        (row.host.lower(), row.protocol): row
        for row in state.hosts.values()
        if row.project is None and row.file is None
    }


def _links(
    declared: PartnerDeclaration,
    before: State,
    servers: Mapping[str, MailServer],
    linking: Linking,
    coverage: Coverage,
) -> dict[str, Links]:
    result: dict[str, Links] = {}
    for name in servers:
        declared_links = linking.links.get(name, {})
        rows = before.links.get(name, ())
        item = declared.servers.get(name)
        kept = () if item and item.exclusive_links else _kept(rows, declared_links, coverage)
        if links := tuple(sorted((*declared_links.values(), *kept))):
            result[name] = links
    return result


def _kept(rows: Links, declared_links: Mapping[str, Link], coverage: Coverage) -> Links:
    return tuple(row for row in rows if row.cnpj not in declared_links and not coverage.holds(row))
