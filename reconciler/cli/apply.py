"""`apply`: make the changes, in one transaction."""

from __future__ import annotations

import getpass
import os
import re
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from sqlalchemy import Connection

from reconciler.cli import inputs, options, output, passwords, settling
from reconciler.cli.asking import confirm
from reconciler.cli.inputs import Inputs
from reconciler.cli.plan import TEST_FAILED, exit_code
from reconciler.cli.planning import (
    Asked,
    WrongUse,
    acceptances,
    all_acceptances,
    plan,
    reading,
    show,
    target_of,
)
from reconciler.database import clock, schema
from reconciler.database.engine import is_missing, transaction
from reconciler.database.lock import Claim
from reconciler.database.schema import Condition, Status
from reconciler.diagnostics.problem import Failure, Stale
from reconciler.diagnostics.words import N_, _
from reconciler.ledger import agreeing, record
from reconciler.operations.apply import check
from reconciler.operations.commit import Work, apply_plan
from reconciler.operations.commits import commit_of
from reconciler.plan import freshness
from reconciler.plan.file.sign import PlanKey
from reconciler.plan.plan import DatabaseTarget, Plan
from reconciler.plan.summary import summarise
from reconciler.probes.results import Level
from reconciler.render.plan_text import done
from reconciler.settings import Settings

_DIGEST = re.compile(r"sha256:[0-9a-fA-F]{64}")
_WHO = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "RECONCILER_USER")


@click.command(
    "apply",
    short_help=_("Make the changes, in one transaction."),
    help=_(
        "Apply the manifests at PATHS, or a plan that `plan -o` saved.\n\n"
        "Partners that nothing is refused for are applied together in one transaction; "
        "the others are left as they are, and the exit code is 3. A new database gets "
        "its tables first."
    ),
)
@options.manifests
@options.database
@options.selection
@options.accept
@options.full
@options.lock_timeout
@click.option(
    "--expect-digest",
    "digest",
    metavar="DIGEST",
    help=_("Apply the saved plan only if this is its digest."),
)
@click.option("--auto-approve", is_flag=True, help=_("Do not ask before writing."))
@click.option(
    "--verify",
    "level",
    is_flag=False,
    flag_value=str(Level.LOGIN),
    type=click.Choice([str(level) for level in Level]),
    metavar="[=LEVEL]",
    help=_("Test what will be active before writing; the level is login unless given."),
)
@click.option(
    "--on-failure",
    type=click.Choice(("refuse", "deactivate")),
    default="refuse",
    show_default=True,
    help=_("What to do where a test fails: leave the partner as it is, or apply it inactive."),
)
def command(
    paths: tuple[Path, ...],
    root: Path | None,
    settings_file: Path | None,
    database_url: str | None,
    partners: tuple[str, ...],
    servers: tuple[str, ...],
    accepted: tuple[str, ...],
    full: bool,
    lock_timeout: float,
    digest: str | None,
    auto_approve: bool,
    level: str | None,
    on_failure: str,
) -> int:
    asked = Asked(partners, servers, acceptances(accepted))
    saved = [path for path in paths if _is_saved(path)]
    expected = _expected(digest, saved)
    given: Inputs | None = None
    if saved:
        if len(paths) > 1 or asked != Asked():
            raise WrongUse.of("MBX611")
        settings = inputs.read_settings(settings_file)
        url = inputs.database_url(database_url, settings)
        todo = read_plan(saved[0], inputs.plan_key(settings), expected)
    else:
        begun = inputs.begin(paths, root, settings_file, hashing=not (partners or servers))
        settings = begun.settings
        url = inputs.database_url(database_url, settings)
        given = settling.read(begun, url)
        commit = commit_of(given.loaded.scope.root)
        todo = plan(given, url, asked, commit, proving=True).plan
    work = _work(_with_agreed(todo, url, settings), given, url, settings)
    todo = work.plan
    show(todo, given, full=full)
    gate = None
    if level and todo.writes:
        from reconciler.cli import verifying  # noqa: PLC0415 - it takes a while to import

        _check(todo, url, settings)
        gate = verifying.passed(todo, Level[level.upper()], url, settings)
        todo = gate.plan(todo, on_failure, all_acceptances(settings, asked.accepted), given)
        if gate.failing and on_failure == "deactivate":
            show(todo, given, full=full)
    if todo.writes:
        confirm(_("Type yes to apply"), "MBX605", auto_approve=auto_approve)
    if todo.writes or todo.agreed:
        _write(work._replace(plan=todo), url, settings, lock_timeout)
    if todo.writes:
        if not passwords.are_sealed(settings.secrets):
            passwords.warn_of_references(todo, settings.secrets)
        if gate:
            gate.keep(todo)
    code = exit_code(todo, detailed=False)
    return code or (TEST_FAILED if gate and gate.failing else 0)


def _work(todo: Plan, given: Inputs | None, url: str, settings: Settings) -> Work:
    """The plan with all that it takes to apply it: the secrets that it needs are read now."""
    if not passwords.are_sealed(settings.secrets):
        return Work(replace(todo, passwords=()))
    if not todo.to_seal:
        return Work(todo)
    with reading(inputs.engine(url, settings, writes=False)) as connection:
        found, sealer = passwords.checked(todo, given, connection, settings.secrets, applying=True)
    return Work(found.plan, sealer)


def _is_saved(path: Path) -> bool:
    """Whether it is meant as a saved plan: any file that is not named like a manifest."""
    return path.suffix == ".json" or (path.is_file() and path.suffix not in (".yaml", ".yml"))


