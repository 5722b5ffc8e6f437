"""What a partner declares, what the database has → the State it should have, and all changes.

Everything that a run may not touch is carried over as it is, so that comparing the two states needs
no special cases: what is missing here is to be deleted, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from reconciler.desired import options, rules
from reconciler.desired.link import Known, Linking, link
from reconciler.desired.match import name_rows
from reconciler.diagnostics.problem import Problem
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model import state as s
from reconciler.model.cnpj import root
from reconciler.model.coverage import Coverage
from reconciler.plan.diff import Change, diff


@dataclass(frozen=True, slots=True)
class Desired:
    """`new_names` leads from rows to what they are called from now on; `skipped` counts companies
    that `all` and `branches_of` left out for having no document import.
    """

    state: s.State
    new_names: Mapping[str, str]
    problems: tuple[Problem, ...]
    skipped: int


def desire(
    declared: PartnerDeclaration,
    observed: s.State,
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
    companies = _released(before.companies, coverage)
    companies |= {cnpj: item.company for cnpj, item in declared.companies.items()}
    hosts = _released(before.hosts, coverage)
    hosts |= {key: item.profile for key, item in declared.hosts.items()}
    head_offices = _head_offices(declared, before)
    servers = _servers(declared, before, coverage)
    known = Known(companies, head_offices, servers, elsewhere, offline, coverage.project)
    linking = link(declared, known)
    state = s.State(
        partner=before.partner or s.Partner(declared.partner, coverage.project),
        companies=companies,
        head_offices=head_offices,
        hosts=hosts,
        servers=servers,
        links=_links(declared, before, servers, linking, coverage),
    )
    problems = (*naming.problems, *linking.problems, *rules.check(declared, state, known))
    return Desired(state, naming.new_names, problems, len(linking.left_out))


K = TypeVar("K")
R = TypeVar("R", s.Company, s.HostProfile)


def _released(rows: Mapping[K, R], coverage: Coverage) -> dict[K, R]:
    """The rows, released if they were the run's; `file` stays, to tell them from foreign ones."""
    return {
        key: row._replace(project=None) if coverage.holds(row) else row for key, row in rows.items()
    }


def _head_offices(declared: PartnerDeclaration, before: s.State) -> dict[str, s.HeadOffice]:
    kept = {}
    for base, row in before.head_offices.items():
        # A strange database has several of one root; those that are declared have their say below.
        others = [cnpj for cnpj in row.cnpj.split() if cnpj not in declared.companies]
        if others:
            kept[base] = s.HeadOffice(base, " ".join(others))
    for cnpj, item in declared.companies.items():
        if item.head_office:
            kept[root(cnpj)] = s.HeadOffice(root(cnpj), cnpj)
    return kept


def _servers(
    declared: PartnerDeclaration, before: s.State, coverage: Coverage
) -> dict[str, s.MailServer]:
    kept = {name: row for name, row in before.servers.items() if not coverage.holds(row)}
    foreign = options.foreign(before)
    profiles = {  # those of other files of the project, and of the files of this run
        key: row
        for key, row in before.hosts.items()
        if row.project == coverage.project and not coverage.holds(row)
    }
    profiles |= {key: item.profile for key, item in declared.hosts.items()}
    for stable_id, item in declared.servers.items():
        key = (item.server.host, item.server.protocol)
        server = options.resolve(item.server, profiles.get(key), foreign.get(key))
        if server.ignore_changes and (row := before.servers.get(stable_id)):
            server = server.keeping(server.ignore_changes, row)
        kept[stable_id] = server
    return kept


def _links(
    declared: PartnerDeclaration,
    before: s.State,
    servers: Mapping[str, s.MailServer],
    linking: Linking,
    coverage: Coverage,
) -> dict[str, s.Links]:
    result: dict[str, s.Links] = {}
    for name in servers:
        links = linking.links.get(name, {})
        item = declared.servers.get(name)
        rows = () if item and item.exclusive_links else before.links.get(name, ())
        kept = (row for row in rows if row.cnpj not in links and not coverage.holds(row))
        if all_links := tuple(sorted((*links.values(), *kept))):
            result[name] = all_links
    return result


class Comparison(NamedTuple):
    """One partner: its state before, under the names it will have, the one desired, and changes.

    `differing` counts the rows that are to be another way; a selection may leave out some of their
    changes.
    """

    declaration: PartnerDeclaration
    before: s.State
    desired: Desired
    changes: tuple[Change, ...]
    differing: int

    @property
    def partner(self) -> str:
        return self.declaration.partner

    @property
    def unchanged(self) -> int:
        """How many rows stay as they are."""
        return self.desired.state.size - self.differing


def compare(
    declaration: PartnerDeclaration,
    observed: s.State,
    coverage: Coverage,
    elsewhere: frozenset[str] = frozenset(),
    applied_names: Mapping[str, str] = MappingProxyType({}),
) -> Comparison:
    """Compare what a partner declares with what the database has of it; see `desire`."""
    desired = desire(declaration, observed, coverage, elsewhere, applied_names=applied_names)
    return between(declaration, observed, desired)


def between(declaration: PartnerDeclaration, observed: s.State, desired: Desired) -> Comparison:
    """Compare what was observed with a desired state that is already known."""
    before = observed.renamed(desired.new_names)
    changes = diff(declaration.partner, before, desired.state)
    differing = sum(change.after is not None for change in changes)
    return Comparison(declaration, before, desired, changes, differing)
