"""The ledger read back: which revisions there are, and what each of them did.

It is read leniently: an entry that was tampered with, or that another version of the tool wrote, is
still listed, with as much of it as can be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from reconciler.database import observe
from reconciler.database.bulk import fetch
from reconciler.database.tables import (
    mail_server,
    revision,
    revision_acceptance,
    revision_change,
    revision_password,
)
from reconciler.diagnostics.problem import Failure
from reconciler.model import as_json
from reconciler.model.cnpj import root
from reconciler.model.state import RowKey, called
from reconciler.plan.diff import Change
from reconciler.plan.plan import Accepted, Password, PasswordState, Selection, Summary

_CHANGE = revision_change.c
_PASSWORD = revision_password.c
_REVISION = revision.c


class RevisionFilter(NamedTuple):
    """Which revisions to list: those that meet all that is not None.

    `server` is a partner and an id, which may be a former one; `company` is a bare CNPJ. `since`
    and `until` are in UTC, and inclusive.
    """

    partner: str | None = None
    server: tuple[str, str] | None = None
    company: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    project: str | None = None


class Revision(NamedTuple):
    """One applied plan. `applied_at` is in UTC, None where the ledger has no valid time.

    `summary` counts what was done; `rolls_back` is the revision that it undid, if it is a rollback.
    """

    number: int
    plan_id: str
    applied_at: datetime | None
    applied_by: str
    project: str
    commit: str | None
    rolls_back: int | None
    tool_version: str
    selection: Selection
    summary: Summary


class Revisions(NamedTuple):
    """The newest revisions that meet a filter, and how many more there are."""

    revisions: tuple[Revision, ...]
    more: int


class LedgerEntry(NamedTuple):
    """One change that a revision made, as the ledger has it.

    `change` is None where the rows cannot be read; where a field of them cannot, it is None and the
    entry is not `whole`. `row_id` is the number of the mail server that it is about, if it is.
    """

    partner: str
    kind: str
    name: str
    action: str
    change: Change | None
    whole: bool
    row_id: int | None = None

    @property
    def key(self) -> RowKey:
        """The row by what it was called at the time."""
        return RowKey(self.partner, self.kind, self.name)


def revisions(connection: Connection, conditions: RevisionFilter, limit: int) -> Revisions:
    """The newest `limit` revisions that meet the conditions, newest first."""
    where = list(_where(connection, conditions))
    counting = select(func.count()).select_from(revision).where(*where)
    query = _select().where(*where).order_by(_REVISION.number.desc()).limit(limit)
    newest = tuple(map(_revision, connection.execute(query)))
    total = connection.execute(counting).scalar_one()
    return Revisions(newest, total - len(newest))


def revision_called(connection: Connection, name: str) -> Revision:
    """The revision of this number, or that the plan of this id was applied as.

    Raises:
        Failure: the ledger has none.
    """
    is_called_so = _REVISION.plan_id == name
    if name.isascii() and name.isdigit() and len(name) < 10:
        is_called_so = _REVISION.number == int(name)
    for row in connection.execute(_select().where(is_called_so)):
        return _revision(row)
    newest = connection.execute(select(func.max(_REVISION.number))).scalar() or "–"
    raise Failure.of("MBX620", name=name, newest=newest)


def commit_before(connection: Connection, later: Revision) -> str | None:
    """The commit of the last revision of the same project before this one; None without any."""
    c = _REVISION
    query = select(c.commit_id).where(c.project == later.project, c.number < later.number)
    newest = query.where(c.commit_id.is_not(None)).order_by(c.number.desc()).limit(1)
    return next((commit for (commit,) in fetch(connection, newest)), None)


def acceptances(connection: Connection, number: int) -> tuple[Accepted, ...]:
    """The guards that were accepted for revision `number`."""
    c = revision_acceptance.c
    query = select(c.partner, c.guard, c.count, c.reason, c.until)
    query = query.where(c.revision == number).order_by(c.partner, c.guard)
    return tuple(Accepted(*row) for row in fetch(connection, query))


def sealed(connection: Connection, number: int) -> tuple[Password, ...]:
    """The mail servers whose password revision `number` sealed anew, without its reference."""
    c = _PASSWORD
    query = select(c.partner, c.server).where(c.revision == number).order_by(c.partner, c.server)
    rows = fetch(connection, query)
    return tuple(Password(str(name), str(id_), "", PasswordState.CHANGED) for name, id_ in rows)


def entries(
    connection: Connection, number: int, partners: Iterable[str] | None = None
) -> Iterator[LedgerEntry]:
    """Every change that revision `number` made, or those of some partners, in their order."""
    c = _CHANGE
    query = select(c.partner, c.kind, c.name, c.action, c.before, c.after, c.row_id)
    query = query.where(c.revision == number).order_by(c.position)
    if partners is not None:
        query = query.where(c.partner.in_(list(partners)))
    for row in fetch(connection, query):
        yield _entry(map(_text, row) if bytes in map(type, row) else row)


def _select() -> Select[Any]:
    """The columns of a revision; its time as text, for a strange one must not end the reading."""
    c = _REVISION
    columns = [
        c.number,
        c.plan_id,
        sa.type_coerce(c.applied_at, sa.String),
        c.applied_by,
        c.project,
    ]
    columns += [c.commit_id, c.rolls_back, c.tool_version, c.selection, c.summary]
    return select(*columns)


def _revision(row: Any) -> Revision:
    number, plan_id, when, who, project, commit, rolls_back, version, selected, summary = row
    return Revision(
        *(number, str(plan_id), _moment(when), str(who), str(project), commit, rolls_back),
        *(str(version), _selection(_parsed(selected)), _summary(_parsed(summary))),
    )


def _moment(value: Any) -> datetime | None:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _parsed(text: Any) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _selection(data: Mapping[str, Any]) -> Selection:
    partners, servers = ([*_list(data.get(name))] for name in ("partners", "servers"))
    pairs = (item for item in servers if isinstance(item, list) and len(item) == 2)
    return Selection(
        tuple(map(str, partners)), tuple((str(partner), str(name)) for partner, name in pairs)
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _summary(data: Mapping[str, Any]) -> Summary:
    counts = (data.get(name) for name in Summary._fields)
    return Summary(*(count if type(count) is int else 0 for count in counts))


def _text(value: Any) -> Any:
    """Bytes, which SQLite lets stand where text belongs, as text."""
    return value.decode(errors="replace") if type(value) is bytes else value


def _entry(row: Iterable[Any]) -> LedgerEntry:
    partner, kind, name, action, before, after, row_id = row
    old, new = as_json.readable(kind, before), as_json.readable(kind, after)
    change, whole = None, False
    if old and new and (old.row or new.row):
        change, whole = Change(partner, name, old.row, new.row), old.whole and new.whole
    return LedgerEntry(partner, kind, name, action, change, whole, row_id)


def _where(connection: Connection, conditions: RevisionFilter) -> Iterator[ColumnElement[bool]]:
    partner, server, company, since, until, project = conditions
    if project is not None:
        yield _REVISION.project == project
    if since is not None:
        yield _REVISION.applied_at >= since.replace(tzinfo=None)
    if until is not None:
        yield _REVISION.applied_at <= until.replace(tzinfo=None)
    if partner is not None:
        yield or_(_changes(_CHANGE.partner == partner), _seals(_PASSWORD.partner == partner))
    if company is not None:
        yield _changes(_is_of_company(connection, company))
    if server is not None:
        row_ids = _rows_called(connection, *server)
        of_server = and_(_CHANGE.partner == server[0], _CHANGE.row_id.in_(row_ids))
        yield or_(_changes(of_server), _seals(_PASSWORD.row_id.in_(row_ids)))


def _changes(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return _REVISION.number.in_(select(_CHANGE.revision).where(condition))


def _seals(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return _REVISION.number.in_(select(_PASSWORD.revision).where(condition))


def _is_of_company(connection: Connection, cnpj: str) -> ColumnElement[bool]:
    """The changes of a company, of its links, and of which company of its root is head office."""
    c = _CHANGE
    is_of_it = or_(
        and_(c.kind == "company", c.name == cnpj),
        and_(c.kind == "link", c.name.endswith(f"/{cnpj}")),
        and_(c.kind == "head_office", c.name == root(cnpj)),
    )
    owner = observe.owners_of(connection, [cnpj]).get(cnpj)
    return and_(c.partner == owner, is_of_it) if owner else is_of_it


def _rows_called(connection: Connection, partner: str, name: str) -> Sequence[int]:
    """The numbers of the servers that `name` stands for.

    They are the one that is called so now and those that were until they were deleted; where there
    is none now, the last one that was renamed, or else those that were deleted.
    """
    c, s = _CHANGE, mail_server.c
    of_partner = and_(c.partner == partner, c.kind == "server")
    ever = select(c.row_id).where(of_partner, or_(c.name == name, c.renamed_from == name))
    query = select(c.row_id, c.name, c.renamed_from).where(of_partner, c.row_id.in_(ever))
    names: dict[int, str] = {}  # the last of each, in the order in which they last had `name`
    for row_id, new, old in fetch(connection, query.order_by(c.revision, c.position.desc())):
        if name in (new, old):
            names.pop(row_id, None)
        names[row_id] = new
    existing = or_(s.stable_id == name, s.id.in_([*names]))
    now = dict(fetch(connection, select(s.id, s.stable_id).where(s.partner == partner, existing)))
    gone = [row_id for row_id, last in names.items() if last == name and row_id not in now]
    current = [row_id for row_id, stable_id in now.items() if called(stable_id, row_id) == name]
    renamed = [row_id for row_id, last in names.items() if last != name]
    return [*current, *gone] if current else renamed[-1:] or gone
