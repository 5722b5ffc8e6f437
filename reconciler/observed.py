"""Database → State.

Read leniently: a strange row must still be readable, or it could never be repaired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, or_, select

from reconciler.cnpj import root
from reconciler.coverage import Coverage
from reconciler.database.bulk import fetch
from reconciler.database.tables import (
    company,
    host_profile,
    link,
    mail_server,
    partner,
    revision,
    revision_acceptance,
)
from reconciler.model import (
    Company,
    HeadOffice,
    HostProfile,
    Link,
    MailServer,
    Origins,
    Partner,
    State,
)
from reconciler.plan import Accepted

BATCH = 100
"""How many partners are read with one query of each kind."""

_SERVER_COLUMNS = [mail_server.c[name] for name in MailServer._fields]
_LINK_COLUMNS = [link.c[name] for name in Link._fields]
_PROFILE_COLUMNS = [host_profile.c[name] for name in HostProfile._fields]


@dataclass(frozen=True, slots=True)
class Observed:
    """One partner's state, and the number of the row behind each server's name."""

    state: State
    row_ids: dict[str, int]


@dataclass(slots=True)
class _Parts:
    """A state while its rows come in."""

    partner: Partner | None = None
    companies: dict[str, Company] = field(default_factory=dict)
    head_offices: dict[str, HeadOffice] = field(default_factory=dict)
    hosts: dict[tuple[str, str], HostProfile] = field(default_factory=dict)
    servers: dict[str, MailServer] = field(default_factory=dict)
    links: dict[str, list[Link]] = field(default_factory=dict)
    row_ids: dict[str, int] = field(default_factory=dict)

    def observed(self) -> Observed:
        links = {name: tuple(rows) for name, rows in self.links.items()}
        state = State(
            self.partner, self.companies, self.head_offices, self.hosts, self.servers, links
        )
        return Observed(state, self.row_ids)


def read(
    connection: Connection, partners: Sequence[str], *, lock: bool = False
) -> Iterator[tuple[str, Observed]]:
    """What the database has of each of `partners`, in their order; empty for one it has not.

    With `lock`, nobody else can change the rows until the transaction ends.
    """
    for start in range(0, len(partners), BATCH):
        batch = partners[start : start + BATCH]
        parts = {name: _Parts() for name in batch}
        _read_partners(connection, parts, lock=lock)
        _read_companies(connection, parts, lock=lock)
        _read_hosts(connection, parts, lock=lock)
        names = _read_servers(connection, parts, lock=lock)
        _read_links(connection, parts, names, lock=lock)
        for name in batch:
            yield name, parts.pop(name).observed()


def _query(
    columns: Iterable[ColumnElement[Any]],
    owner: ColumnElement[str],
    partners: Iterable[str],
    *,
    lock: bool,
) -> Select[Any]:
    query = select(*columns).where(owner.in_(list(partners)))
    return query.with_for_update() if lock else query


def _read_partners(connection: Connection, parts: dict[str, _Parts], *, lock: bool) -> None:
    columns = [partner.c.id, partner.c.project]
    for row in fetch(connection, _query(columns, partner.c.id, parts, lock=lock)):
        parts[row[0]].partner = Partner(*row)


def _read_companies(connection: Connection, parts: dict[str, _Parts], *, lock: bool) -> None:
    c = company.c
    columns = [c.partner, c.head_office, c.cnpj, c.nickname, c.notification_email]
    columns += [c.extensions, c.own_mailboxes, c.project, c.file]
    query = _query(columns, c.partner, parts, lock=lock).order_by(c.cnpj)
    for row in fetch(connection, query):
        owner, head_office, cnpj, nickname, email, extensions, own, *declared = _readable(row)
        part = parts[owner]
        part.companies[cnpj] = Company(
            cnpj, nickname, email, tuple(sorted((extensions or "").split())), bool(own), *declared
        )
        if head_office:
            base = root(cnpj)
            before = part.head_offices.get(base)
            # Two of one root are a strange state, and one that no declared state is equal to.
            name = f"{before.cnpj} {cnpj}" if before else cnpj
            part.head_offices[base] = HeadOffice(base, name)


def _read_hosts(connection: Connection, parts: dict[str, _Parts], *, lock: bool) -> None:
    owner = host_profile.c.partner
    query = _query([owner, *_PROFILE_COLUMNS], owner, parts, lock=lock)
    for row in fetch(connection, query):
        name, *values = _readable(row)
        profile = HostProfile(*values)
        profile = profile._replace(verify_certificate=_flag(profile.verify_certificate))
        parts[name].hosts[profile.host, profile.protocol] = profile


def _read_servers(
    connection: Connection, parts: dict[str, _Parts], *, lock: bool
) -> dict[int, tuple[str, str]]:
    """Read the servers; the names of their rows are returned, with their partners'."""
    names = {}
    columns = [mail_server.c.id, mail_server.c.partner, *_SERVER_COLUMNS]
    for number, owner, *values in fetch(
        connection, _query(columns, mail_server.c.partner, parts, lock=lock)
    ):
        server = _server(number, values)
        part = parts[owner]
        part.servers[server.stable_id] = server
        part.row_ids[server.stable_id] = number
        names[number] = (owner, server.stable_id)
    return names


