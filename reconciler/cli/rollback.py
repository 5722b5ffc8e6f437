"""`rollback`: plan the way back from a revision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import Connection

from reconciler.cli import inputs, options, output, passwords
from reconciler.cli.plan import deliver, exit_code
from reconciler.cli.planning import acceptances, all_acceptances, target_of, thresholds
from reconciler.database import clock
from reconciler.database.engine import transaction
from reconciler.database.schema import Condition, status
from reconciler.diagnostics.messages.rollbacks import ROLLBACKS
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.diagnostics.words import _, n_
from reconciler.ledger import revisions
from reconciler.ledger.revisions import Revision
from reconciler.model.coverage import Coverage
from reconciler.operations.commits import revert_command
from reconciler.operations.plan import Request
from reconciler.operations.rollback import plan_rollback
from reconciler.plan.accept import Acceptance
from reconciler.plan.diff import Change
from reconciler.plan.plan import Plan, Selection
from reconciler.render.plan_text import BUDGET
from reconciler.render.style import one_line
from reconciler.settings import Settings

_FILES = 20


@click.command(
    "rollback",
    short_help=_("Plan the way back from a revision."),
    help=_(
        "Make a plan that leads back to before REVISION, and show it.\n\n"
        "Nothing is written: save the plan with -o, and apply it like any other. Rows that "
        "have changed since stay as they are and are listed. The manifests must go back too, "
        "or the next plan undoes the rollback; the command for Git is printed."
    ),
)
@click.argument("revision")
@options.accept
@options.full
@options.out
@options.settings
@options.database
@options.output_format("text", "json")
def command(
    revision: str,
    accepted: tuple[str, ...],
    full: bool,
    out: Path | None,
    settings_file: Path | None,
    database_url: str | None,
    form: str,
) -> int:
    asked = acceptances(accepted)
    settings = inputs.read_settings(settings_file)
    key = inputs.plan_key(settings) if out else None
    engine = inputs.engine(inputs.database_url(database_url, settings), settings, writes=False)
    found = status(engine)
    target = target_of(found, engine, settings.database_id)
    if found.condition is Condition.NEW:
        raise Failure.of("MBX541")
    with transaction(engine) as connection:
        undone = revisions.revision_called(connection, revision)
        request = _request(settings, asked, connection)
        planned = plan_rollback(connection, undone, target, request)
        before = revisions.commit_before(connection, undone)
    _tell(planned.problems, full=full)
    deliver(planned.plan, None, key, out, form, full=full)
    words = "\n".join(_manifests(planned.plan, undone, before))
    if words:
        (output.note if form == "json" else output.say)(words)
    return exit_code(planned.plan, detailed=False)


def _request(settings: Settings, asked: tuple[Acceptance, ...], connection: Connection) -> Request:
    return Request(
        coverage=Coverage(settings.project, frozenset(), whole=False),
        selection=Selection(),
        manifest_digest="",
        now=clock.now(connection),
        lifetime=settings.plan_lifetime,
        thresholds=thresholds(settings),
        acceptances=all_acceptances(settings, asked),
        sealing=passwords.are_sealed(settings.secrets),
    )


def _tell(problems: tuple[Problem, ...], *, full: bool) -> None:
    """Show what was noticed; of what stays as it is, no more than a plan has changes.

    Raises:
        Failure: there is an error among it.
    """
    if inputs.has_errors(problems):
        raise Failure(problems)
    staying = [problem for problem in problems if problem.code in ROLLBACKS]
    others = [problem for problem in problems if problem.code not in ROLLBACKS]
    told = staying if full else staying[:BUDGET]
    output.show_problems([*others, *told], output.NO_SOURCES)
    if left := len(staying) - len(told):
        output.note(
            n_(
                "… and {count} more row that stays as it is; --full shows it",
                "… and {count} more rows that stay as they are; --full shows them",
                left,
            )
        )


def _manifests(plan: Plan, undone: Revision, before: str | None) -> Iterator[str]:
    """How the manifests go back with the database."""
    files = sorted({file for change in plan.changes for file in _files(change)})
    if not files:
        return
    command = revert_command(inputs.HERE, undone.commit, before)
    listed = ", ".join(map(one_line, files[:_FILES]))
    if len(files) > _FILES:
        listed += ", " + _("and {count} more").format(count=len(files) - _FILES)
    if command:
        yield _("Take the manifests back with it, or the next plan undoes the rollback:")
        yield f"  {command}"
        yield _("It is about: {files}").format(files=listed)
    else:
        yield _(
            "Change these manifests back with it, or the next plan undoes the rollback: {files}"
        ).format(files=listed)


def _files(change: Change) -> Iterator[str]:
    """The manifests that a row is declared in, before and after."""
    for row in (change.before, change.after):
        if file := getattr(row, "file", None):
            yield str(file)
