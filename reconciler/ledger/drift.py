"""Drift: what the database changed by itself since the last apply, as changes that others made.

What the ledger last applied is put together to a state and compared with the one that the database
has, of all that a project manages. No manifest is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.ledger.last_applied import Key, LastApplied, LastAppliedRow
from reconciler.model.state import (
    Company,
    HeadOffice,
    HostProfile,
    Link,
    MailServer,
    Partner,
    Row,
    State,
)
from reconciler.plan import plan
from reconciler.plan.cause import FOREIGN, Cause
from reconciler.plan.diff import diff
from reconciler.plan.plan import PartnerPlan, Selection

K = TypeVar("K")
R = TypeVar("R", Company, HostProfile, MailServer)


@dataclass(frozen=True, slots=True)
class Scope:
    """What drift is looked for in: the rows of a project, or those of a selection of them."""

    project: str
    selection: Selection

    def servers(self, partner: str) -> list[str]:
        """The servers of a partner that are selected; none where all of them are."""
        if partner in self.selection.partners:
            return []
        return [server for owner, server in self.selection.servers if owner == partner]


def find(connection: Connection, scope: Scope) -> Iterator[PartnerPlan]:
    """Every partner that is looked at, with its drift: rows as they were applied → as they are.

    `unchanged` counts the rows that are as they were applied.
    """
    ledger = LastApplied(connection)
    names = partners(ledger, scope)
    for start in range(0, len(names), observe.BATCH):
        batch = names[start : start + observe.BATCH]
        lasts: dict[str, dict[Key, LastAppliedRow]] = {name: {} for name in batch}
        for key, last in ledger.everything(batch).items():
            lasts[key.partner][key] = last
        for name, found in observe.read(connection, batch):
            yield _Comparison(name, lasts.pop(name), found.state, scope).result()


def partners(ledger: LastApplied, scope: Scope) -> Sequence[str]:
    """The partners to look at: those that are selected, or all that anything was applied to."""
    return sorted(scope.selection.named() or ledger.partners())


class _Comparison:
    """One partner: what was last applied to it, and what is there now."""

    def __init__(
        self, name: str, lasts: Mapping[Key, LastAppliedRow], now: State, scope: Scope
    ) -> None:
        self._name = name
        self._lasts = lasts
        self._rows = {key: row for key, last in lasts.items() if (row := last.row) is not None}
        self._now = now
        self._scope = scope

    def result(self) -> PartnerPlan:
        before = self._applied()
        after = self._managed(before)
        changes = diff(self._name, before, after)
        unchanged = before.size - sum(1 for change in changes if change.before is not None)
        if servers := self._scope.servers(self._name):
            changes = plan.select(changes, servers, before, after)
        causes = tuple(self._cause(change.kind, change.name) for change in changes)
        return PartnerPlan(self._name, changes, causes=causes, unchanged=unchanged)

    def _cause(self, kind: str, name: str) -> Cause:
        last = self._lasts.get(Key(self._name, kind, name))
        return Cause("database", *last.revision) if last else FOREIGN

    def _applied(self) -> State:
        """What was last applied of all that the project manages."""
        partner: Partner | None = None
        companies: dict[str, Company] = {}
        head_offices: dict[str, HeadOffice] = {}
        hosts: dict[tuple[str, str], HostProfile] = {}
        servers: dict[str, MailServer] = {}
        links: dict[str, list[Link]] = {}
        for key in sorted(self._rows):
            row = self._rows[key]
            if not self._is_managed(key, row):
                continue
            match row:
                case Partner():
                    partner = row
                case Company():
                    companies[key.name] = row
                case HeadOffice():
                    head_offices[key.name] = row
                case HostProfile(host=host, protocol=protocol):
                    hosts[host, protocol] = row
                case MailServer():
                    servers[key.name] = self._without_ignored(key.name, row)
                case Link():
                    links.setdefault(key.name.rpartition("/")[0], []).append(row)
        grouped = {server: tuple(rows) for server, rows in links.items()}
        return State(partner, companies, head_offices, hosts, servers, grouped)

    def _is_managed(self, key: Key, row: Row) -> bool:
        """Whether a row that was applied is the project's, or a link of its server and nobody's."""
        owner = self._manager(row)
        if owner is None and isinstance(row, Link):
            server = self._rows.get(Key(self._name, "server", key.server or ""))
            owner = self._manager(server) if server is not None else None
        return owner == self._scope.project

    def _manager(self, row: Row) -> str | None:
        """The project that manages a row; a head office is managed with its company."""
        if isinstance(row, HeadOffice):
            company = self._rows.get(Key(self._name, "company", row.cnpj))
            return getattr(company, "project", None)
        return row.project

    def _without_ignored(self, name: str, row: MailServer) -> MailServer:
        """A server with what it leaves to other programs as it is now."""
        now = self._now.servers.get(name)
        return row.keeping(row.ignore_changes, now) if now and row.ignore_changes else row

    def _managed(self, applied: State) -> State:
        """What the database has of what was applied, what says that it is the project's, and every
        link of its servers that no other project manages.
        """
        now, project = self._now, self._scope.project
        partner = now.partner
        if partner and not applied.partner and partner.project != project:
            partner = None
        links = {
            server: tuple(
                row
                for row in rows
                if row.project == project
                or self._is_looked_at(server, row, managed=server in applied.servers)
            )
            for server, rows in now.links.items()
        }
        return State(
            partner,
            _owned(now.companies, applied.companies, project),
            {base: row for base, row in now.head_offices.items() if _is_known(row, applied)},
            _owned(now.hosts, applied.hosts, project),
            _owned(now.servers, applied.servers, project),
            links,
        )

    def _is_looked_at(self, server: str, link: Link, *, managed: bool) -> bool:
        """Whether a link was managed, or was made by others to a server that is."""
        key = Key(self._name, "link", f"{server}/{link.cnpj}")
        last = self._rows.get(key)
        return managed if last is None else self._is_managed(key, last)


def _owned(now: Mapping[K, R], applied: Mapping[K, R], project: str) -> dict[K, R]:
    return {key: row for key, row in now.items() if key in applied or row.project == project}


def _is_known(row: HeadOffice, applied: State) -> bool:
    """Whether a head office is one of what was applied, in the place of one, or both."""
    heads = row.cnpj.split()
    return row.root in applied.head_offices or any(cnpj in applied.companies for cnpj in heads)
