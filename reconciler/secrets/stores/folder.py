"""Opening a file by its name in a folder, without ever leaving that folder.

No link is followed, with one exception that is checked step by step: a mounted Kubernetes secret,
where `name` is a link to `..data/name`, and `..data` one to a folder beside it that kubelet
replaces as a whole.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.diagnostics.problem import Failure

LIMIT = 64 * 1024
"""Bytes of the largest secret."""
_DATA = "..data"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def read(folder: Path, name: str) -> bytes:
    """What the regular file `name` in `folder` holds, at most `LIMIT` + 1 bytes; no path is taken.

    Raises:
        Failure: it is not there, cannot be read, or is something else.
    """
    try:
        with _opened(str(folder), _FOLDER) as directory:
            return _read(_open_file(directory, name))
    except FileNotFoundError:
        raise Failure.of("MBX675", store="file", name=name) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise Failure.of("MBX679", name=name, folder=str(folder)) from None
        raise Failure.of("MBX674", store="file", name=name, reason=error.strerror) from None


def _read(file: int) -> bytes:
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise _not_regular()
        parts, left = [], LIMIT + 1
        while left and (part := os.read(file, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(file)


def _not_regular() -> OSError:
    """What the system itself says of a link that is not to be followed."""
    return OSError(errno.ELOOP, os.strerror(errno.ELOOP))


@contextmanager
def _opened(path: str, flags: int, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_file(folder: int, name: str) -> int:
    for _ in range(3):  # kubelet may replace the folder between two steps
        try:
            return os.open(name, _FILE, dir_fd=folder)
        except OSError as error:
            if error.errno != errno.ELOOP or os.readlink(name, dir_fd=folder) != f"{_DATA}/{name}":
                raise
        try:
            with _opened(_mounted(folder), _FOLDER | os.O_NOFOLLOW, folder) as mounted:
                return os.open(name, _FILE, dir_fd=mounted)
        except FileNotFoundError:
            continue
    raise FileNotFoundError


def _mounted(folder: int) -> str:
    """The folder beside the links that holds the files of a mounted Kubernetes secret now."""
    target = os.readlink(_DATA, dir_fd=folder)
    if "/" in target or not target.startswith("..") or target == "..":
        raise _not_regular()
    return target
