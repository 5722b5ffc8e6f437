"""The ledger read back: which revisions there are, and what each of them did.

Read leniently: an entry that was tampered with, or that another version of the tool has written, is
still listed, with what of it can be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    func,
    or_,
    select,
    type_coerce,
)

from reconciler.database import observe
from reconciler.database.bulk import fetch
from reconciler.database.tables import (
    revision,
    revision_acceptance,
    revision_change,
    revision_password,
)
from reconciler.diagnostics.problem import Failure
from reconciler.ledger.last_applied import LATEST, Key, LastApplied, Renames, Span
from reconciler.model import as_json
from reconciler.model.cnpj import root
from reconciler.model.state import Row
from reconciler.plan.diff import Change
from reconciler.plan.plan import Accepted, Password, PasswordState, Selection
from reconciler.plan.summary import Summary

_KEYS = frozenset({"id", "cnpj", "root", "host", "protocol", "stable_id"})
_CHANGE = revision_change.c
_PASSWORD = revision_password.c
_REVISION = revision.c


class RevisionFilter(NamedTuple):
    """Which revisions are meant; what is empty or None leaves none out.

    `server` is a partner and an id, also one that it had before; `company` is a bare CNPJ. `since`
    and `until` are in UTC, and belong to what is meant.
    """

    partner: str | None = None
    server: tuple[str, str] | None = None
    company: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    project: str | None = None


class Revision(NamedTuple):
    """One applied plan. `applied_at` is in UTC, None where the ledger has no such time.

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
    """The newest revisions that a filter means, and how many more there are."""

    revisions: tuple[Revision, ...]
    more: int


class LedgerEntry(NamedTuple):
    """One change that a revision made, as the ledger has it.

    `change` is None where the rows cannot be read; it is not `whole` where something of them
    cannot, which is None then.
    """

    partner: str
    kind: str
    name: str
    action: str
    change: Change | None
    whole: bool

    @property
    def address(self) -> str:
        return f"{self.kind}.{self.partner}/{self.name}"


def revisions(connection: Connection, wanted: RevisionFilter, limit: int) -> Revisions:
    """The newest `limit` revisions that `wanted` means, newest first."""
    conditions = list(_conditions(connection, wanted))
    counting = select(func.count()).select_from(revision).where(*conditions)
    query = _select().where(*conditions).order_by(_REVISION.number.desc()).limit(limit)
    found = tuple(map(_revision, connection.execute(query)))
    total = connection.execute(counting).scalar_one()
    return Revisions(found, total - len(found))


def revision_called(connection: Connection, name: str) -> Revision:
    """The revision of this number, or that this plan was applied as.

    Raises:
        Failure: the ledger has none.
    """
    is_meant = _REVISION.plan_id == name
    if name.isascii() and name.isdigit() and len(name) < 10:
        is_meant = _REVISION.number == int(name)
    for row in connection.execute(_select().where(is_meant)):
        return _revision(row)
    newest = connection.execute(select(func.max(_REVISION.number))).scalar() or "–"
    raise Failure.of("MBX620", name=name, newest=newest)


def commit_before(connection: Connection, later: Revision) -> str | None:
    """The commit of the last revision of the same project before this one; None without any."""
    query = (
        select(_REVISION.commit_id)
        .where(
            _REVISION.project == later.project,
            _REVISION.number < later.number,
            _REVISION.commit_id.is_not(None),
        )
        .order_by(_REVISION.number.desc())
        .limit(1)
    )
    return next((commit for (commit,) in fetch(connection, query)), None)


def acceptances(connection: Connection, number: int) -> tuple[Accepted, ...]:
    """The guards that were accepted for revision `number`."""
    c = revision_acceptance.c
    query = select(c.partner, c.guard, c.count, c.reason, c.until)
    query = query.where(c.revision == number).order_by(c.partner, c.guard)
    return tuple(Accepted(*row) for row in fetch(connection, query))


def sealed(connection: Connection, number: int) -> tuple[Password, ...]:
    """The mail servers whose password revision `number` sealed anew, without where it is."""
    c = revision_password.c
    query = select(c.partner, c.server).where(c.revision == number).order_by(c.partner, c.server)
    return tuple(
        Password(str(partner), str(server), "", PasswordState.CHANGED)
        for partner, server in fetch(connection, query)
    )


def entries(
    connection: Connection, number: int, partners: Iterable[str] | None = None
) -> Iterator[LedgerEntry]:
    """Every change that revision `number` made, or those of some partners, in their order."""
    c = _CHANGE
    query = select(c.partner, c.kind, c.name, c.action, c.before, c.after)
    query = query.where(c.revision == number).order_by(c.position)
    if partners is not None:
        query = query.where(c.partner.in_(list(partners)))
    for row in fetch(connection, query):
        yield _entry(*map(_text, row))


