"""`drift`: what the database changed by itself since the last apply."""

from __future__ import annotations

from functools import partial

import click

from reconciler.cli import options, terminal
from reconciler.cli.plan import CHANGES
from reconciler.diagnostics.words import _
from reconciler.ledger.drift import Reports
from reconciler.operations.context import Context
from reconciler.operations.drift import Drift, drift
from reconciler.operations.plan import Ask
from reconciler.render import drift_text


@click.command(
    "drift",
    help=_(
        "Compare what was last applied with what the database has now, and show what other "
        "programs changed in between.\n\n"
        "No manifests are needed. Rows that no manifest ever declared are theirs and no "
        "drift, nor are the fields that a mail server leaves to them with ignore_changes."
    ),
)
@options.context()
@options.selection
@options.full
@options.output_format("text", "json")
@click.option(
    "--since-last", is_flag=True, help=_("Only what is new since the last report of this kind.")
)
@click.option("--detailed-exitcode", is_flag=True, help=_("Exit with 2 where there is drift."))
def command(
    context: Context,
    partners: tuple[str, ...],
    servers: tuple[str, ...],
    full: bool,
    form: str,
    since_last: bool,
    detailed_exitcode: bool,
) -> int:
    show = partial(_show, project=context.settings.project, form=form, full=full)
    drifted = drift(context, Ask(partners, servers), show, since_last=since_last)
    return CHANGES if detailed_exitcode and drifted else 0


def _show(drift: Drift, reports: Reports | None, *, project: str, form: str, full: bool) -> None:
    if form == "json":
        terminal.pour(drift_text.document(drift, project, reports))
        return
    lines = drift_text.lines(drift, terminal.style(), reports, full=full)
    terminal.pour(f"{line}\n" for line in lines)