def _expected(digest: str | None, saved: list[Path]) -> str:
    """What the saved plan's digest must be; empty for any."""
    if digest is None:
        return ""
    if not _DIGEST.fullmatch(digest):
        raise WrongUse.of("MBX653", text=digest)
    if not saved:
        raise WrongUse.of("MBX654")
    return digest.lower()


def read_plan(file: Path, key: PlanKey | None, digest: str) -> Plan:
    """The plan that a file holds; see `planfile.reading.read`."""
    from reconciler.plan.file import read as reading  # noqa: PLC0415 - its models take a while to build

    if file.exists() and not file.is_file():
        raise Failure.of("MBX523", file=str(file), reason=N_("It is no file."))
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return reading.read(stream, str(file), key, digest)
    except OSError as error:
        raise Failure.of("MBX523", file=str(file), reason=error.strerror or "") from None


def _with_agreed(todo: Plan, url: str, settings: Settings) -> Plan:
    """A plan with what others changed as it would have it."""
    engine = inputs.engine(url, settings, writes=False)
    if not todo.proofs or is_missing(engine):
        return todo
    with transaction(engine) as connection:
        if schema.status_of(connection).condition is not Condition.CURRENT:
            return todo
        return replace(todo, agreed=agreeing.agreed(connection, todo))


def _write(work: Work, url: str, settings: Settings, lock_timeout: float) -> None:
    todo = work.plan
    engine = inputs.engine(url, settings, writes=True, wait=lock_timeout)
    if is_missing(engine):  # before a connection would create it
        target_of(schema.NEW, engine, settings.database_id)
        if todo.target.id:
            raise Stale.of("MBX522", planned=_named(todo.target), found=_("a new one"))
    parts = (*todo.applicable, *todo.agreed)
    claim = Claim(
        partners=_touched(todo),
        who=_who(),
        place=_place(),
        changes=sum(len(part.changes) for part in parts) + len(todo.to_seal),
    )
    applied = apply_plan(engine, work, partial(_prepare, todo, settings), claim, lock_timeout)
    if applied.created:
        output.say(_("The database was new: its tables were created."))
    if applied.answer_lost:
        output.note(_("The connection broke while committing; the ledger has the plan."))
    if todo.applicable or applied.sealed or (applied.answer_lost and todo.to_seal):
        words = _("Applied as revision {number}: {counts}.")
        counts = summarise(todo.applicable, applied.sealed)
        output.say(words.format(number=applied.revision, counts=done(counts)))
    if todo.agreed and applied.revision:
        words = _("Revision {number} has what others changed as the manifests say now: {counts}.")
        counts = summarise(todo.agreed)
        output.say(words.format(number=applied.revision, counts=done(counts)))


def _touched(todo: Plan) -> tuple[str, ...]:
    """The partners that an apply writes to."""
    sealed = {item.partner for item in todo.to_seal}
    parts = (*todo.applicable, *todo.agreed)
    return tuple(sorted(sealed | {part.partner for part in parts}))


def _prepare(todo: Plan, settings: Settings, connection: Connection) -> bool:
    """Make sure that it is the database that was planned for; a new one gets its tables."""
    found = schema.status_of(connection)
    if found.condition is Condition.NEW:
        schema.lock(connection)
        found = schema.status_of(connection)
    new = found.condition is Condition.NEW
    _require_planned(todo, found, settings, connection)
    if new:
        schema.upgrade(connection)
    return new


def _require_planned(todo: Plan, found: Status, settings: Settings, connection: Connection) -> None:
    target = target_of(found, connection.engine, settings.database_id)
    empty = found.condition is Condition.NEW or record.is_empty(connection)
    if not _is_planned(todo.target, target, empty=empty):
        raise Stale.of("MBX522", planned=_named(todo.target), found=_named(target))
    freshness.require(todo, target, clock.now(connection))


def _check(todo: Plan, url: str, settings: Settings) -> None:
    """See that a plan still fits before anybody is tested because of it."""
    engine = inputs.engine(url, settings, writes=False)
    if is_missing(engine):
        return  # writing will say what there is to say
    found = schema.status(engine)
    with transaction(engine) as connection:
        _require_planned(todo, found, settings, connection)
        if found.condition is not Condition.NEW:
            check(connection, todo)


def _is_planned(planned: DatabaseTarget, found: DatabaseTarget, *, empty: bool) -> bool:
    """Whether it is the same database; one that was new may have got its tables since."""
    if planned.dialect != found.dialect:
        return False
    return planned.id == found.id or (planned.id is None and empty)


def _named(target: DatabaseTarget) -> str:
    return f"{target.dialect} {target.id or _('a new one')}"


def _place() -> str:
    """From where: the pipeline's job, or the machine."""
    environment = os.environ
    if run := environment.get("GITHUB_RUN_ID"):
        repository = environment.get("GITHUB_REPOSITORY", "")
        return f"{environment.get('GITHUB_SERVER_URL', '')}/{repository}/actions/runs/{run}"[:200]
    if job := environment.get("CI_JOB_URL"):
        return job[:200]
    return f"{socket.gethostname()}, process {os.getpid()}"[:200]


def _who() -> str:
    """Who applies: the pipeline's word for it, or the user of the system."""
    for name in _WHO:
        if value := os.environ.get(name):
            return value[:200]
    try:
        return getpass.getuser()[:200]
    except (KeyError, OSError):
        return "unknown"
