"""`plan`: from the manifests and the database of a context to what applying would change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.diagnostics.problem import Failure, Problem
from reconciler.operations import inputs
from reconciler.operations.context import Context, has_errors
from reconciler.operations.inputs import Inputs
from reconciler.plan.alarm import Thresholds
from reconciler.plan.guards import Acceptance

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from reconciler.model.unchanged import Unchanged
    from reconciler.operations.commits import Commit
    from reconciler.operations.partners import Request
    from reconciler.plan.plan import Plan
    from reconciler.settings import Settings


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
    from reconciler.database import clock  # noqa: PLC0415
    from reconciler.database.schema import status  # noqa: PLC0415
    from reconciler.operations import partners, secrets, unchanged  # noqa: PLC0415
    from reconciler.operations.commits import commit_of  # noqa: PLC0415

    read = unchanged.read(reading, context)
    if has_errors(read.problems):
        raise _failure(read, (*read.problems, *_offline(read)))
    commit = commit_of(context.base.root)
    engine = context.engine(writes=False)
    target = context.target(status(engine), engine)
    with context.reading() as connection:
        now = clock.now(connection) if connection else clock.now_of(engine)
        sealing = secrets.are_sealed(context)
        request = replace(
            _request(context, read, ask, connection, commit, now), sealing=sealing or check_secrets
        )
        if recording and not request.selection.named():
            request = replace(request, recorder=unchanged.Recorder.of(read, engine))
        outcome = partners.plan_partners(read.declared, connection, target, request)
        made, readable = outcome.plan, None
        if check_secrets and not has_errors(outcome.problems):
            made = secrets.checked(made, read, connection, context, applying=False).plan
            if not sealing:
                readable, made = len(made.passwords), replace(made, passwords=())
    problems = (*read.problems, *outcome.problems)
    if has_errors(problems):
        raise _failure(read, problems)
    return Planned(made, read, problems, outcome.unchanged, outcome.skipped, readable)


def _offline(read: Inputs) -> Iterable[Problem]:
    from reconciler.operations.validate import offline  # noqa: PLC0415 - where something is wrong

    return offline(read, complete=False)


def _failure(read: Inputs, problems: tuple[Problem, ...]) -> Failure:
    return Failure(problems, read.sources)


def _request(
    context: Context,
    read: Inputs,
    ask: Ask,
    connection: Connection | None,
    commit: Commit | None,
    now: datetime,
) -> Request:
    from reconciler.database import observe  # noqa: PLC0415 - as in `plan`
    from reconciler.operations import select  # noqa: PLC0415
    from reconciler.operations.partners import Request  # noqa: PLC0415
    from reconciler.secrets.settings import rules  # noqa: PLC0415

    settings = context.settings
    last = observe.last_commit(connection, settings.project) if connection else None
    return Request(
        coverage=read.coverage,
        selection=select.resolve(ask.partners, ask.servers, read.declared, connection),
        manifest_digest=read.loaded.digest,
        now=now,
        lifetime=settings.plan_lifetime,
        thresholds=thresholds(settings),
        acceptances=all_acceptances(settings, ask.acceptances),
        commit=commit.id if commit else None,
        older_than=last if last and commit and not commit.descends_from(last) else None,
        unchanged=read.loaded.unchanged,
        rules=rules(settings.secrets),
    )


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
