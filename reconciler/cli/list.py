"""`list`: the mail servers in the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine

from reconciler.cli import inputs, options, output
from reconciler.cli.planning import target_of
from reconciler.database import listing
from reconciler.database.engine import transaction
from reconciler.database.listing import Listed, ServerFilter
from reconciler.database.schema import Condition, status
from reconciler.diagnostics.words import _
from reconciler.render import list_text


@click.command(
    "list",
    short_help=_("List the mail servers in the database."),
    help=_(
        "List the mail servers in the database, those of other programs too.\n\n"
        "The filters together leave what fits all of them. --company, --email and "
        "--nickname match parts and ignore case and accents."
    ),
)
@click.option("--partner", "partners", multiple=True, help=_("Only of this partner."))
@click.option(
    "--cnpj", callback=options.bare, help=_("Only with a link to the company of this CNPJ.")
)
@click.option(
    "--company", default="", help=_("Only with a link to a company that has this in its nickname.")
)
@click.option("--email", default="", help=_("Only with this in the username or sender."))
@click.option("--nickname", default="", help=_("Only with this in the nickname."))
@click.option(
    "--direction", type=click.Choice(("outgoing", "incoming")), help=_("Only of this direction.")
)
@click.option("--active/--inactive", default=None, help=_("Only active ones, or only the others."))
@click.option("--failed", is_flag=True, help=_("Only those whose last test failed."))
@click.option(
    "--company-mailboxes",
    metavar="CNPJ",
    callback=options.bare,
    help=_("Instead, what this company sees: active, with the sender name it has there."),
)
@options.settings
@options.database
@options.output_format("text", "json")
def command(
    company_mailboxes: str | None,
    settings_file: Path | None,
    database_url: str | None,
    form: str,
    **filters: Any,
) -> int:
    wanted = ServerFilter(**filters)
    if company_mailboxes and wanted != ServerFilter():
        raise click.UsageError(_("--company-mailboxes cannot be combined with other filters."))
    settings = inputs.read_settings(settings_file)
    engine = inputs.engine(inputs.database_url(database_url, settings), settings, writes=False)
    rows = _read(engine, settings.database_id, wanted, company_mailboxes)
    if form == "json":
        output.say_json(list_text.list_data(rows or ()))
    elif rows is None:
        output.say(_("The database is new: there is no mail server yet."))
    elif company_mailboxes:
        output.say(list_text.mailbox_lines(company_mailboxes, rows, output.style()))
    else:
        output.say(list_text.server_lines(rows, output.style()))
    return 0


def _read(
    engine: Engine, database_id: str | None, wanted: ServerFilter, seen_by: str | None
) -> list[Listed] | None:
    """The rows that are asked for; None where the database is new."""
    found = status(engine)
    target_of(found, engine, database_id)
    if found.condition is Condition.NEW:
        return None
    with transaction(engine) as connection:
        if seen_by:
            return listing.seen_by(connection, seen_by)
        return listing.servers(connection, wanted)
