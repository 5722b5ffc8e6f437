"""Edits of a manifest's text that leave everything else in it as it is.

Each edit is a splice at the key or the value: comments, quotes, order, indentation and line ends
around it stay. The file must be one that `manifests` reads without a problem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from yaml.nodes import CollectionNode, MappingNode, ScalarNode, SequenceNode

from reconciler.diagnostics.problem import Path
from reconciler.manifests import yamltext as y
from reconciler.manifests.tree import Element, SplicedText, Tree, index_of, neighbour
from reconciler.manifests.yamltext import Flow, Noted, Plain, Value

Order = tuple[str, ...]
"""The keys of a mapping in the order in which they are usually written."""
_BOM = b"\xef\xbb\xbf"
_TO_COMMA = re.compile(r"\s*,")
_NOTHING_MORE = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=[\r\n]|\Z)")


class Sheet:
    """A manifest while it is edited. The paths of all edits are those of the text as it was read.

    Items are appended after all other edits, and removals come last.
    """

    def __init__(self, data: bytes) -> None:
        self._bom = _BOM if data.startswith(_BOM) else b""
        self._text = SplicedText(data.decode("utf-8-sig"))
        self._tree = Tree(self._text.text)
        self._appended: dict[Path, tuple[list[Value], Order]] = {}
        self._removed: list[Path] = []

    @property
    def is_edited(self) -> bool:
        return bool(self._text.splices or self._appended or self._removed)

    def data(self) -> bytes:
        """The bytes of the file with all edits made."""
        sheet = self
        for path, (values, order) in self._appended.items():
            sheet = Sheet(sheet._spliced())
            sheet._extend(path, values, order)
        # From the end, so that the indexes of the items before stay valid.
        for path in sorted(self._removed, key=_indexes, reverse=True):
            sheet = Sheet(sheet._spliced())
            sheet._remove(path)
        return sheet._spliced()

    def has(self, path: Path) -> bool:
        """Whether the file, as it was read, has a value at `path`."""
        return self._tree.find(path) is not None

    def put(self, path: Path, value: Value, order: Order = ()) -> None:
        """Write the value of a key; a new key is placed among its neighbours by `order`."""
        if element := self._tree.find(path):
            self._replace(element, value)
            return
        parent = self._tree.at(path[:-1])
        node, key = parent.value, str(path[-1])
        assert isinstance(node, MappingNode)
        if not node.value:
            self._fill(parent, {key: value})
        elif node.flow_style:
            text = y.pair(key, value, self._tree.layout(node))
            self._insert_in_flow(node, [text], neighbour(node, key, order))
        else:
            self._insert_entry(node, key, value, neighbour(node, key, order))

    def rename(self, path: Path, key: str) -> None:
        """Replace the last key of `path` by another."""
        element = self._tree.at(path)
        assert element.key is not None
        self._replace_scalar(element.key, key, in_flow=element.in_flow)

    def expand(self, path: Path, key: str, more: Mapping[str, Value]) -> None:
        """Turn a list item that is a bare text into a mapping: the text under `key`, and `more`."""
        _key, node, in_flow = self._tree.at(path)
        start, end = node.start_mark.index, self._tree.end(node)
        layout = self._tree.layout(node)
        if in_flow:
            rest = "".join(f", {y.pair(name, value, layout)}" for name, value in more.items())
            self._text.insert(start, f"{{{y.scalar(key, flow=True, quoted=layout.quoted)}: ")
            self._text.insert(end, f"{rest}}}")
        else:
            self._text.insert(start, f"{key}: ")
            for name, value in more.items():
                self._text.insert_lines(end, y.entry(name, value, node.start_mark.column, layout))

    def append(self, path: Path, value: Value, order: Order = ()) -> None:
        """Add an item to the end of a list; a new list is placed by `order`."""
        self._appended.setdefault(path, ([], order))[0].append(value)

    def remove(self, path: Path) -> None:
        """Remove a key with its value, or an item of a list."""
        self._removed.append(path)

    def _spliced(self) -> bytes:
        return self._bom + self._text.result().encode()

    # Replacing

    def _replace(self, element: Element, value: Value) -> None:
        node = element.value
        if isinstance(node, ScalarNode) and isinstance(value, str):
            self._replace_scalar(node, value, in_flow=element.in_flow)
        else:
            text = y.flow(value, self._tree.layout(node))
            self._text.replace(node.start_mark.index, self._tree.end(node), text)

    def _replace_scalar(self, node: ScalarNode, text: str, *, in_flow: bool) -> None:
        start, end = node.start_mark.index, self._tree.end(node)
        scalar_text = _in_same_quotes(node, text, in_flow=in_flow)
        self._text.replace(start, end, scalar_text if end > start else f" {scalar_text}")

    # Adding

    def _extend(self, path: Path, values: list[Value], order: Order) -> None:
        parent = self._tree.find(path)
        if parent is None:
            self.put(path, values, order)
            return
        node = parent.value
        assert isinstance(node, SequenceNode)
        layout = self._tree.layout(node)
        if not node.value:
            self._fill(parent, values)
        elif node.flow_style:
            self._insert_in_flow(node, [y.flow(value, layout) for value in values], -1)
        else:
            lines = y.items(values, node.start_mark.column, layout)
            self._text.insert_lines(self._tree.end(node), lines)

    def _fill(self, parent: Element, content: dict[str, Value] | list[Value]) -> None:
        """Replace the empty braces or brackets behind a key by the first content."""
        key, node, in_flow = parent
        layout = self._tree.layout(node)
        start, end = node.start_mark.index, node.end_mark.index
        if key is None or in_flow:
            self._text.replace(start, end, y.flow(content, layout))
            return
        column = key.start_mark.column
        if isinstance(content, list):
            lines = y.items(content, column + layout.dash, layout)
        else:
            lines = y.mapping(content.items(), column + layout.step, layout)
        self._text.replace(self._tree.after_colon(key), end, "")
        self._text.insert_lines(end, lines)

    def _insert_entry(self, node: MappingNode, key: str, value: Value, before: int | None) -> None:
        column, newline = node.start_mark.column, self._text.newline
        lines = y.entry(key, value, column, self._tree.layout(node))
        if before is None:
            margin = newline + " " * column
            text = "".join(line[column:] + margin for line in lines)
            self._text.insert(node.start_mark.index, text)
        else:
            gap = [""] if self._is_spaced(node, value) else []
            self._text.insert_lines(self._tree.end(node.value[before][1]), chain(gap, lines))

    def _is_spaced(self, node: MappingNode, value: Value) -> bool:
        """Whether an empty line goes before a new entry: before a section, or as between others."""
        if isinstance(value, str | Flow | Noted) or not value:
            return False
        start = self._text.line_start(node.value[-1][0].start_mark.index)
        above = self._text.text[self._text.line_start(max(start - 1, 0)) : start]
        return node is self._tree.root or (len(node.value) > 1 and not above.strip())

    def _insert_in_flow(
        self, node: CollectionNode, texts: Sequence[str], before: int | None
    ) -> None:
        if before is None:
            self._text.insert(self._tree.extent(node, 0)[0], "".join(f"{text}, " for text in texts))
            return
        end = self._tree.extent(node, before)[1]
        comma = _TO_COMMA.match(self._text.text, end)
        if comma and before not in (-1, len(node.value) - 1):
            self._text.insert(end, "".join(f", {text}" for text in texts))
            return
        if comma:
            end = comma.end()
        else:
            self._text.insert(end, ",")
        self._insert_last(node, end, texts)

    def _insert_last(self, node: CollectionNode, end: int, texts: Sequence[str]) -> None:
        """Put texts behind the last comma, on lines of their own if the others are."""
        indent = self._text.indent(self._tree.extent(node, 0)[0])
        if indent is None:
            self._text.insert(end, " " + ", ".join(texts))
            return
        separator = self._text.newline + " " * len(indent)
        if _NOTHING_MORE.match(self._text.text, end):
            end = self._text.line_end(end)
        self._text.insert(end, separator + f",{separator}".join(texts))

    # Removing

    def _remove(self, path: Path) -> None:
        key, node, _in_flow = self._tree.at(path[:-1])
        assert isinstance(node, CollectionNode)
        index = index_of(node, path[-1])
        start, end = self._tree.extent(node, index)
        if len(node.value) == 1 and key is not None:
            self._empty(key, node)
        elif node.flow_style and index + 1 == len(node.value):
            self._text.replace(self._tree.extent(node, index - 1)[1], end, "")
        elif node.flow_style:
            self._text.replace(start, self._tree.extent(node, index + 1)[0], "")
        else:
            self._remove_lines(node, index)

    def _empty(self, key: ScalarNode, node: CollectionNode) -> None:
        """Leave empty braces or brackets behind a key."""
        braces = "{}" if isinstance(node, MappingNode) else "[]"
        start, end = node.start_mark.index, self._tree.end(node)
        if node.flow_style:
            self._text.replace(start, end, braces)
        else:
            self._text.insert(self._tree.after_colon(key), f" {braces}")
            self._text.delete_lines(start, end)

    def _remove_lines(self, node: CollectionNode, index: int) -> None:
        start, end = self._tree.extent(node, index)
        if isinstance(node, SequenceNode):
            start = self._text.text.rindex("-", 0, start)
        if self._text.indent(start) is None:
            self._text.replace(start, self._tree.extent(node, index + 1)[0], "")
        else:
            self._text.delete_lines(start, end)


class Cursor(NamedTuple):
    """A place in a sheet, where there may be a value or not."""

    sheet: Sheet
    path: Path

    def __truediv__(self, step: str | int) -> Cursor:
        return Cursor(self.sheet, (*self.path, step))

    @property
    def exists(self) -> bool:
        return self.sheet.has(self.path)

    def write(self, value: Value | None, order: Order = ()) -> None:
        """Put a value here; remove what is here if it is None."""
        if value is not None:
            self.sheet.put(self.path, value, order)
        elif self.exists:
            self.sheet.remove(self.path)


def _indexes(path: Path) -> list[int]:
    return [step for step in path if isinstance(step, int)]


def _in_same_quotes(node: ScalarNode, text: str, *, in_flow: bool) -> str:
    """A text in the quotes of the value it replaces, if they will do."""
    if isinstance(text, Plain):
        return str(text)
    if node.style == "'" and text.isprintable():
        quoted = text.replace("'", "''")
        return f"'{quoted}'"
    return y.scalar(text, flow=in_flow, quoted=node.style == '"')
