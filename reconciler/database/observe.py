"""Database → State."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, func, or_, select

from reconciler.database.bulk import among, fetch
from reconciler.database.dialects import dialect_for
from reconciler.database.rows import (
    columns,
    flag,
    name_of,
    read_company,
    read_host,
    read_link,
    read_partner,
    read_server,
)
from reconciler.database.tables import (
    company,
    host_profile,
    link,
    mail_server,
    partner,
    revision,
    revision_acceptance,
)
from reconciler.model.cnpj import root
from reconciler.model.coverage import Coverage
from reconciler.model.state import (
    Company,
    HeadOffice,
    HostProfile,
    Link,
    Links,
    MailServer,
    State,
    id_of,
)
from reconciler.plan.plan import Accepted

BATCH = 100
"""As many partners are looked at together."""
_ASKED = 500
_DENSE = 2
"""So many times as many numbers as there are servers may lie between their first and last."""
_BEHIND_NUMBER = itemgetter(slice(1, None))
_ROWS = 100_000
"""As many rows, at most, are read with one query, unless one partner has more."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One partner's state, and the number of the row behind each server's name."""

    state: State
    row_ids: dict[str, int]


class Rows(NamedTuple):
    """One partner's rows of each kind as the driver gives them, each with its partner first.

    A company's row ends with its mark of a head office. A server's has what it is called in place
    of its id, and ends with the number of the row. Links are kept by what their server is called,
    with the fields of `Link` alone.
    """

    partners: list[tuple[Any, ...]]
    companies: list[tuple[Any, ...]]
    hosts: list[tuple[Any, ...]]
    servers: list[tuple[Any, ...]]
    links: dict[Any, list[tuple[Any, ...]]]


def read(
    connection: Connection, partners: Sequence[str], *, lock: bool = False
) -> Iterator[tuple[str, Observed]]:
    """What the database has of each of `partners`, in their order; empty for one it has not.

    With `lock`, nobody else can change the rows until the transaction ends.
    """
    for name, of_partner in rows(connection, partners, lock=lock):
        yield name, understood(of_partner)


def rows(
    connection: Connection, partners: Sequence[str], *, lock: bool = False
) -> Iterator[tuple[str, Rows]]:
    """All rows of each of `partners`, in their order."""
    for batch in batches(connection, partners):
        by_name = {name: Rows([], [], [], [], {}) for name in batch}
        for kind, query in enumerate(_queries(connection, batch)):
            locking = query.with_for_update() if lock else query
            for owner, group in groupby(fetch(connection, locking), itemgetter(0)):
                by_name[owner][:-1][kind].extend(group)
        for of_partner in by_name.values():
            of_partner.servers[:] = [
                (owner, name_of(stable_id, values[-1]), *values)
                for owner, stable_id, *values in of_partner.servers
            ]
        servers = {row[-1]: row for rows in by_name.values() for row in rows.servers}
        if servers:
            query = _links_query(connection, batch, servers.keys(), lock=lock)
            for number, group in groupby(fetch(connection, query), itemgetter(0)):
                if number in servers:
                    owner, name, *_ = servers[number]
                    by_name[owner].links.setdefault(name, []).extend(map(_BEHIND_NUMBER, group))
        for name in batch:
            yield name, by_name.pop(name)


def batches(connection: Connection, partners: Sequence[str]) -> Iterator[list[str]]:
    """As many of `partners` at a time as have a bounded number of rows together, or one of them."""
    for start in range(0, len(partners), _ASKED):
        names = partners[start : start + _ASKED]
        servers, companies = (_counts(connection, table, names) for table in (mail_server, company))
        batch: list[str] = []
        size = 0
        for name in names:
            most = servers.get(name, 0) * companies.get(name, 0)  # of them links
            if batch and size + most > _ROWS:
                yield batch
                batch, size = [], 0
            batch.append(name)
            size += most
        yield batch


def _counts(connection: Connection, table: Table, partners: Sequence[str]) -> dict[str, int]:
    """How many rows of a table each partner has."""
    owner = table.c.partner
    query = select(owner, func.count()).where(among(connection, owner, partners)).group_by(owner)
    return dict(fetch(connection, query))


def _queries(connection: Connection, partners: Sequence[str]) -> Iterator[Select[Any]]:
    """A query for each kind of row but links, in the order of `Rows`."""
    head_office, number = company.c.head_office, mail_server.c.id
    servers = [*columns(MailServer), number]
    for owner, of_kind in (
        (partner.c.id, [partner.c.project]),
        (company.c.partner, [*columns(Company), head_office]),
        (host_profile.c.partner, columns(HostProfile)),
        (mail_server.c.partner, servers),
    ):
        yield select(owner, *of_kind).where(among(connection, owner, partners))


