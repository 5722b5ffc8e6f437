"""`apply`: make the changes, in one transaction."""

from __future__ import annotations

import getpass
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import Connection

from reconciler import apply as apply_
from reconciler.cli import inputs, options, output
from reconciler.cli.inputs import Inputs
from reconciler.cli.plan import exit_code
from reconciler.cli.planning import Asked, WrongUse, acceptances, plan, show, target_of
from reconciler.commits import commit_of
from reconciler.database import schema
from reconciler.database.engine import engine_of, is_missing, transaction
from reconciler.database.schema import Condition
from reconciler.diagnostics import Failure, Stale
from reconciler.plan import Plan, Target
from reconciler.render.plan_text import done
from reconciler.settings import Settings
from reconciler.summary import summarise
from reconciler.words import _

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
@click.option("--auto-approve", is_flag=True, help=_("Do not ask before writing."))
def command(
    paths: tuple[Path, ...],
    root: Path | None,
    settings_file: Path | None,
    database_url: str | None,
    partners: tuple[str, ...],
    servers: tuple[str, ...],
    accepted: tuple[str, ...],
    full: bool,
    auto_approve: bool,
) -> int:
    asked = Asked(partners, servers, acceptances(accepted))
    saved = [path for path in paths if _is_saved(path)]
    given: Inputs | None = None
    if saved:
        if len(paths) > 1 or asked != Asked():
            raise WrongUse.of("MBX611")
        settings = inputs.read_settings(settings_file)
        url = inputs.database_url(database_url, settings)
        todo = _read(saved[0])
    else:
        given = inputs.read(paths, root, settings_file)
        settings = given.settings
        url = inputs.database_url(database_url, settings)
        todo = plan(given, url, asked, commit_of(given.loaded.scope.root)).plan
    show(todo, given, full=full)
    if todo.applicable:
        _confirm(auto_approve=auto_approve)
        _write(todo, url, settings)
    return exit_code(todo, detailed=False)


def _is_saved(path: Path) -> bool:
    """Whether it is meant as a saved plan: any file that is not named like a manifest."""
    return path.suffix == ".json" or (path.is_file() and path.suffix not in (".yaml", ".yml"))


def _read(file: Path) -> Plan:
    from reconciler.planfile import reading  # noqa: PLC0415 - its models take a while to build

    try:
        return reading.read(file.read_bytes(), str(file))
    except OSError as error:
        raise Failure.of("MBX523", file=str(file), reason=error.strerror or "") from None


def _confirm(*, auto_approve: bool) -> None:
    if auto_approve:
        return
    if not sys.stdin.isatty():
        raise Failure.of("MBX604")
    answer = click.prompt(_("Type yes to apply"), default="", show_default=False)
    if answer.strip() != "yes":
        raise Failure.of("MBX605", answer="yes")


def _write(todo: Plan, url: str, settings: Settings) -> None:
    engine = engine_of(url, writes=True)
    if todo.target.id and is_missing(engine):
        raise Stale.of("MBX522", planned=_named(todo.target), found=_("a new one"))
    with transaction(engine) as connection:
        new = _prepare(connection, todo, settings)
        number = apply_.apply(connection, todo, _who(), datetime.now(UTC))
    if new:
        output.say(_("The database was new: its tables were created."))
    counts = done(summarise(todo.applicable))
    output.say(_("Applied as revision {number}: {counts}.").format(number=number, counts=counts))


def _prepare(connection: Connection, todo: Plan, settings: Settings) -> bool:
    """Make sure that it is the database that was planned for; a new one gets its tables."""
    found = schema.status_of(connection)
    target = target_of(found, connection.engine, settings.database_id)
    if (target.id, target.dialect) != (todo.target.id, todo.target.dialect):
        raise Stale.of("MBX522", planned=_named(todo.target), found=_named(target))
    if found.condition is Condition.NEW:
        schema.upgrade(connection)
    return found.condition is Condition.NEW


def _named(target: Target) -> str:
    return f"{target.dialect} {target.id or _('a new one')}"


def _who() -> str:
    """Who applies: the pipeline's word for it, or the user of the system."""
    for name in _WHO:
        if value := os.environ.get(name):
            return value[:200]
    try:
        return getpass.getuser()[:200]
    except (KeyError, OSError):
        return "unknown"
