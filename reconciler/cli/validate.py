"""`validate`: check manifests, without a database."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import inputs, options, output
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _, n_
from reconciler.operations import validate
from reconciler.render import diagnostics
from reconciler.secrets.settings import rules


@click.command(
    "validate",
    short_help=_("Check manifests, without a database."),
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
        given = inputs.read(paths, root, settings_file)
    except Failure as failure:
        if form == "text":
            raise
        found = diagnostics.describe(failure.problems, output.NO_SOURCES)
        output.say_json(diagnostics.document(found))
        return failure.exit_code
    complete = not inputs.has_errors(given.problems)
    bounds = rules(given.settings.secrets)
    offline = validate.offline(given.declared, given.coverage, bounds, complete=complete)
    problems = [*given.problems, *offline]
    found = diagnostics.describe(problems, given.sources)
    document = diagnostics.document(found)
    if form == "json":
        output.say_json(document)
    else:
        style = output.style()
        output.say(
            "".join(f"{diagnostics.text(item, style)}\n\n" for item in found) + _total(given, found)
        )
    return 0 if document["valid"] else 1


def _total(given: inputs.Inputs, found: list[diagnostics.Diagnostic]) -> str:
    files = n_("{count} file", "{count} files", len(given.loaded.found))
    servers = sum(len(item.servers) for item in given.declared.values())
    counted = n_("{count} mail server", "{count} mail servers", servers)
    result = output.tally(found) or _("no problem")
    return f"{files}, {counted}: {result}."
