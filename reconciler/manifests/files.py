"""Which files a run reads, and their bytes: regular files below the root, of a bounded size."""

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
"""As many characters of a file's name the database keeps."""
_START = Mark(1, 1, 2)


class ManifestFile(NamedTuple):
    """A manifest: its path relative to the root, and where it is."""

    name: str
    path: Path


class Scope(NamedTuple):
    """What was given to a run: the root, whether all of it was, and which folders below it."""

    root: Path
    whole: bool
    folders: tuple[str, ...] = ()


def scope_of(paths: Iterable[Path], root: Path | None) -> Scope:
    """The root of `paths`: the one given, else the nearest folder above with settings in it.

    Without either it is the folder given, or the folder of the files given.
    """
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - links stay links
    folders = [path if path.is_dir() or not path.exists() else path.parent for path in absolute]
    common = Path(os.path.commonpath(folders))
    named = Path(os.path.abspath(root)) if root else _with_settings(common)  # noqa: PTH100
    chosen = named or common
    for path in absolute:
        if not path.is_relative_to(chosen):
            raise Failure.of("MBX119", path=str(path), root=str(chosen))
    folders_below = tuple(
        _name(path, chosen) for path in absolute if path.is_dir() and path != chosen
    )
    return Scope(chosen, chosen in absolute, folders_below)


def _with_settings(folder: Path) -> Path | None:
    return next((up for up in (folder, *folder.parents) if (up / SETTINGS_FILE).is_file()), None)


def find(paths: Iterable[Path], scope: Scope) -> tuple[list[ManifestFile], list[Problem]]:
    """The manifests at and below `paths`, by name, and what keeps others from being read."""
    by_name: dict[str, ManifestFile] = {}
    problems: list[Problem] = []
    for asked in paths:
        path = Path(os.path.abspath(asked))  # noqa: PTH100
        for item in _below(path, scope.root) if path.is_dir() else (_one(path, scope.root),):
            if isinstance(item, Problem):
                problems.append(item)
            else:
                by_name[item.name] = item
        if path.is_dir() and not by_name and not problems:
            problems.append(Problem("MBX117", None, {"path": str(asked)}))
    return [by_name[name] for name in sorted(by_name)], problems


def _below(folder: Path, root: Path) -> Iterator[ManifestFile | Problem]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - a Path for each name costs too much
    except OSError as error:
        yield _unreadable(folder, root, error)
        return
    for name in names:
        if not name.startswith("."):
            yield from _entry(folder / name, root)


def _entry(path: Path, root: Path) -> Iterator[ManifestFile | Problem]:
    is_link = path.is_symlink()
    if path.is_dir():
        if not is_link:
            yield from _below(path, root)
        elif not _stays(path, root):
            yield _refused("MBX115", path, root)
    elif path.name.endswith(_ENDINGS):
        yield _one(path, root)


def _one(path: Path, root: Path) -> ManifestFile | Problem:
    if path.is_symlink() and not _stays(path, root):
        return _refused("MBX115", path, root)
    name = _name(path, root)
    if len(name) > NAME_LENGTH or FORBIDDEN.search(name) or "\n" in name:
        shown = name.encode("ascii", "backslashreplace").decode()[:NAME_LENGTH]
        return Problem("MBX121", None, {"name": shown, "limit": NAME_LENGTH})
    return ManifestFile(name, path)


def _stays(path: Path, root: Path) -> bool:
    """Whether a link leads to somewhere below the root; what leads nowhere fails to be read."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _unreadable(path: Path, root: Path, error: OSError) -> Problem:
    place = Place(_name(path, root), mark=_START)
    return Problem("MBX116", place, {"reason": error.strerror or ""})


def _refused(code: str, path: Path, root: Path) -> Problem:
    return Problem(code, Place(_name(path, root), mark=_START))


def content(file: ManifestFile, limit: int) -> bytes | Problem:
    """The bytes of a manifest, one more than `limit` at most; or why they cannot be had."""
    place = Place(file.name, mark=_START)
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Problem("MBX116", place, {"reason": error.strerror or ""})
    with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123 - it has no path any more
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Problem("MBX114", place)
        try:
            return _up_to(stream.read, limit + 1)
        except OSError as error:
            return Problem("MBX116", place, {"reason": error.strerror or ""})


def _up_to(read: Callable[[int], bytes | None], size: int) -> bytes:
    chunks = bytearray()
    while len(chunks) < size and (chunk := read(size - len(chunks))):
        chunks += chunk
    return bytes(chunks)
