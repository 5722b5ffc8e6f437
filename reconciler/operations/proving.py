"""What was planned → the proof that a partner is settled, where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from reconciler.desired.desire import desire
from reconciler.desired.match import may_be_swapped
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model.coverage import Coverage
from reconciler.model.state import State
from reconciler.model.unchanged import Files, Proof, sealed
from reconciler.plan.diff import diff


class Proving(NamedTuple):
    """What proofs are made of.

    `context` names everything else that a plan depends on, `files` has all manifests of each
    partner of which reading them found nothing to say, and `flag` makes of a truth value what the
    driver of the database gives for one.
    """

    context: str
    files: Mapping[str, Files]
    flag: Callable[[bool], Any]

    def proof(
        self, declared: PartnerDeclaration, state: State, digest: str | None, coverage: Coverage
    ) -> Proof | None:
        """The proof that nothing is left to do for a partner with this state.

        `digest` is that of the rows which the state was read from.
        """
        files = self.files.get(declared.partner)
        if not files or not digest or not decides_alone(declared, state):
            return None
        desired = desire(declared, state, coverage)
        before = state.renamed(desired.new_names)
        if desired.problems or diff(declared.partner, before, desired.state):
            return None
        proof = Proof(
            declared.partner,
            self.context,
            files,
            desired.state.size,
            desired.state.left_alone(coverage.project),
            desired.skipped,
            seal="",
        )
        return sealed(proof, digest)


def decides_alone(declared: PartnerDeclaration, state: State) -> bool:
    """Whether manifests and rows of a partner are all that has a say in its plan.

    Else it takes the companies of other partners, the ledger, or what day it is; or rows do not
    show which secrets the manifests name.
    """
    return not (
        declared.acceptances
        or any("password_reference" in ignored for ignored in _ignored(declared))
        or declared.named_cnpjs() - state.companies.keys()
        or may_be_swapped(declared, state)
    )


def _ignored(declared: PartnerDeclaration) -> Iterator[tuple[str, ...]]:
    return (item.server.ignore_changes for item in declared.servers.values())
