"""`adopt`: write what the database has of a mail server into its manifest."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import Connection

from reconciler.cli import inputs, options, output
from reconciler.cli.asking import confirm
from reconciler.cli.inputs import Inputs
from reconciler.cli.planning import target_of
from reconciler.database import observe, showing
from reconciler.database.engine import transaction
from reconciler.database.observe import Observed
from reconciler.database.schema import Condition, status
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.diagnostics.words import _, n_
from reconciler.export.adopt.adopt import Adoption, adopt
from reconciler.export.adopt.texts import Manifests
from reconciler.manifests import atomic, files
from reconciler.render import text_diff
from reconciler.render.style import Style, one_line
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import rules

_ENDINGS = (".yaml", ".yml")


@click.command(
    "adopt",
    short_help=_("Write what the database has of a mail server into its manifest."),
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
    if into and into.suffix not in _ENDINGS:
        raise click.UsageError(_("The name of a manifest ends in .yaml or .yml."))
    there = (into,) if into and into.exists() else ()
    given = inputs.read((*(paths or (inputs.HERE,)), *there), root, settings_file)
    if inputs.has_errors(given.problems):
        raise Failure(given.problems, given.sources)
    partner, adoption = _adoption(address, given, database_url, into)
    if not adoption.files:
        name = one_line(address)
        output.say(_("The manifests say of {name} what the database has.").format(name=name))
    else:
        output.say(_diff(adoption, given, output.style()))
        confirm(_("Type yes to write"), "MBX727", auto_approve=auto_approve)
        root = given.loaded.scope.root
        atomic.rewrite([atomic.Rewrite(root / file, old, new) for file, old, new in adoption.files])
    given_again = (*paths, into) if into and not _covers(paths, into) else paths
    words = ["reconciler", "apply", *map(str, given_again)]
    if settings_file:
        words += ["--settings", str(settings_file)]
    if lines := list(_next(partner, adoption, words)):
        output.say(lines)
    return 0


def _covers(paths: tuple[Path, ...], file: Path) -> bool:
    return any(file.is_relative_to(path) for path in paths or (inputs.HERE,))


def _adoption(
    address: str, given: Inputs, database_url: str | None, into: Path | None
) -> tuple[str, Adoption]:
    """The partner, and what is to be written.

    Raises:
        Failure: there is no such mail server, or it cannot be adopted.
    """
    settings = given.settings
    engine = inputs.engine(inputs.database_url(database_url, settings), settings, writes=False)
    found = status(engine)
    target_of(found, engine, settings.database_id)
    if found.condition is Condition.NEW:
        raise Failure.of("MBX541")
    with transaction(engine) as connection:
        row = showing.find(connection, address)
        ((partner, state),) = observe.read(connection, [row.partner])
        elsewhere = _elsewhere(connection, given, partner, state)
        known = {*given.declared, *observe.partners(connection)}
    target = _name(into, given) if into else None
    scopes = Scopes(rules(settings.secrets), known)
    manifests = _manifests(given, partner, elsewhere, scopes)
    _require_own(target, given, partner)
    try:
        return partner, adopt(partner, row.server.stable_id, state, manifests, target)
    except Failure as failure:
        failure.sources = given.sources
        raise


def _elsewhere(
    connection: Connection, given: Inputs, partner: str, state: Observed
) -> frozenset[str]:
    """The CNPJs that the manifests name, or that servers are linked to, and others have."""
    named = {link.cnpj for links in state.state.links.values() for link in links}
    if partner in given.declared:
        named |= given.declared[partner].named_cnpjs()
    unknown = sorted(named - state.state.companies.keys())
    return frozenset(observe.owners_of(connection, unknown))


def _manifests(given: Inputs, partner: str, elsewhere: frozenset[str], scopes: Scopes) -> Manifests:
    found = {item.name: item for item in given.loaded.found}
    limits = given.loaded.limits

    def read(name: str) -> bytes:
        data = files.content(found[name], limits.file_bytes)
        if isinstance(data, Problem):
            raise Failure([data], given.sources)
        return data

    return Manifests(
        {item.file: item for item in given.loaded.files if item.partner == partner},
        read,
        limits,
        given.coverage,
        {name: tuple(folders) for name, folders in given.settings.paths.items()},
        elsewhere,
        scopes,
    )


def _name(into: Path, given: Inputs) -> str:
    """The name of a manifest relative to the root."""
    root = given.loaded.scope.root
    path = Path(os.path.abspath(into))  # noqa: PTH100 - links stay links
    if not path.is_relative_to(root):
        raise Failure.of("MBX119", path=str(into), root=str(root))
    return path.relative_to(root).as_posix()


def _require_own(name: str | None, given: Inputs, partner: str) -> None:
    """The manifest that was named is the partner's, if it is there."""
    for item in given.loaded.files:
        if item.file == name and item.partner != partner:
            raise Failure.of("MBX728", file=name, found=item.partner, partner=partner)


def _diff(adoption: Adoption, given: Inputs, style: Style) -> Iterator[str]:
    """What changes in the manifests."""
    for file, before, after in adoption.files:
        shown = given.sources.shown(file)
        names = ("/dev/null" if before is None else shown, shown)
        old, new = (data.decode("utf-8-sig") for data in (before or b"", after))
        yield from text_diff.lines(old, new, names, style)


def _next(partner: str, adoption: Adoption, apply: list[str]) -> Iterator[str]:
    """What is left, and how the database gets to know that the server is managed."""
    if adoption.left:
        yield _("Links that no manifest can declare stay as they are: {companies}").format(
            companies=", ".join(map(one_line, adoption.left))
        )
    if not adoption.changes:
        return
    words = [*apply, "--server", f"{partner}/{adoption.name}"]
    for alarm in adoption.alarms:
        words += ["--accept", f"{partner}:{alarm.guard}={alarm.count}"]
    yield _("Nothing is left to apply but who manages the rows ({rows}):").format(
        rows=n_("{count} row", "{count} rows", adoption.changes)
    )
    yield one_line(shlex.join(words))
