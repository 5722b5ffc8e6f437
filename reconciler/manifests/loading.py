"""Manifests → declarations, with all problems of all files at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from reconciler.declaration import FileDeclaration
from reconciler.diagnostics import Mark, Place, Problem
from reconciler.manifests import consistency, mistakes
from reconciler.manifests.declare import declare
from reconciler.manifests.files import Found, Scope, content, find
from reconciler.manifests.positions import Positions, locate
from reconciler.manifests.reading import Limits, Suspect, read
from reconciler.manifests.schema import CompanyFile, PartnerFile, kind_of

MANY = 64
"""From this many files on, all processors parse."""


@dataclass(frozen=True)
class Loaded:
    """What a run was given. `digest` names these very files with this very content."""

    scope: Scope
    found: tuple[Found, ...]
    files: tuple[FileDeclaration, ...]
    problems: tuple[Problem, ...]
    digest: str
    limits: Limits

    @cached_property
    def names(self) -> frozenset[str]:
        """The files that were read, relative to the root."""
        return frozenset(item.name for item in self.found)


class Sources:
    """Looks up lines and columns of the files of a run, each read for it once at most."""

    def __init__(self, root: Path, found: Iterable[Found], limits: Limits) -> None:
        self._root = root
        self._found = {item.name: item for item in found}
        self._limits = limits
        self._positions: dict[str, Positions] = {}

    def positions(self, file: str) -> Positions:
        """The positions of a file by its name; empty for one that cannot be read."""
        if file not in self._positions:
            self._positions[file] = self._locate(file)
        return self._positions[file]

    def mark(self, place: Place) -> Mark:
        """Line and columns of a place."""
        return self.positions(place.file).mark(place)

    def shown(self, file: str) -> str:
        """The path of a file as the user would write it here."""
        return os.path.relpath(self._root / file)

    def _locate(self, file: str) -> Positions:
        if file not in self._found:
            return Positions()
        data = content(self._found[file], self._limits.file_bytes)
        return Positions() if isinstance(data, Problem) else locate(file, data, self._limits)


class Parsed(NamedTuple):
    """What came of one file: its digest, what it declares as far as that is clear, its problems."""

    digest: str
    declared: FileDeclaration | None
    problems: tuple[Problem, ...]


def begin(
    paths: Sequence[Path], scope: Scope, limits: Limits, project: str
) -> Callable[[], Loaded]:
    """Begin to read every manifest at and below `paths`; what is returned waits for the end."""
    found, problems = find(paths, scope)
    parsed = _begin_parsing(found, partial(_parse_file, limits=limits, project=project))

    def finish() -> Loaded:
        return _loaded(scope, found, problems, list(parsed), limits)

    return finish


def _loaded(
    scope: Scope,
    found: Sequence[Found],
    problems: Sequence[Problem],
    parsed: Sequence[Parsed],
    limits: Limits,
) -> Loaded:
    digest = hashlib.sha256()
    for item, result in zip(found, parsed, strict=True):
        digest.update(f"{item.name}\0{result.digest}\n".encode())
    return Loaded(
        scope,
        tuple(found),
        tuple(result.declared for result in parsed if result.declared),
        (*problems, *(problem for result in parsed for problem in result.problems)),
        f"sha256:{digest.hexdigest()}",
        limits,
    )


def _begin_parsing(
    found: Sequence[Found], parse_one: Callable[[Found], Parsed]
) -> Iterable[Parsed]:
    """Parse all files, on every processor where there are many: parsing is most of a run.

    Other processes begin at once, and leave this one free until somebody takes the results.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if len(found) < MANY or workers == 1:
        return map(parse_one, found)
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - small runs do without
    from multiprocessing import get_context  # noqa: PLC0415

    pool = ProcessPoolExecutor(workers, get_context("fork"))
    results = pool.map(parse_one, found, chunksize=16)
    pool.shutdown(wait=False)
    return results


def _parse_file(item: Found, limits: Limits, project: str) -> Parsed:
    data = content(item, limits.file_bytes)
    if isinstance(data, Problem):
        return Parsed("", None, (data,))
    declared, problems = parse(data, item.name, limits, project)
    return Parsed(hashlib.sha256(data).hexdigest(), declared, tuple(problems))


def parse(
    data: bytes, name: str, limits: Limits, project: str
) -> tuple[FileDeclaration | None, list[Problem]]:
    """What one manifest declares, without the entries that are wrong, and what is wrong."""
    try:
        raw = read(data, limits)
    except Suspect:
        return None, locate(name, data, limits).problems
    return _declared(raw, name, project)


def _declared(raw: Any, name: str, project: str) -> tuple[FileDeclaration | None, list[Problem]]:
    """What is declared apart from the entries that are wrong, so that the rules see the rest."""
    manifest, mistaken = _checked(raw, name)
    rest = raw if manifest else mistakes.without_mistaken(raw, mistaken)
    repeated = list(consistency.repeated_keys(rest, name))
    if repeated:
        rest = consistency.without(repeated, rest)
    if rest is not raw:
        manifest, _again = _checked(rest, name)
    if manifest is None:
        return None, [*mistaken, *repeated]
    declared = declare(manifest, rest, name, project)
    return declared, [*mistaken, *repeated, *consistency.problems(declared, rest)]


def _checked(raw: Any, name: str) -> tuple[PartnerFile | CompanyFile | None, list[Problem]]:
    """The manifest that `raw` is, or every mistake in it."""
    try:
        return kind_of(raw).model_validate(raw), []
    except ValidationError as error:
        return None, list(mistakes.problems(error, raw, name))
