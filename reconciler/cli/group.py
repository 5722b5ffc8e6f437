"""The commands by name. Each is imported when it is run, so that none pays for the others."""

from __future__ import annotations

from importlib import import_module

import click

from reconciler import __version__
from reconciler.diagnostics.words import N_, _

COMMANDS = {
    "validate": N_("Check manifests, without a database."),
    "plan": N_("Show what applying the manifests would change."),
    "apply": N_("Make the changes, in one transaction."),
    "test": N_("Test mailboxes with the real servers."),
    "list": N_("List the mail servers in the database."),
    "show": N_("Show one mail server whole."),
    "history": N_("Show what was applied, or one revision whole."),
    "export": N_("Write manifests from what the database has."),
    "rollback": N_("Plan the way back from a revision."),
    "drift": N_("Show what the database changed since the last apply."),
    "adopt": N_("Write what the database has of a mail server into its manifest."),
    "explain": N_("Explain a code."),
    "keys": N_("Make and change the keys that passwords are sealed with."),
    "schema": N_("Print the JSON Schema of manifests or plans."),
    "db": N_("Create, upgrade and inspect the database."),
}


class Commands(click.Group):
    """The group of all commands."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            if name.startswith("-"):
                return None
            raise click.exceptions.NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        command = import_module(f"reconciler.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _(text)) for name, text in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_(
        "Exit codes: 0 done, 1 error, 2 changes pending, 3 refused, 4 stale plan, 5 locked, "
        "6 a test failed, 64 wrong use, 130 and 143 interrupted."
    ),
    help=_("Partner mail servers as code: validate, plan, apply."),
)
@click.version_option(__version__, prog_name="reconciler")
def group() -> None:
    return