def _links_query(
    connection: Connection, partners: Sequence[str], servers: Collection[int], *, lock: bool
) -> Select[Any]:
    """The query for the links of these servers, each with the number of its server first.

    Asked for from the first number to the last, they come as fast as a table can be read; to pass
    over the few of another partner's servers costs less than to look up whose they are. That is
    done where there may be many of them, and where they would be locked too.
    """
    number, first, last = link.c.mail_server_id, min(servers), max(servers)
    query = select(number, *columns(Link)).where(number.between(first, last))
    if lock or last - first > _DENSE * len(servers):
        ours = among(connection, mail_server.c.partner, partners)
        query = query.where(number.in_(select(mail_server.c.id).where(ours)))
    return query.with_for_update() if lock else query


def understood(rows: Rows) -> Observed:
    """What the rows of a partner mean."""
    companies, head_offices = _companies(rows.companies)
    hosts = [read_host(row[1:]) for row in rows.hosts]
    state = State(
        next((read_partner(row) for row in rows.partners), None),
        companies,
        head_offices,
        {(row.host, row.protocol): row for row in hosts},
        {row[1]: read_server(row[1:-1]) for row in rows.servers},
        _links(rows.links),
    )
    return Observed(state, {row[1]: row[-1] for row in rows.servers})


def _companies(rows: Iterable[tuple[Any, ...]]) -> tuple[dict[str, Company], dict[str, HeadOffice]]:
    companies = sorted((read_company(row[1:-1]), bool(flag(row[-1]))) for row in rows)
    head_offices: dict[str, HeadOffice] = {}
    for cnpj in (row.cnpj for row, is_head_office in companies if is_head_office):
        base = root(cnpj)
        before = head_offices.get(base)
        # Two of one root are a strange state, and one that no declared state is equal to.
        head_offices[base] = HeadOffice(base, f"{before.cnpj} {cnpj}" if before else cnpj)
    return {row.cnpj: row for row, _ in companies}, head_offices


def _links(rows: Mapping[str, Iterable[tuple[Any, ...]]]) -> dict[str, Links]:
    same = _Same()
    return {
        name: tuple(sorted((same[row] for row in links), key=itemgetter(0)))
        for name, links in rows.items()
    }


class _Same(dict[tuple[Any, ...], Link]):
    """Links by their rows: servers of a partner mostly have the same ones."""

    def __missing__(self, row: tuple[Any, ...]) -> Link:
        made = self[row] = read_link(row)
        return made


def partners_of(connection: Connection, coverage: Coverage) -> set[str]:
    """The partners that have rows of the whole root or the folders that a run was given."""
    if not (coverage.whole or coverage.folders):
        return set()
    names: set[str] = set()
    for table in (mail_server, company, host_profile):
        query = select(table.c.partner).where(table.c.project == coverage.project).distinct()
        if not coverage.whole:
            query = query.where(or_(*(_is_below(table, name) for name in coverage.folders)))
        names.update(row[0] for row in fetch(connection, query))
    return names


def _is_below(table: Table, folder: str) -> ColumnElement[bool]:
    return table.c.file.startswith(f"{folder}/", autoescape=True)


def partners(connection: Connection) -> list[str]:
    """Every partner that the database has, by name."""
    return sorted(str(name) for (name,) in fetch(connection, select(partner.c.id)))


def references(connection: Connection, stores: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """The partners of mail servers, each with what leads to a password; with `stores`, in these."""
    column = mail_server.c.password_reference
    query = select(mail_server.c.partner, column).where(column.is_not(None)).distinct()
    if stores:
        query = query.where(or_(*(column.startswith(f"{store}:") for store in stores)))
    return ((str(owner), str(text)) for owner, text in fetch(connection, query))


def has_partner(connection: Connection, name: str) -> bool:
    """Whether the database has this partner."""
    return any(fetch(connection, select(partner.c.id).where(partner.c.id == name)))


def partners_with(connection: Connection, name: str, owner: str = "") -> set[str]:
    """The partners that have a server called so; with `owner`, whether that one has."""
    c = mail_server.c
    query = select(c.partner, c.stable_id, c.id).where(has_id(connection, [id_of(name)]))
    if owner:
        query = query.where(c.partner == owner)
    return {partner for partner, *values in fetch(connection, query) if name_of(*values) == name}


def has_id(connection: Connection, ids: Sequence[str | None]) -> ColumnElement[bool]:
    """That a server has one of these ids, or bytes in its place, which may read as one of them."""
    column = mail_server.c.stable_id
    return or_(column.in_(ids), dialect_for(connection.engine).has_bytes(column))


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
