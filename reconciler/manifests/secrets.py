"""Whether partners declare only secrets that they may use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconciler.diagnostics.problem import Problem
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.secrets.references import from_text
from reconciler.secrets.scope import NOT_SETTLED, Scopes
from reconciler.secrets.stores.kinds import KINDS


def problems(declared: PartnerDeclaration, scopes: Scopes) -> Iterator[Problem]:
    """What stands against the references of a partner, each placed at the name of the secret.

    That it is not settled which secrets of a store are the partner's is said once for each store.
    """
    unsettled: set[str] = set()
    for item in declared.servers.values():
        if text := item.server.password_reference:
            reference = from_text(text)
            problem = scopes.problem(declared.partner, reference, None)
            if problem and reference.store not in unsettled:
                if problem.code == NOT_SETTLED:
                    unsettled.add(reference.store)
                steps = filter(None, ("password", reference.store, KINDS[reference.store].word))
                yield replace(problem, place=item.place.below(*steps, on="value"))
