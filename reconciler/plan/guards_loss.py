"""Guards against losing rows: what would be deleted, unlinked, deactivated or left without use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from reconciler.diagnostics.messages.message import error
from reconciler.diagnostics.words import N_
from reconciler.model.state import Company, HostProfile, Link, MailServer, State
from reconciler.plan.alarm import AcceptedIn, Case, Concern, Guard
from reconciler.plan.diff import Action, Change


def deleted_servers(case: Case) -> Iterator[tuple[Change, MailServer]]:
    """The changes that delete a mail server, each with the row that goes."""
    for change in case.changes:
        if change.after is None and isinstance(change.before, MailServer):
            yield change, change.before


@partial(
    Guard,
    "linked-delete",
    "MBX501",
    "deleting a server that has a link",
    error(
        N_('"{server}" is still linked and cannot be deleted'),
        N_("Linked companies: {list}"),
        N_("{edit}"),
    ),
    accepted=AcceptedIn.NOWHERE,
    instead="remove the links first, as the refusal says",
    by_server=True,
    items={
        "declared": N_("{company}, declared in {file}"),
        "own": N_("{company}, whose own it is, declared in {file}"),
        "imported": N_("{company}, imported in {file}"),
        "foreign": N_("{company}, linked by another program"),
    },
    edits={
        "declared": N_(
            'Put "{server}" back with "companies: []", apply, and remove it with the next change.'
        ),
        "own": N_(
            'Put "{server}" back with "linked: false", apply, and remove it with the next change.'
        ),
        "imported": N_(
            'Put "{server}" back without its item of "import_from" in {files}, apply, and remove '
            "it with the next change."
        ),
        "foreign": N_(
            'Remove the link where it was made, or put "{server}" back with "companies: []" and '
            '"exclusive_links: true", apply, and remove it with the next change.'
        ),
    },
)
def linked_delete(case: Case) -> Iterable[Concern]:
    """Deleting a server that has a link: one concern for each company."""
    return (
        Concern(
            f"{change.name}/{link.cnpj}",
            _linked_by(link, server, case.coverage.project),
            link.file,
            _nickname(link.cnpj, case.before),
            "link",
        )
        for change, server in deleted_servers(case)
        for link in case.before.links.get(change.name, ())
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


@partial(
    Guard,
    "mass-delete",
    "MBX502",
    "deleting more than 10, or at least 3 and over 30 %, of the partner's managed servers",
    error(
        N_("{count} of the partner's mail servers would be deleted"),
        N_("That is many at once: {list}"),
        N_("If it is meant: --accept {accept}"),
    ),
)
def mass_delete(case: Case) -> Iterable[Concern]:
    deleted = list(deleted_servers(case))
    if not case.thresholds.exceeded(len(deleted), _managed_servers(case)):
        return ()
    return (Concern(change.name) for change, _server in deleted)


def _managed_servers(case: Case) -> int:
    return sum(row.project == case.coverage.project for row in case.before.servers.values())


@partial(
    Guard,
    "mass-unlink",
    "MBX503",
    "removing as large a part of its managed links",
    error(
        N_("{count} of the partner's links would be removed"),
        N_("That is many at once: {list}"),
        N_("If it is meant: --accept {accept}"),
    ),
)
def mass_unlink(case: Case) -> Iterable[Concern]:
    unlinked = [change for change in case.changes if change.action is Action.UNLINK]
    if not case.thresholds.exceeded(len(unlinked), _managed_links(case)):
        return ()
    return (Concern(change.name, kind="link") for change in unlinked)


def _managed_links(case: Case) -> int:
    links = chain.from_iterable(case.before.links.values())
    return sum(row.project == case.coverage.project for row in links)


@partial(
    Guard,
    "mass-deactivate",
    "MBX504",
    "deactivating as large a part of its managed servers or links",
    error(
        N_("{count} of the partner's mail servers and links would be deactivated"),
        N_("That is many at once: {list}"),
        N_("If it is meant: --accept {accept}"),
    ),
)
def mass_deactivate(case: Case) -> Iterable[Concern]:
    off = [change for change in case.changes if _switched_off(change)]
    servers = sum(isinstance(change.row, MailServer) for change in off)
    exceeded = case.thresholds.exceeded
    if not (
        exceeded(servers, _managed_servers(case))
        or exceeded(len(off) - servers, _managed_links(case))
    ):
        return ()
    return (Concern(change.name, kind=change.kind) for change in off)


def _switched_off(change: Change) -> bool:
    before, after = change.before, change.after
    if isinstance(before, MailServer | Link) and isinstance(after, MailServer | Link):
        return bool(before.active) and not after.active
    return False


@partial(
    Guard,
    "lost-input",
    "MBX505",
    "rows that would go because their file is gone; counted in files",
    error(
        N_("rows would go with files that are gone: {count}"),
        N_("No file of this run declares what these did: {list}"),
        N_("Check that the checkout is whole. If it is meant: --accept {accept}"),
    ),
    accepted=AcceptedIn.SETTINGS,
    item="{row} ({rows})",
)
def lost_input(case: Case) -> Iterable[Concern]:
    """Rows that go because the file that declared them is gone: counted in files."""
    files = Counter(
        row.file or ""
        for change in case.changes
        if isinstance(row := change.before, MailServer | Link | Company | HostProfile)
        and _goes(change)
        and case.coverage.lost(row)
    )
    return (Concern(file, kind="file", number=rows) for file, rows in sorted(files.items()))


def _goes(change: Change) -> bool:
    """Whether a row is deleted, unlinked or released."""
    return change.after is None or getattr(change.after, "project", "") is None


@partial(
    Guard,
    "orphaned-company",
    "MBX507",
    "a company losing its last active outgoing server",
    error(
        N_("companies that would lose their last active outgoing server: {count}"),
        N_("They could send nothing: {list}"),
        N_("Link them to another active server. If it is meant: --accept {accept}"),
    ),
    item="{company}",
)
def orphaned_company(case: Case) -> Iterable[Concern]:
    """A company losing its last active outgoing server."""
    if not any(
        change.before is not None and isinstance(change.row, MailServer | Link)
        for change in case.changes
    ):
        return ()
    lost = _sending_companies(case.before) - _sending_companies(_outcome(case))
    return (
        Concern(cnpj, nickname=_nickname(cnpj, case.before), kind="company")
        for cnpj in sorted(lost)
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
    """The state after just the changes of the case, of which a selection may leave some out."""
    servers = dict(case.before.servers)
    links = {name: {row.cnpj: row for row in rows} for name, rows in case.before.links.items()}
    for change in case.changes:
        rows: dict[str, Any] = servers
        key = change.name
        if isinstance(change.row, Link):
            rows, key = links.setdefault(change.server, {}), change.row.cnpj
        elif not isinstance(change.row, MailServer):
            continue
        rows.pop(key, None)
        if change.after is not None:
            rows[key] = change.after
    return State(servers=servers, links={name: (*rows.values(),) for name, rows in links.items()})
