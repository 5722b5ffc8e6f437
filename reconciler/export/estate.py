"""A database → the manifests of its partners, read back and checked to change only ownership."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.database.observe import Observed
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.export import unsayable as u
from reconciler.export.blame import Blame
from reconciler.export.draft import Draft, DraftFile, Material, draft
from reconciler.export.names import ids, new_references
from reconciler.export.read_back import Terms, read_back
from reconciler.model.coverage import Coverage
from reconciler.model.state import State
from reconciler.plan.alarm import Alarm, Case
from reconciler.plan.guards import alarms

_FILLED = 0.95
"""How full a file gets: whoever edits it needs some of the size that it may have."""


class Exported(NamedTuple):
    """The manifests of a partner.

    `unsayable` are the rows that no manifest can declare, which the files leave out; any of
    `problems` prevents the export. `alarms` are the guards that a plan of the files sets off, and
    `to_fill` is how many passwords are still to be put where the files say.
    """

    partner: str
    unsayable: tuple[u.Unsayable, ...]
    files: tuple[DraftFile, ...] = ()
    problems: tuple[Problem, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    to_fill: int = 0


def export_all(
    connection: Connection, partners: Sequence[str], folder: str, terms: Terms
) -> Iterator[Exported]:
    """The manifests of these partners, in their order; only a few are in memory at a time.

    `folder` is that of the files, relative to the root, and empty or with a slash at its end.
    """
    variables = {text.removeprefix("env:") for _owner, text in observe.references(connection)}
    for start in range(0, len(partners), observe.BATCH):
        batch = partners[start : start + observe.BATCH]
        by_partner = dict(_read(connection, batch))
        unknown = {name: _unknown(observed.state) for name, observed in by_partner.items()}
        owners = observe.owners_of(connection, sorted(set().union(*unknown.values())))
        for name in batch:
            elsewhere = frozenset(cnpj for cnpj in unknown[name] if cnpj in owners)
            own_terms = replace(terms, elsewhere=elsewhere)
            yield _export(name, by_partner.pop(name), folder, own_terms, variables)


def _read(connection: Connection, partners: Sequence[str]) -> Iterator[tuple[str, Observed]]:
    """What the database has of these partners; fails if a name would hide another mail server."""
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


class _Check(NamedTuple):
    """What is wrong with a draft: rows, and problems that are about none; and what it sets off."""

    unsayable: list[u.Unsayable]
    problems: list[Problem]
    alarms: tuple[Alarm, ...] = ()


def _export(
    partner: str, observed: Observed, folder: str, terms: Terms, variables: set[str]
) -> Exported:
    """The manifests of a partner in `folder`, without the rows that no manifest can declare."""
    state = observed.state
    names = ids(state.servers, observed.row_ids)
    prefix = terms.scopes.prefix("env", partner)
    references = new_references(prefix, state, names, variables)
    size = int(terms.limits.file_bytes * _FILLED)
    material = Material(partner, state, names, references, folder, size)
    unsayable = [*u.unwritable(state), *u.unwritable_partner(partner)]
    while True:
        left_out = frozenset(row.key for row in unsayable)
        drafted = draft(material, left_out)
        check = _check(drafted, material, terms)
        new = [row for row in check.unsayable if row.key not in left_out]
        if not new:
            break
        unsayable += new
    if u.PARTNER in left_out:
        return Exported(partner, tuple(unsayable))
    problems = [
        Problem("MBX709", None, {"partner": partner, "reason": u.words(problem)})
        for problem in check.problems
    ]
    # A plan may change rows although they are left out, because they are the project's own.
    if rows := sorted({row.shown(partner) for row in check.unsayable}):
        problems.append(Problem("MBX708", None, {"rows": ", ".join(rows)}))
    return Exported(
        partner,
        tuple(unsayable),
        drafted.files,
        tuple(problems),
        check.alarms,
        to_fill=sum(name in references for name in drafted.names.values()),
    )


def _check(drafted: Draft, material: Material, terms: Terms) -> _Check:
    """Read a draft back, and blame rows for all that is wrong with it."""
    parsed = [terms.parse(file.name, file.text.encode()) for file in drafted.files]
    coverage = Coverage(terms.project, frozenset(file.name for file in drafted.files), whole=True)
    result = read_back(
        material.partner,
        [declaration for declaration, _problems in parsed if declaration],
        [problem for _declaration, problems in parsed for problem in problems],
        material.state,
        coverage,
        terms,
    )
    blame = Blame(drafted, material.state)
    if result.errors:
        blamed = [(problem, list(blame.of_problem(problem))) for problem in result.errors]
        rows = [row for _problem, rows in blamed for row in rows]
        return _Check(rows, [problem for problem, rows in blamed if not rows])
    rows = [row for difference in result.differences for row in blame.of_difference(difference)]
    comparison = result.comparison
    case = Case(comparison.changes, comparison.before, comparison.desired.state, coverage)
    return _Check(rows, [], alarms(case))
