"""Many partners at once: each worker takes some of them the whole way, from files to changes.

A worker parses the manifests of its partners, reads their rows through a connection of its own,
compares and judges them; what comes back is what is to be changed, and what the others must know.
Which partner a file is of is first only guessed, and seen to be right when it was parsed. Wherever
anything is otherwise than expected, `Unfit` is raised, and this process plans everything alone,
where each problem has its words and its order.

Workers see the database as it was when the plan began, where its kind can let them. Where it
cannot, each of them still reads any partner within one transaction. That is enough: what is said of
a partner follows from its own rows, but for companies that another partner has. A plan shows what
was; `apply` reads every row that it changes again under lock, and the keys of the database refuse a
company that two partners have. A fact that a partner is unchanged is bound to the digest of the
very rows that were compared.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from reconciler.database.dialects import dialect_for
from reconciler.database.engine import transaction
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.manifests.files import Manifest
from reconciler.manifests.load import MANY, Glance, Manifests, parse_file
from reconciler.manifests.partner import by_partner, elsewhere, owners
from reconciler.manifests.read import ReadLimits
from reconciler.manifests.workers import Workers, processors
from reconciler.model.unchanged import Unchanged
from reconciler.operations.batch import Declarations, Neighbours, PartnerOutcome, outcomes
from reconciler.operations.context import Context, engine_for, has_errors
from reconciler.operations.inputs import Inputs, Reading, folders
from reconciler.operations.partners import PlannedPartners, known_partners, names_of, put_together
from reconciler.operations.request import PlanRequest
from reconciler.operations.unchanged import clean_files, doubtful
from reconciler.plan.diff import Change
from reconciler.plan.plan import DatabaseTarget
from reconciler.secrets.scope import Scopes
from reconciler.settings import Settings

_LEAST, _MOST = 8, 100
"""How many partners a worker is given at a time."""
_SHARES = 8
"""How many times a worker is given some, unless they are too few or too many."""


class Unfit(Exception):  # noqa: N818 - what it is; nothing is wrong with the program
    """This cannot be planned in parallel."""


class _Share(NamedTuple):
    """Some partners, and the manifests that seem to be theirs."""

    partners: tuple[str, ...]
    files: tuple[tuple[Manifest, Glance], ...]


class _Terms(NamedTuple):
    """What all shares are planned with. It goes to the workers through a pipe, as the URL of the
    database may have a password in it; `snapshot` is what they are to see, where that can be said.
    """

    request: PlanRequest
    settings: Settings
    limits: ReadLimits
    folders: Mapping[str, tuple[str, ...]]
    known: frozenset[str]
    url: str | None
    snapshot: str | None


_Columns = tuple[tuple[Any, ...], ...]
"""Changes field by field: so they take half the time to go from one process to another."""


class _Result(NamedTuple):
    """What comes of a share: of each partner, with the companies that it declares, and warnings
    about manifests by the names of those.
    """

    outcomes: list[tuple[PartnerOutcome, _Columns]]
    companies: dict[str, tuple[str, ...]]
    problems: list[tuple[str, tuple[Problem, ...]]]


@dataclass(frozen=True, slots=True)
class Team:
    """Workers that wait for their shares. `inputs` has the manifests as far as they are known."""

    workers: Workers
    inputs: Inputs
    context: Context
    glances: Mapping[str, Glance]
    files: Mapping[str, Sequence[Manifest]]

    @classmethod
    def of(cls, reading: Reading, facts: Mapping[str, Unchanged], context: Context) -> Team | None:
        """Begin the workers, before a connection is open; None where there is little to do."""
        manifests = reading.manifests
        if not reading.hashing or processors() == 1 or len(manifests.files) < MANY:
            return None
        files, left_out = _grouped(manifests, facts)
        if doubted := doubtful(left_out, files, context):
            certain = {name: fact for name, fact in left_out.items() if name not in doubted}
            files, left_out = _grouped(manifests, certain)
        if sum(map(len, files.values())) < MANY or "" in files or manifests.problems:
            return None
        workers = Workers(processors())
        workers.begin()
        return cls(workers, reading.unread(left_out, files), context, manifests.glances, files)

    def plan(
        self, connection: Connection | None, target: DatabaseTarget, request: PlanRequest
    ) -> PlannedPartners:
        """Plan everything; the warnings about manifests come first.

        Raises:
            Unfit: something is not as expected.
        """
        names = names_of(self.inputs.declared, connection, request)
        remaining = [name for name in names if name not in request.unchanged]
        work = partial(_plan_share, terms=self._terms(connection, request))
        try:
            results = list(self.workers.map(work, self._shares(remaining)))
        except BrokenExecutor:  # a worker was killed
            raise Unfit from None
        finally:
            self.workers.close()
        made = [result for result in results if result is not None]
        if len(made) < len(results) or _claim_the_same(made):
            raise Unfit
        warnings = sorted(item for result in made for item in result.problems)
        everything = (_unpacked(*packed) for result in made for packed in result.outcomes)
        planned = put_together(names, everything, connection, target, request)
        problems = (problem for _file, of_file in warnings for problem in of_file)
        return replace(planned, problems=(*problems, *planned.problems))

    def _terms(self, connection: Connection | None, request: PlanRequest) -> bytes:
        terms = _Terms(
            replace(request, unchanged={}),
            self.context.settings,
            self.inputs.loaded.limits,
            folders(self.context.settings),
            known_partners(self.inputs.declared, connection, request),
            self.context.url if connection else None,
            dialect_for(connection.engine).share_snapshot(connection) if connection else None,
        )
        return pickle.dumps(terms)

    def _shares(self, partners: Sequence[str]) -> list[_Share]:
        size = min(max(len(partners) // (_SHARES * processors()), _LEAST), _MOST)
        shares = (partners[start : start + size] for start in range(0, len(partners), size))
        return [_Share(tuple(names), tuple(self._files(names))) for names in shares]

    def _files(self, partners: Sequence[str]) -> Iterator[tuple[Manifest, Glance]]:
        files = (item for name in partners for item in self.files.get(name, ()))
        return ((item, self.glances[item.name]) for item in sorted(files))


def _grouped(
    manifests: Manifests, facts: Mapping[str, Unchanged]
) -> tuple[dict[str, list[Manifest]], dict[str, Unchanged]]:
    """The files to be read by the partners that they seem to be of, and the facts that spare the
    others: none of a partner that another file seems to be of too.
    """
    left_out = dict(facts)
    while True:
        spared = {name for fact in left_out.values() for name, _ in fact.files}
        files: dict[str, list[Manifest]] = {}
        for item in manifests.files:
            if item.name not in spared:
                files.setdefault(manifests.glances[item.name].partner, []).append(item)
        added_to = left_out.keys() & files.keys()
        if not added_to:
            return files, left_out
        for partner in added_to:
            del left_out[partner]


def _claim_the_same(results: Sequence[_Result]) -> bool:
    """Whether a partner names a company that only another one's manifests declare."""
    owned: dict[str, str] = {}
    for result in results:
        for partner, cnpjs in result.companies.items():
            for cnpj in cnpjs:
                owned.setdefault(cnpj, partner)
    return any(
        elsewhere(outcome.part.partner, outcome.unregistered, owned)
        for result in results
        for outcome, _ in result.outcomes
    )


