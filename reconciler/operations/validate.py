"""`validate`: what can be checked without a database, every rule of every partner."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.desired.desire import desire
from reconciler.diagnostics.problem import Problem
from reconciler.manifests import secrets
from reconciler.manifests.partner import elsewhere, owners
from reconciler.model.state import EMPTY
from reconciler.operations import inputs
from reconciler.operations.context import Context, has_errors
from reconciler.operations.inputs import Inputs
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import rules

_UNDECLARED = frozenset({"MBX308", "MBX310"})


class Validated(NamedTuple):
    """The manifests that were checked, and everything that is wrong with them."""

    inputs: Inputs
    problems: tuple[Problem, ...]


def validate(context: Context) -> Validated:
    """Check the manifests of a context.

    Raises:
        Failure: there are none, or the settings are wrong.
    """
    read = inputs.read(context)
    complete = not has_errors(read.problems)
    return Validated(read, (*read.problems, *offline(read, complete=complete)))


def offline(read: Inputs, *, complete: bool = True) -> list[Problem]:
    """The problems of all partners, as far as manifests alone can tell.

    Where manifests are not `complete`, since something in them could not be read, nothing is said
    of what they do not declare.
    """
    declared = read.declared
    owned = owners(declared)
    scopes = Scopes(rules(read.settings.secrets), declared)
    problems: list[Problem] = []
    for name, declaration in declared.items():
        others = elsewhere(name, declaration.named_cnpjs(), owned)
        problems += desire(declaration, EMPTY, read.coverage, others, offline=True).problems
        problems += secrets.problems(declaration, scopes)
    return [problem for problem in problems if complete or problem.code not in _UNDECLARED]
