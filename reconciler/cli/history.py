"""`history`: what was applied, by whom, and what it changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path

import click
from sqlalchemy import Connection

from reconciler.cli import inputs, options, output
from reconciler.cli.planning import target_of
from reconciler.database import observe
from reconciler.database.engine import transaction
from reconciler.database.schema import Condition, status
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _
from reconciler.ledger import revisions
from reconciler.ledger.revisions import Found, RevisionFilter
from reconciler.render import history_text

_LIMIT = 20


def moment(_ctx: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    """A date or date and time, in UTC where it names no other zone; `--until` a day is its end."""
    if text is None:
        return None
    try:
        if len(text) == 10:
            end = time.max if option.name == "until" else time.min
            return datetime.combine(date.fromisoformat(text), end, UTC)
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            _("{text} is no date (2026-11-24) or time (2026-11-24T12:00).").format(text=repr(text))
        ) from None


@click.command(
    "history",
    short_help=_("Show what was applied, or one revision whole."),
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
    default=_LIMIT,
    show_default=True,
    help=_("How many revisions to list."),
)
@options.full
@options.settings
@options.database
@options.output_format("text", "json")
def command(
    revision: str | None,
    partner: str | None,
    server: str | None,
    company: str | None,
    since: datetime | None,
    until: datetime | None,
    project: str | None,
    limit: int,
    full: bool,
    settings_file: Path | None,
    database_url: str | None,
    form: str,
) -> int:
    filters = (partner, server, company, since, until, project)
    if revision is not None and any(item is not None for item in filters):
        raise click.UsageError(_("A revision cannot be combined with filters."))
    with _reading(settings_file, database_url) as connection:
        if revision is not None:
            _show(connection, revision, form, full=full)
        else:
            named = _server(connection, partner, server) if server is not None else None
            wanted = RevisionFilter(partner, named, company, since, until, project)
            _list(revisions.revisions(connection, wanted, limit), form)
    return 0


@contextmanager
def _reading(settings_file: Path | None, database_url: str | None) -> Iterator[Connection]:
    """A connection to the database, which must have the tables."""
    settings = inputs.read_settings(settings_file)
    engine = inputs.engine(inputs.database_url(database_url, settings), settings, writes=False)
    found = status(engine)
    target_of(found, engine, settings.database_id)
    if found.condition is Condition.NEW:
        raise Failure.of("MBX541")
    with transaction(engine) as connection:
        yield connection


def _server(connection: Connection, partner: str | None, text: str) -> tuple[str, str]:
    """Partner and id of a server; its id alone is enough where only one partner has it."""
    owner, slash, name = text.partition("/")
    if slash:
        return owner, name
    if partner is not None:
        return partner, text
    owners = sorted(observe.partners_with(connection, text))
    if not owners:
        raise Failure.of("MBX615", name=text)
    if len(owners) > 1:
        raise Failure.of("MBX608", name=text, partners=", ".join(owners))
    return owners[0], text


def _list(found: Found, form: str) -> None:
    if form == "json":
        output.say_json(history_text.list_data(found))
    else:
        output.say(history_text.table_lines(found, output.style()))


def _show(connection: Connection, name: str, form: str, *, full: bool) -> None:
    found = revisions.revision_called(connection, name)
    accepted = revisions.acceptances(connection, found.number)
    sealed = revisions.sealed(connection, found.number)
    entries = revisions.entries(connection, found.number)
    if form == "json":
        output.pour(history_text.revision_json(found, entries, accepted, sealed))
    else:
        text = history_text.RevisionText(found, output.style(), full=full)
        output.say(text.lines(entries, accepted, sealed))
