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
    def __init__(
        self, settings: FileSettings, environment: Mapping[str, str], _redactor: Redactor
    ) -> None:
        path = settings.folder or environment.get("CREDENTIALS_DIRECTORY") or "/run/secrets"
        self._folder = Path(path)

    def fetch(self, name: str, _version: int | None, _seconds: float) -> StoredSecret:
        data = folder.read(self._folder, name)
        if data.endswith(b"\n"):  # the one line end that editors leave
            data = data.removesuffix(b"\n").removesuffix(b"\r")
        return StoredSecret(decoded(data))


FILE = StoreKind(
    "file",
    "file",
    "name",
    r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$",
    "Name of the file, in the secrets folder, that holds it.",
    FileSettings,
    FileStore,
    set_up=True,
    prefix="{partner}-",
    reserved=("reconciler-",),
    own="reconciler-",
)
