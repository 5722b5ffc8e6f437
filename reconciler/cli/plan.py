"""`plan`: show what applying the manifests would change."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from reconciler.cli import inputs, options, output
from reconciler.commits import commit_of
from reconciler.diagnostics import Failure
from reconciler.plan import Plan
from reconciler.render.terminal import clean
from reconciler.words import _

CHANGES = 2
REFUSED = 3


@click.command(
    "plan",
    short_help=_("Show what applying the manifests would change."),
    help=_(
        "Compare the manifests at PATHS with the database and show the difference.\n\n"
        "Nothing is written. What a guard refuses is shown with the reason and the edit "
        "that resolves it, and makes the exit code 3."
    ),
)
@options.manifests
@options.database
@options.selection
@options.accept
@options.full
@options.output_format("text", "json")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help=_("Save the plan here.")
)
@click.option(
    "--detailed-exitcode", is_flag=True, help=_("Exit with 2 where there are changes to apply.")
)
def command(
    paths: tuple[Path, ...],
    root: Path | None,
    settings_file: Path | None,
    database_url: str | None,
    partners: tuple[str, ...],
    servers: tuple[str, ...],
    accepted: tuple[str, ...],
    full: bool,
    form: str,
    out: Path | None,
    detailed_exitcode: bool,
) -> int:
    finish = inputs.begin(paths, root, settings_file)
    from reconciler.cli import planning  # noqa: PLC0415 - while the manifests are being read

    asked = planning.Asked(partners, servers, planning.acceptances(accepted))
    given = finish()
    url = inputs.database_url(database_url, given.settings)
    made = planning.plan(given, url, asked, commit_of(given.loaded.scope.root))
    if out:
        _save(_text(made.plan, given), out)
    if form == "json":
        output.pour(map(clean, _text(made.plan, given)))
    else:
        planning.show(made.plan, given, full=full)
        if out and made.plan.applicable:
            file = shlex.quote(str(out))
            output.say(_("Apply it with: reconciler apply {file}").format(file=file))
    return exit_code(made.plan, detailed=detailed_exitcode)


def exit_code(plan: Plan, *, detailed: bool) -> int:
    """3 with a refusal; with `detailed`, 2 with changes; else 0."""
    if plan.refusals:
        return REFUSED
    return CHANGES if detailed and plan.applicable else 0


def _text(plan: Plan, given: inputs.Inputs) -> Iterator[str]:
    from reconciler.cli.planning import Locator  # noqa: PLC0415 - as in `command`
    from reconciler.planfile import writing  # noqa: PLC0415 - its models take a while to build

    return writing.text(plan, Locator(given).source)


def _save(text: Iterable[str], file: Path) -> None:
    """Write the whole file or none of it, for its owner alone."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.writelines(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Failure.of("MBX526", file=str(file), reason=error.strerror or "") from None
