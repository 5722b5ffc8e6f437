"""`plan`: from the manifests and the database of a context to what applying would change."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from reconciler.diagnostics.problem import Failure, Problem
from reconciler.operations import inputs
from reconciler.operations.context import Context, has_errors
from reconciler.operations.inputs import Inputs
from reconciler.plan.alarm import Thresholds
from reconciler.plan.guards import Acceptance

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

    from reconciler.model.unchanged import Unchanged
    from reconciler.operations.partners import PlannedPartners
    from reconciler.operations.request import PlanRequest
    from reconciler.plan.plan import DatabaseTarget, Plan
    from reconciler.settings import Settings

    Work: TypeAlias = Callable[[Connection | None, DatabaseTarget, PlanRequest], PlannedPartners]


@dataclass(frozen=True, slots=True)
class Ask:
    """Which part of everything a plan is about, and what it may do."""

    partners: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether no selection limits the plan."""
        return not (self.partners or self.servers)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with the manifests that it is of, and what was noticed on the way.

    `unchanged` are facts that an apply records for later plans. `skipped` counts companies that
    were left out for having no document import, and `readable` the passwords that could be read
    where the database keeps none.
    """

    plan: Plan
    inputs: Inputs
    problems: tuple[Problem, ...]
    unchanged: tuple[Unchanged, ...]
    skipped: int
    readable: int | None = None


def plan(
    context: Context, ask: Ask = Ask(), *, recording: bool = False, check_secrets: bool = False
) -> Planned:
    """Compare the manifests of a context with its database; nothing is written.

    With `recording`, the facts come with it that spare later plans work. With `check_secrets`,
    passwords are read and compared with what the database keeps.

    Raises:
        Failure: manifests or settings are wrong, or the database cannot be read.
        Stale: it is another database than the settings name.
    """
    reading = inputs.begin(context, hashing=ask.everything)
    # The following are imported while other processes read the manifests.
    from reconciler.operations import parallel, partners, unchanged  # noqa: PLC0415

    facts = unchanged.fitting(reading, context)
    run = _Run(context, ask, recording=recording, checking=check_secrets)
    planned = None
    if team := parallel.Team.of(reading, facts, context):
        # What is wrong is told by this process alone, as if there had been no others.
        with suppress(parallel.Unfit, Failure):
            planned = run.planned(team.inputs, team.plan)
    if planned is None:
        read = unchanged.parsed(reading, facts, context)
        if has_errors(read.problems):
            raise _failure(read, (*read.problems, *_offline(read)))
        planned = run.planned(read, partial(partners.plan_partners, read.declared))
    if has_errors(planned.problems):
        raise _failure(planned.inputs, planned.problems)
    return _with_passwords(planned, context) if check_secrets else planned


def _with_passwords(planned: Planned, context: Context) -> Planned:
    """A plan with what has become of its passwords, or of which at least they can be read."""
    from reconciler.operations import secrets  # noqa: PLC0415 - as in `plan`

    with context.reading() as connection:
        made = secrets.checked(
            planned.plan, planned.inputs, connection, context, applying=False
        ).plan
    if secrets.are_sealed(context):
        return replace(planned, plan=made)
    return replace(planned, plan=replace(made, passwords=()), readable=len(made.passwords))


class _Run(NamedTuple):
    """How a plan is to be made, whoever reads the manifests for it."""

    context: Context
    ask: Ask
    recording: bool
    checking: bool

    def planned(self, read: Inputs, work: Work) -> Planned:
        """The plan of the manifests that were read, which `work` makes of a request."""
        from reconciler.database.schema import status  # noqa: PLC0415 - as in `plan`
        from reconciler.operations import unchanged  # noqa: PLC0415

        engine = self.context.engine(writes=False)
        target = self.context.target(status(engine), engine)
        with self.context.reading() as connection:
            request = self._request(read, connection, engine)
            if self.recording and not request.selection.named():
                request = replace(request, recorder=unchanged.Recorder.of(read, engine))
            made = work(connection, target, request)
        problems = (*read.problems, *made.problems)
        return Planned(made.plan, read, problems, made.unchanged, made.skipped)

    def _request(self, read: Inputs, connection: Connection | None, engine: Engine) -> PlanRequest:
        from reconciler.database import clock, observe  # noqa: PLC0415 - as in `plan`
        from reconciler.operations import secrets, select  # noqa: PLC0415
        from reconciler.operations.commits import commit_of  # noqa: PLC0415
        from reconciler.operations.request import PlanRequest  # noqa: PLC0415
        from reconciler.secrets.settings import rules  # noqa: PLC0415

        settings, ask = self.context.settings, self.ask
        commit = commit_of(self.context.base.root)
        last = observe.last_commit(connection, settings.project) if connection else None
        return PlanRequest(
            coverage=read.coverage,
            selection=select.resolve(ask.partners, ask.servers, read.declared, connection),
            manifest_digest=read.loaded.digest,
            now=clock.now(connection) if connection else clock.now_of(engine),
            lifetime=settings.plan_lifetime,
            thresholds=thresholds(settings),
            acceptances=all_acceptances(settings, ask.acceptances),
            commit=commit.id if commit else None,
            older_than=last if last and commit and not commit.descends_from(last) else None,
            unchanged=read.loaded.unchanged,
            sealing=secrets.are_sealed(self.context) or self.checking,
            rules=rules(settings.secrets),
        )


def _offline(read: Inputs) -> Iterable[Problem]:
    from reconciler.operations.validate import offline  # noqa: PLC0415 - where something is wrong

    return offline(read, complete=False)


def _failure(read: Inputs, problems: tuple[Problem, ...]) -> Failure:
    return Failure(problems, read.sources)


def thresholds(settings: Settings) -> Thresholds:
    """When the mass guards stop a plan."""
    guards = settings.guards
    return Thresholds(guards.most, guards.least, guards.percent)


def all_acceptances(
    settings: Settings, acceptances: tuple[Acceptance, ...]
) -> tuple[Acceptance, ...]:
    """What the settings accept, and then `acceptances`, which the command line names."""
    from_settings = tuple(
        Acceptance(item.guard, item.count, item.reason, item.until, partner=item.partner)
        for item in settings.guards.accept
    )
    return from_settings + acceptances
