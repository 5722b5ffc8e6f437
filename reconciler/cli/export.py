"""`export`: write manifests from what the database has."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from reconciler.cli import options, terminal
from reconciler.diagnostics.words import _, n_
from reconciler.operations.context import Context
from reconciler.operations.export import Export, export_text, export_to, name_below
from reconciler.render.style import one_line

_SHOWN = 20
"""How many files are named one by one."""


@click.command(
    "export",
    help=_(
        "Write manifests for what is in the database, one file a partner and one for each "
        "company with mailboxes of its own.\n\n"
        "They are only written if they are valid, and if a plan of them changes nothing but "
        "who manages the rows. A single one is printed where no folder is given."
    ),
)
@click.option("--partner", "partners", multiple=True, help=_("Only this partner."))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help=_("Folder to write to. It is made where it is missing."),
)
@click.option("--force", is_flag=True, help=_("Replace files that are there already."))
@click.option(
    "--skip-invalid", is_flag=True, help=_("Leave out the rows that no manifest can say.")
)
@options.settings
@options.database
def command(
    partners: tuple[str, ...],
    out: Path | None,
    force: bool,
    skip_invalid: bool,
    settings_file: Path | None,
    database_url: str | None,
) -> int:
    if out is None:
        context = terminal.context((), None, settings_file, database_url)
        result, texts = export_text(context, partners, skip_invalid=skip_invalid)
        terminal.show_problems(result.warnings, terminal.NO_SOURCES)
        terminal.pour(texts)
        terminal.note("\n".join(_counts(result)))
        return 0
    context = terminal.context((out,), None, settings_file, database_url, making=True)
    result = export_to(context, out, partners, force=force, skip_invalid=skip_invalid)
    terminal.show_problems(result.warnings, terminal.NO_SOURCES)
    terminal.say(_summary(result, out, context, settings_file))
    return 0


def _summary(
    result: Export, out: Path, context: Context, settings_file: Path | None
) -> Iterator[str]:
    """What was written, and how to go on."""
    folder = name_below(context.base.root, out)
    for file in result.files[:_SHOWN]:
        path = out / file.name.removeprefix(folder)
        companies = n_("{count} company", "{count} companies", file.companies)
        servers = n_("{count} mail server", "{count} mail servers", file.servers)
        yield f"{one_line(path)}: {servers if file.company else f'{companies}, {servers}'}"
    if len(result.files) > _SHOWN:
        yield _("and {count} more").format(count=len(result.files) - _SHOWN)
    yield from _counts(result)
    if result.accept:
        yield _("Take them over with:")
        accepted = (f" \\\n  --accept {shlex.quote(text)}" for text in result.accept)
        words = ["reconciler", "apply", str(out)]
        words += ["--settings", str(settings_file)] if settings_file else []
        yield shlex.join(words) + "".join(accepted)


def _counts(result: Export) -> Iterator[str]:
    files = n_("{count} manifest", "{count} manifests", len(result.files))
    partners = n_("{count} partner", "{count} partners", result.partners)
    yield _("{files} of {partners}.").format(files=files, partners=partners)
    yield _("A plan of them changes nothing but who manages the rows: {rows}.").format(
        rows=n_("{count} is taken over", "{count} are taken over", result.taken_over)
    )
    if result.to_fill:
        yield n_(
            "{count} password has no place yet: look for TODO, and put it there.",
            "{count} passwords have no place yet: look for TODO, and put them there.",
            result.to_fill,
        )
