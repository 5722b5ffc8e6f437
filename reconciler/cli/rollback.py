"""`rollback`: plan the way back from a revision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from reconciler.cli import options, terminal
from reconciler.cli.plan import deliver, exit_code
from reconciler.diagnostics.messages.message import problems as messages
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.diagnostics.words import _, n_
from reconciler.operations.context import Context, has_errors
from reconciler.operations.rollback import RolledBack, rollback
from reconciler.render.plan_text import BUDGET
from reconciler.render.style import one_line


@click.command(
    "rollback",
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
@options.context()
@options.output_format("text", "json")
def command(
    context: Context,
    revision: str,
    accepted: tuple[str, ...],
    full: bool,
    out: Path | None,
    form: str,
) -> int:
    key = context.plan_key() if out else None
    result = rollback(context, revision, options.acceptances(accepted))
    _tell(result.problems, full=full)
    deliver(result.plan, None, (), key, out, form, full=full)
    if lines := "\n".join(_manifests(result)):
        (terminal.note if form == "json" else terminal.say)(lines)
    return exit_code(result.plan, detailed=False)


def _tell(problems: tuple[Problem, ...], *, full: bool) -> None:
    """Show what was noticed; of what stays as it is, no more than a plan has changes.

    Raises:
        Failure: there is an error among it.
    """
    if has_errors(problems):
        raise Failure(problems)
    codes = messages()["rollbacks"] if problems else {}
    staying = [problem for problem in problems if problem.code in codes]
    others = [problem for problem in problems if problem.code not in codes]
    shown = staying if full else staying[:BUDGET]
    terminal.show_problems([*others, *shown], terminal.NO_SOURCES)
    if left := len(staying) - len(shown):
        terminal.note(
            n_(
                "… and {count} more row that stays as it is; --full shows it",
                "… and {count} more rows that stay as they are; --full shows them",
                left,
            )
        )


def _manifests(result: RolledBack) -> Iterator[str]:
    """How the manifests go back with the database."""
    if not result.files:
        return
    names = list(map(one_line, result.files[:20]))
    if more := len(result.files) - len(names):
        names.append(_("and {count} more").format(count=more))
    listed = ", ".join(names)
    if result.command:
        yield _("Take the manifests back with it, or the next plan undoes the rollback:")
        yield f"  {result.command}"
        yield _("It is about: {files}").format(files=listed)
    else:
        yield _(
            "Change these manifests back with it, or the next plan undoes the rollback: {files}"
        ).format(files=listed)
