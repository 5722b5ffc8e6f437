"""Which row each declared mail server is: its own, one it renames, or one it takes over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reconciler.diagnostics.problem import Place, Problem
from reconciler.manifests.declaration import ServerDeclaration
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model.state import State


@dataclass(frozen=True, slots=True)
class Naming:
    """`new_names` leads from the name of a row to the id that the manifests give it."""

    new_names: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def name_rows(
    declared: PartnerDeclaration,
    observed: State,
    project: str,
    applied: Mapping[str, str] = MappingProxyType({}),
) -> Naming:
    """Match declared servers to rows by id, then `renamed_from`, then mailbox.

    `applied` has the last old id of servers by their ids now, for partners with `may_be_swapped`.
    """
    naming = Naming(problems=list(_claimed_twice(declared)))
    for stable_id, server in declared.servers.items():
        if server.renamed_from:
            _rename(stable_id, server, declared, observed, naming, applied)
    for old, new in naming.new_names.items():
        if new in observed.servers and new not in naming.new_names:  # another row keeps the id
            naming.problems.append(_conflict(declared.servers[new], old, declared))
    if any(row.project != project for row in observed.servers.values()):
        _take_over(declared, observed, project, naming)
    return naming


def old_names(declared: PartnerDeclaration) -> dict[str, str]:
    """Former ids that no server has any more, each with the present id of its server."""
    return {
        old: stable_id
        for stable_id, server in declared.servers.items()
        for old in server.renamed_from
        if old not in declared.servers
    }


def may_be_swapped(declared: PartnerDeclaration, observed: State) -> bool:
    """Whether a rename may be a swap, or the leftover line of one."""
    return any(
        stable_id in observed.servers and _candidates(stable_id, server, observed)
        for stable_id, server in declared.servers.items()
        if server.renamed_from
    )


def _candidates(new: str, server: ServerDeclaration, observed: State) -> list[str]:
    """The rows under former ids of a server."""
    return [old for old in server.renamed_from if old in observed.servers and old != new]


def _claimed_twice(declared: PartnerDeclaration) -> Iterator[Problem]:
    claims: dict[str, ServerDeclaration] = {}
    for server in declared.servers.values():
        for old in server.renamed_from:
            first = claims.setdefault(old, server)
            if first is not server:
                others = (_earlier(first, old),)
                yield Problem("MBX324", _earlier(server, old), {"old": old}, others)


def _rename(
    new: str,
    server: ServerDeclaration,
    declared: PartnerDeclaration,
    observed: State,
    naming: Naming,
    applied: Mapping[str, str],
) -> None:
    candidates = _candidates(new, server, observed)
    others = declared.servers
    standing = [
        old for old in server.renamed_from if old in others and not others[old].renamed_from
    ]
    if standing:
        naming.problems.append(_conflict(server, standing[0], declared))
    elif len(candidates) > 1:
        values = {"new": new, "rows": ", ".join(candidates)}
        naming.problems.append(Problem("MBX327", server.place.below("renamed_from"), values))
    elif not candidates:
        if new in observed.servers:
            naming.problems.append(_done(server))
    elif new not in observed.servers:
        naming.new_names[candidates[0]] = new
    elif candidates[0] in declared.servers and _settled(server, candidates[0], observed, applied):
        naming.problems.append(_done(server))
    elif any(new in other.renamed_from for other in others.values()):
        naming.new_names[candidates[0]] = new
    else:
        naming.problems.append(_conflict(server, candidates[0], declared))


def _settled(
    server: ServerDeclaration, old: str, observed: State, applied: Mapping[str, str]
) -> bool:
    """Whether the row under the new id is the renamed one already, as after a swap.

    Its mailbox tells; where that is of neither row, what was applied last does.
    """
    new, mailbox = server.server.stable_id, server.server.mailbox
    if observed.servers[new].mailbox == mailbox:
        return True
    return observed.servers[old].mailbox != mailbox and applied.get(new) == old


def _conflict(server: ServerDeclaration, old: str, declared: PartnerDeclaration) -> Problem:
    others = (declared.servers[old].place,) if old in declared.servers else ()
    values = {"old": old, "new": server.server.stable_id}
    return Problem("MBX316", _earlier(server, old), values, others)


def _done(server: ServerDeclaration) -> Problem:
    place = server.place.below("renamed_from")
    return Problem("MBX317", place, {"new": server.server.stable_id})


def _earlier(server: ServerDeclaration, old: str) -> Place:
    """Where `old` stands, in a list or alone."""
    return server.place.below("renamed_from", server.renamed_from.index(old), on="value")


def _take_over(declared: PartnerDeclaration, observed: State, project: str, naming: Naming) -> None:
    taken = {*naming.new_names.values(), *observed.servers}
    by_mailbox: dict[tuple[str, str, str], list[str]] = {}
    for name, row in observed.servers.items():
        if row.project != project and name not in declared.servers:
            by_mailbox.setdefault(row.mailbox, []).append(name)
    for stable_id, server in declared.servers.items():
        rows = by_mailbox.get(server.server.mailbox, [])
        free = [name for name in rows if name not in naming.new_names]
        if stable_id in taken or not free:
            continue
        if len(free) > 1:
            values = {"name": stable_id, "rows": ", ".join(sorted(free))}
            naming.problems.append(Problem("MBX325", server.place, values))
        else:
            naming.new_names[free[0]] = stable_id
