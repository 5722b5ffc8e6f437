"""Writing files so that each appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from reconciler.diagnostics.problem import Failure, Problem

OWNER_ONLY = 0o600


@contextmanager
def replacing(file: Path, mode: int, *, partial: bool = False) -> Iterator[IO[bytes]]:
    """A stream to a hidden file that replaces `file`, with this mode, when the block ends.

    If the block raises, nothing is replaced, unless a `partial` file is better than none.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    aside, complete = Path(name), partial
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            try:
                yield stream
                complete = True
            finally:
                if complete:
                    stream.flush()
                    os.fsync(descriptor)
                    aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def default_mode() -> int:
    """The mode that any other program would give to a new file."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


class Staging:
    """Files for a folder, kept in a hidden folder below it until all of them are written."""

    def __init__(self, folder: Path, aside: Path, *, replace: bool) -> None:
        self._folder = folder
        self._aside = aside
        self._replace = replace
        self._names: list[str] = []

    def add(self, name: str, text: str) -> None:
        """Write a file, by its name below the folder."""
        target = self._aside / name
        with failing(self._folder / name):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8", newline="") as stream:
                stream.write(text)
        self._names.append(name)

    def place(self) -> None:
        """Move all files to where they belong; fails, and touches none, if one must stay."""
        existing = [name for name in self._names if os.path.lexists(self._folder / name)]
        if existing and not self._replace:
            raise Failure(
                Problem("MBX710", None, {"file": str(self._folder / name)}) for name in existing
            )
        with failing(self._folder):
            _synchronise(self._aside / name for name in self._names)
        for name in self._names:
            target = self._folder / name
            with failing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                (self._aside / name).replace(target)
        with failing(self._folder):
            _synchronise({(self._folder / name).parent for name in self._names})


@contextmanager
def staging(folder: Path, *, replace: bool) -> Iterator[Staging]:
    """Files for a folder, which is created if need be, and removed again if nothing gets there.

    Raises:
        Failure: it cannot be written to.
    """
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    with failing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Its name begins with a dot, so that it is never read as manifests, whatever is left of it.
        aside = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    try:
        yield Staging(folder, aside, replace=replace)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        for path in created:
            with suppress(OSError):  # it is not empty
                path.rmdir()


class Rewrite(NamedTuple):
    """A file, relative to some root, before and after; None before if it does not exist."""

    file: str
    before: bytes | None
    after: bytes


def rewrite(root: Path, rewrites: Sequence[Rewrite]) -> None:
    """Rewrite files below `root` that are still as they were before. Symbolic links stay links.

    Raises:
        Failure: one is not as it was, and none is touched; or one cannot be written.
    """
    for name, before, _after in rewrites:
        file = root / name
        with failing(file):
            if (file.read_bytes() if file.exists() else None) != before:
                raise Failure.of("MBX726", file=str(file))
    for name, _before, after in rewrites:
        with failing(root / name):
            file = (root / name).resolve()
            file.parent.mkdir(parents=True, exist_ok=True)
            mode = file.stat().st_mode & 0o7777 if file.exists() else default_mode()
            with replacing(file, mode) as stream:
                stream.write(after)
            _synchronise([file.parent])


@contextmanager
def failing(file: Path, code: str = "MBX526") -> Iterator[None]:
    """Turn an error of the system into the failure to write `file`."""
    try:
        yield
    except OSError as error:
        raise Failure.of(code, file=str(file), reason=error.strerror or "") from None


def _synchronise(paths: Iterable[Path]) -> None:
    """Have files and folders on the disk: many at once, as each only waits for the disk."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(_fsync, paths))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
