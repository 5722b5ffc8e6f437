"""Which partners are unchanged: whom a plan need not read, and what later plans may know."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from reconciler import __version__
from reconciler.database import observe, unchanged
from reconciler.database.engine import is_missing, transaction
from reconciler.database.schema import Condition, status_of
from reconciler.desired.desire import Comparison, compare
from reconciler.desired.match import may_be_swapped
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.manifests.declaration import FileDeclaration
from reconciler.manifests.load import NONE_UNCHANGED
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.manifests.workers import Workers, processors
from reconciler.model.coverage import Coverage
from reconciler.model.state import EMPTY, State
from reconciler.model.unchanged import Files, Unchanged
from reconciler.operations.context import Context, engine_for
from reconciler.operations.inputs import Inputs, Reading
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import rules
from reconciler.settings import Settings

MANY = 500
"""From so many facts on, several processes see whether they hold."""
_CONNECTIONS = 4
"""As many of them, at most, are connected to the database."""
_WITHOUT_A_SAY = {
    *("database", "database_id", "database_tls", "database_ca"),  # where, not what
    *("plan_lifetime", "plan_key_file"),
    "guards",  # they look at changes, and where a partner is unchanged there are none
    "probes",
}
"""The settings that no plan without changes depends on."""
_CODE = (".py", ".toml")
_LIBRARIES = ("PyYAML", "pydantic", "pydantic_core", "email-validator", "idna")
"""Those that have a say in what a manifest means."""


def read(reading: Reading, context: Context) -> Inputs:
    """The manifests of a run, without those of partners that are known to be unchanged."""
    return parsed(reading, fitting(reading, context), context)


def parsed(reading: Reading, facts: Mapping[str, Unchanged], context: Context) -> Inputs:
    """The manifests of a run, without those of the partners that these facts are about."""
    inputs = reading.inputs(facts)
    left_out = inputs.loaded.unchanged
    doubted = doubtful(left_out, inputs.declared, context)
    if not doubted:
        return inputs
    return reading.inputs({name: fact for name, fact in facts.items() if name not in doubted})


def doubtful(
    unchanged: Collection[str], declared: Iterable[str], context: Context
) -> Collection[str]:
    """The unchanged partners whose secrets may be another's, since one of `declared` is there.

    For a default with a prefix the names of the partners tell; for all else the rows have to.
    """
    if not unchanged:
        return unchanged
    try:
        with transaction(context.engine(writes=False)) as connection:
            partners = {*declared, *unchanged, *observe.partners(connection)}
            scopes = Scopes(rules(context.settings.secrets), partners)
            doubted = {name for name in unchanged if scopes.is_crowded(name)}
            if stores := scopes.open_stores:
                doubted.update(
                    name
                    for name, text in observe.references(connection, stores)
                    if name in unchanged and not scopes.allows(name, text)
                )
            return doubted
    except Failure:
        return unchanged


def fitting(reading: Reading, context: Context) -> Mapping[str, Unchanged]:
    """The facts that hold now, by partner; none of a run whose files were not hashed.

    What is wrong with the database is said by the plan itself.
    """
    if not reading.hashing:
        return NONE_UNCHANGED
    name, digests = _context_of(reading.settings, reading.coverage), reading.manifests.digests
    fitting = [fact for fact in facts(context) if fact.fits(name, digests)]
    return {fact.partner: fact for fact in holding(fitting, context)}


def holding(facts: list[Unchanged], context: Context) -> list[Unchanged]:
    """Those of `facts` that hold; several processes look where there are many."""
    if not facts:
        return []
    count = min(processors(), _CONNECTIONS) if len(facts) >= MANY else 1
    share = -(-len(facts) // count)
    shares = [facts[start : start + share] for start in range(0, len(facts), share)]
    look = partial(_holding, settings=context.settings, url=context.url)
    workers = Workers(count)
    try:
        return [fact for held in workers.map(look, shares) for fact in held]
    except BrokenExecutor:  # one of them was killed
        return []
    finally:
        workers.close()


def facts(context: Context) -> list[Unchanged]:
    """All facts of the project."""
    try:
        engine = context.engine(writes=False)
        if is_missing(engine):
            return []
        with transaction(engine) as connection:
            if status_of(connection).condition is not Condition.CURRENT:
                return []
            return [*unchanged.read(connection, context.settings.project)]
    except Failure:
        return []


def _holding(facts: list[Unchanged], settings: Settings, url: str) -> list[Unchanged]:
    try:
        with transaction(engine_for(url, settings, writes=False)) as connection:
            return unchanged.holding(connection, facts)
    except Failure:
        return []


@dataclass(frozen=True, slots=True)
class Recorder:
    """Derives from comparisons which partners are unchanged from then on.

    `context` names everything else that a plan depends on, `files` has all manifests of each
    partner in which nothing was found to be said, and `flag` makes of a truth value what the driver
    of the database gives for one.
    """

    context: str
    files: Mapping[str, Files]
    flag: Callable[[bool], Any]

    @classmethod
    def of(cls, inputs: Inputs, engine: Engine) -> Recorder:
        """The recorder of a run."""
        flag = bool if engine.dialect.supports_native_boolean else int
        context = _context_of(inputs.settings, inputs.coverage)
        files = clean_files(inputs.loaded.files, inputs.problems, inputs.loaded.digests)
        return cls(context, files, flag)

    def fact(
        self, comparison: Comparison, observed: State, rows: str | None, coverage: Coverage
    ) -> Unchanged | None:
        """The fact that nothing is left to do for a partner; None where that is not certain.

        `rows` is the digest of the rows that `observed` was read from.
        """
        files, desired = self.files.get(comparison.partner), comparison.desired
        if not files or not rows or comparison.differing or comparison.changes or desired.problems:
            return None
        if not decides_alone(comparison.declaration, observed):
            return None
        fact = Unchanged(
            comparison.partner,
            self.context,
            files,
            desired.state.size,
            desired.state.left_alone(coverage.project),
            desired.skipped,
            digest="",
        )
        return fact.bound_to(rows)

    def fact_after(self, comparison: Comparison, coverage: Coverage) -> Unchanged | None:
        """The fact that nothing is left to do once the changes were made.

        What a partner is desired to have depends on what it has, so it is compared again; unless it
        had nothing, and no server gives another id of its own that it had before.
        """
        declaration, desired = comparison.declaration, comparison.desired
        rows = unchanged.rows_of(comparison.partner, desired.state, self.flag)
        digest = unchanged.digest(rows)
        if comparison.before == EMPTY and not any(
            server.renamed_from for server in declaration.servers.values()
        ):
            after = comparison._replace(changes=(), differing=0)
            return self.fact(after, desired.state, digest, coverage)
        observed = observe.understood(rows).state
        return self.fact(compare(declaration, observed, coverage), observed, digest, coverage)


def decides_alone(declaration: PartnerDeclaration, observed: State) -> bool:
    """Whether manifests and rows of a partner are all that has a say in its plan.

    Else it takes the companies of other partners, the ledger, or what day it is; or rows do not
    show which secrets the manifests name.
    """
    return not (
        declaration.acceptances
        or any("password_reference" in ignored for ignored in _ignored(declaration))
        or declaration.named_cnpjs() - observed.companies.keys()
        or may_be_swapped(declaration, observed)
    )


def _ignored(declaration: PartnerDeclaration) -> Iterator[tuple[str, ...]]:
    return (item.server.ignore_changes for item in declaration.servers.values())


def _context_of(settings: Settings, coverage: Coverage) -> str:
    """A name for everything but files and rows that has a say in what is planned."""
    bearing = settings.model_dump_json(exclude=_WITHOUT_A_SAY)
    text = repr((identity(), bearing, coverage.reach))
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def clean_files(
    files: Iterable[FileDeclaration], problems: Iterable[Problem], digests: Mapping[str, str]
) -> dict[str, Files]:
    """The files of each partner, unless something was to be said of one of them."""
    suspect = {problem.place.file for problem in problems if problem.place}
    names: dict[str, list[str]] = {}
    for file in files:
        names.setdefault(file.partner, []).append(file.file)
    return {
        partner: tuple((name, digests[name]) for name in sorted(of_partner))
        for partner, of_partner in names.items()
        if suspect.isdisjoint(of_partner)
    }


@cache
def identity() -> str:
    """A digest that differs wherever the same manifests could mean something else.

    It is over the code itself, since a version may be worked on or be patched.
    """
    digest = hashlib.sha256()
    versions = [f"{name} {version(name)}" for name in _LIBRARIES]
    digest.update("\n".join([__version__, sys.version, *versions]).encode())
    for name, content in code_files(Path(__file__).parent.parent):
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def code_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of code below `folder`: its name relative to that, and its content."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(_CODE):
                file = Path(place, name)
                yield file.relative_to(folder).as_posix(), file.read_bytes()
