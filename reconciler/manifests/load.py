"""Manifests → declarations, with all problems of all files at once."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from reconciler.diagnostics.problem import Mark, Place, Problem
from reconciler.manifests import consistency, mistakes
from reconciler.manifests.declaration import FileDeclaration
from reconciler.manifests.declare import declare
from reconciler.manifests.files import Base, Manifest, content, find
from reconciler.manifests.positions import Positions, locate
from reconciler.manifests.read import ReadLimits, Suspect, read
from reconciler.manifests.schema import CompanyFile, PartnerFile, kind_of
from reconciler.manifests.workers import Workers, processors
from reconciler.model.unchanged import Unchanged

MANY = 64
"""From this many files on, all processors parse."""
_POSITIONS_KEPT = 64
"""Of how many files lines and columns are kept."""
_PARSED_AT_ONCE, _HASHED_AT_ONCE = 16, 128
NONE_UNCHANGED: Mapping[str, Unchanged] = MappingProxyType({})


@dataclass(frozen=True)
class Loaded:
    """The manifests of a run and what they declare.

    `digests` has the SHA-256 of each file by name, empty if it cannot be read. `unchanged` are the
    partners whose files were not parsed, because nothing would have come of it.
    """

    base: Base
    manifests: tuple[Manifest, ...]
    files: tuple[FileDeclaration, ...]
    problems: tuple[Problem, ...]
    digests: Mapping[str, str]
    limits: ReadLimits
    unchanged: Mapping[str, Unchanged] = field(default_factory=dict)

    @cached_property
    def names(self) -> frozenset[str]:
        """The files that were read, relative to the root."""
        return frozenset(manifest.name for manifest in self.manifests)

    @cached_property
    def digest(self) -> str:
        """The digest of exactly these files with exactly this content."""
        digest = hashlib.sha256()
        for manifest in self.manifests:
            digest.update(f"{manifest.name}\0{self.digests[manifest.name]}\n".encode())
        return f"sha256:{digest.hexdigest()}"


class Sources:
    """Looks up lines and columns in the files of a run, which are read again when it is asked.

    Only those of the last files are kept: a plan goes through thousands in turn.
    """

    def __init__(self, root: Path, manifests: Iterable[Manifest], limits: ReadLimits) -> None:
        self._root = root
        self._manifests = {manifest.name: manifest for manifest in manifests}
        self._limits = limits
        self._positions: dict[str, Positions] = {}
        self._shown: dict[str, str] = {}

    def positions(self, file: str) -> Positions:
        """The positions of a file by its name; empty for one that cannot be read."""
        if file not in self._positions:
            if len(self._positions) == _POSITIONS_KEPT:
                del self._positions[next(iter(self._positions))]
            self._positions[file] = self._locate(file)
        return self._positions[file]

    def mark(self, place: Place) -> Mark:
        """Line and columns of a place."""
        return self.positions(place.file).mark(place)

    def shown(self, file: str) -> str:
        """The path of a file as the user would write it here."""
        if file not in self._shown:
            self._shown[file] = os.path.relpath(self._root / file)
        return self._shown[file]

    def _locate(self, file: str) -> Positions:
        if file not in self._manifests:
            return Positions()
        data = content(self._manifests[file], self._limits.file_bytes)
        return Positions() if isinstance(data, Problem) else locate(file, data, self._limits)


class Glance(NamedTuple):
    """What a file shows without being checked: its SHA-256, empty if it cannot be read, and the
    partner that it seems to be of, empty if that is not clear.
    """

    digest: str
    partner: str


class Parsed(NamedTuple):
    """One file: its digest, what it declares as far as that is clear, and its problems."""

    digest: str
    declaration: FileDeclaration | None
    problems: tuple[Problem, ...]


class Manifests:
    """The manifests at and below some paths, read as far as they are needed."""

    def __init__(self, paths: Sequence[Path], base: Base, limits: ReadLimits, project: str) -> None:
        self.base = base
        self.limits = limits
        self.files, self.problems = find(paths, base.root)
        self._parse = partial(parse_file, limits=limits, project=project)
        self._workers = Workers(processors() if len(self.files) >= MANY else 1)
        self._glancing: Iterable[Glance] = ()
        self._results: Iterable[Parsed] = ()
        self._parsed: dict[str, Parsed] = {}

    def begin_parsing(self) -> None:
        """Have other processes begin to parse everything, if there is much."""
        self._results = self._workers.map(self._parse, self.files, _PARSED_AT_ONCE)

    def begin_hashing(self) -> None:
        """Have other processes begin to hash everything, if there is much."""
        glance = partial(_glance, limits=self.limits)
        self._glancing = self._workers.map(glance, self.files, _HASHED_AT_ONCE)

    @cached_property
    def glances(self) -> dict[str, Glance]:
        """What each file shows, by name."""
        glances = dict(zip(self._names, self._glancing, strict=True))
        self._workers.close()
        return glances

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file by name; empty if it cannot be read."""
        return {name: glance.digest for name, glance in self.glances.items()}

    @property
    def names(self) -> frozenset[str]:
        """The names of all files."""
        return frozenset(self._names)

    @property
    def _names(self) -> list[str]:
        return [manifest.name for manifest in self.files]

    def unread(self, unchanged: Mapping[str, Unchanged]) -> Loaded:
        """Everything but what the files declare."""
        files, problems = tuple(self.files), tuple(self.problems)
        return Loaded(self.base, files, (), problems, self.digests, self.limits, unchanged)

    def loaded(self, unchanged: Mapping[str, Unchanged] = NONE_UNCHANGED) -> Loaded:
        """What all files declare, except those of the partners that are `unchanged`.

        What is known of these must fit the digests. A partner's files are left out only as long as
        no other file turns out to be one of them.
        """
        left_out = dict(unchanged)
        parsed = self._parsed_but(left_out)
        while added_to := left_out.keys() & {
            one.declaration.partner for one in parsed if one.declaration
        }:
            for partner in added_to:
                del left_out[partner]
            parsed = self._parsed_but(left_out)
        self._workers.close()
        digests = self.digests if left_out else {}
        return Loaded(
            self.base,
            tuple(self.files),
            tuple(one.declaration for one in parsed if one.declaration),
            (*self.problems, *(problem for one in parsed for problem in one.problems)),
            digests | {name: one.digest for name, one in self._parsed.items()},
            self.limits,
            left_out,
        )

    def _parsed_but(self, unchanged: Mapping[str, Unchanged]) -> list[Parsed]:
        """All files but those of `unchanged`, parsed, in the order of their names."""
        done = {name for fact in unchanged.values() for name, _ in fact.files}
        names = [name for name in self._names if name not in done]
        if not done and self._results:
            self._parsed = dict(zip(names, self._results, strict=True))
            self._results = ()
        done |= self._parsed.keys()
        todo = [manifest for manifest in self.files if manifest.name not in done]
        results = self._workers.map(self._parse, todo, _PARSED_AT_ONCE)
        self._parsed |= zip((manifest.name for manifest in todo), results, strict=True)
        return [self._parsed[name] for name in names]


