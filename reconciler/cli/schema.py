"""`schema`: print the JSON Schema of manifests or plans."""

from __future__ import annotations

import click

from reconciler.cli import terminal
from reconciler.diagnostics.words import _
from reconciler.render.schemas import SCHEMAS


@click.command(
    "schema", help=_("Print a JSON Schema: of manifests, for editors, or of plans, for programs.")
)
@click.argument("name", type=click.Choice(tuple(SCHEMAS)), default="manifest")
def command(name: str) -> int:
    terminal.say_json(SCHEMAS[name]())
    return 0
