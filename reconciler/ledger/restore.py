"""What a revision changed, and what is there now → the state that leads back.

Rows get back what they were before the revision, and nothing else is touched. What has changed
since is left as it is, and so is what cannot be put back; both are told. Companies and host
profiles are never deleted: one that the revision made is released. A linked server is never deleted
either: its links go first, and the server when the same is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from reconciler.diagnostics.problem import Problem
from reconciler.model.cnpj import masked
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
from reconciler.plan.diff import Change

Now = Callable[[str], str | None]
"""What a server is called now that the revision left under this name; None where it is gone."""


class Since(NamedTuple):
    """A row that no longer reads as the revision left it; `name` is what it is called now."""

    change: Change
    name: str
    left: Row | None
    now: Row | None


@dataclass(frozen=True, slots=True)
class Restored:
    """The state that leads back, and what of the revision is left as it is.

    `new_names` leads from what servers are called now to the names that they get back; `problems`
    tells of the rows that cannot be put back.
    """

    state: State
    new_names: Mapping[str, str]
    since: tuple[Since, ...]
    problems: tuple[Problem, ...]


def restore(changes: Iterable[Change], observed: State, now: Now) -> Restored:
    """Undo `changes`, which one revision made, in what is observed now."""
    work = _Work(observed, now)
    links = []
    for change in changes:
        if isinstance(change.row, Link):
            links.append(change)
        else:
            work.restore(change)
    work.settle_servers()
    for change in links:
        work.restore_link(change)
    return work.restored()


class _Put(NamedTuple):
    """A server that is to be as it was; `name` is what it is called now, None where it is gone."""

    change: Change
    name: str | None
    row: MailServer


class _Work:
    """A state on its way back."""

    def __init__(self, observed: State, now: Now) -> None:
        self._observed = observed
        self._now = now
        self._companies = dict(observed.companies)
        self._head_offices = dict(observed.head_offices)
        self._hosts = dict(observed.hosts)
        self._servers = dict(observed.servers)
        self._links: dict[str, dict[str, Link]] = {}
        self._puts: list[_Put] = []
        self._new_names: dict[str, str] = {}
        self._coming: set[str] = set()
        self._since: list[Since] = []
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

    def restore(self, change: Change) -> None:
        """Undo a change of anything but a link; servers are settled later, all together."""
        match change.row:
            case Company(cnpj=cnpj):
                self._put(change, self._companies, cnpj, _released(change))
            case HeadOffice(root=base):
                self._restore_head_office(change, base)
            case HostProfile(host=host, protocol=protocol):
                self._put(change, self._hosts, (host, protocol), _released(change))
            case MailServer():
                self._restore_server(change)
            case Partner() if self._observed.partner != change.before:
                self._cannot("MBX574", change)

    def _put(self, change: Change, rows: dict[Any, Any], key: Any, wanted: Row | None) -> None:
        """Give a row back what it was, where it still is what the revision left."""
        now = rows.get(key)
        if now == wanted:
            return
        if now != change.after:
            self._since.append(Since(change, change.name, change.after, now))
        elif wanted is None:
            del rows[key]
        else:
            rows[key] = wanted

    def _restore_head_office(self, change: Change, base: str) -> None:
        wanted, now = change.before, self._head_offices.get(base)
        company = wanted.cnpj if isinstance(wanted, HeadOffice) else None
        if company and now == change.after and company not in self._observed.companies:
            self._cannot("MBX572", change, company=masked(company))
        else:
            self._put(change, self._head_offices, base, wanted)

    # Servers

    def _restore_server(self, change: Change) -> None:
        before, left = _server(change.before), _server(change.after)
        if left is None:
            self._recreate(change, before)
            return
        name = self._now(change.name)
        now = self._observed.servers.get(name) if name is not None else None
        if now is None:
            if before is not None:
                self._since.append(Since(change, change.name, left, None))
            return
        if change.renamed_from is None:
            left = left._replace(stable_id=now.stable_id)
            before = before and before._replace(stable_id=now.stable_id)
        left = left.keeping(now.ignore_changes, now)
        before = before and before.keeping(now.ignore_changes, now)
        if now == left:
            self._undo(change, now.stable_id, before)
        elif now != before:
            self._since.append(Since(change, now.stable_id, left, now))

    def _recreate(self, change: Change, wanted: MailServer | None) -> None:
        if wanted is not None and self._observed.servers.get(change.name) != wanted:
            self._puts.append(_Put(change, None, wanted))

    def _undo(self, change: Change, name: str, wanted: MailServer | None) -> None:
        links = self._observed.links.get(name, ())
        if wanted is not None:
            self._puts.append(_Put(change, name, wanted))
        elif links:
            companies = ", ".join(masked(link.cnpj) for link in links)
            self._cannot("MBX573", change, companies=companies)
        else:
            del self._servers[name]

    def settle_servers(self) -> None:
        """Put servers back, but for those that find something in the way."""
        puts = self._with_a_free_mailbox(self._with_a_free_name(self._with_their_company()))
        for put in puts:
            if put.name is not None:
                del self._servers[put.name]
                if put.name != put.row.stable_id:
                    self._new_names[put.name] = put.row.stable_id
        self._servers |= {put.row.stable_id: put.row for put in puts}
        self._coming = {put.row.stable_id for put in puts if put.name is None}

    def _with_their_company(self) -> Iterator[_Put]:
        for put in self._puts:
            company = put.row.company
            if company is None or company in self._observed.companies:
                yield put
            else:
                self._cannot("MBX572", put.change, company=masked(company))

    def _with_a_free_name(self, puts: Iterable[_Put]) -> list[_Put]:
        """Those whose name nobody keeps; one that goes keeps its own until it is gone."""
        wanting: dict[str, _Put] = {}
        blocked = [put for put in puts if wanting.setdefault(put.row.stable_id, put) is not put]
        leaving = {put.name for put in wanting.values()}
        kept = self._observed.servers.keys() - leaving
        blocked += [put for name, put in wanting.items() if name in kept]
        while blocked:
            put = blocked.pop()
            self._cannot("MBX571", put.change, other=put.row.stable_id)
            if wanting.get(put.row.stable_id) is put:
                del wanting[put.row.stable_id]
            if put.name is not None and (next_ := wanting.get(put.name)):
                blocked.append(next_)
        return list(wanting.values())

    def _with_a_free_mailbox(self, puts: list[_Put]) -> list[_Put]:
        """Those that come back, if there is no other server for the same mailbox by now."""
        moving = {put.name for put in puts}
        there = {row.mailbox: name for name, row in self._servers.items() if name not in moving}
        there |= {put.row.mailbox: put.row.stable_id for put in puts if put.name is not None}
        free = []
        for put in puts:
            if put.name is None and (other := there.get(put.row.mailbox)):
                self._cannot("MBX571", put.change, other=other)
            else:
                free.append(put)
        return free

    # Links

    def restore_link(self, change: Change) -> None:
        """Undo a change of a link, once the servers are settled."""
        server, _, cnpj = change.name.rpartition("/")
        old = self._now(server)
        name = self._name_of(old)
        rows: dict[str, Link] = {}
        if name is not None:
            there = self._observed.links.get(old or "", ())
            rows = self._links.setdefault(name, {row.cnpj: row for row in there})
        wanted = change.before
        is_back = wanted is not None and rows.get(cnpj) == change.after
        if is_back and name is None:
            self._cannot("MBX575", change, server=server)
        elif is_back and cnpj not in self._observed.companies:
            self._cannot("MBX572", change, company=masked(cnpj))
        else:
            self._put(change._replace(name=f"{name or server}/{cnpj}"), rows, cnpj, wanted)

    def _name_of(self, old: str | None) -> str | None:
        """What a server of this name gets to be called; None where it is not there."""
        name = self._new_names.get(old, old) if old is not None else None
        is_there = old in self._observed.servers or old in self._coming
        return name if is_there and name in self._servers else None

    def _cannot(self, code: str, change: Change, **values: str) -> None:
        self._problems.append(Problem(code, None, {"address": change.address, **values}))


def _server(row: Row | None) -> MailServer | None:
    return row if isinstance(row, MailServer) else None


def _released(change: Change) -> Row | None:
    """What a company or host profile is to be again: one that the revision made goes free."""
    row = change.after
    if change.before is None and isinstance(row, Company | HostProfile):
        return row._replace(project=None)
    return change.before
