"""`validate`: check manifests, without a database."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import options, terminal
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _, n_
from reconciler.operations.inputs import Inputs
from reconciler.operations.validate import validate
from reconciler.render import diagnostics


@click.command(
    "validate",
    help=_(
        "Check the manifests at PATHS (files or folders; default: this folder).\n\n"
        "All problems of all files are reported at once. No database and no secret is "
        "needed."
    ),
)
@options.manifests
@options.output_format("text", "json")
def command(
    paths: tuple[Path, ...], root: Path | None, settings_file: Path | None, form: str
) -> int:
    try:
        checked = validate(terminal.context(paths, root, settings_file))
    except Failure as failure:
        if form == "text":
            raise
        described = diagnostics.describe(failure.problems, terminal.NO_SOURCES)
        terminal.say_json(diagnostics.document(described))
        return failure.exit_code
    described = diagnostics.describe(checked.problems, checked.inputs.sources)
    document = diagnostics.document(described)
    if form == "json":
        terminal.say_json(document)
    else:
        style = terminal.style()
        texts = "".join(f"{diagnostics.text(item, style)}\n\n" for item in described)
        terminal.say(texts + _total(checked.inputs, described))
    return 0 if document["valid"] else 1


def _total(inputs: Inputs, described: list[diagnostics.Diagnostic]) -> str:
    files = n_("{count} file", "{count} files", len(inputs.loaded.manifests))
    servers = sum(len(item.servers) for item in inputs.declared.values())
    counted = n_("{count} mail server", "{count} mail servers", servers)
    result = terminal.tally(described) or _("no problem")
    return f"{files}, {counted}: {result}."
