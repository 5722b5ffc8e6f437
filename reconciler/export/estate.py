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
from reconciler.export.partner import Exported, export
from reconciler.export.read_back import Terms
from reconciler.model.state import State


def export_all(
    connection: Connection, partners: Sequence[str], folder: str, terms: Terms
) -> Iterator[Exported]:
    """The manifests of these partners, in their order; only a few are in memory at a time.

    `folder` is that of the files, relative to the root, and empty or with a slash at its end.
    """
    variables = Variables(text for _owner, text in observe.references(connection))
    for start in range(0, len(partners), observe.BATCH):
        batch = partners[start : start + observe.BATCH]
        by_partner = dict(_read(connection, batch))
        unknown = {name: _unknown(observed.state) for name, observed in by_partner.items()}
        owners = observe.owners_of(connection, sorted(set().union(*unknown.values())))
        for name in batch:
            elsewhere = frozenset(cnpj for cnpj in unknown[name] if cnpj in owners)
            own_terms = replace(terms, elsewhere=elsewhere)
            yield export(name, by_partner.pop(name), folder, own_terms, variables)


def _read(connection: Connection, partners: Sequence[str]) -> Iterator[tuple[str, Observed]]:
    """What the database has of these partners.

    Raises:
        Failure: two mail servers of a partner have the same name, so that one would be lost.
    """
    problems = []
    for name, rows in observe.rows(connection, partners):
        observed = observe.understood(rows)
        if len(observed.row_ids) < len(rows.servers):
            counted = Counter(str(row[1]) for row in rows.servers)
            repeated, _count = counted.most_common(1)[0]
            problems.append(Problem("MBX712", None, {"name": f"{name}/{repeated}"}))
        yield name, observed
    if problems:
        raise Failure(problems)


def _unknown(state: State) -> set[str]:
    """The CNPJs that servers refer to and the partner does not have."""
    linked = {link.cnpj for links in state.links.values() for link in links}
    linked.update(row.company for row in state.servers.values() if row.company)
    return {cnpj for cnpj in linked if cnpj not in state.companies}