_PARTNER = re.compile(
    rb"""^(?:partner|"partner"|'partner'):[ \t]+(["']?)([\w.-]+)\1[ \t]*(?:[ \t]\#.*)?\r?$""",
    re.MULTILINE,
)


def _glance(manifest: Manifest, limits: ReadLimits) -> Glance:
    data = content(manifest, limits.file_bytes)
    if isinstance(data, Problem):
        return Glance("", "")
    return Glance(hashlib.sha256(data).hexdigest(), _seeming_partner(data, limits))


def _seeming_partner(data: bytes, limits: ReadLimits) -> str:
    """The partner of a manifest, by its line or, if that is not to be seen, by reading it all."""
    if line := _PARTNER.search(data):
        return line[2].decode(errors="replace")
    try:
        raw = read(data, limits)
    except Suspect:
        return ""
    return str(raw.get("partner", "")) if isinstance(raw, dict) else ""


def parse_file(manifest: Manifest, limits: ReadLimits, project: str) -> Parsed:
    """Read and check one file."""
    data = content(manifest, limits.file_bytes)
    if isinstance(data, Problem):
        return Parsed("", None, (data,))
    declaration, problems = parse(data, manifest.name, limits, project)
    return Parsed(hashlib.sha256(data).hexdigest(), declaration, tuple(problems))


def parse(
    data: bytes, name: str, limits: ReadLimits, project: str
) -> tuple[FileDeclaration | None, list[Problem]]:
    """What one manifest declares, without the entries that are wrong, and what is wrong."""
    try:
        raw = read(data, limits)
    except Suspect:
        return None, locate(name, data, limits).problems
    return _declared(raw, name, project)


def _declared(raw: Any, name: str, project: str) -> tuple[FileDeclaration | None, list[Problem]]:
    """The declaration without the entries that are wrong, so that the rules see all others."""
    manifest, mistaken = _checked(raw, name)
    rest = raw if manifest else mistakes.without_mistaken(raw, mistaken)
    repeated = list(consistency.repeated_keys(rest, name))
    if repeated:
        rest = mistakes.without_mistaken(rest, repeated)
    if rest is not raw:
        manifest, _again = _checked(rest, name)
    if manifest is None:
        return None, [*mistaken, *repeated]
    declaration = declare(manifest, rest, name, project)
    return declaration, [*mistaken, *repeated, *consistency.problems(declaration, rest)]


def _checked(raw: Any, name: str) -> tuple[PartnerFile | CompanyFile | None, list[Problem]]:
    """The manifest that `raw` is, or every mistake in it."""
    try:
        return kind_of(raw).model_validate(raw), []
    except ValidationError as error:
        return None, list(mistakes.problems(error, raw, name))
