"""What `plan` and `apply` share: from inputs to a plan, and a plan to its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine

from reconciler.cli import inputs, output, passwords, settling
from reconciler.cli.inputs import Inputs
from reconciler.database import clock, observe
from reconciler.database.engine import transaction
from reconciler.database.schema import Condition, Status, require, status
from reconciler.desired.written_at import Places
from reconciler.diagnostics.problem import Failure, Problem, Source, Stale
from reconciler.diagnostics.words import n_
from reconciler.operations import select, validate
from reconciler.operations.commits import Commit
from reconciler.operations.plan import Planned, Request, make_plan
from reconciler.plan.accept import NEVER, Acceptance
from reconciler.plan.alarm import Thresholds
from reconciler.plan.diff import Change
from reconciler.plan.guards import GUARDS
from reconciler.plan.plan import DatabaseTarget, Plan
from reconciler.render.plan_text import PlanText
from reconciler.secrets.settings import rules
from reconciler.settings import Settings

_ACCEPT = re.compile(r"(?:([^:=]+):)?([a-z-]+)=([1-9][0-9]{0,8})")


class WrongUse(Failure):
    """The command line does not say what to do."""

    exit_code = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """The options that say which part of everything a plan is about, and what it may do."""

    partners: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    accepted: tuple[Acceptance, ...] = ()


def plan(
    given: Inputs,
    url: str,
    asked: Asked,
    commit: Commit | None,
    *,
    proving: bool = False,
    checking_secrets: bool = False,
) -> Planned:
    """Plan what was asked for; problems are shown, and errors among them end the run.

    With `checking_secrets`, passwords are read and compared with what the database keeps. With
    `proving`, a plan of everything has proofs, which an apply keeps for later plans.
    """
    if inputs.has_errors(given.problems):
        bounds = rules(given.settings.secrets)
        offline = validate.offline(given.declared, given.coverage, bounds, complete=False)
        _fail(given, (*given.problems, *offline))
    engine = inputs.engine(url, given.settings, writes=False)
    found = status(engine)
    target = target_of(found, engine, given.settings.database_id)
    with reading(engine) as connection:
        now = clock.now(connection) if connection else clock.now_of(engine)
        sealed = checking_secrets or passwords.are_sealed(given.settings.secrets)
        request = replace(_request(given, asked, connection, commit, now), sealing=sealed)
        if proving and not request.selection.named():
            request = replace(request, proving=settling.proving(given, engine))
        planned = make_plan(given.declared, connection, target, request)
        if checking_secrets and not inputs.has_errors(planned.problems):
            checked, _sealer = passwords.checked(
                planned.plan, given, connection, given.settings.secrets, applying=False
            )
            planned = replace(planned, plan=_told(checked.plan, given))
    problems = (*given.problems, *planned.problems)
    if inputs.has_errors(problems):
        _fail(given, problems)
    output.show_problems(problems, given.sources)
    if planned.skipped:
        output.note(
            n_(
                "{count} company without document_import left out of incoming servers",
                "{count} companies without document_import left out of incoming servers",
                planned.skipped,
            )
        )
    return planned


def _told(plan: Plan, given: Inputs) -> Plan:
    """The plan whose secrets could all be read; passwords belong to it where they are sealed."""
    if passwords.are_sealed(given.settings.secrets):
        return plan
    count = len(plan.passwords)
    output.note(n_("{count} password can be read.", "{count} passwords can be read.", count))
    return replace(plan, passwords=())


def _fail(given: Inputs, problems: tuple[Problem, ...]) -> None:
    raise Failure(problems, given.sources)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection | None]:
    """A connection to read through; None where the database is new."""
    if status(engine).condition is Condition.NEW:
        yield None
        return
    with transaction(engine) as connection:
        yield connection


def target_of(found: Status, engine: Engine, wanted_id: str | None) -> DatabaseTarget:
    """The database as a plan names it.

    Raises:
        Failure: its schema is older or newer.
        Stale: it is not the one that the settings name.
    """
    require(found)
    if wanted_id and found.database_id != wanted_id:
        raise Stale.of("MBX534", wanted=wanted_id, found=found.database_id or "new")
    return DatabaseTarget(found.database_id, engine.dialect.name, found.revision)


def _request(
    given: Inputs,
    asked: Asked,
    connection: Connection | None,
    commit: Commit | None,
    now: datetime,
) -> Request:
    selection = select.resolve(asked.partners, asked.servers, given.declared, connection)
    last = observe.last_commit(connection, given.settings.project) if connection else None
    return Request(
        coverage=given.coverage,
        selection=selection,
        manifest_digest=given.loaded.digest,
        now=now,
        lifetime=given.settings.plan_lifetime,
        thresholds=thresholds(given.settings),
        acceptances=all_acceptances(given.settings, asked.accepted),
        commit=commit.id if commit else None,
        older_than=last if last and commit and not commit.descends_from(last) else None,
        settled=given.loaded.settled,
        rules=rules(given.settings.secrets),
    )


def thresholds(settings: Settings) -> Thresholds:
    """When the mass guards stop a plan."""
    guards = settings.guards
    return Thresholds(guards.most, guards.least, guards.percent)


def all_acceptances(settings: Settings, asked: tuple[Acceptance, ...]) -> tuple[Acceptance, ...]:
    """What the settings accept, and what was `asked` on the command line."""
    from_settings = tuple(
        Acceptance(item.guard, item.count, item.reason, item.until, partner=item.partner)
        for item in settings.guards.accept
    )
    return from_settings + asked


def acceptances(texts: Iterable[str]) -> tuple[Acceptance, ...]:
    """What `--accept` was given.

    Raises:
        WrongUse: one of them is not of its form, or no guard that can be accepted.
    """
    return tuple(map(_accepted, texts))


def _accepted(text: str) -> Acceptance:
    match = _ACCEPT.fullmatch(text)
    guards = [guard for guard in GUARDS if guard not in NEVER]
    if not match or match[2] not in guards:
        raise WrongUse.of("MBX609", text=text, guards=", ".join(guards))
    return Acceptance(match[2], int(match[3]), partner=match[1] or "")


class Locator:
    """Finds where changes are written, in the manifests of a run; of one partner after another."""

    def __init__(self, given: Inputs | None) -> None:
        self._given = given
        self._places: dict[str, Places] = {}

    def source(self, change: Change) -> Source | None:
        """File, line and column of a change; None where no manifest has it."""
        if self._given is None or change.partner not in self._given.declared:
            return None
        if change.partner not in self._places:
            self._places = {change.partner: Places(self._given.declared[change.partner])}
        place = self._places[change.partner].of(change)
        if place is None:
            return None
        mark = self._given.sources.mark(place)
        return Source(self._given.sources.shown(place.file), mark.line, mark.column)

    def line(self, change: Change) -> str:
        """`file:line` of a change; empty where no manifest has it."""
        source = self.source(change)
        return f"{source.file}:{source.line}" if source else ""


def show(plan: Plan, given: Inputs | None, *, full: bool) -> None:
    """Print a plan for people."""
    output.say(PlanText(plan, output.style(), Locator(given).line, full=full).lines())