def _packed(outcome: PartnerOutcome) -> tuple[PartnerOutcome, _Columns]:
    part = outcome.part
    return outcome._replace(part=replace(part, changes=())), tuple(zip(*part.changes, strict=True))


def _unpacked(outcome: PartnerOutcome, columns: _Columns) -> PartnerOutcome:
    changes = tuple(map(Change._make, zip(*columns, strict=True)))
    return outcome._replace(part=replace(outcome.part, changes=changes))


class _Desk(NamedTuple):
    """What a worker keeps from one share to the next."""

    terms: _Terms
    scopes: Scopes
    engine: Engine | None


@lru_cache(maxsize=1)
def _desk(terms: bytes) -> _Desk:
    made: _Terms = pickle.loads(terms)  # noqa: S301 - the process that began this one wrote it
    engine = engine_for(made.url, made.settings, writes=False) if made.url else None
    return _Desk(made, Scopes(made.request.rules, made.known), engine)


def _plan_share(share: _Share, terms: bytes) -> _Result | None:
    """What comes of a share; None where something is not as expected."""
    desk = _desk(terms)
    limits, project = desk.terms.limits, desk.terms.settings.project
    files, digests, warnings = [], {}, []
    for item, glance in share.files:
        digest, declared, problems = parse_file(item, limits, project)
        if declared is None or Glance(digest, declared.partner) != glance or has_errors(problems):
            return None
        files.append(declared)
        digests[item.name] = digest
        if problems:
            warnings.append((item.name, problems))
    declarations, clashes = by_partner(files, desk.terms.folders)
    if clashes:
        return None
    request = desk.terms.request
    if request.recorder:
        said = (problem for _name, problems in warnings for problem in problems)
        recorder = replace(request.recorder, files=clean_files(files, said, digests))
        request = replace(request, recorder=recorder)
    try:
        made = _outcomes(declarations, share.partners, request, desk)
    except Failure:
        return None
    companies = {name: tuple(one.companies) for name, one in declarations.items()}
    return _Result(list(map(_packed, made)), companies, warnings)


def _outcomes(
    declarations: Declarations, partners: Sequence[str], request: PlanRequest, desk: _Desk
) -> list[PartnerOutcome]:
    neighbours = Neighbours(owners(declarations), desk.scopes)
    if desk.engine is None:
        return list(outcomes(declarations, partners, None, request, neighbours))
    with transaction(desk.engine) as connection:
        if desk.terms.snapshot:
            dialect_for(desk.engine).see_snapshot(connection, desk.terms.snapshot)
        return list(outcomes(declarations, partners, connection, request, neighbours))
