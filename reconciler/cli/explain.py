"""`explain`: what a code means, without any network."""

from __future__ import annotations

import click

from reconciler.cli import options, terminal
from reconciler.diagnostics.closest import closest
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _
from reconciler.render import explain_text
from reconciler.render.messages import MESSAGES


@click.command(
    "explain",
    help=_(
        "Explain CODE, as in MBX775: what it means, why, and how it is mended. Of the failure "
        "of a test also what the server says, at which steps, and what to do at each provider.\n\n"
        "Everything is in the program itself; nothing is asked for it."
    ),
)
@click.argument("code")
@options.output_format("text", "json")
def command(code: str, form: str) -> int:
    name = code.upper()
    if name not in MESSAGES:
        raise Failure.of("MBX616", code=code, suggestion=closest(name, MESSAGES))
    if form == "json":
        terminal.say_json(explain_text.data(name))
    else:
        terminal.say(explain_text.lines(name, terminal.style()))
    return 0
