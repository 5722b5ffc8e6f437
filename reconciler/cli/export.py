"""`export`: write manifests from what the database has."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from sqlalchemy import Connection

from reconciler.cli import inputs, options, output
from reconciler.cli.planning import target_of
from reconciler.database import observe
from reconciler.database.engine import transaction
from reconciler.database.schema import Condition, status
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.diagnostics.words import _, n_
from reconciler.export import estate, unsayable
from reconciler.export.check import Terms
from reconciler.export.draft import Written
from reconciler.export.partner import Exported, Request
from reconciler.export.unsayable import Unfit
from reconciler.manifests.atomic import staging
from reconciler.manifests.files import scope_of
from reconciler.render.style import one_line
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import rules
from reconciler.settings import Settings

_SHOWN = 20
"""How many files are named one by one."""


class _Result:
    """What has come of the partners so far, without the text of their files."""

    def __init__(self) -> None:
        self.partners = 0
        self.files: list[Written] = []
        self.unfit: list[tuple[str, Unfit]] = []
        self.problems: list[Problem] = []
        self.accept: list[str] = []
        self.taken_over = 0
        self.to_fill = 0

    def add(self, exported: Exported) -> None:
        name = exported.partner
        self.partners += bool(exported.files)
        self.files += [written._replace(text="") for written in exported.files]
        self.unfit += [(name, item) for item in exported.unfit]
        self.problems += exported.problems
        self.accept += [f"{name}:{alarm.guard}={alarm.count}" for alarm in exported.alarms]
        self.taken_over += sum(alarm.count for alarm in exported.alarms)
        self.to_fill += exported.to_fill

    def require(self, *, skip_invalid: bool) -> None:
        """Say what was left out; nothing else may be wrong.

        Raises:
            Failure: there are rows that no manifest can say, or something worse.
        """
        said = unsayable.problems(self.unfit, left_out=skip_invalid)
        if self.problems or (said and not skip_invalid):
            raise Failure([*said, *self.problems])
        output.show_problems(said, output.NO_SOURCES)


@click.command(
    "export",
    short_help=_("Write manifests from what the database has."),
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
        settings = inputs.read_settings(settings_file)
        _print(settings, database_url, partners, skip_invalid=skip_invalid)
        return 0
    result = _Result()
    with staging(out, replace=force) as staged:
        scope = scope_of((out,), None)
        settings = inputs.read_settings(settings_file, scope)
        folder = _below(scope.root, out)
        for exported in _exported(settings, database_url, partners, folder):
            for written in exported.files:
                staged.add(written.name.removeprefix(folder), written.text)
            result.add(exported)
        result.require(skip_invalid=skip_invalid)
        staged.place()
    output.say(_summary(result, out, folder, settings_file))
    return 0


def _below(root: Path, folder: Path) -> str:
    """How the files of a folder are called relative to the root, up to their own names."""
    name = Path(os.path.abspath(folder)).relative_to(root).as_posix()  # noqa: PTH100 - as `scope_of`
    return "" if name == "." else f"{name}/"


def _print(
    settings: Settings, database_url: str | None, partners: Sequence[str], *, skip_invalid: bool
) -> None:
    """Print the one manifest that there is to write; what goes with it is a note."""
    result = _Result()
    texts = []
    for exported in _exported(settings, database_url, partners, folder="", at_most=1):
        texts = [written.text for written in exported.files]
        result.add(exported)
    result.require(skip_invalid=skip_invalid)
    if len(texts) > 1:
        raise Failure.of("MBX711", count=len(texts))
    output.pour(texts)
    output.note("\n".join(_counts(result)))


def _exported(
    settings: Settings,
    database_url: str | None,
    partners: Sequence[str],
    folder: str,
    at_most: int | None = None,
) -> Iterator[Exported]:
    """What becomes of each partner that is asked for.

    Raises:
        Failure: there is no such partner, no database, or more partners than `at_most`.
    """
    engine = inputs.engine(inputs.database_url(database_url, settings), settings, writes=False)
    found = status(engine)
    target_of(found, engine, settings.database_id)
    if found.condition is Condition.NEW:
        raise Failure.of("MBX541")
    paths = {partner: tuple(folders) for partner, folders in settings.paths.items()}
    with transaction(engine) as connection:
        scopes = Scopes(rules(settings.secrets), observe.partners(connection))
        terms = Terms(settings.project, inputs.limits(settings), paths, scopes)
        names = _names(connection, partners)
        if at_most and len(names) > at_most:
            raise Failure.of("MBX711", count=len(names))
        yield from estate.export_all(connection, names, Request(folder, terms))


def _names(connection: Connection, wanted: Sequence[str]) -> list[str]:
    if not wanted:
        return observe.partners(connection)
    unknown = [name for name in wanted if not observe.has_partner(connection, name)]
    if unknown:
        raise Failure(Problem("MBX606", None, {"name": name, "suggestion": ""}) for name in unknown)
    return sorted(set(wanted))


def _summary(result: _Result, out: Path, folder: str, settings_file: Path | None) -> Iterator[str]:
    """What was written, and how to go on."""
    for written in result.files[:_SHOWN]:
        file = out / written.name.removeprefix(folder)
        yield f"{one_line(file)}: {_declared(written)}"
    if len(result.files) > _SHOWN:
        yield _("and {count} more").format(count=len(result.files) - _SHOWN)
    yield from _counts(result)
    if result.accept:
        yield _("Take them over with:")
        accepted = (f" \\\n  --accept {shlex.quote(text)}" for text in result.accept)
        words = ["reconciler", "apply", str(out)]
        words += ["--settings", str(settings_file)] if settings_file else []
        yield shlex.join(words) + "".join(accepted)


def _declared(written: Written) -> str:
    companies = n_("{count} company", "{count} companies", written.companies)
    servers = n_("{count} mail server", "{count} mail servers", written.servers)
    return servers if written.company else f"{companies}, {servers}"


def _counts(result: _Result) -> Iterator[str]:
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
