"""`list`: the mail servers in the database."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli import options, terminal
from reconciler.database.listing import ServerFilter
from reconciler.diagnostics.words import _
from reconciler.operations.context import Context
from reconciler.operations.list import servers
from reconciler.render import list_text


@click.command(
    "list",
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
@options.context()
@options.output_format("text", "json")
def command(context: Context, company_mailboxes: str | None, form: str, **filters: Any) -> int:
    server_filter = ServerFilter(**filters)
    if company_mailboxes and server_filter != ServerFilter():
        raise click.UsageError(_("--company-mailboxes cannot be combined with other filters."))
    with servers(context, server_filter, company_mailboxes) as rows:
        if form == "json":
            terminal.pour(list_text.list_json(rows or ()))
        elif rows is None:
            terminal.say(_("The database is new: there is no mail server yet."))
        elif company_mailboxes:
            terminal.say(list_text.mailbox_lines(company_mailboxes, [*rows], terminal.style()))
        else:
            terminal.say(list_text.server_lines([*rows], terminal.style()))
    return 0
