"""What proofs spare a plan: whom it need not read again, and what it leaves for the next one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from concurrent.futures import BrokenExecutor
from functools import partial

from sqlalchemy import Engine

from reconciler.cli import inputs
from reconciler.cli.inputs import Begun, Inputs
from reconciler.database import observe, unchanged
from reconciler.database.engine import is_missing, transaction
from reconciler.database.schema import Condition, status_of
from reconciler.diagnostics.problem import Failure
from reconciler.manifests.load import NO_PROOFS
from reconciler.manifests.workers import Workers, processors
from reconciler.model.coverage import Coverage
from reconciler.model.unchanged import Files, Proof
from reconciler.operations import tool
from reconciler.operations.proving import Proving
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import rules
from reconciler.settings import Settings

MANY = 500
"""From so many proofs on, several processes see whether they hold."""
_CONNECTIONS = 4
"""As many of them, at most, are connected to the database."""
_WITHOUT_A_SAY = {
    *("database", "database_id", "database_tls", "database_ca"),  # where, not what
    *("plan_lifetime", "plan_key_file"),
    "guards",  # they look at changes, and where there is a proof there is none
}
"""The settings that no plan without changes depends on."""


def read(begun: Begun, url: str) -> Inputs:
    """What a run is given, without the manifests of partners that are proven to be settled."""
    if not begun.hashing:
        return begun.inputs(NO_PROOFS)
    proofs = _proofs(begun, url)
    given = begun.inputs(proofs)
    doubtful = _doubtful(given, url)
    if not doubtful:
        return given
    return begun.inputs({name: item for name, item in proofs.items() if name not in doubtful})


def _doubtful(given: Inputs, url: str) -> Collection[str]:
    """The settled partners whose secrets may have become another's, since that one is there.

    Of a default with a prefix the names of the partners tell; else all rows have to.
    """
    proven = given.loaded.settled.keys()
    if not proven:
        return proven
    try:
        with transaction(inputs.engine(url, given.settings, writes=False)) as connection:
            known = {*given.declared, *proven, *observe.partners(connection)}
            scopes = Scopes(rules(given.settings.secrets), known)
            found = {name for name in proven if scopes.is_crowded(name)}
            if stores := scopes.open_stores:
                found.update(
                    name
                    for name, text in observe.references(connection, stores)
                    if name in proven and not scopes.allows(name, text)
                )
            return found
    except Failure:
        return proven


def _proofs(begun: Begun, url: str) -> Mapping[str, Proof]:
    """The proofs that hold now, by partner.

    What is wrong with the database is said by the plan itself.
    """
    context, digests = _context(begun.settings, begun.coverage), begun.manifests.digests
    known = proofs(begun.settings, url)
    fitting = [proof for proof in known if proof.fits(context, digests)]
    return {proof.partner: proof for proof in holding(fitting, begun.settings, url)}


def holding(proofs: list[Proof], settings: Settings, url: str) -> list[Proof]:
    """Those of `proofs` that hold; several processes look where there are many."""
    if not proofs:
        return []
    count = min(processors(), _CONNECTIONS) if len(proofs) >= MANY else 1
    share = -(-len(proofs) // count)
    shares = [proofs[start : start + share] for start in range(0, len(proofs), share)]
    look = partial(_holding, settings=settings, url=url)
    workers = Workers(count)
    try:
        return [proof for found in workers.map(look, shares) for proof in found]
    except BrokenExecutor:  # one of them was killed
        return []
    finally:
        workers.close()


def proofs(settings: Settings, url: str) -> list[Proof]:
    """All proofs of the project."""
    try:
        engine = inputs.engine(url, settings, writes=False)
        if is_missing(engine):
            return []
        with transaction(engine) as connection:
            if status_of(connection).condition is not Condition.CURRENT:
                return []
            return [*unchanged.read(connection, settings.project)]
    except Failure:
        return []


def _holding(proofs: list[Proof], settings: Settings, url: str) -> list[Proof]:
    """Those of `proofs` that hold."""
    try:
        with transaction(inputs.engine(url, settings, writes=False)) as connection:
            return unchanged.holding(connection, proofs)
    except Failure:
        return []


def proving(given: Inputs, engine: Engine) -> Proving:
    """What proofs are made of in this run."""
    flag = bool if engine.dialect.supports_native_boolean else int
    return Proving(_context(given.settings, given.coverage), _clean_files(given), flag)


def _context(settings: Settings, coverage: Coverage) -> str:
    """A name for everything but files and rows that has a say in what is planned."""
    bearing = settings.model_dump_json(exclude=_WITHOUT_A_SAY)
    text = repr((tool.identity(), bearing, coverage.reach))
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def _clean_files(given: Inputs) -> dict[str, Files]:
    """The files of each partner, unless something was to be said of one of them."""
    suspect = {problem.place.file for problem in given.problems if problem.place}
    names: dict[str, list[str]] = {}
    for file in given.loaded.files:
        names.setdefault(file.partner, []).append(file.file)
    return {
        partner: tuple((name, given.loaded.digests[name]) for name in sorted(found))
        for partner, found in names.items()
        if suspect.isdisjoint(found)
    }
