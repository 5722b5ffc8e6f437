"""What `--partner` and `--server` mean: names → a selection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.desired.match import old_names
from reconciler.diagnostics.closest import closest
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.ledger.last_applied import LastApplied
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.plan.plan import Selection


def resolve(
    partners: Iterable[str],
    servers: Iterable[str],
    declared: Mapping[str, PartnerDeclaration],
    connection: Connection | None,
    ledger: LastApplied | None = None,
) -> Selection:
    """The selection that these names make; with `ledger` also of what the database has no more.

    Raises:
        Failure: a name is unknown, or several partners have such a server.
    """
    known = ledger.knows([*partners]) if ledger else set()
    problems = [
        problem
        for name in partners
        if name not in known
        for problem in _partner(name, declared, connection)
    ]
    selected = []
    for text in servers:
        owners = _owners(text, declared, connection)
        partner, _, name = text.rpartition("/")
        if ledger and not owners:
            owners = sorted(ledger.partners_with(name, partner))
        if len(owners) == 1:
            selected.append((owners[0], name))
        else:
            problems.append(_unresolved(text, name, owners, declared))
    if problems:
        raise Failure(problems)
    return Selection(tuple(partners), tuple(selected))


def _partner(
    name: str, declared: Mapping[str, PartnerDeclaration], connection: Connection | None
) -> Iterator[Problem]:
    if name not in declared and not (connection and observe.has_partner(connection, name)):
        yield Problem("MBX606", None, {"name": name, "suggestion": closest(name, declared)})


def _owners(
    text: str, declared: Mapping[str, PartnerDeclaration], connection: Connection | None
) -> list[str]:
    """The partners that have a server of this name, or the one that `text` names."""
    partner, _, name = text.rpartition("/")
    owners = {owner for owner, item in declared.items() if name in item.servers}
    if connection:
        owners |= observe.partners_with(connection, name, partner)
    return sorted(
        owner for owner in owners if partner in ("", owner) and not _is_old(owner, name, declared)
    )


def _is_old(owner: str, name: str, declared: Mapping[str, PartnerDeclaration]) -> bool:
    return owner in declared and name in old_names(declared[owner])


def _unresolved(
    text: str, name: str, owners: list[str], declared: Mapping[str, PartnerDeclaration]
) -> Problem:
    if owners:
        return Problem("MBX608", None, {"name": text, "partners": ", ".join(owners)})
    for item in declared.values():
        if new := old_names(item).get(name):
            return Problem("MBX612", None, {"name": text, "suggestion": f"{item.partner}/{new}"})
    addresses = [f"{owner}/{known}" for owner, item in declared.items() for known in item.servers]
    return Problem("MBX607", None, {"name": text, "suggestion": closest(text, addresses)})
