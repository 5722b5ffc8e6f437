"""Edits of manifests as data, and making them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from reconciler.diagnostics.problem import Path
from reconciler.manifests.edit import Sheet
from reconciler.manifests.yamltext import Value


class Put(NamedTuple):
    """A value behind a key, which gets its place by `order` where it is new."""

    path: Path
    value: Value
    order: tuple[str, ...] = ()


class Rename(NamedTuple):
    """Another key in the place of the last of `path`."""

    path: Path
    key: str


class Expand(NamedTuple):
    """An item of a list that is a mere text becomes a mapping: the text behind `key`, and more."""

    path: Path
    key: str
    more: dict[str, Value]


class Append(NamedTuple):
    """An item at the end of a list, which gets its place by `order` where the file has none."""

    path: Path
    value: Value
    order: tuple[str, ...] = ()


class Remove(NamedTuple):
    """A key with its value, or an item of a list, goes."""

    path: Path


Edit = Put | Rename | Expand | Append | Remove


def edited(data: bytes, edits: Iterable[Edit]) -> bytes:
    """A file with all edits made; their paths are those before the first of them."""
    removals: list[Remove] = []
    appends: dict[Path, list[Append]] = {}
    sheet = Sheet(data)
    for edit in edits:
        match edit:
            case Put():
                sheet.put(edit.path, edit.value, edit.order)
            case Rename():
                sheet.rename(edit.path, edit.key)
            case Expand():
                sheet.expand(edit.path, edit.key, edit.more)
            case Append():
                appends.setdefault(edit.path, []).append(edit)
            case Remove():
                removals.append(edit)
    for path, added in appends.items():
        sheet = sheet.edited()
        _extend(sheet, path, added)
    # From the end, so that the numbers of the items before stay what they are.
    for removal in sorted(removals, key=_numbers, reverse=True):
        sheet = sheet.edited()
        sheet.remove(removal.path)
    return sheet.data()


def _extend(sheet: Sheet, path: Path, added: list[Append]) -> None:
    values = [edit.value for edit in added]
    if sheet.has(path):
        sheet.extend(path, values)
    else:
        sheet.put(path, values, added[0].order)


def _numbers(edit: Remove) -> list[int]:
    return [step for step in edit.path if isinstance(step, int)]
