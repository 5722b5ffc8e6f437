"""`apply`: make the changes of a plan, after every check that can come before the transaction."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from reconciler.database import clock, schema
from reconciler.database.engine import is_missing, transaction
from reconciler.database.lock import Claim
from reconciler.database.schema import NEW, Condition, Status
from reconciler.ledger import drift, record
from reconciler.model.unchanged import Unchanged
from reconciler.operations import secrets
from reconciler.operations.commit import Applied, commit
from reconciler.operations.context import Context
from reconciler.operations.inputs import Inputs
from reconciler.operations.plan import Ask, Planned, all_acceptances, plan
from reconciler.operations.transaction import Work, check
from reconciler.operations.verify import Gate, GateAudience, Verification
from reconciler.plan import freshness
from reconciler.plan.file.read import SavedPlan
from reconciler.plan.plan import PartnerPlan, Plan

_WHO = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "RECONCILER_USER")
_LONGEST = 200


class Dialogue(GateAudience, Protocol):
    """Whom an apply tells what it is about to do and has done, and whom it asks."""

    def noticed(self, planned: Planned) -> None:
        """Tell what was noticed while planning."""

    def show(self, plan: Plan, inputs: Inputs | None) -> None:
        """Show a plan before it is applied; without `inputs` it is a saved one."""

    def approve(self) -> None:
        """Go on if somebody says so, or if nobody needs to be asked.

        Raises:
            Failure: nobody can be asked, or the answer is no.
        """

    def applied(self, work: Work, applied: Applied) -> None:
        """Tell what was committed."""


class ApplyOutcome(NamedTuple):
    """The plan that an apply came to, and the mail servers by partner that failed their test."""

    plan: Plan
    failing: Mapping[str, list[str]]


def apply(
    context: Context,
    source: Ask | SavedPlan,
    dialogue: Dialogue,
    *,
    verification: Verification | None = None,
    lock_timeout: float = 0,
) -> ApplyOutcome:
    """Apply a saved plan, or the manifests of a context; waits `lock_timeout` seconds for others.

    Raises:
        Locked: another apply holds the database.
        Stale: the plan no longer fits the database.
        Failure: nothing was applied, or it is not known whether it was.
    """
    inputs: Inputs | None = None
    if isinstance(source, Ask):
        result = plan(context, source, recording=True)
        dialogue.noticed(result)
        inputs = result.inputs
        work = _with_secrets(result.plan, result.unchanged, inputs, context)
    else:
        work = _with_secrets(source.plan, source.unchanged, None, context)
    work = _agreeing(work, context)
    dialogue.show(work.plan, inputs)
    gate = None
    if verification and work.plan.writes:
        gate = _tested(work.plan, verification, context, dialogue)
        work = _passing(gate, work, source, inputs, dialogue)
    if work.plan.writes:
        dialogue.approve()
    if work.plan.writes or work.agreed or work.unchanged:
        _write(work, context, lock_timeout, dialogue)
    if work.plan.writes:
        if not secrets.are_sealed(context):
            dialogue.warn(secrets.reference_warnings(work.plan, context.settings.secrets))
        if gate:
            gate.keep(work.plan, dialogue)
    return ApplyOutcome(work.plan, gate.failing if gate else {})


def _with_secrets(
    planned: Plan, facts: tuple[Unchanged, ...], inputs: Inputs | None, context: Context
) -> Work:
    """The plan with all that it takes to apply it: the secrets that it needs are read now."""
    if not secrets.are_sealed(context):
        return Work(replace(planned, passwords=()), unchanged=facts)
    if not planned.to_seal:
        return Work(planned, unchanged=facts)
    with context.reading() as connection:
        checked = secrets.checked(planned, inputs, connection, context, applying=True)
    return Work(checked.plan, checked.sealer, facts)


def _agreeing(work: Work, context: Context) -> Work:
    """With what others changed as the plan would have it."""
    engine = context.engine(writes=False)
    if not work.unchanged or is_missing(engine):
        return work
    with transaction(engine) as connection:
        if schema.status_of(connection).condition is not Condition.CURRENT:
            return work
        return work._replace(agreed=drift.agreed(connection, work.plan, work.unchanged))


def _tested(plan: Plan, verification: Verification, context: Context, dialogue: Dialogue) -> Gate:
    """Test what becomes active; that the plan still fits is checked before anybody is tested."""
    engine = context.engine(writes=False)
    if not is_missing(engine):  # else writing says what there is to say
        status = schema.status(engine)
        with transaction(engine) as connection:
            _require_planned(plan, status, context, connection)
            if status.condition is not Condition.NEW:
                check(connection, plan)
    return Gate.of(plan, verification, context, dialogue)


def _passing(
    gate: Gate, work: Work, source: Ask | SavedPlan, inputs: Inputs | None, dialogue: Dialogue
) -> Work:
    """What may be applied after the tests; shown again where it is something else."""
    acceptances = source.acceptances if isinstance(source, Ask) else ()
    everything = all_acceptances(gate.context.settings, acceptances)
    passing = gate.passing(work, everything, inputs, dialogue)
    if gate.failing and gate.verification.deactivate:
        dialogue.show(passing.plan, inputs)
    return passing


def _write(work: Work, context: Context, lock_timeout: float, dialogue: Dialogue) -> None:
    engine = context.engine(writes=True, wait=lock_timeout)
    if is_missing(engine):  # before a connection would create it
        freshness.require_target(work.plan, context.target(NEW, engine), empty=True)
    claim = Claim(
        partners=_touched(work),
        who=_who(context.environ),
        place=_place(context.environ),
        changes=sum(len(part.changes) for part in _parts(work)) + len(work.plan.to_seal),
    )
    prepare = partial(_prepare, work.plan, context)
    dialogue.applied(work, commit(engine, work, prepare, claim, lock_timeout))


def _parts(work: Work) -> tuple[PartnerPlan, ...]:
    return (*work.plan.applicable, *work.agreed)


def _touched(work: Work) -> tuple[str, ...]:
    """The partners that an apply writes to."""
    sealed = {item.partner for item in work.plan.to_seal}
    return tuple(sorted(sealed | {part.partner for part in _parts(work)}))


def _prepare(plan: Plan, context: Context, connection: Connection) -> bool:
    """Make sure that it is the database that was planned for; a new one gets its tables."""
    status = schema.status_of(connection)
    if status.condition is Condition.NEW:
        schema.lock(connection)
        status = schema.status_of(connection)
    new = status.condition is Condition.NEW
    _require_planned(plan, status, context, connection)
    if new:
        schema.upgrade(connection)
    return new


def _require_planned(plan: Plan, status: Status, context: Context, connection: Connection) -> None:
    target = context.target(status, connection.engine)
    empty = status.condition is Condition.NEW or record.is_empty(connection)
    freshness.require(plan, target, clock.now(connection), empty=empty)


def _place(environ: Mapping[str, str]) -> str:
    """From where: the pipeline's job, or the machine."""
    if run := environ.get("GITHUB_RUN_ID"):
        repository = environ.get("GITHUB_REPOSITORY", "")
        url = f"{environ.get('GITHUB_SERVER_URL', '')}/{repository}/actions/runs/{run}"
        return url[:_LONGEST]
    if job := environ.get("CI_JOB_URL"):
        return job[:_LONGEST]
    return f"{socket.gethostname()}, process {os.getpid()}"[:_LONGEST]


def _who(environ: Mapping[str, str]) -> str:
    """Who applies: the pipeline's word for it, or the user of the system."""
    for name in _WHO:
        if value := environ.get(name):
            return value[:_LONGEST]
    try:
        return getpass.getuser()[:_LONGEST]
    except (KeyError, OSError):
        return "unknown"
