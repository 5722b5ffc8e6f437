"""The files that a run reads: regular files below the root, of a bounded size."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from reconciler.diagnostics.problem import Failure, Mark, Place, Problem
from reconciler.manifests.read import FORBIDDEN

SETTINGS_FILE = "reconciler.toml"
_ENDINGS = (".yaml", ".yml")
NAME_LENGTH = 1000
"""How many characters of a file's name the database can hold."""
_START = Mark(1, 1, 2)


class Manifest(NamedTuple):
    """A manifest: its path relative to the root, and where it is."""

    name: str
    path: Path


class Base(NamedTuple):
    """The root that manifests are named relative to, and how much of it a run was given.

    That is the `whole` of it, or these `folders` below it and single files.
    """

    root: Path
    whole: bool
    folders: tuple[str, ...] = ()


def base_of(paths: Iterable[Path], root: Path | None) -> Base:
    """The base of a run: `root`, or else the nearest folder above `paths` with a settings file.

    Without either it is the folder that `paths` have in common.

    Raises:
        Failure: a path is not below the root.
    """
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - links stay links
    folders = [path if path.is_dir() or not path.exists() else path.parent for path in absolute]
    common = Path(os.path.commonpath(folders))
    named = Path(os.path.abspath(root)) if root else _with_settings(common)  # noqa: PTH100
    chosen = named or common
    for path in absolute:
        if not path.is_relative_to(chosen):
            raise Failure.of("MBX119", path=str(path), root=str(chosen))
    below = tuple(_name(path, chosen) for path in absolute if path.is_dir() and path != chosen)
    return Base(chosen, chosen in absolute, below)


def _with_settings(folder: Path) -> Path | None:
    return next((up for up in (folder, *folder.parents) if (up / SETTINGS_FILE).is_file()), None)


def find(paths: Iterable[Path], root: Path) -> tuple[list[Manifest], list[Problem]]:
    """The manifests at and below `paths`, by name, and what prevents others from being read."""
    manifests: dict[str, Manifest] = {}
    problems: list[Problem] = []
    for path in paths:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100
        is_folder = absolute.is_dir()
        for item in _below(absolute, root) if is_folder else (_one(absolute, root),):
            if isinstance(item, Problem):
                problems.append(item)
            else:
                manifests[item.name] = item
        if is_folder and not manifests and not problems:
            problems.append(Problem("MBX117", None, {"path": str(path)}))
    return [manifests[name] for name in sorted(manifests)], problems


def _below(folder: Path, root: Path) -> Iterator[Manifest | Problem]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - a Path for each name costs too much
    except OSError as error:
        yield _refused("MBX116", _name(folder, root), reason=error.strerror or "")
        return
    for name in names:
        if not name.startswith("."):
            yield from _entry(folder / name, root)


def _entry(path: Path, root: Path) -> Iterator[Manifest | Problem]:
    is_link = path.is_symlink()
    if path.is_dir():
        if not is_link:
            yield from _below(path, root)
        elif not _stays(path, root):
            yield _refused("MBX115", _name(path, root))
    elif path.name.endswith(_ENDINGS):
        yield _one(path, root)


def _one(path: Path, root: Path) -> Manifest | Problem:
    if path.is_symlink() and not _stays(path, root):
        return _refused("MBX115", _name(path, root))
    name = _name(path, root)
    if len(name) > NAME_LENGTH or FORBIDDEN.search(name) or "\n" in name:
        shown = name.encode("ascii", "backslashreplace").decode()[:NAME_LENGTH]
        return Problem("MBX121", None, {"name": shown, "limit": NAME_LENGTH})
    return Manifest(name, path)


def _stays(path: Path, root: Path) -> bool:
    """Whether a link leads below the root; a broken one fails when it is read."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _refused(code: str, name: str, **values: object) -> Problem:
    return Problem(code, Place(name, mark=_START), values)


def content(manifest: Manifest, limit: int) -> bytes | Problem:
    """The bytes of a manifest, `limit` + 1 at most; or why it cannot be read."""
    name, path = manifest
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - it has no path any more
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return _refused("MBX114", name)
            return _up_to(file.read, limit + 1)
    except OSError as error:
        return _refused("MBX116", name, reason=error.strerror or "")


def _up_to(read: Callable[[int], bytes | None], size: int) -> bytes:
    chunks = bytearray()
    while len(chunks) < size and (chunk := read(size - len(chunks))):
        chunks += chunk
    return bytes(chunks)
