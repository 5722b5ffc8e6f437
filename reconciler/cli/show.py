"""`show`: one mail server in the database, whole."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import inputs, options, output
from reconciler.cli.planning import target_of
from reconciler.database import showing
from reconciler.database.engine import transaction
from reconciler.database.schema import Condition, status
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _
from reconciler.render import list_text


@click.command(
    "show",
    short_help=_("Show one mail server whole."),
    help=_(
        "Show the mail server PARTNER/ID whole: every field, who declared it, and every "
        "link.\n\n"
        "Its id alone is enough where no other partner has the same. One of another "
        "program that has no id is called # and the number of its row, as in acme/#12."
    ),
)
@click.argument("address", metavar="PARTNER/ID")
@options.settings
@options.database
@options.output_format("text", "json")
def command(address: str, settings_file: Path | None, database_url: str | None, form: str) -> int:
    settings = inputs.read_settings(settings_file)
    engine = inputs.engine(inputs.database_url(database_url, settings), settings, writes=False)
    found = status(engine)
    target_of(found, engine, settings.database_id)
    if found.condition is Condition.NEW:
        raise Failure.of("MBX541")
    with transaction(engine) as connection:
        row = showing.find(connection, address)
        links = showing.links_of(connection, row.row_id)
    if form == "json":
        output.say_json(list_text.show_data(row, links))
    else:
        output.say(list_text.whole_lines(row, links, output.style()))
    return 0
