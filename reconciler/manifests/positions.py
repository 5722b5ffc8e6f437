"""The position of everything in a manifest, and why the file itself is refused.

A file is read this way only if something is wrong or somebody asks for a line: every key and value
by path, and all problems of its YAML at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import yaml
from yaml import events

from reconciler.diagnostics.problem import Mark, Path, Place, Problem
from reconciler.manifests.read import FORBIDDEN, Loader, ReadLimits


@dataclass(frozen=True, slots=True)
class Positions:
    """The marks of one file: `keys` and `values` by path, and the `scalars` of values by line.

    `offsets` are the numbers of bytes before each of its `lines`.
    """

    lines: tuple[str, ...] = ()
    offsets: tuple[int, ...] = ()
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    scalars: dict[int, list[Mark]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def mark(self, place: Place) -> Mark:
        """The mark of a place; that of the nearest ancestor if the file has nothing at it."""
        if place.mark:
            return place.mark
        path = place.path
        if place.on == "value" and path in self.values:
            return self.values[path]
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        first, second = self.keys.get(path), self.values.get(path)
        if place.on == "value":
            first, second = second, first
        return first or second or Mark(1, 1, 2)


def locate(file: str, data: bytes, limits: ReadLimits) -> Positions:
    """The positions and problems of `data`; never fails."""
    if len(data) > limits.file_bytes:
        size = {"size": len(data), "limit": limits.file_bytes}
        return Positions(problems=[Problem("MBX112", Place(file, mark=Mark(1, 1, 2)), size)])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Positions(problems=[_not_utf8(file, data, error)])
    positions = Positions(*_lines(text, len(data) - len(text.encode())))
    positions.problems.extend(
        _forbidden(file, Mark(number, match.start() + 1, match.end() + 1), match.group())
        for number, line in enumerate(positions.lines, 1)
        for match in FORBIDDEN.finditer(line)
    )
    if not positions.problems:
        _Walk(file, positions, limits).document(text)
    return positions


def _lines(text: str, offset: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The lines of a text without their ends, and how many bytes are before each of them."""
    parts = re.split(r"(\r\n|\r|\n)", text)
    offsets = []
    for line, end in zip_longest(parts[::2], parts[1::2], fillvalue=""):
        offsets.append(offset)
        offset += len(line.encode()) + len(end)
    return tuple(parts[::2]), tuple(offsets)


def _not_utf8(file: str, data: bytes, error: UnicodeDecodeError) -> Problem:
    before = data[: error.start]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    mark = Mark(line, column, column + 1)
    return Problem("MBX103", Place(file, mark=mark), {"byte": f"0x{data[error.start]:02X}"})


def _forbidden(file: str, mark: Mark, character: str) -> Problem:
    return Problem("MBX104", Place(file, mark=mark), {"character": f"U+{ord(character):04X}"})


def _one_character(where: Any) -> Mark:
    return Mark(where.line + 1, where.column + 1, where.column + 2)


class _Stop(Exception):  # noqa: N818
    """Nothing further can be read."""


