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
from reconciler.export.draft import DraftFile
from reconciler.export.estate import Exported
from reconciler.export.read_back import Terms
from reconciler.export.unsayable import Unsayable
from reconciler.manifests.atomic import staging
from reconciler.operations.context import Context
from reconciler.operations.inputs import folders, limits
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import rules


@dataclass
class Export:
    """The manifests of all partners, without their texts."""

    partners: int = 0
    files: list[DraftFile] = field(default_factory=list)
    unsayable: list[tuple[str, Unsayable]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    accept: list[str] = field(default_factory=list)
    taken_over: int = 0
    to_fill: int = 0
    warnings: tuple[Problem, ...] = ()
    """The rows that were left out."""

    def add(self, exported: Exported) -> None:
        name = exported.partner
        self.partners += bool(exported.files)
        self.files += [file._replace(text="") for file in exported.files]
        self.unsayable += [(name, row) for row in exported.unsayable]
        self.problems += exported.problems
        self.accept += [f"{name}:{alarm.guard}={alarm.count}" for alarm in exported.alarms]
        self.taken_over += sum(alarm.count for alarm in exported.alarms)
        self.to_fill += exported.to_fill

    def require(self, *, skip_invalid: bool) -> None:
        """Fail if anything is wrong, apart from rows that may be left out."""
        about_rows = unsayable.problems(self.unsayable, left_out=skip_invalid)
        if self.problems or (about_rows and not skip_invalid):
            raise Failure([*about_rows, *self.problems])
        self.warnings = tuple(about_rows)


def export_to(
    context: Context, out: Path, partners: Sequence[str], *, force: bool, skip_invalid: bool
) -> Export:
    """Write the manifests of these partners, or of all, below a folder: all of them or none.

    Raises:
        Failure: there is no such partner, no database, a file is there already, or rows that no
            manifest can say are not to be left out.
    """
    result, folder = Export(), name_below(context.base.root, out)
    with staging(out, replace=force) as staged:
        for exported in _exported(context, partners, folder):
            for file in exported.files:
                staged.add(file.name.removeprefix(folder), file.text)
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
        texts = [file.text for file in exported.files]
        result.add(exported)
    result.require(skip_invalid=skip_invalid)
    if len(texts) > 1:
        raise Failure.of("MBX711", count=len(texts))
    return result, texts


def name_below(root: Path, folder: Path) -> str:
    """How the files of a folder are called relative to the root, up to their own names."""
    name = Path(os.path.abspath(folder)).relative_to(root).as_posix()  # noqa: PTH100 - as `base_of`
    return "" if name == "." else f"{name}/"


def _exported(
    context: Context, partners: Sequence[str], folder: str, at_most: int | None = None
) -> Iterator[Exported]:
    """What becomes of each partner that is asked for."""
    settings = context.settings
    with context.existing() as connection:
        scopes = Scopes(rules(settings.secrets), observe.partners(connection))
        terms = Terms(settings.project, limits(settings), folders(settings), scopes)
        names = _names(connection, partners)
        if at_most and len(names) > at_most:
            raise Failure.of("MBX711", count=len(names))
        yield from estate.export_all(connection, names, folder, terms)


def _names(connection: Connection, partners: Sequence[str]) -> list[str]:
    if not partners:
        return observe.partners(connection)
    if unknown := [name for name in partners if not observe.has_partner(connection, name)]:
        raise Failure(Problem("MBX606", None, {"name": name, "suggestion": ""}) for name in unknown)
    return sorted(set(partners))
