"""What plans are made with: this very tool, to the letter."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from reconciler import __version__

_CODE = (".py", ".toml")
_LIBRARIES = ("PyYAML", "pydantic", "pydantic_core", "email-validator", "idna")
"""Those that have a say in what a manifest means."""


@cache
def identity() -> str:
    """A digest that differs wherever the same manifests could mean something else.

    It is over the code itself, since a version may be worked on or be patched.
    """
    digest = hashlib.sha256()
    versions = [f"{name} {version(name)}" for name in _LIBRARIES]
    digest.update("\n".join([__version__, sys.version, *versions]).encode())
    for name, content in _files(Path(__file__).parent.parent):
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(_CODE):
                file = Path(place, name)
                yield file.relative_to(folder).as_posix(), file.read_bytes()