def _select() -> Select[Any]:
    """All of a revision but its time is plain; a strange time must not end the reading."""
    c = _REVISION
    columns = [c.number, c.plan_id, type_coerce(c.applied_at, String), c.applied_by, c.project]
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
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _parsed(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _selection(data: dict[str, Any]) -> Selection:
    partners, servers = data.get("partners"), data.get("servers")
    pairs = [item for item in servers if _is_pair(item)] if isinstance(servers, list) else []
    names = partners if isinstance(partners, list) else []
    return Selection(
        tuple(map(str, names)), tuple((str(partner), str(name)) for partner, name in pairs)
    )


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def _summary(data: dict[str, Any]) -> Summary:
    counts = (data.get(name) for name in Summary._fields)
    return Summary(*(count if type(count) is int else 0 for count in counts))


def _text(value: Any) -> Any:
    """Bytes, which SQLite lets stand where text belongs, as text."""
    return value.decode(errors="replace") if type(value) is bytes else value


def _entry(
    partner: str, kind: str, name: str, action: str, before: str | None, after: str | None
) -> LedgerEntry:
    """A change whose rows are read, where they can be."""
    old, new = _read(kind, before), _read(kind, after)
    named = (partner, kind, name, action)
    if old is None or new is None or old.row is new.row is None:
        return LedgerEntry(*named, None, whole=False)
    return LedgerEntry(*named, Change(partner, name, old.row, new.row), old.whole and new.whole)


class _Read(NamedTuple):
    row: Row | None
    whole: bool


@lru_cache(maxsize=1 << 12)
def _read(kind: str, text: str | None) -> _Read | None:
    """The row that `text` is the form of; None where it is of none."""
    try:
        row = as_json.row(kind, text)
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if row is None:
        return _Read(None, whole=True)
    fields = _types(kind)
    wrong: dict[str, Any] = {
        name: None for name, value in row._asdict().items() if not fields[name](value)
    }
    if _KEYS & wrong.keys():
        return None
    return _Read(row._replace(**wrong), whole=not wrong)


@cache
def _types(kind: str) -> dict[str, Any]:
    """For each field of a row, whether a value is of its type."""
    return {name: _fitting(hint) for name, hint in get_type_hints(as_json.TYPES[kind]).items()}


def _fitting(hint: Any) -> Any:
    types = get_args(hint) if NoneType in get_args(hint) else (hint,)
    plain = tuple(get_origin(item) or item for item in types)
    return lambda value: (
        type(value) in plain
        and (not isinstance(value, tuple) or all(type(item) is str for item in value))
    )


def _conditions(connection: Connection, wanted: RevisionFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.project is not None:
        yield _REVISION.project == wanted.project
    if wanted.since is not None:
        yield _REVISION.applied_at >= wanted.since.replace(tzinfo=None)
    if wanted.until is not None:
        yield _REVISION.applied_at <= wanted.until.replace(tzinfo=None)
    if wanted.partner is not None:
        yield or_(
            _with_a_change(_CHANGE.partner == wanted.partner),
            _with_a_password(_PASSWORD.partner == wanted.partner),
        )
    if wanted.company is not None:
        yield _with_a_change(_of_company(connection, wanted.company))
    if wanted.server is not None:
        partner, name = wanted.server
        spans = _spans(connection, partner, name)
        of_server = or_(*map(_in_span, spans))
        yield or_(
            _with_a_change(and_(_CHANGE.partner == partner, of_server)),
            _with_a_password(
                and_(_PASSWORD.partner == partner, or_(*map(_password_in_span, spans)))
            ),
        )


def _with_a_change(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return _REVISION.number.in_(select(_CHANGE.revision).where(condition))


def _with_a_password(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return _REVISION.number.in_(select(_PASSWORD.revision).where(condition))


def _of_company(connection: Connection, cnpj: str) -> ColumnElement[bool]:
    """The changes of a company, of its links, and of which company of its root is head office."""
    c = _CHANGE
    is_meant = or_(
        and_(c.kind == "company", c.name == cnpj),
        and_(c.kind == "link", c.name.endswith(f"/{cnpj}")),
        and_(c.kind == "head_office", c.name == root(cnpj)),
    )
    owner = observe.owners_of(connection, [cnpj]).get(cnpj)
    return and_(c.partner == owner, is_meant) if owner else is_meant


def _spans(connection: Connection, partner: str, name: str) -> Sequence[Span]:
    """Every name that a server had, and in which revisions.

    It is the one that is called so now; where there is none, the last that was.
    """
    key = Key(partner, "server", name)
    renames = LastApplied(connection).renames([partner]).get(partner, Renames({}))
    is_there = observe.partners_with(connection, name, partner)
    return list(renames.spans(key, LATEST if is_there else renames.last_called(key)))


def _in_span(span: Span) -> ColumnElement[bool]:
    c, name, prefix = _CHANGE, span.key.name, f"{span.key.name}/"
    of_link = and_(c.kind == "link", func.substr(c.name, 1, len(prefix)) == prefix)
    is_named = or_(and_(c.kind == "server", c.name == name), of_link)
    return and_(is_named, c.revision.between(span.first, span.last))


def _password_in_span(span: Span) -> ColumnElement[bool]:
    c = _PASSWORD
    return and_(c.server == span.key.name, c.revision.between(span.first, span.last))
