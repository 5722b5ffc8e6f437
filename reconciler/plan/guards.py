"""The guards: they stop what is probably a mistake, until it is accepted by name and exact count.

Each looks at the changes of one partner and names the rows that worry it. A new one is an entry in
a module of its theme and a line in `GUARDS`.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.plan import guards_change, guards_loss
from reconciler.plan.alarm import AcceptedIn, Alarm, Case, Concern, Concerns, Guard

GUARDS = {
    guard.name: guard
    for guard in (
        guards_loss.LINKED_DELETE,
        guards_loss.MASS_DELETE,
        guards_loss.MASS_UNLINK,
        guards_loss.MASS_DEACTIVATE,
        guards_loss.LOST_INPUT,
        guards_change.SUSPECTED_RENAME,
        guards_loss.ORPHANED_COMPANY,
        guards_change.TAKEOVER,
        guards_change.CREDENTIAL_MOVED,
        guards_change.OLDER_COMMIT,
        guards_change.UNDOES_ROLLBACK,
        guards_change.LOST_PASSWORD,
    )
}
"""Every guard by its name, in the order in which alarms are shown."""


def acceptable(*places: AcceptedIn) -> tuple[str, ...]:
    """The names of the guards that can be accepted in one of these places."""
    return tuple(guard.name for guard in GUARDS.values() if guard.accepted in places)


IN_MANIFESTS = acceptable(AcceptedIn.ANYWHERE)
"""The names of the guards that a manifest can accept."""
ELSEWHERE = acceptable(AcceptedIn.ANYWHERE, AcceptedIn.SETTINGS)
"""The names of the guards that the settings and the command line can accept."""


def alarms(case: Case) -> tuple[Alarm, ...]:
    """Every guard that the case sets off, in the order of `GUARDS`."""
    if not case.changes:
        return ()
    only_creates = all(change.before is None for change in case.changes)
    return tuple(
        Alarm(guard.name, len(concerns), concerns)
        for guard in GUARDS.values()
        if guard.on_creates or not only_creates
        for concerns in _alarming(guard, tuple(guard.check(case)))
    )


def _alarming(guard: Guard, concerns: Concerns) -> Iterable[Concerns]:
    """What each alarm of a guard is raised for."""
    if not guard.by_server:
        return [concerns] if concerns else []
    servers: dict[str, list[Concern]] = {}
    for concern in concerns:
        servers.setdefault(concern.server, []).append(concern)
    return map(tuple, servers.values())
