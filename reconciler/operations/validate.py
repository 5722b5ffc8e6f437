"""What can be checked without a database: every rule of every partner."""

from __future__ import annotations

from reconciler.desired import secrets
from reconciler.desired.desire import desire
from reconciler.diagnostics.problem import Problem
from reconciler.manifests.partner import PartnerDeclaration, elsewhere, owners
from reconciler.model.coverage import Coverage
from reconciler.model.state import EMPTY
from reconciler.secrets.scope import Rules, Scopes

_UNDECLARED = frozenset({"MBX308", "MBX310"})


def offline(
    declared: dict[str, PartnerDeclaration],
    coverage: Coverage,
    rules: Rules,
    *,
    complete: bool = True,
) -> list[Problem]:
    """The problems of all partners, as far as manifests alone can tell.

    `rules` say which secrets are whose. Where manifests are not `complete`, since something in them
    could not be read, nothing is said of what they do not declare.
    """
    owned = owners(declared)
    scopes = Scopes(rules, declared)
    found: list[Problem] = []
    for name, item in declared.items():
        others = elsewhere(name, item.named_cnpjs(), owned)
        found += desire(item, EMPTY, coverage, others, offline=True).problems
        found += secrets.problems(item, scopes)
    return [problem for problem in found if complete or problem.code not in _UNDECLARED]
