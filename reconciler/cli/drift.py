"""`drift`: what the database changed by itself since the last apply."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from reconciler.cli import inputs, options, output
from reconciler.cli.plan import CHANGES
from reconciler.cli.planning import target_of
from reconciler.database import clock
from reconciler.database.engine import transaction
from reconciler.database.schema import Condition, status
from reconciler.diagnostics.words import _
from reconciler.ledger.drift import Scope, find
from reconciler.ledger.last_applied import LastApplied
from reconciler.ledger.reported import Reports
from reconciler.operations import select
from reconciler.render import drift_text
from reconciler.render.drift_text import Drift


@click.command(
    "drift",
    short_help=_("Show what the database changed since the last apply."),
    help=_(
        "Compare what was last applied with what the database has now, and show what other "
        "programs changed in between.\n\n"
        "No manifests are needed. Rows that no manifest ever declared are theirs and no "
        "drift, nor are the fields that a mail server leaves to them with ignore_changes."
    ),
)
@options.settings
@options.database
@options.selection
@options.full
@options.output_format("text", "json")
@click.option(
    "--since-last", is_flag=True, help=_("Only what is new since the last report of this kind.")
)
@click.option("--detailed-exitcode", is_flag=True, help=_("Exit with 2 where there is drift."))
def command(
    settings_file: Path | None,
    database_url: str | None,
    partners: tuple[str, ...],
    servers: tuple[str, ...],
    full: bool,
    form: str,
    since_last: bool,
    detailed_exitcode: bool,
) -> int:
    settings = inputs.read_settings(settings_file)
    url = inputs.database_url(database_url, settings)
    engine = inputs.engine(url, settings, writes=False)
    found = status(engine)
    target_of(found, engine, settings.database_id)
    show = partial(_show, project=settings.project, form=form, full=full)
    if found.condition is Condition.NEW:
        show(Drift(()), None)
        return 0
    with transaction(engine) as connection:
        selected = select.resolve(partners, servers, {}, connection, LastApplied(connection))
        scope = Scope(settings.project, selected)
        reports = Reports(connection, scope) if since_last else None
        parts = find(connection, scope)
        drift = Drift(reports.new(parts) if reports else parts)
        show(drift, reports)
    if reports:
        # Only now: what nobody has read is still new next time.
        with transaction(inputs.engine(url, settings, writes=True)) as connection:
            reports.remember(connection, clock.now(connection))
    return CHANGES if detailed_exitcode and drift else 0


def _show(drift: Drift, reports: Reports | None, *, project: str, form: str, full: bool) -> None:
    if form == "json":
        output.pour(drift_text.document(drift, project, reports))
        return
    lines = drift_text.lines(drift, output.style(), reports, full=full)
    output.pour(f"{line}\n" for line in lines)
