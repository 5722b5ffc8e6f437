"""`history`: what was applied, by whom, and what it changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import click

from reconciler.cli import options, terminal
from reconciler.diagnostics.words import _
from reconciler.ledger.revisions import RevisionFilter
from reconciler.operations import history
from reconciler.operations.context import Context
from reconciler.render import history_text


def moment(_ctx: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    """A date or date and time, in UTC where it names no other zone; `--until` a day is its end."""
    if text is None:
        return None
    try:
        if len(text) == 10:
            end = time.max if option.name == "until" else time.min
            return datetime.combine(date.fromisoformat(text), end, UTC)
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            _("{text} is no date (2026-11-24) or time (2026-11-24T12:00).").format(text=repr(text))
        ) from None


@click.command(
    "history",
    help=_(
        "List what was applied, newest first; or show REVISION whole: who, when, and every "
        "field of every row before and after.\n\n"
        "REVISION is a number, or the id of a plan. The filters together leave what fits all "
        "of them. Times are in UTC."
    ),
)
@click.argument("revision", required=False)
@click.option("--partner", help=_("Only what changed this partner."))
@click.option(
    "--server",
    metavar="PARTNER/ID",
    help=_("Only what changed this mail server or its links, under its former ids too."),
)
@click.option(
    "--company",
    metavar="CNPJ",
    callback=options.bare,
    help=_("Only what changed the company of this CNPJ or its links."),
)
@click.option(
    "--since", metavar="TIME", callback=moment, help=_("Only from this day or time on, in UTC.")
)
@click.option(
    "--until", metavar="TIME", callback=moment, help=_("Only until this day or time, in UTC.")
)
@click.option("--project", help=_("Only what this project applied."))
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help=_("How many revisions to list."),
)
@options.full
@options.context()
@options.output_format("text", "json")
def command(
    context: Context,
    revision: str | None,
    server: str | None,
    limit: int,
    full: bool,
    form: str,
    **filters: Any,
) -> int:
    revision_filter = RevisionFilter(**filters)
    if revision is not None:
        if server is not None or revision_filter != RevisionFilter():
            raise click.UsageError(_("A revision cannot be combined with filters."))
        _show(context, revision, form, full=full)
        return 0
    listed = history.history(context, revision_filter, server, limit)
    if form == "json":
        terminal.say_json(history_text.list_data(listed))
    else:
        terminal.say(history_text.table_lines(listed, terminal.style()))
    return 0


def _show(context: Context, name: str, form: str, *, full: bool) -> None:
    with history.revision(context, name) as shown:
        if form == "json":
            terminal.pour(history_text.revision_json(*shown))
        else:
            terminal.say(history_text.revision_lines(*shown, terminal.style(), full=full))
