"""The least a plan can cost in Python: read every manifest, read every row, compare nothing.

`python -m benchmarks.floor DIR URL` takes the bytes of each file through PyYAML's C event stream
into plain dicts with the garbage collector off, and every row of the database through a raw cursor.
Nothing is checked and nothing is kept, and nothing else is imported. `hashes` is the floor of plans
that only have to know that nothing has changed.
"""

from __future__ import annotations

import gc
import os
import sys

from yaml import MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent
from yaml._yaml import CParser

from benchmarks.rows import batches, connected

TYPE_CHECKING = False  # true to type checkers alone: importing it would cost more than a read
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Node: TypeAlias = str | dict[str, "Node"] | list["Node"]


def read(data: bytes) -> Node:
    """The one document of `data`, every scalar as the text that was written."""
    following = CParser(data).get_event
    _stream, _document = following(), following()
    return _build(following, following())


def _build(following: Callable[[], Any], event: Any) -> Node:
    if type(event) is ScalarEvent:
        return event.value
    if type(event) is MappingStartEvent:
        return _mapping(following)
    return _sequence(following)


def _mapping(following: Callable[[], Any]) -> dict[str, Node]:
    mapping: dict[str, Node] = {}
    while type(key := following()) is not MappingEndEvent:
        value = following()
        mapping[key.value] = value.value if type(value) is ScalarEvent else _build(following, value)
    return mapping


def _sequence(following: Callable[[], Any]) -> list[Node]:
    sequence: list[Node] = []
    while type(item := following()) is not SequenceEndEvent:
        sequence.append(item.value if type(item) is ScalarEvent else _build(following, item))
    return sequence


def read_files(directory: str) -> None:
    """Every file below `directory`, dropped as soon as it is built."""
    for folder, _, names in os.walk(directory):
        for name in names:
            with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123 - a floor without pathlib
                read(file.read())


def read_rows(url: str) -> None:
    """Every row that a plan reads, dropped as it comes."""
    for _rows in batches(connected(url)):
        pass


if __name__ == "__main__":
    gc.disable()
    read_files(sys.argv[1])
    read_rows(sys.argv[2])
