"""Putting files in place: all are written aside first, and each appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from reconciler.diagnostics.problem import Failure, Problem

_AT_ONCE = 16


class Staging:
    """Files that are to be in a folder, written in another one below it until all is well."""

    def __init__(self, folder: Path, aside: Path, *, replace: bool) -> None:
        self._folder = folder
        self._aside = aside
        self._replace = replace
        self._names: list[str] = []

    def add(self, name: str, text: str) -> None:
        """Write a file, by its name below the folder."""
        target = self._aside / name
        with _failing(self._folder / name):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8", newline="") as stream:
                stream.write(text)
        self._names.append(name)

    def place(self) -> None:
        """Put all files where they belong.

        Raises:
            Failure: a file is there already and is not to be replaced; then none was touched.
        """
        there = [name for name in self._names if os.path.lexists(self._folder / name)]
        if there and not self._replace:
            raise Failure(
                Problem("MBX710", None, {"file": str(self._folder / name)}) for name in there
            )
        with _failing(self._folder):
            _settle(self._aside / name for name in self._names)
        for name in self._names:
            target = self._folder / name
            with _failing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                (self._aside / name).replace(target)
        with _failing(self._folder):
            _settle({(self._folder / name).parent for name in self._names})


@contextmanager
def staging(folder: Path, *, replace: bool) -> Iterator[Staging]:
    """A folder to put files into, which is made where it is missing and they get there.

    Raises:
        Failure: it cannot be written to.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with _failing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Its name begins with a dot, so that whatever becomes of it is never read as manifests.
        aside = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    try:
        yield Staging(folder, aside, replace=replace)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        for path in made:
            _remove_if_empty(path)


class Rewrite(NamedTuple):
    """What a file is to have in place of what it has; None where it is not to be there yet."""

    file: Path
    before: bytes | None
    after: bytes


def rewrite(todo: Sequence[Rewrite]) -> None:
    """Rewrite files that all still have what they had. A link to a file stays one.

    Raises:
        Failure: one has something else, and none is touched; or one cannot be written.
    """
    for file, before, _after in todo:
        with _failing(file):
            if (file.read_bytes() if file.exists() else None) != before:
                raise Failure.of("MBX726", file=str(file))
    for file, _before, after in todo:
        with _failing(file):
            _replace(file.resolve(), after)


def _replace(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        aside.write_bytes(data)
        if target.exists():
            shutil.copymode(target, aside)
        _settle([aside])
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    _settle([target.parent])


@contextmanager
def _failing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failure.of("MBX526", file=str(file), reason=error.strerror or "") from None


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _settle(paths: Iterable[Path]) -> None:
    """Have files and folders on the disk: many at once, for each waits for the disk alone."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(_synchronise, paths))


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
