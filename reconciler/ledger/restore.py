"""What a revision changed, and what the database has now → the state that leads back.

Rows get back what they were before the revision, and nothing else is touched. What has changed
since stays as it is, and so does what cannot be put back; both are told. Companies and host
profiles are never deleted: one that the revision made is released. A linked server is not deleted
either: its links go first, and the server when the same is done again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection

from reconciler.diagnostics.problem import Problem
from reconciler.ledger import revisions
from reconciler.ledger.last_applied import LastApplied, keys_of, row_identity
from reconciler.model.cnpj import masked
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
    split_link,
)
from reconciler.plan.cause import Cause, undoes
from reconciler.plan.diff import Change


class ChangedSince(NamedTuple):
    """A row, by what it is called now, that no longer reads as the revision left it."""

    key: RowKey
    left: Row | None
    now: Row | None


@dataclass(frozen=True, slots=True)
class Restored:
    """The state that leads back, and what of the revision stays as it is.

    `new_names` leads from what servers are called now to the names that they get back; `problems`
    tells of the rows that cannot be put back.
    """

    state: State
    new_names: Mapping[str, str]
    since: tuple[ChangedSince, ...]
    problems: tuple[Problem, ...]


def restore(changes: Sequence[Change], observed: State, names: Mapping[str, str]) -> Restored:
    """Undo `changes`, which one revision made, in what is observed now.

    `names` has what servers are called now, by what the revision called them.
    """
    work = _Restoration(observed, names)
    for change in changes:
        work.undo(change)
    work.settle_servers()
    for change in changes:
        if isinstance(change.row, Link):
            work.undo_link(change)
    return work.restored()


class _Put(NamedTuple):
    """A server that is to be as it was; `name` is what it is called now, None where it is gone."""

    change: Change
    name: str | None
    row: MailServer


class _Restoration:
    """A state on its way back."""

    def __init__(self, observed: State, names: Mapping[str, str]) -> None:
        self._observed = observed
        self._names = names
        self._companies = dict(observed.companies)
        self._head_offices = dict(observed.head_offices)
        self._hosts = dict(observed.hosts)
        self._servers = dict(observed.servers)
        self._links: dict[str, dict[str, Link]] = {}
        self._puts: list[_Put] = []
        self._new_names: dict[str, str] = {}
        self._coming: set[str] = set()
        self._since: list[ChangedSince] = []
        self._problems: list[Problem] = []

    def restored(self) -> Restored:
        links = self._observed.renamed(self._new_names).links
        changed = {name: tuple(sorted(rows.values())) for name, rows in self._links.items()}
        state = State(
            self._observed.partner,
            self._companies,
            self._head_offices,
            self._hosts,
            self._servers,
            {name: rows for name, rows in {**links, **changed}.items() if rows},
        )
        return Restored(state, self._new_names, tuple(self._since), tuple(self._problems))

    def undo(self, change: Change) -> None:
        """Undo a change of anything but a link; servers are put back later, all together."""
        match change.row:
            case Company(cnpj=cnpj):
                self._put(change, self._companies, cnpj, _released(change))
            case HeadOffice(root=base):
                self._undo_head_office(change, base)
            case HostProfile(host=host, protocol=protocol):
                self._put(change, self._hosts, (host, protocol), _released(change))
            case MailServer():
                self._undo_server(change)
            case Partner() if self._observed.partner != change.before:
                self._cannot("MBX574", change)

    def _put(self, change: Change, rows: dict[Any, Any], key: Any, before: Row | None) -> None:
        """Give a row back what it was, where it still is what the revision left."""
        now = rows.get(key)
        if now == before:
            return
        if now != change.after:
            self._since.append(ChangedSince(change.key, change.after, now))
        elif before is None:
            del rows[key]
        else:
            rows[key] = before

    def _undo_head_office(self, change: Change, base: str) -> None:
        before, now = change.before, self._head_offices.get(base)
        company = before.cnpj if isinstance(before, HeadOffice) else None
        if company and now == change.after and company not in self._observed.companies:
            self._cannot("MBX572", change, company=masked(company))
        else:
            self._put(change, self._head_offices, base, before)

    # Servers

    def _undo_server(self, change: Change) -> None:
        before, left = change.before, change.after
        assert before is None or isinstance(before, MailServer)
        if not isinstance(left, MailServer):
            if before is not None and self._observed.servers.get(change.name) != before:
                self._puts.append(_Put(change, None, before))
            return
        name = self._names.get(change.name)
        now = self._observed.servers.get(name) if name is not None else None
        if now is None:
            if before is not None:
                self._since.append(ChangedSince(change.key, left, None))
            return
        if change.renamed_from is None:
            left = left._replace(stable_id=now.stable_id)
            before = before and before._replace(stable_id=now.stable_id)
        left = left.keeping(now.ignore_changes, now)
        before = before and before.keeping(now.ignore_changes, now)
        if now == left:
            self._put_server(change, now.stable_id, before)
        elif now != before:
            self._since.append(ChangedSince(change.key.of_server(now.stable_id), left, now))

    def _put_server(self, change: Change, name: str, before: MailServer | None) -> None:
        links = self._observed.links.get(name, ())
        if before is not None:
            self._puts.append(_Put(change, name, before))
        elif links:
            companies = ", ".join(masked(link.cnpj) for link in links)
            self._cannot("MBX573", change, companies=companies)
        else:
            del self._servers[name]

    def settle_servers(self) -> None:
        """Put servers back, but for those that find something in the way."""
        puts = self._with_free_mailbox(self._with_free_name(self._with_company()))
        for put in puts:
            if put.name is not None:
                del self._servers[put.name]
                if put.name != put.row.stable_id:
                    self._new_names[put.name] = put.row.stable_id
        self._servers |= {put.row.stable_id: put.row for put in puts}
        self._coming = {put.row.stable_id for put in puts if put.name is None}

    def _with_company(self) -> Iterator[_Put]:
        """Those whose company is registered."""
        for put in self._puts:
            company = put.row.company
            if company is None or company in self._observed.companies:
                yield put
            else:
                self._cannot("MBX572", put.change, company=masked(company))

    def _with_free_name(self, puts: Iterable[_Put]) -> list[_Put]:
        """Those whose name nobody keeps; a server that goes keeps its own until it is gone."""
        by_name: dict[str, _Put] = {}
        blocked = [put for put in puts if by_name.setdefault(put.row.stable_id, put) is not put]
        leaving = {put.name for put in by_name.values()}
        kept = self._observed.servers.keys() - leaving
        blocked += [put for name, put in by_name.items() if name in kept]
        while blocked:
            put = blocked.pop()
            self._cannot("MBX571", put.change, other=put.row.stable_id)
            if by_name.get(put.row.stable_id) is put:
                del by_name[put.row.stable_id]
            if put.name is not None and (next_ := by_name.get(put.name)):
                blocked.append(next_)
        return list(by_name.values())

    def _with_free_mailbox(self, puts: Sequence[_Put]) -> list[_Put]:
        """Those that come back, if no other server has the same mailbox by now."""
        moving = {put.name for put in puts}
        names = {row.mailbox: name for name, row in self._servers.items() if name not in moving}
        names |= {put.row.mailbox: put.row.stable_id for put in puts if put.name is not None}
        free = []
        for put in puts:
            if put.name is None and (other := names.get(put.row.mailbox)):
                self._cannot("MBX571", put.change, other=other)
            else:
                free.append(put)
        return free

    # Links

    def undo_link(self, change: Change) -> None:
        """Undo a change of a link, once the servers are settled."""
        server, cnpj = split_link(change.name)
        current = self._names.get(server)
        name = self._name_of(current)
        rows: dict[str, Link] = {}
        if name is not None:
            links = self._observed.links.get(current or "", ())
            rows = self._links.setdefault(name, {row.cnpj: row for row in links})
        before = change.before
        comes_back = before is not None and rows.get(cnpj) == change.after
        if comes_back and name is None:
            self._cannot("MBX575", change, server=server)
        elif comes_back and cnpj not in self._observed.companies:
            self._cannot("MBX572", change, company=masked(cnpj))
        else:
            self._put(change._replace(name=f"{name or server}/{cnpj}"), rows, cnpj, before)

    def _name_of(self, current: str | None) -> str | None:
        """What a server of this name gets to be called; None where it is not there."""
        is_there = current in self._observed.servers or current in self._coming
        name = self._new_names.get(current, current) if current is not None else None
        return name if is_there and name in self._servers else None

    def _cannot(self, code: str, change: Change, **values: str) -> None:
        self._problems.append(Problem(code, None, {"address": change.address, **values}))


def _released(change: Change) -> Row | None:
    """What a company or host profile is to be again: one that the revision made goes free."""
    row = change.after
    if change.before is None and isinstance(row, Company | HostProfile):
        return row._replace(project=None)
    return change.before


def undone(
    connection: Connection, changes: Sequence[Change], causes: Sequence[Cause]
) -> Mapping[str, int]:
    """The revision that was rolled back, for each of a partner's `changes` that undoes that.

    They are keyed by address; `causes` are those of the changes, or none.
    """
    if not any(cause.rolls_back is not None for cause in causes):
        return {}
    suspects = {
        key: change
        for key, change, cause in zip(keys_of(changes), changes, causes, strict=True)
        if key is not None and cause.rolls_back is not None
    }
    by_row = {
        (last.revision, *row_identity(key.kind, key.name, last.row_id)): suspects[key]
        for key, last in LastApplied(connection).newest(suspects).items()
    }
    rolled_back: dict[str, int] = {}
    for rollback in {rollback for rollback, *_ in by_row}:
        partners = {key.partner for key in suspects}
        for entry in revisions.entries(connection, rollback.number, partners):
            identity = row_identity(entry.kind, entry.name, entry.row_id)
            change = by_row.get((rollback, *identity))
            if change and entry.change and undoes(change, entry.change):
                rolled_back[change.address] = rollback.rolls_back or 0
    return rolled_back
