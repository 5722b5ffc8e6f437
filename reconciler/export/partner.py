"""One partner in the database → its manifests, proven to change nothing but ownership."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.database.observe import Observed
from reconciler.diagnostics.problem import Problem
from reconciler.export.check import Terms, prove
from reconciler.export.draft import Source, Written, draft
from reconciler.export.names import Variables, ids
from reconciler.export.unsayable import (
    PARTNER,
    RowName,
    Unfit,
    unwritable,
    unwritable_partner,
    words,
)
from reconciler.model.state import State
from reconciler.plan.alarm import Alarm

_ROOM = 0.95
"""How full a file gets: whoever edits it needs some of what it may measure."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of a partner.

    `unfit` are the rows that no manifest can say, which the files leave out; `problems` stand in
    the way of all of it. `alarms` are the guards that a plan of the files sets off, and `to_fill`
    is how many passwords have no place yet.
    """

    partner: str
    files: tuple[Written, ...]
    unfit: tuple[Unfit, ...]
    problems: tuple[Problem, ...]
    alarms: tuple[Alarm, ...]
    to_fill: int


class Request(NamedTuple):
    """How manifests are to be made: where they are, relative to the root, and what for."""

    folder: str
    terms: Terms


def export(partner: str, found: Observed, request: Request, variables: Variables) -> Exported:
    """The manifests of a partner, without the rows that no manifest can say."""
    state, terms = found.state, request.terms
    names = ids(state.servers, found.row_ids)
    prefix = terms.scopes.prefix("env", partner)
    references = _references(prefix, state, names, variables)
    size = int(terms.limits.file_bytes * _ROOM)
    source = Source(partner, state, names, references, request.folder, size)
    unfit = [*unwritable(state), *unwritable_partner(partner)]
    while True:
        left_out = rows(unfit)
        written = draft(source, left_out)
        proof = prove(partner, written, state, terms)
        new = [item for item in proof.unfit if item.row not in left_out]
        if not new:
            break
        unfit += new
    if PARTNER in left_out:
        return Exported(partner, (), tuple(unfit), (), (), 0)
    problems = [
        Problem("MBX709", None, {"partner": partner, "reason": words(item)})
        for item in proof.problems
    ]
    problems += _cannot_be_left_out(proof.unfit, partner)
    to_fill = sum(1 for name in written.names.values() if name in references)
    return Exported(partner, written.files, tuple(unfit), tuple(problems), proof.alarms, to_fill)


def rows(unfit: Iterable[Unfit]) -> frozenset[RowName]:
    """The rows by kind and name."""
    return frozenset(item.row for item in unfit)


def _cannot_be_left_out(stuck: Iterable[Unfit], partner: str) -> Iterable[Problem]:
    """Rows that a plan changes although they are left out: they belong to the project."""
    names = sorted({item.shown(partner) for item in stuck})
    return [Problem("MBX708", None, {"rows": ", ".join(names)})] if names else []


def _references(
    prefix: str, state: State, names: Mapping[str, str], variables: Variables
) -> dict[str, str]:
    """A place for each password that is needed and has none."""
    return {
        name: f"env:{variables.name(prefix, names[name])}"
        for name in sorted(state.servers, key=names.__getitem__)
        if state.servers[name].needs_password and state.servers[name].password_reference is None
    }
