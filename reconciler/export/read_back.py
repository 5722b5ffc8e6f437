"""Manifests just written → what differs when they are read and planned like any others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.desired.desire import Comparison, compare
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Place, Problem, Severity
from reconciler.manifests import secrets
from reconciler.manifests.declaration import FileDeclaration
from reconciler.manifests.load import parse
from reconciler.manifests.partner import PartnerDeclaration, by_partner
from reconciler.manifests.read import ReadLimits
from reconciler.model.coverage import Coverage
from reconciler.model.state import State
from reconciler.plan.ownership import Difference, differences
from reconciler.secrets.scope import Scopes


@dataclass(frozen=True, slots=True)
class Terms:
    """How the manifests of a partner are read and compared.

    `paths` are the folders that the settings bind each partner to, `scopes` knows all partners, and
    `elsewhere` are the CNPJs that belong to other partners.
    """

    project: str
    limits: ReadLimits
    paths: Mapping[str, tuple[str, ...]]
    scopes: Scopes
    elsewhere: frozenset[str] = frozenset()

    def parse(self, name: str, data: bytes) -> tuple[FileDeclaration | None, list[Problem]]:
        """What a manifest of this name declares, and what is wrong with it."""
        return parse(data, name, self.limits, self.project)


class ReadBack(NamedTuple):
    """The manifests compared with the database.

    `errors` are the problems that keep a plan from being applied; `differences` are all changes
    to more than ownership, and mean nothing if there are errors.
    """

    comparison: Comparison
    errors: tuple[Problem, ...]
    differences: tuple[Difference, ...]


def read_back(
    partner: str,
    files: Iterable[FileDeclaration],
    problems: Iterable[Problem],
    state: State,
    coverage: Coverage,
    terms: Terms,
) -> ReadBack:
    """Compare what `files`, parsed with these problems, declare with what the database has."""
    declared, across_files = by_partner(files, terms.paths)
    declaration = declared.get(partner, PartnerDeclaration(partner, Place("")))
    comparison = compare(declaration, state, coverage, terms.elsewhere)
    out_of_scope = secrets.problems(declaration, terms.scopes)
    all_problems = [*problems, *across_files, *comparison.desired.problems, *out_of_scope]
    errors = (item for item in all_problems if MESSAGES[item.code].severity is Severity.ERROR)
    more_than_ownership = differences(comparison.changes, terms.project)
    return ReadBack(comparison, tuple(errors), tuple(more_than_ownership))