@dataclass(slots=True)
class _Walk:
    """One walk over the events of a file, which fills in its `Positions`."""

    file: str
    positions: Positions
    limits: ReadLimits
    get_event: Any = None

    def document(self, text: str) -> None:
        try:
            loader = Loader(text)
            try:
                self.get_event = loader.get_event
                self._stream()
            finally:
                loader.dispose()
        except _Stop:
            pass
        except yaml.YAMLError as error:
            self._syntax(error)

    def _stream(self) -> None:
        self.get_event()
        if not isinstance(self.get_event(), events.DocumentStartEvent):
            self._problem("MBX110", Mark(1, 1, 2))
            return
        self._node(self.get_event(), ())
        self.get_event()
        after = self.get_event()
        if isinstance(after, events.DocumentStartEvent):
            self._problem("MBX109", self._mark(after))

    def _node(self, event: events.NodeEvent, path: Path) -> None:
        mark = self._mark(event)
        self._refuse_features(event, mark)
        self.positions.values.setdefault(path, mark)
        if not isinstance(event, events.CollectionStartEvent):
            for part in self._stretches(event):
                self.positions.scalars.setdefault(part.line, []).append(part)
        if isinstance(event, events.ScalarEvent):
            self._scalar(event, mark)
        elif isinstance(event, events.CollectionStartEvent):
            if len(path) >= self.limits.depth:
                self._problem("MBX111", mark, limit=self.limits.depth)
                raise _Stop
            if isinstance(event, events.SequenceStartEvent):
                self._sequence(path)
            else:
                self._mapping(path)

    def _sequence(self, path: Path) -> None:
        index = 0
        while isinstance(event := self.get_event(), events.NodeEvent):
            self._node(event, (*path, index))
            index += 1

    def _mapping(self, path: Path) -> None:
        seen: set[str] = set()
        while isinstance(event := self.get_event(), events.NodeEvent):
            if isinstance(event, events.CollectionStartEvent):
                self._problem("MBX118", self._mark(event))
                raise _Stop
            key = self._key(event, path, seen)
            self._node(self.get_event(), (*path, key))

    def _key(self, event: events.NodeEvent, path: Path, seen: set[str]) -> str:
        mark = self._mark(event)
        self._refuse_features(event, mark)
        if isinstance(event, events.AliasEvent):
            return ""
        assert isinstance(event, events.ScalarEvent)
        key = str(event.value)
        self._scalar(event, mark)
        if key == "<<" and not event.style:
            self._problem("MBX107", mark)
        elif key in seen:
            first = Place(self.file, mark=self.positions.keys[(*path, key)])
            self._problem("MBX105", mark, first, key=key)
        seen.add(key)
        self.positions.keys.setdefault((*path, key), mark)
        return key

    def _scalar(self, event: events.ScalarEvent, mark: Mark) -> None:
        if len(event.value.encode(errors="replace")) > self.limits.scalar_bytes:
            self._problem("MBX113", mark, limit=self.limits.scalar_bytes)
        if match := FORBIDDEN.search(event.value):
            self.positions.problems.append(_forbidden(self.file, mark, match.group()))

    def _refuse_features(self, event: events.NodeEvent, mark: Mark) -> None:
        if isinstance(event, events.AliasEvent) or event.anchor is not None:
            self._problem("MBX106", mark)
        if getattr(event, "tag", None) is not None:
            self._problem("MBX108", mark)

    def _syntax(self, error: yaml.YAMLError) -> None:
        where = getattr(error, "problem_mark", None)
        mark = _one_character(where) if where else Mark(1, 1, 2)
        line = self.positions.lines[mark.line - 1 : mark.line]
        code = "MBX102" if line and line[0][mark.column - 1 : mark.column] == "\t" else "MBX101"
        others = []
        if re.search("flow|quoted", getattr(error, "context", None) or ""):
            opened = _one_character(getattr(error, "context_mark", where))
            if any(self.positions.lines[mark.line - 1 :]):
                others = [Place(self.file, mark=opened)]
            else:  # the file ends before the bracket or quote is closed
                mark = opened
        reason = getattr(error, "problem", None) or getattr(error, "reason", "") or ""
        self._problem(code, mark, *others, reason=reason)

    def _problem(self, code: str, mark: Mark, *others: Place, **values: object) -> None:
        place = Place(self.file, mark=mark)
        self.positions.problems.append(Problem(code, place, values, others))

    def _stretches(self, event: Any) -> Iterator[Mark]:
        """The part of each line that a scalar or an alias takes up."""
        start, end = event.start_mark, event.end_mark
        for number in range(start.line, end.line + 1):
            first = start.column if number == start.line else 0
            last = end.column if number == end.line else len(self.positions.lines[number])
            if last > first:
                yield Mark(number + 1, first + 1, last + 1)

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        last = start.column + 1
        if end.line == start.line and not isinstance(event, events.CollectionStartEvent):
            last = max(end.column, last)
        return Mark(start.line + 1, start.column + 1, last + 1)
