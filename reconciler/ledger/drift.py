"""Drift: what other programs changed since the last apply, as changes that they made.

What the ledger last applied is put together into a `State` and compared with the observed one, of
all that a project manages. No manifest is asked. Drift is new where no earlier report had it, and
agreed where the manifests say the same by now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, select

from reconciler.database import bulk, observe
from reconciler.database.tables import company, drift_report
from reconciler.ledger.last_applied import LastApplied, LastAppliedRow
from reconciler.model import as_json
from reconciler.model.state import (
    Company,
    HeadOffice,
    HostProfile,
    Link,
    MailServer,
    Partner,
    Row,
    RowKey,
    State,
)
from reconciler.model.unchanged import Unchanged
from reconciler.plan import plan as plan_
from reconciler.plan.cause import FOREIGN, Cause
from reconciler.plan.diff import Change, diff
from reconciler.plan.plan import PartnerPlan, Plan, Selection

K = TypeVar("K")
R = TypeVar("R", Company, HostProfile, MailServer)


def find(connection: Connection, project: str, selection: Selection) -> Iterator[PartnerPlan]:
    """The drift of each partner that is selected: rows as they were applied → as they are.

    Without a selection they are all that anything was applied to, in the order of their names.
    `unchanged` counts the rows that are as they were applied.
    """
    ledger = LastApplied(connection)
    names = iter(sorted(selection.named() or ledger.partners()))
    while batch := [*islice(names, observe.BATCH)]:
        applied: dict[str, dict[RowKey, LastAppliedRow]] = {name: {} for name in batch}
        for key, last in ledger.everything(batch).items():
            applied[key.partner][key] = last
        for name, now in observe.read(connection, batch):
            partner = _Partner(name, applied.pop(name), now.state, project)
            yield partner.drift(selection.servers_of(name))


class _Partner:
    """One partner: what was last applied to it, and what it has now, of what a project manages."""

    def __init__(
        self, name: str, lasts: Mapping[RowKey, LastAppliedRow], now: State, project: str
    ) -> None:
        self._name = name
        self._lasts = lasts
        self._rows = {key: row for key, last in lasts.items() if (row := last.row) is not None}
        self._now = now
        self._project = project

    def drift(self, servers: Sequence[str]) -> PartnerPlan:
        """What differs, of these servers or, without any, of all that the partner has."""
        before = self._applied()
        after = self._observed(before)
        changes = diff(self._name, before, after)
        unchanged = before.size - sum(1 for change in changes if change.before is not None)
        if servers:
            changes = plan_.select(changes, servers, before, after)
        causes = tuple(self._cause(change) for change in changes)
        return PartnerPlan(self._name, changes, causes=causes, unchanged=unchanged)

    def _cause(self, change: Change) -> Cause:
        last = self._lasts.get(change.key)
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
                    links.setdefault(key.server, []).append(row)
        sorted_links = {server: tuple(rows) for server, rows in links.items()}
        return State(partner, companies, head_offices, hosts, servers, sorted_links)

    def _is_managed(self, key: RowKey, row: Row) -> bool:
        """Whether a row that was applied is the project's, or nobody's link of its server; a head
        office is managed with its company.
        """
        manager: Row | None = row
        if isinstance(row, HeadOffice):
            manager = self._rows.get(RowKey(self._name, "company", row.cnpj))
        elif isinstance(row, Link) and row.project is None:
            manager = self._rows.get(RowKey(self._name, "server", key.server))
        return getattr(manager, "project", None) == self._project

    def _without_ignored(self, name: str, row: MailServer) -> MailServer:
        """A server with what it leaves to other programs as it is now."""
        now = self._now.servers.get(name)
        return row.keeping(row.ignore_changes, now) if now and row.ignore_changes else row

    def _observed(self, applied: State) -> State:
        """What the database has of what was applied, what says that it is the project's, and every
        link of its servers that no other project manages.
        """
        now, project = self._now, self._project
        partner = now.partner
        if partner and not applied.partner and partner.project != project:
            partner = None
        return State(
            partner,
            _owned(now.companies, applied.companies, project),
            {base: row for base, row in now.head_offices.items() if _is_known(row, applied)},
            _owned(now.hosts, applied.hosts, project),
            _owned(now.servers, applied.servers, project),
            {
                server: tuple(row for row in rows if self._concerns(server, row, applied))
                for server, rows in now.links.items()
            },
        )

    def _concerns(self, server: str, link: Link, applied: State) -> bool:
        """Whether a link is or was managed, or was made by others to a server that is."""
        if link.project == self._project:
            return True
        key = RowKey(self._name, "link", f"{server}/{link.cnpj}")
        last = self._rows.get(key)
        return server in applied.servers if last is None else self._is_managed(key, last)


def _owned(now: Mapping[K, R], applied: Mapping[K, R], project: str) -> dict[K, R]:
    return {key: row for key, row in now.items() if key in applied or row.project == project}


def _is_known(row: HeadOffice, applied: State) -> bool:
    """Whether a head office is one of what was applied, in the place of one, or both."""
    companies = applied.companies.keys()
    return row.root in applied.head_offices or not companies.isdisjoint(row.cnpj.split())


# New drift


class Reports:
    """Earlier reports of drift: what they had is not new.

    A row is remembered with what others made of it. Once it is as applied it is forgotten, and what
    they make of it after that, or after the next apply, is new again.
    """

    def __init__(self, connection: Connection, project: str, selection: Selection) -> None:
        self._connection = connection
        self._project = project
        self._selection = selection
        self._new: dict[RowKey, str] = {}
        self._back: list[RowKey] = []
        self.known = 0
        """How many rows were reported before and are as they were then, counted on the way."""

    def new(self, parts: Iterable[PartnerPlan]) -> Iterator[PartnerPlan]:
        """`parts` with only what was not reported before."""
        remaining = iter(parts)
        while batch := list(islice(remaining, observe.BATCH)):
            reported = self._reported([part.partner for part in batch])
            for part in batch:
                yield self._part(part, reported.get(part.partner, {}))

    def _reported(self, partners: Sequence[str]) -> dict[str, dict[RowKey, str]]:
        c = drift_report.c
        query = select(c.partner, c.kind, c.name, c.digest)
        query = query.where(c.project == self._project, c.partner.in_(partners))
        digests: dict[str, dict[RowKey, str]] = {}
        for *names, digest in bulk.fetch(self._connection, query):
            key = RowKey(*names)
            digests.setdefault(key.partner, {})[key] = digest
        return digests

    def _part(self, part: PartnerPlan, reported: dict[RowKey, str]) -> PartnerPlan:
        new = []
        for change, cause in part.explained:
            digest = _digest(change, cause)
            if reported.pop(change.key, "") != digest:
                self._new[change.key] = digest
                new.append((change, cause))
        servers = self._selection.servers_of(part.partner)
        self._back += [key for key in reported if not servers or key.server in servers]
        self.known += len(part.changes) - len(new)
        changes, causes = zip(*new, strict=True) if new else ((), ())
        return replace(part, changes=changes, causes=causes)

    def remember(self, connection: Connection, now: datetime) -> None:
        """Write down what was reported; `now` is in UTC."""
        columns = ("project", *RowKey._fields)
        keys = [(self._project, *key) for key in (*self._new, *self._back)]
        matches = [drift_report.c[name] == bindparam(f"key_{name}") for name in columns]
        statement = delete(drift_report).where(*matches)
        bulk.execute(connection, statement, [f"key_{name}" for name in columns], keys)
        when = now.replace(tzinfo=None)
        rows = ((self._project, *key, digest, when) for key, digest in self._new.items())
        bulk.execute(connection, insert(drift_report), (*columns, "digest", "reported_at"), rows)


def _digest(change: Change, cause: Cause) -> str:
    """Which fields others changed, all of a row that they made, and since which revision."""
    before, after = (as_json.plain(row) if row else {} for row in (change.before, change.after))
    fields = {name: value for name, value in after.items() if before.get(name) != value} or None
    return sha256(json.dumps((cause.revision, fields), sort_keys=True).encode()).hexdigest()


# Agreed drift


def agreed(
    connection: Connection, plan: Plan, unchanged: Iterable[Unchanged]
) -> tuple[PartnerPlan, ...]:
    """The drift that `plan` leaves because the manifests say the same by now.

    No change of a plan would tell the ledger of it, and it would be drift for ever: so an apply
    records it. That it is as the manifests say is known of partners that are `unchanged` after the
    plan, and of rows that one of their files declares, or declared.
    """
    files = {fact.partner: {name for name, _ in fact.files} for fact in unchanged}
    names = tuple(sorted(files.keys() & LastApplied(connection).partners())) if files else ()
    if not names:
        return ()
    planned = {change.key for change in plan.changes}
    renamed = {(change.partner, change.renamed_from) for change in plan.changes}
    parts = []
    for part in find(connection, plan.project, Selection(names)):
        changes = tuple(
            change
            for change in part.changes
            if change.key not in planned
            and (change.partner, change.server) not in renamed
            and files[part.partner].issuperset(_files(connection, change, plan.project))
        )
        if changes:
            parts.append(PartnerPlan(part.partner, changes))
    return tuple(parts)


def _files(connection: Connection, change: Change, project: str) -> Iterator[str | None]:
    """The files that have a say in a row; None for each that this project does not have."""
    row = change.row
    match row:
        case Partner():
            yield None
        case HeadOffice():
            query = select(company.c.file).where(
                company.c.cnpj.in_(row.cnpj.split()), company.c.project == project
            )
            yield from [file for (file,) in bulk.fetch(connection, query)] or [None]
        case _:
            yield row.file if row.project == project else None
