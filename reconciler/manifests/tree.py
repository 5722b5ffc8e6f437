"""A manifest as text: where each value begins and ends, and the pieces that are replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from reconciler.diagnostics.problem import Path
from reconciler.manifests.read import Loader
from reconciler.manifests.yamltext import LAYOUT, Layout

_LINE_END = re.compile(r"\r\n|\r|\n")


class Element(NamedTuple):
    """A value, its key if it has one, and whether it is inside braces or brackets."""

    key: ScalarNode | None
    value: Node
    in_flow: bool


class Tree:
    """The document of a manifest that `manifests` reads without a problem."""

    def __init__(self, text: str) -> None:
        self._text = text
        root = yaml.compose(text, Loader=Loader)
        assert root is not None
        self.root: Node = root

    def find(self, path: Path) -> Element | None:
        """The element at `path`, if there is one."""
        element: Element | None = Element(None, self.root, in_flow=False)
        for step in path:
            element = _below(element, step) if element else None
        return element

    def at(self, path: Path) -> Element:
        """The element at `path`, which must exist."""
        element = self.find(path)
        assert element is not None, path
        return element

    def end(self, node: Node) -> int:
        """The offset at which the last thing that belongs to a node ends."""
        start, end = node.start_mark.index, int(node.end_mark.index)
        if isinstance(node, ScalarNode):
            is_block = node.style in ("|", ">")
            return start + len(self._text[start:end].rstrip()) if is_block else end
        assert isinstance(node, CollectionNode)
        if node.flow_style:
            return end
        last = node.value[-1]
        return self.end(last[1] if isinstance(last, tuple) else last)

    def extent(self, node: CollectionNode, index: int) -> tuple[int, int]:
        """The offsets between which an entry or an item stands."""
        child = node.value[index]
        first, last = child if isinstance(child, tuple) else (child, child)
        return first.start_mark.index, max(self.end(last), self.end(first))

    def after_colon(self, key: ScalarNode) -> int:
        """The offset behind the colon of a key."""
        return self._text.index(":", key.end_mark.index) + 1

    def layout(self, near: Node) -> Layout:
        """How the file is laid out, judged by what is near, or else by all of it."""
        keys = near if isinstance(near, MappingNode) and near.value else self.root
        return Layout(
            next(chain(_steps(near, MappingNode), _steps(self.root, MappingNode)), LAYOUT.step),
            next(chain(_steps(near, SequenceNode), _steps(self.root, SequenceNode)), LAYOUT.dash),
            isinstance(keys, MappingNode) and all(key.style == '"' for key, _ in keys.value),
        )


def _below(parent: Element, step: str | int) -> Element | None:
    node = parent.value
    in_flow = parent.in_flow or bool(getattr(node, "flow_style", False))
    if isinstance(node, MappingNode):
        pairs = (pair for pair in node.value if pair[0].value == step)
        return next((Element(key, value, in_flow) for key, value in pairs), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return Element(None, node.value[step], in_flow)
    return None


def index_of(node: CollectionNode, step: str | int) -> int:
    """The number of an entry or an item."""
    if isinstance(step, int):
        return step
    return next(index for index, (key, _) in enumerate(node.value) if key.value == step)


def neighbour(node: MappingNode, key: str, order: tuple[str, ...]) -> int | None:
    """The number of the entry that a new key belongs behind; None to put it before all others."""
    if key not in order:
        return -1
    earlier = set(order[: order.index(key)])
    indexes = (index for index, (other, _) in enumerate(node.value) if other.value in earlier)
    return max(indexes, default=None)


def _steps(node: Node, kind: type[CollectionNode]) -> Iterator[int]:
    """How far each mapping or list below a node that is not in braces is indented from its key."""
    if not isinstance(node, CollectionNode) or node.flow_style:
        return
    for child in node.value:
        key, value = child if isinstance(child, tuple) else (None, child)
        if key is not None and isinstance(value, kind) and not value.flow_style:
            yield value.start_mark.column - key.start_mark.column
        yield from _steps(value, kind)


class SplicedText:
    """A text as it was read; all offsets are into that, however much is replaced."""

    def __init__(self, text: str) -> None:
        self.text = text
        first_end = _LINE_END.search(text)
        self.newline = first_end.group() if first_end else "\n"
        self.splices: list[tuple[int, int, str]] = []

    def result(self) -> str:
        """The text with all pieces replaced."""
        pieces, position = [], 0
        for start, end, text in sorted(self.splices, key=lambda splice: splice[:2]):
            assert position <= start, "two edits of the same place"
            pieces += [self.text[position:start], text]
            position = end
        return "".join([*pieces, self.text[position:]])

    def replace(self, start: int, end: int, text: str) -> None:
        self.splices.append((start, end, text))

    def insert(self, position: int, text: str) -> None:
        self.replace(position, position, text)

    def insert_lines(self, position: int, lines: Iterable[str]) -> None:
        """Put lines below the one that a position is on."""
        self.insert(self.line_end(position), "".join(self.newline + line for line in lines))

    def delete_lines(self, start: int, end: int) -> None:
        """Delete all lines from one position to another."""
        first, last = self.line_start(start), self.line_end(end)
        if ending := _LINE_END.match(self.text, last):
            last = ending.end()
        elif first:
            first -= 2 if self.text.endswith("\r\n", 0, first) else 1
        self.replace(first, last, "")

    def line_start(self, position: int) -> int:
        return max(self.text.rfind(end, 0, position) for end in "\r\n") + 1

    def line_end(self, position: int) -> int:
        """Where the line of a position ends, before the characters that end it."""
        end = _LINE_END.search(self.text, position)
        return end.start() if end else len(self.text)

    def indent(self, position: int) -> str | None:
        """What is before a position on its line, as long as that is blank."""
        before = self.text[self.line_start(position) : position]
        return None if before.strip() else before
