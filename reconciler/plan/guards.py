"""The guards: they stop what is probably a mistake, until it is accepted by name and exact count.

Each guard looks at the changes of one partner and names the rows that worry it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from reconciler.model.state import Company, HeadOffice, HostProfile, Link, MailServer, State
from reconciler.plan.alarm import Alarm, Case, Concern, Concerns
from reconciler.plan.diff import Action, Change


def alarms(case: Case) -> tuple[Alarm, ...]:
    """Every guard that the case sets off, in the order of `GUARDS`."""
    if not case.changes:
        return ()
    return tuple(
        Alarm(guard, len(concerns), concerns)
        for guard, look in GUARDS.items()
        for concerns in _alarming(guard, tuple(look(case)))
    )


def _alarming(guard: str, concerns: Concerns) -> Iterable[Concerns]:
    """What an alarm is raised for: each linked server by itself, all else together."""
    if guard != "linked-delete":
        return [concerns] if concerns else []
    servers: dict[str, list[Concern]] = {}
    for concern in concerns:
        servers.setdefault(concern.name.rpartition("/")[0], []).append(concern)
    return map(tuple, servers.values())


def linked_delete(case: Case) -> Iterable[Concern]:
    """Deleting a server that has a link: one concern for each company."""
    return (
        Concern(
            f"{change.name}/{link.cnpj}",
            _linked_by(link, change.before, case.coverage.project),
            link.file,
            _nickname(link.cnpj, case.before),
        )
        for change in _deleted_servers(case)
        for link in case.before.links.get(change.name, ())
        if isinstance(change.before, MailServer)
    )


def _linked_by(link: Link, server: MailServer, project: str) -> str:
    if link.project != project:
        return "foreign"
    if link.cnpj == server.company:
        return "own"
    return "declared" if link.file == server.file else "imported"


def _nickname(cnpj: str, state: State) -> str:
    company = state.companies.get(cnpj)
    return company.nickname if company else ""


def mass_delete(case: Case) -> Iterable[Concern]:
    deleted = list(_deleted_servers(case))
    if not case.thresholds.exceeded(len(deleted), _managed_servers(case)):
        return ()
    return (Concern(change.name) for change in deleted)


def mass_unlink(case: Case) -> Iterable[Concern]:
    unlinked = [change for change in case.changes if change.action is Action.UNLINK]
    if not case.thresholds.exceeded(len(unlinked), _managed_links(case)):
        return ()
    return (Concern(change.name) for change in unlinked)


def mass_deactivate(case: Case) -> Iterable[Concern]:
    off = [change for change in case.changes if _switched_off(change)]
    servers = [change for change in off if isinstance(change.row, MailServer)]
    exceeded = case.thresholds.exceeded
    if not (
        exceeded(len(servers), _managed_servers(case))
        or exceeded(len(off) - len(servers), _managed_links(case))
    ):
        return ()
    return (Concern(change.name) for change in off)


def lost_input(case: Case) -> Iterable[Concern]:
    """Rows that go because the file that declared them is gone: counted in files."""
    files: dict[str, int] = {}
    for change in case.changes:
        row = change.before
        if not isinstance(row, MailServer | Link | Company | HostProfile) or not _goes(change):
            continue
        if case.coverage.lost(row):
            files[row.file or ""] = files.get(row.file or "", 0) + 1
    return (Concern(file, str(rows)) for file, rows in sorted(files.items()))


def suspected_rename(case: Case) -> Iterable[Concern]:
    """A delete and a create with the same host and username."""
    created = {
        (change.after.host.lower(), change.after.username): change.name
        for change in case.changes
        if isinstance(change.after, MailServer) and change.before is None
    }
    return (
        Concern(change.name, created[key])
        for change in _deleted_servers(case)
        if isinstance(change.before, MailServer)
        if (key := (change.before.host.lower(), change.before.username)) in created
    )


def orphaned_company(case: Case) -> Iterable[Concern]:
    """A company losing its last active outgoing server."""
    if not any(_may_orphan(change) for change in case.changes):
        return ()
    lost = _sending_companies(case.before) - _sending_companies(_outcome(case))
    return (Concern(cnpj, nickname=_nickname(cnpj, case.before)) for cnpj in sorted(lost))


def takeover(case: Case) -> Iterable[Concern]:
    """Changing a row that another program made; `linked_delete` has the links of what goes."""
    going = {change.name for change in _deleted_servers(case)}
    return (
        Concern(change.address)
        for change in case.changes
        if change.server not in going and _of_another_program(change, case)
    )


def credential_moved(case: Case) -> Iterable[Concern]:
    """A password that is in use going to another host, or to weaker security."""
    users: dict[str, dict[str, list[MailServer]]] = {}
    for row in case.before.servers.values():
        if row.password_reference:
            hosts = users.setdefault(row.password_reference, {})
            hosts.setdefault(row.host.lower(), []).append(row)
    return (
        Concern(change.name, _endpoint(change.after))
        for change in case.changes
        if isinstance(change.after, MailServer)
        and (known := users.get(change.after.password_reference or ""))
        and _exposed(known.get(change.after.host, ()), change.before, change.after)
    )


def _exposed(users: Sequence[MailServer], before: object, after: MailServer) -> bool:
    """Whether none of the servers that use a password at this host is as weak as `after`."""
    if isinstance(before, MailServer) and before.password_reference == after.password_reference:
        return not users or _weaker(before, after)
    return all(_weaker(row, after) for row in users)


def _endpoint(server: MailServer) -> str:
    unsafe = " verify_certificate=false" if server.verify_certificate is False else ""
    return f"{server.host} {server.security}{unsafe}"


def older_commit(case: Case) -> Iterable[Concern]:
    return [Concern(case.older_than)] if case.older_than else ()


def undoes_rollback(case: Case) -> Iterable[Concern]:
    """Manifests that say again what was rolled back; `detail` is the revision that was."""
    return (
        Concern(change.address, str(case.undone[change.address]))
        for change in case.changes
        if change.address in case.undone
    )


def lost_password(case: Case) -> Iterable[Concern]:
    """A server that logs in with a password, and would not have where it is.

    Manifests always say it; the ledger does not know it of a row that another program made.
    """
    return (Concern(change.name) for change in case.changes if _loses_password(change))


GUARDS: dict[str, Callable[[Case], Iterable[Concern]]] = {
    "linked-delete": linked_delete,
    "mass-delete": mass_delete,
    "mass-unlink": mass_unlink,
    "mass-deactivate": mass_deactivate,
    "lost-input": lost_input,
    "suspected-rename": suspected_rename,
    "orphaned-company": orphaned_company,
    "takeover": takeover,
    "credential-moved": credential_moved,
    "older-commit": older_commit,
    "undoes-rollback": undoes_rollback,
    "lost-password": lost_password,
}


def _loses_password(change: Change) -> bool:
    before, after = change.before, change.after
    if not isinstance(after, MailServer) or not after.needs_password or after.password_reference:
        return False
    return not isinstance(before, MailServer) or before.password_reference is not None


def _deleted_servers(case: Case) -> Iterator[Change]:
    for change in case.changes:
        if change.after is None and isinstance(change.before, MailServer):
            yield change


def _managed_servers(case: Case) -> int:
    project = case.coverage.project
    return sum(1 for row in case.before.servers.values() if row.project == project)


def _managed_links(case: Case) -> int:
    project = case.coverage.project
    return sum(1 for links in case.before.links.values() for row in links if row.project == project)


def _switched_off(change: Change) -> bool:
    before, after = change.before, change.after
    if isinstance(before, MailServer | Link) and isinstance(after, MailServer | Link):
        return bool(before.active) and not after.active
    return False


def _goes(change: Change) -> bool:
    """Whether a row is deleted, unlinked or released."""
    return change.after is None or getattr(change.after, "project", "") is None


def _may_orphan(change: Change) -> bool:
    return _switched_off(change) or (
        change.before is not None and isinstance(change.row, MailServer | Link)
    )


def _sending_companies(state: State) -> set[str]:
    return {
        link.cnpj
        for name, links in state.links.items()
        if (server := state.servers.get(name))
        if server.direction == "outgoing" and server.active
        for link in links
        if link.active
    }


def _outcome(case: Case) -> State:
    """What is there after just the changes of the case, of which a selection may be fewer."""
    servers = dict(case.before.servers)
    links = {name: {row.cnpj: row for row in rows} for name, rows in case.before.links.items()}
    for change in case.changes:
        if isinstance(change.row, MailServer):
            _put(servers, change.name, change.after)
        elif isinstance(change.row, Link):
            _put(links.setdefault(change.server, {}), change.row.cnpj, change.after)
    return State(servers=servers, links={name: (*rows.values(),) for name, rows in links.items()})


def _put(rows: dict[str, Any], name: str, row: object) -> None:
    if row is None:
        rows.pop(name, None)
    else:
        rows[name] = row


def _of_another_program(change: Change, case: Case) -> bool:
    project = case.coverage.project
    before = change.before
    if isinstance(before, HeadOffice):
        company = case.before.companies.get(before.cnpj)
        return _foreign(company, project) and case.after.companies.get(before.cnpj) == company
    return hasattr(before, "file") and _foreign(before, project)


def _foreign(row: Any, project: str) -> bool:
    """Whether another program has a row; one that the tool has released still names its file."""
    if row is None or row.project == project:
        return False
    return row.project is not None or row.file is None


def _weaker(before: MailServer, after: MailServer) -> bool:
    ranks = {"tls": 2, "starttls": 1}
    weaker = ranks.get(after.security or "", 0) < ranks.get(before.security or "", 0)
    return weaker or (before.verify_certificate is True and after.verify_certificate is False)
