"""`export`: manifests of what the database has."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.export import estate, unsayable
from reconciler.export.check import Terms
from reconciler.export.draft import Written
from reconciler.export.partner import Exported, Request
from reconciler.export.unsayable import Unfit
from reconciler.manifests.atomic import staging
from reconciler.operations.context import Context
from reconciler.operations.inputs import limits
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import rules


@dataclass
class Export:
    """What has come of the partners, without the text of their files but where that is printed."""

    partners: int = 0
    files: list[Written] = field(default_factory=list)
    unfit: list[tuple[str, Unfit]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    accept: list[str] = field(default_factory=list)
    taken_over: int = 0
    to_fill: int = 0
    warnings: tuple[Problem, ...] = ()
    """The rows that were left out."""

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
        """Nothing may be wrong but rows that are to be left out.

        Raises:
            Failure: there are rows that no manifest can say, or something worse.
        """
        said = unsayable.problems(self.unfit, left_out=skip_invalid)
        if self.problems or (said and not skip_invalid):
            raise Failure([*said, *self.problems])
        self.warnings = tuple(said)


def export_to(
    context: Context, out: Path, partners: Sequence[str], *, force: bool, skip_invalid: bool
) -> Export:
    """Write the manifests of these partners, or of all, below a folder: all of them or none.

    Raises:
        Failure: there is no such partner, no database, a file is there already, or rows that no
            manifest can say are not to be left out.
    """
    result, folder = Export(), name_below(context.scope.root, out)
    with staging(out, replace=force) as staged:
        for exported in _exported(context, partners, folder):
            for written in exported.files:
                staged.add(written.name.removeprefix(folder), written.text)
            result.add(exported)
        result.require(skip_invalid=skip_invalid)
        staged.place()
    return result


def export_text(
    context: Context, partners: Sequence[str], *, skip_invalid: bool
) -> tuple[Export, list[str]]:
    """The text of the one manifest that there is to write; raises as `export_to`."""
    result, texts = Export(), list[str]()
    for exported in _exported(context, partners, folder="", at_most=1):
        texts = [written.text for written in exported.files]
        result.add(exported)
    result.require(skip_invalid=skip_invalid)
    if len(texts) > 1:
        raise Failure.of("MBX711", count=len(texts))
    return result, texts


def name_below(root: Path, folder: Path) -> str:
    """How the files of a folder are called relative to the root, up to their own names."""
    name = Path(os.path.abspath(folder)).relative_to(root).as_posix()  # noqa: PTH100 - as `scope_of`
    return "" if name == "." else f"{name}/"


def _exported(
    context: Context, partners: Sequence[str], folder: str, at_most: int | None = None
) -> Iterator[Exported]:
    """What becomes of each partner that is asked for."""
    settings = context.settings
    paths = {partner: tuple(folders) for partner, folders in settings.paths.items()}
    with context.existing() as connection:
        scopes = Scopes(rules(settings.secrets), observe.partners(connection))
        terms = Terms(settings.project, limits(settings), paths, scopes)
        names = _names(connection, partners)
        if at_most and len(names) > at_most:
            raise Failure.of("MBX711", count=len(names))
        yield from estate.export_all(connection, names, Request(folder, terms))


def _names(connection: Connection, partners: Sequence[str]) -> list[str]:
    if not partners:
        return observe.partners(connection)
    unknown = [name for name in partners if not observe.has_partner(connection, name)]
    if unknown:
        raise Failure(Problem("MBX606", None, {"name": name, "suggestion": ""}) for name in unknown)
    return sorted(set(partners))
