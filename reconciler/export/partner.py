"""One partner in the database → its manifests, read back and checked to change only ownership."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.database.observe import Observed
from reconciler.diagnostics.problem import Problem
from reconciler.export.blame import Blame
from reconciler.export.draft import Draft, DraftFile, Material, draft
from reconciler.export.names import Variables, ids
from reconciler.export.read_back import Terms, read_back
from reconciler.export.unsayable import (
    PARTNER,
    Unsayable,
    unwritable,
    unwritable_partner,
    words,
)
from reconciler.model.coverage import Coverage
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
    unsayable: tuple[Unsayable, ...]
    files: tuple[DraftFile, ...] = ()
    problems: tuple[Problem, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    to_fill: int = 0


class _Check(NamedTuple):
    """What is wrong with a draft: rows, and problems that are about none; and what it sets off."""

    unsayable: list[Unsayable]
    problems: list[Problem]
    alarms: tuple[Alarm, ...] = ()


def export(
    partner: str, observed: Observed, folder: str, terms: Terms, variables: Variables
) -> Exported:
    """The manifests of a partner in `folder`, without the rows that no manifest can declare."""
    state = observed.state
    names = ids(state.servers, observed.row_ids)
    references = variables.references(terms.scopes.prefix("env", partner), state, names)
    size = int(terms.limits.file_bytes * _FILLED)
    material = Material(partner, state, names, references, folder, size)
    unsayable = [*unwritable(state), *unwritable_partner(partner)]
    while True:
        left_out = frozenset(row.key for row in unsayable)
        drafted = draft(material, left_out)
        check = _check(drafted, material, terms)
        new = [row for row in check.unsayable if row.key not in left_out]
        if not new:
            break
        unsayable += new
    if PARTNER in left_out:
        return Exported(partner, tuple(unsayable))
    problems = (*_problems(partner, check), *_cannot_be_left_out(partner, check))
    to_fill = sum(1 for name in drafted.names.values() if name in references)
    return Exported(partner, tuple(unsayable), drafted.files, problems, check.alarms, to_fill)


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


def _problems(partner: str, check: _Check) -> Iterator[Problem]:
    for problem in check.problems:
        yield Problem("MBX709", None, {"partner": partner, "reason": words(problem)})


def _cannot_be_left_out(partner: str, check: _Check) -> Iterator[Problem]:
    """Rows that a plan changes although they are left out, because they are the project's own."""
    if names := sorted({row.shown(partner) for row in check.unsayable}):
        yield Problem("MBX708", None, {"rows": ", ".join(names)})
