"""Where a measurement happens: a folder with an estate and its database, and the commands there."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree

from benchmarks import estate
from benchmarks.measure import Command

ROOT = Path(__file__).resolve().parent.parent
CHANGED_PERCENT = 1


@dataclass(frozen=True)
class Workplace:
    folder: Path

    @property
    def manifests(self) -> Path:
        return self.folder / "estate"

    @property
    def changed(self) -> Path:
        """The same estate with a little changed, under the same file names."""
        return self.folder / "changed"

    @property
    def database(self) -> Path:
        return self.folder / "database" / "estate.db"

    def write(self, servers: int) -> None:
        estate.write(self.manifests, servers)
        estate.write(self.changed, servers, CHANGED_PERCENT)

    def floor(self) -> Command:
        return self._python("benchmarks.floor", self.manifests, self.database)

    def first_apply(self) -> Command:
        """Into a database that is new every time."""
        apply = self.reconciler("apply", self.manifests, "--auto-approve")
        return replace(apply, prepare=self._drop_database)

    def plan(self, manifests: Path, *options: str, exit_code: int = 0) -> Command:
        """A plan that fails the measurement unless it ends so: 0 without changes, 2 with some."""
        plan = self.reconciler("plan", manifests, "--detailed-exitcode", *options)
        return replace(plan, exit_code=exit_code)

    def reconciler(self, *words: str | Path) -> Command:
        return self._python("reconciler", *words)

    def _python(self, module: str, *words: str | Path) -> Command:
        line = (sys.executable, "-m", module, *map(str, words))
        return Command(line, self.folder, self._environment())

    def _environment(self) -> dict[str, str]:
        """A clean one: no `CI`, no settings, nothing cached in a home folder."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "RECONCILER_DATABASE_URL": f"sqlite:///{self.database}",
        }

    def _drop_database(self) -> None:
        rmtree(self.database.parent, ignore_errors=True)
        self.database.parent.mkdir()
