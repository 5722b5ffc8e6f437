"""`adopt`: write what the database has of a mail server into its manifest."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from reconciler.cli import options, terminal
from reconciler.diagnostics.words import _, n_
from reconciler.operations.adopt import Adopted, adopt
from reconciler.render import text_diff
from reconciler.render.style import Style, one_line


@click.command(
    "adopt",
    help=_(
        "Write what the database has of the mail server PARTNER/ID into the manifests at PATHS "
        "(files or folders; default: this folder).\n\n"
        "One that they declare gets the values that others have changed, one that another program "
        "made gets an entry. Comments and layout stay, and the change is shown before it is made. "
        "A server without an id is called # and the number of its row, as in acme/#12."
    ),
)
@click.argument("address", metavar="PARTNER/ID")
@options.manifests
@options.database
@click.option(
    "--into",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("Manifest for a server that none declares; made where it is missing."),
)
@click.option("--auto-approve", is_flag=True, help=_("Do not ask before writing."))
def command(
    address: str,
    paths: tuple[Path, ...],
    root: Path | None,
    settings_file: Path | None,
    database_url: str | None,
    into: Path | None,
    auto_approve: bool,
) -> int:
    if into and into.suffix not in (".yaml", ".yml"):
        raise click.UsageError(_("The name of a manifest ends in .yaml or .yml."))
    written = (into,) if into and into.exists() else ()
    manifests = (*(paths or (Path(),)), *written)
    context = terminal.context(manifests, root, settings_file, database_url)
    adopted = adopt(context, address, into)
    if not adopted.adoption.files:
        name = one_line(address)
        terminal.say(_("The manifests say of {name} what the database has.").format(name=name))
    else:
        terminal.say(_diff(adopted, terminal.style()))
        terminal.confirm(_("Type yes to write"), "MBX727", auto_approve=auto_approve)
        adopted.write()
    if into and not any(into.is_relative_to(path) for path in paths or (Path(),)):
        paths = (*paths, into)
    words = ["reconciler", "apply", *map(str, paths)]
    if settings_file:
        words += ["--settings", str(settings_file)]
    if lines := list(_next(adopted, words)):
        terminal.say(lines)
    return 0


def _diff(adopted: Adopted, style: Style) -> Iterator[str]:
    """What changes in the manifests."""
    for file, before, after in adopted.adoption.files:
        shown = adopted.inputs.sources.shown(file)
        names = ("/dev/null" if before is None else shown, shown)
        old, new = (data.decode("utf-8-sig") for data in (before or b"", after))
        yield from text_diff.lines(old, new, names, style)


def _next(adopted: Adopted, apply: list[str]) -> Iterator[str]:
    """What is left, and how the database gets to know that the server is managed."""
    adoption = adopted.adoption
    if adoption.undeclarable:
        yield _("Links that no manifest can declare stay as they are: {companies}").format(
            companies=", ".join(map(one_line, adoption.undeclarable))
        )
    if not adoption.changes:
        return
    words = [*apply, "--server", f"{adopted.partner}/{adoption.name}"]
    for alarm in adoption.alarms:
        words += ["--accept", f"{adopted.partner}:{alarm.guard}={alarm.count}"]
    yield _("Nothing is left to apply but who manages the rows ({rows}):").format(
        rows=n_("{count} row", "{count} rows", adoption.changes)
    )
    yield one_line(shlex.join(words))
