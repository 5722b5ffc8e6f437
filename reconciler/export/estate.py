"""A database → the manifests of its partners, one partner after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.database.observe import Observed
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.export.names import Variables
from reconciler.export.partner import Exported, Request, export
from reconciler.model.state import State


def export_all(
    connection: Connection, names: Sequence[str], request: Request
) -> Iterator[Exported]:
    """The manifests of these partners, in their order; only a few are in memory at a time."""
    variables = Variables()
    variables.take(text for _owner, text in observe.references(connection))
    for start in range(0, len(names), observe.BATCH):
        batch = names[start : start + observe.BATCH]
        found = dict(_read(connection, batch))
        unknown = {name: _unknown(item.state) for name, item in found.items()}
        owners = observe.owners_of(connection, sorted(set().union(*unknown.values())))
        for name in batch:
            elsewhere = frozenset(cnpj for cnpj in unknown[name] if cnpj in owners)
            terms = replace(request.terms, elsewhere=elsewhere)
            yield export(name, found.pop(name), request._replace(terms=terms), variables)


def _read(connection: Connection, names: Sequence[str]) -> Iterator[tuple[str, Observed]]:
    """What the database has of these partners.

    Raises:
        Failure: two mail servers of a partner go by the same name, so that one would be lost.
    """
    problems = []
    for name, rows in observe.rows(connection, names):
        found = observe.understood(rows)
        if len(found.row_ids) < len(rows.servers):
            counted = Counter(str(row[1]) for row in rows.servers)
            called, _count = counted.most_common(1)[0]
            problems.append(Problem("MBX712", None, {"name": f"{name}/{called}"}))
        yield name, found
    if problems:
        raise Failure(problems)


def _unknown(state: State) -> set[str]:
    """The CNPJs that servers name, and that the partner does not have."""
    linked = {link.cnpj for links in state.links.values() for link in links}
    linked.update(row.company for row in state.servers.values() if row.company)
    return {cnpj for cnpj in linked if cnpj not in state.companies}
