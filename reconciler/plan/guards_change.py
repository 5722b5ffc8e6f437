"""Guards against changing what was not meant: rows of others, passwords, and what is newer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from reconciler.diagnostics.messages.message import error
from reconciler.diagnostics.words import N_
from reconciler.model.state import HeadOffice, MailServer
from reconciler.plan.alarm import AcceptedIn, Case, Concern, Guard
from reconciler.plan.diff import Change
from reconciler.plan.guards_loss import deleted_servers


@partial(
    Guard,
    "suspected-rename",
    "MBX506",
    "a delete and a create with the same host and username; `renamed_from` keeps the row",
    error(
        N_("mail servers that look renamed: {count}"),
        N_("One is deleted and another created with the same host and username: {list}"),
        N_("Keep the row with {renames}. If they are two: --accept {accept}"),
    ),
    item="{row} → {detail}",
)
def suspected_rename(case: Case) -> Iterable[Concern]:
    created = {
        (change.after.host.lower(), change.after.username): change.name
        for change in case.changes
        if isinstance(change.after, MailServer) and change.before is None
    }
    return (
        Concern(change.name, created[key])
        for change, server in deleted_servers(case)
        if (key := (server.host.lower(), server.username)) in created
    )


@partial(
    Guard,
    "takeover",
    "MBX508",
    "changing a row that another program or project made",
    error(
        N_("rows of another program that would be changed: {count}"),
        N_("They were not made by this project: {list}"),
        N_("If they are to be as the manifests say from now on: --accept {accept}"),
    ),
    any_kind=True,
    item="{kind} {row}",
)
def takeover(case: Case) -> Iterable[Concern]:
    """Changing a row that another program made; `linked-delete` has the links of what goes."""
    going = {change.name for change, _server in deleted_servers(case)}
    return (
        Concern(change.name, kind=change.kind)
        for change in case.changes
        if change.server not in going and _of_another_program(change, case)
    )


def _of_another_program(change: Change, case: Case) -> bool:
    project, before = case.coverage.project, change.before
    if isinstance(before, HeadOffice):
        company = case.before.companies.get(before.cnpj)
        return _foreign(company, project) and case.after.companies.get(before.cnpj) == company
    return hasattr(before, "file") and _foreign(before, project)


def _foreign(row: Any, project: str) -> bool:
    """Whether another program has a row; one that the tool has released still names its file."""
    if row is None or row.project == project:
        return False
    return row.project is not None or row.file is None


@partial(
    Guard,
    "credential-moved",
    "MBX509",
    "an existing password going to another host, or to weaker security",
    error(
        N_("passwords in use that would go somewhere else: {count}"),
        N_("To another host, or over weaker security: {list}"),
        N_("Check the host. If it is meant: --accept {accept}"),
    ),
    on_creates=True,
    item="{row} → {detail}",
)
def credential_moved(case: Case) -> Iterable[Concern]:
    """A password that is in use going to another host, or to weaker security."""
    users: dict[str, dict[str, list[MailServer]]] = {}
    for row in case.before.servers.values():
        if row.password_reference:
            hosts = users.setdefault(row.password_reference, {})
            hosts.setdefault(row.host.lower(), []).append(row)
    if not users:
        return ()
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


def _weaker(before: MailServer, after: MailServer) -> bool:
    ranks = {"tls": 2, "starttls": 1}
    weaker = ranks.get(after.security or "", 0) < ranks.get(before.security or "", 0)
    return weaker or (before.verify_certificate is True and after.verify_certificate is False)


def _endpoint(server: MailServer) -> str:
    unsafe = " verify_certificate=false" if server.verify_certificate is False else ""
    return f"{server.host} {server.security}{unsafe}"


@partial(
    Guard,
    "older-commit",
    "MBX510",
    "the last applied commit is no ancestor of this one",
    error(
        N_("these manifests are older than the last ones applied"),
        N_(
            "The last applied commit {list} is no ancestor of this one, or this clone is too "
            "shallow to tell."
        ),
        N_("Update the branch, or fetch its whole history. If it is meant: --accept {accept}"),
    ),
    on_creates=True,
)
def older_commit(case: Case) -> Iterable[Concern]:
    return [Concern(case.older_than, kind="commit")] if case.older_than else ()


@partial(
    Guard,
    "undoes-rollback",
    "MBX514",
    "manifests that still say what was rolled back",
    error(
        N_("undoes rollback of revision {revisions}"),
        N_("The manifests still say what was rolled back: {list}"),
        N_(
            "Revert the manifests in Git, as the rollback has said. If they are right: "
            "--accept {accept}"
        ),
    ),
    on_creates=True,
    any_kind=True,
    item="{kind} {row}",
)
def undoes_rollback(case: Case) -> Iterable[Concern]:
    """Manifests that say again what was rolled back; `number` is the revision that was."""
    if not case.undone:
        return ()
    return (
        Concern(change.name, kind=change.kind, number=case.undone[change.address])
        for change in case.changes
        if change.address in case.undone
    )


@partial(
    Guard,
    "lost-password",
    "MBX515",
    "a rollback to a mail server of which the ledger has no place for its password",
    error(
        N_("mail servers that would be without their password: {count}"),
        N_("They log in with one, and the ledger does not have where it was: {list}"),
        N_("Declare them in the manifests, with where the password is, instead of rolling back."),
    ),
    accepted=AcceptedIn.NOWHERE,
    instead="declare it in a manifest instead",
    on_creates=True,
)
def lost_password(case: Case) -> Iterable[Concern]:
    """A server that logs in with a password, and would not have where it is.

    Manifests always say it; the ledger does not know it of a row that another program made.
    """
    return (
        Concern(change.name)
        for change in case.changes
        if isinstance(after := change.after, MailServer)
        and after.needs_password
        and not after.password_reference
        and not (isinstance(change.before, MailServer) and change.before.password_reference is None)
    )
