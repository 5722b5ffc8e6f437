"""Secrets in files of one folder: `{file: name}`.

The folder is that of the settings, else the one systemd gives in `CREDENTIALS_DIRECTORY`, else
`/run/secrets`, where Docker and most mounts of Kubernetes secrets put them.
"""

from __future__ import annotations

from pathlib import Path

from reconciler.secrets.settings_types import AbsolutePath, Prefix, Section
from reconciler.secrets.stores import folder
from reconciler.secrets.stores.store import Document, decoded

DEFAULT_FOLDER = "/run/secrets"


class FileSettings(Section):
    """The folder that files are read from."""

    folder: AbsolutePath | None = None
    prefix: Prefix | None = None


class FileStore:
    def __init__(self, path: Path) -> None:
        self._folder = path

    def fetch(self, name: str, _version: int | None, _seconds: float) -> Document:
        data = folder.read(self._folder, name)
        return Document(decoded(_without_newline(data)))

    def newest(self, _name: str, _seconds: float) -> None:
        return None

    def close(self) -> None:
        pass


def _without_newline(data: bytes) -> bytes:
    """`data` without the one line end that editors leave."""
    return data.removesuffix(b"\n").removesuffix(b"\r") if data.endswith(b"\n") else data
