"""Secrets in files of one folder: `{file: name}`.

The folder is that of the settings, else the one systemd gives in `CREDENTIALS_DIRECTORY`, else
`/run/secrets`, where Docker and most mounts of Kubernetes secrets put them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reconciler.secrets.redact import Redactor
from reconciler.secrets.settings_types import AbsolutePath
from reconciler.secrets.stores import folder
from reconciler.secrets.stores.store import Store, StoredSecret, StoreKind, StoreSection, decoded


class FileSettings(StoreSection):
    """The folder that files are read from."""

    folder: AbsolutePath | None = None


class FileStore(Store):
    def __init__(self, path: Path) -> None:
        self._folder = path

    def fetch(self, name: str, _version: int | None, _seconds: float) -> StoredSecret:
        data = folder.read(self._folder, name)
        return StoredSecret(decoded(_without_newline(data)))


def _without_newline(data: bytes) -> bytes:
    """`data` without the one line end that editors leave."""
    return data.removesuffix(b"\n").removesuffix(b"\r") if data.endswith(b"\n") else data


def _open(settings: FileSettings, environment: Mapping[str, str], _redactor: Redactor) -> FileStore:
    path = settings.folder or environment.get("CREDENTIALS_DIRECTORY") or "/run/secrets"
    return FileStore(Path(path))


FILE = StoreKind(
    "file",
    "file",
    "name",
    r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$",
    "Name of the file, in the secrets folder, that holds it.",
    FileSettings,
    _open,
    set_up=True,
    prefix="{partner}-",
    reserved=("reconciler-",),
    own="reconciler-",
)
