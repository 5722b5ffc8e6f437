"""Edits in the text of a manifest that leave everything else in it as it stands.

Each edit is a splice where the file has the key or the value: comments, quotes, order, indentation
and line ends around it stay. The file must be one that `manifests` reads without a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from reconciler.diagnostics.problem import Path
from reconciler.manifests.read import Loader
from reconciler.manifests.yamltext import (
    LAYOUT,
    Flow,
    Layout,
    Noted,
    Plain,
    Value,
    entry,
    flow,
    items,
    mapping,
    pair,
    scalar,
)

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|\r|\n")
_TO_COMMA = re.compile(r"\s*,")
_NOTHING_MORE = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=[\r\n]|\Z)")


class Splice(NamedTuple):
    """Text that takes the place of what stands from `start` to `end`."""

    start: int
    end: int
    text: str


class Found(NamedTuple):
    """A value in the file, its key where it has one, and whether it is in braces or brackets."""

    key: ScalarNode | None
    value: Node
    inside: bool


class Sheet:
    """A manifest while it is edited. All edits are of the text as it was read.

    An edit that needs another one made before it belongs on the sheet that `edited` gives.
    """

    def __init__(self, data: bytes) -> None:
        self._bom = data.startswith(_BOM)
        self._text = data.decode("utf-8-sig")
        root = yaml.compose(self._text, Loader=Loader)
        assert root is not None
        self._root: Node = root
        end = _LINE_END.search(self._text)
        self._newline = end.group() if end else "\n"
        self._splices: list[Splice] = []

    def data(self) -> bytes:
        """The bytes of the file with all edits made."""
        pieces, position = [], 0
        for splice in sorted(self._splices, key=lambda splice: (splice.start, splice.end)):
            assert position <= splice.start, "two edits of the same place"
            pieces += [self._text[position : splice.start], splice.text]
            position = splice.end
        text = "".join([*pieces, self._text[position:]])
        return (_BOM if self._bom else b"") + text.encode()

    def edited(self) -> Sheet:
        """The file with all edits made, to be edited further."""
        return Sheet(self.data()) if self._splices else self

    def has(self, path: Path) -> bool:
        """Whether the file has a value at `path`."""
        return self._find(path) is not None

    # Edits

    def put(self, path: Path, value: Value, order: Sequence[str] = ()) -> None:
        """Write a value behind a key; a new key gets its place among its neighbours by `order`."""
        if found := self._find(path):
            self._replace(found, value)
            return
        parent = self._at(path[:-1])
        node, key = parent.value, str(path[-1])
        assert isinstance(node, MappingNode)
        if not node.value:
            self._fill(parent, {key: value})
        elif node.flow_style:
            self._insert_in_flow(node, [pair(key, value, self._layout(node))], key, order)
        else:
            self._insert_lines(node, key, value, order)

    def rename(self, path: Path, key: str) -> None:
        """Write another key in the place of the last of `path`."""
        found = self._at(path)
        assert found.key is not None
        self._replace_scalar(found.key, key, inside=found.inside)

    def remove(self, path: Path) -> None:
        """Take a key with its value, or an item of a list, out of the file."""
        parent = self._at(path[:-1])
        node = parent.value
        assert isinstance(node, CollectionNode)
        if len(node.value) == 1 and parent.key is not None:
            self._empty(parent.key, node)
        elif node.flow_style:
            self._remove_from_flow(node, self._index(node, path[-1]))
        else:
            self._remove_lines(node, self._index(node, path[-1]))

    def extend(self, path: Path, values: Sequence[Value]) -> None:
        """Add items to the end of a list that the file has."""
        parent = self._at(path)
        node = parent.value
        assert isinstance(node, SequenceNode)
        layout = self._layout(node)
        if not node.value:
            self._fill(parent, list(values))
        elif node.flow_style:
            self._insert_in_flow(node, [flow(value, layout) for value in values])
        else:
            lines = items(values, node.start_mark.column, layout)
            self._after(self._end(node), lines)

    def expand(self, path: Path, key: str, more: dict[str, Value]) -> None:
        """Make an item of a list that is a mere text a mapping: the text behind `key`, and more."""
        _key, node, inside = self._at(path)
        start, end = node.start_mark.index, self._end(node)
        layout = self._layout(node)
        if inside:
            rest = "".join(f", {pair(name, value, layout)}" for name, value in more.items())
            self._splice(start, start, f"{{{scalar(key, flow=True, quoted=layout.quoted)}: ")
            self._splice(end, end, f"{rest}}}")
        else:
            self._splice(start, start, f"{key}: ")
            column = node.start_mark.column
            for name, value in more.items():
                self._after(end, entry(name, value, column, layout))

    # Looking

    def _find(self, path: Path) -> Found | None:
        found = Found(None, self._root, inside=False)
        for step in path:
            below = self._below(found, step)
            if below is None:
                return None
            found = below
        return found

    def _below(self, found: Found, step: str | int) -> Found | None:
        node = found.value
        inside = found.inside or bool(getattr(node, "flow_style", False))
        if isinstance(node, MappingNode):
            entries = (Found(key, value, inside) for key, value in node.value if key.value == step)
            return next(entries, None)
        if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            return Found(None, node.value[step], inside)
        return None

    def _at(self, path: Path) -> Found:
        found = self._find(path)
        assert found is not None, path
        return found

    def _index(self, node: CollectionNode, step: str | int) -> int:
        if isinstance(step, int):
            return step
        return next(number for number, (key, _) in enumerate(node.value) if key.value == step)

    def _layout(self, near: Node) -> Layout:
        """How the file is laid out, judged by what stands near, or else by all of it."""
        keys = near if isinstance(near, MappingNode) and near.value else self._root
        return Layout(
            next(chain(_steps(near), _steps(self._root)), LAYOUT.step),
            next(chain(_dashes(near), _dashes(self._root)), LAYOUT.dash),
            isinstance(keys, MappingNode) and _is_quoted(keys),
        )

    def _line_start(self, position: int) -> int:
        return max(self._text.rfind(end, 0, position) for end in "\r\n") + 1

    def _line_end(self, position: int) -> int:
        """Where the line of a position ends, before the characters that end it."""
        end = _LINE_END.search(self._text, position)
        return end.start() if end else len(self._text)

    def _after_colon(self, key: ScalarNode) -> int:
        return self._text.index(":", key.end_mark.index) + 1

    def _end(self, node: Node) -> int:
        """Where the last thing that belongs to a node ends."""
        start, end = node.start_mark.index, node.end_mark.index
        if isinstance(node, ScalarNode):
            is_block = node.style in ("|", ">")
            return start + len(self._text[start:end].rstrip()) if is_block else int(end)
        assert isinstance(node, CollectionNode)
        if node.flow_style:
            return int(end)
        last = node.value[-1]
        return self._end(last[1] if isinstance(last, tuple) else last)

    # Splicing

    def _splice(self, start: int, end: int, text: str) -> None:
        self._splices.append(Splice(start, end, text))

    def _after(self, position: int, lines: Iterable[str]) -> None:
        """Put lines below the one that a position is on."""
        end = self._line_end(position)
        self._splice(end, end, "".join(self._newline + line for line in lines))

    def _without_lines(self, start: int, end: int) -> None:
        """Take out all lines from one position to another."""
        first, last = self._line_start(start), self._line_end(end)
        if ending := _LINE_END.match(self._text, last):
            last = ending.end()
        elif first:
            first -= 2 if self._text.endswith("\r\n", 0, first) else 1
        self._splice(first, last, "")

    def _replace(self, found: Found, value: Value) -> None:
        node = found.value
        if isinstance(node, ScalarNode) and isinstance(value, str):
            self._replace_scalar(node, value, inside=found.inside)
        else:
            self._splice(node.start_mark.index, self._end(node), flow(value, self._layout(node)))

    def _replace_scalar(self, node: ScalarNode, text: str, *, inside: bool) -> None:
        start, end = node.start_mark.index, self._end(node)
        written = _like(node, text, inside=inside)
        self._splice(start, end, written if end > start else f" {written}")

    def _fill(self, parent: Found, content: dict[str, Value] | list[Value]) -> None:
        """Put the first content between the empty braces or brackets of a key."""
        key, node, inside = parent
        layout = self._layout(node)
        start, end = node.start_mark.index, node.end_mark.index
        if key is None or inside:
            self._splice(start, end, flow(content, layout))
            return
        column = key.start_mark.column
        if isinstance(content, list):
            lines = items(content, column + layout.dash, layout)
        else:
            lines = mapping(content.items(), column + layout.step, layout)
        self._splice(self._after_colon(key), end, "")
        self._after(end, lines)

    def _empty(self, key: ScalarNode, node: CollectionNode) -> None:
        """Leave empty braces or brackets behind a key."""
        braces = "{}" if isinstance(node, MappingNode) else "[]"
        start, end = node.start_mark.index, self._end(node)
        if node.flow_style:
            self._splice(start, end, braces)
        else:
            colon = self._after_colon(key)
            self._splice(colon, colon, f" {braces}")
            self._without_lines(start, end)

    def _insert_lines(
        self, node: MappingNode, key: str, value: Value, order: Sequence[str]
    ) -> None:
        column = node.start_mark.column
        lines = entry(key, value, column, self._layout(node))
        before = _neighbour(node, key, order)
        if before is None:
            start = node.start_mark.index
            text = (self._newline + " " * column).join(line[column:] for line in lines)
            self._splice(start, start, text + self._newline + " " * column)
        else:
            gap = [""] if self._is_spaced(node, value) else []
            self._after(self._end(node.value[before][1]), chain(gap, lines))

    def _is_spaced(self, node: MappingNode, value: Value) -> bool:
        """Whether an empty line belongs before a new entry: before a section, or as it is here."""
        if isinstance(value, str | Flow | Noted) or not value:
            return False
        start = self._line_start(node.value[-1][0].start_mark.index)
        above = self._text[self._line_start(max(start - 1, 0)) : start]
        return node is self._root or (len(node.value) > 1 and not above.strip())

    def _remove_lines(self, node: CollectionNode, index: int) -> None:
        start, end = self._stretch(node, index)
        if isinstance(node, SequenceNode):
            start = self._text.rindex("-", 0, start)
        if self._text[self._line_start(start) : start].strip():
            self._splice(start, self._stretch(node, index + 1)[0], "")
        else:
            self._without_lines(start, end)

    def _insert_in_flow(
        self, node: CollectionNode, texts: Sequence[str], key: str = "", order: Sequence[str] = ()
    ) -> None:
        before = _neighbour(node, key, order) if isinstance(node, MappingNode) else -1
        if before is None:
            start = self._stretch(node, 0)[0]
            self._splice(start, start, "".join(f"{text}, " for text in texts))
            return
        end = self._stretch(node, before)[1]
        comma = _TO_COMMA.match(self._text, end)
        if comma and before not in (-1, len(node.value) - 1):
            self._splice(end, end, "".join(f", {text}" for text in texts))
            return
        if comma:
            end = comma.end()
        else:
            self._splice(end, end, ",")
        self._put_last(node, end, texts)

    def _put_last(self, node: CollectionNode, end: int, texts: Sequence[str]) -> None:
        """Put texts behind the last comma, on lines of their own where the others are."""
        first = self._stretch(node, 0)[0]
        line = self._line_start(first)
        if self._text[line:first].strip():
            self._splice(end, end, " " + ", ".join(texts))
            return
        separator = self._newline + " " * (first - line)
        if _NOTHING_MORE.match(self._text, end):
            end = self._line_end(end)
        self._splice(end, end, separator + f",{separator}".join(texts))

    def _remove_from_flow(self, node: CollectionNode, index: int) -> None:
        start, end = self._stretch(node, index)
        if index + 1 < len(node.value):
            self._splice(start, self._stretch(node, index + 1)[0], "")
        else:
            self._splice(self._stretch(node, index - 1)[1], end, "")

    def _stretch(self, node: CollectionNode, index: int) -> tuple[int, int]:
        """Where an entry or an item begins and ends."""
        child = node.value[index]
        first, last = child if isinstance(child, tuple) else (child, child)
        return first.start_mark.index, max(self._end(last), self._end(first))


def _like(node: ScalarNode, text: str, *, inside: bool) -> str:
    """A text in the quotes that a value had, where they will do."""
    if isinstance(text, Plain):
        return str(text)
    if node.style == "'" and text.isprintable():
        quoted = text.replace("'", "''")
        return f"'{quoted}'"
    return scalar(text, flow=inside, quoted=node.style == '"')


def _neighbour(node: MappingNode, key: str, order: Sequence[str]) -> int | None:
    """The entry that a new key belongs behind; None for the first place of all."""
    if key not in order:
        return -1
    before = set(order[: order.index(key)])
    there = [number for number, (found, _) in enumerate(node.value) if found.value in before]
    return there[-1] if there else None


def _steps(node: Node) -> Iterator[int]:
    """How much deeper keys stand than the key that they belong to."""
    for key, value in _blocks(node):
        if isinstance(value, MappingNode):
            yield value.start_mark.column - key.start_mark.column


def _dashes(node: Node) -> Iterator[int]:
    """How much deeper the dashes of lists stand than their key."""
    for key, value in _blocks(node):
        if isinstance(value, SequenceNode):
            yield value.start_mark.column - key.start_mark.column


def _blocks(node: Node) -> Iterator[tuple[Node, CollectionNode]]:
    """The keys below a node that have a mapping or a list without braces or brackets."""
    if not isinstance(node, CollectionNode) or node.flow_style:
        return
    for child in node.value:
        key, value = child if isinstance(child, tuple) else (None, child)
        if key is not None and isinstance(value, CollectionNode) and not value.flow_style:
            yield key, value
        yield from _blocks(value)


def _is_quoted(node: MappingNode) -> bool:
    """Whether its keys are in double quotes, as in JSON."""
    return all(key.style == '"' for key, _ in node.value)