_FIELD = {name: index for index, name in enumerate(MailServer._fields)}
_FLAGS = [_FIELD[name] for name in ("active", "verify_certificate", "importable")]
_TEXTS = [_FIELD[name] for name in ("direction", "protocol", "nickname", "host")]


def _server(number: int, values: list[Any]) -> MailServer:
    values = _readable(values)
    if values[0] is None:
        values[0] = f"#{number}"
    for index in _FLAGS:
        values[index] = _flag(values[index])
    for index in _TEXTS:
        if type(values[index]) is not str:
            values[index] = str(values[index])
    values[_FIELD["origins"]] = Origins.parse(values[_FIELD["origins"]])
    return MailServer._make(values)


def _readable(row: Iterable[Any]) -> list[Any]:
    """A row whose bytes, which SQLite lets stand where text belongs, are text."""
    return [value.decode(errors="replace") if type(value) is bytes else value for value in row]


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _read_links(
    connection: Connection,
    parts: dict[str, _Parts],
    names: dict[int, tuple[str, str]],
    *,
    lock: bool,
) -> None:
    id_ = link.c.mail_server_id
    query = _query([id_, *_LINK_COLUMNS], mail_server.c.partner, parts, lock=lock)
    query = query.select_from(link.join(mail_server)).order_by(id_, link.c.cnpj)
    same: dict[tuple[Any, ...], Link] = {}
    number, rows = None, []
    for row in fetch(connection, query):
        if row[0] != number:
            number = row[0]
            owner, name = names[number]
            rows = parts[owner].links[name] = []
        values = row[1:]
        made = same.get(values)
        if made is None:
            cnpj, sender_name, active, *declared = _readable(values)
            made = same[values] = Link(cnpj, sender_name, bool(active), *declared)
        rows.append(made)


def partners_of(connection: Connection, coverage: Coverage) -> set[str]:
    """The partners that have rows of the whole root or the folders that a run was given."""
    if not (coverage.whole or coverage.folders):
        return set()
    found: set[str] = set()
    for table in (mail_server, company, host_profile):
        query = select(table.c.partner).where(table.c.project == coverage.project).distinct()
        if not coverage.whole:
            query = query.where(or_(*(_is_below(table, name) for name in coverage.folders)))
        found.update(row[0] for row in fetch(connection, query))
    return found


def _is_below(table: Table, folder: str) -> ColumnElement[bool]:
    return table.c.file.startswith(f"{folder}/", autoescape=True)


def has_partner(connection: Connection, name: str) -> bool:
    """Whether the database has this partner."""
    return any(fetch(connection, select(partner.c.id).where(partner.c.id == name)))


def partners_with(connection: Connection, stable_id: str, owner: str = "") -> set[str]:
    """The partners that have a server with this id; with `owner`, whether that one has."""
    query = select(mail_server.c.partner).where(mail_server.c.stable_id == stable_id)
    if owner:
        query = query.where(mail_server.c.partner == owner)
    return {row[0] for row in fetch(connection, query)}


def owners_of(connection: Connection, cnpjs: Sequence[str]) -> dict[str, str]:
    """The partner of each of `cnpjs` that the database has."""
    owners: dict[str, str] = {}
    for start in range(0, len(cnpjs), 500):
        query = select(company.c.cnpj, company.c.partner).where(
            company.c.cnpj.in_(cnpjs[start : start + 500])
        )
        owners.update((cnpj, owner) for cnpj, owner in fetch(connection, query))
    return owners


def used_acceptances(connection: Connection, partners: Sequence[str]) -> frozenset[Accepted]:
    """What the ledger has of acceptances of these partners."""
    c = revision_acceptance.c
    query = select(c.partner, c.guard, c.count, c.reason, c.until).where(c.partner.in_(partners))
    return frozenset(Accepted(*row) for row in fetch(connection, query))


def last_commit(connection: Connection, project: str) -> str | None:
    """The commit of the newest revision of `project` that has one."""
    c = revision.c
    query = (
        select(c.commit_id)
        .where(c.project == project, c.commit_id.is_not(None))
        .order_by(c.number.desc())
        .limit(1)
    )
    return next((row[0] for row in fetch(connection, query)), None)
