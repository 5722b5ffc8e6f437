"""`show`: one mail server in the database, whole."""

from __future__ import annotations

import click

from reconciler.cli import options, terminal
from reconciler.diagnostics.words import _
from reconciler.operations.context import Context
from reconciler.operations.show import show
from reconciler.render import list_text


@click.command(
    "show",
    help=_(
        "Show the mail server PARTNER/ID whole: every field, who declared it, and every "
        "link.\n\n"
        "Its id alone is enough where no other partner has the same. One of another "
        "program that has no id is called # and the number of its row, as in acme/#12."
    ),
)
@click.argument("address", metavar="PARTNER/ID")
@options.context()
@options.output_format("text", "json")
def command(context: Context, address: str, form: str) -> int:
    shown = show(context, address)
    if form == "json":
        terminal.say_json(list_text.show_data(*shown))
    else:
        terminal.say(list_text.whole_lines(*shown, terminal.style()))
    return 0
