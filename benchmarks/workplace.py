"""Where a measurement happens: a folder with an estate and its database, and the commands there."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

from benchmarks import bulk, estate
from benchmarks.databases import Postgres
from benchmarks.measure import Command, once

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.databases import Database

ROOT = Path(__file__).resolve().parent.parent
CHANGED_PERCENT = 1
_ANOTHER_CONTEXT = "limits.scalar_bytes = 65_537\n"
"""Settings that change nothing here, but might: what is known with others says nothing then."""


@dataclass(frozen=True)
class Workplace:
    folder: Path
    database: Database

    @property
    def manifests(self) -> Path:
        return self.folder / "estate"

    @property
    def changed(self) -> Path:
        """The same estate with a little changed, under the same file names."""
        return self.folder / "changed"

    @property
    def one_changed(self) -> Path:
        """The same estate with one server changed, in the last of all files."""
        return self.folder / "one-changed"

    def write(self, servers: int) -> None:
        if self.manifests.exists():
            return
        estate.write(self.manifests, servers)
        estate.write(self.changed, servers, CHANGED_PERCENT)
        copytree(self.manifests, self.one_changed, copy_function=os.link)
        last = max(self.one_changed.rglob("*.yaml"))
        text = last.read_text(encoding="utf-8")
        last.unlink()
        last.write_text(text.replace("nickname: Envio de NF-e 01", "nickname: Outro"), "utf-8")

    def floor(self) -> Command:
        return self._python("benchmarks.floor", self.manifests, self.database.url)

    def hashes(self) -> Command:
        return self._python("benchmarks.hashes", self.manifests, self.database.url)

    def first_apply(self) -> Command:
        """Into a database that is new every time."""
        apply = self.reconciler("apply", self.manifests, "--auto-approve")
        return replace(apply, prepare=self.database.renew)

    def plan(self, manifests: Path, *options: str, exit_code: int = 0) -> Command:
        """A plan that fails the measurement unless it ends so: 0 without changes, 2 with some."""
        plan = self.reconciler("plan", manifests, "--detailed-exitcode", *options)
        return replace(plan, exit_code=exit_code)

    def cold_plan(self) -> Command:
        """A plan to which no partner is known as unchanged."""
        return self.plan(self.manifests, "--settings", self._other_settings())

    def renewed_plan(self) -> Command:
        """A plan under other settings, after an apply under them that had nothing to change."""
        settings = ("--settings", self._other_settings())
        apply = self.reconciler("apply", self.manifests, "--auto-approve", *settings)
        return self._after(apply, self.plan(self.manifests, *settings))

    def upgraded_plan(self) -> Command:
        """A plan of another version, after an apply by it that had nothing to change."""
        tool = self.folder / "upgraded"
        if not tool.exists():
            copytree(ROOT / "reconciler", tool / "reconciler")
            (tool / "reconciler" / "more.py").write_text("# another version\n", encoding="utf-8")
        apply = self.reconciler("apply", self.manifests, "--auto-approve")
        environment = {**self._environment(), "PYTHONPATH": str(tool)}
        return self._after(
            replace(apply, environment=environment),
            replace(self.plan(self.manifests), environment=environment),
        )

    @staticmethod
    def _after(apply: Command, plan: Command) -> Command:
        def prepare() -> None:
            once(apply)

        return replace(plan, prepare=prepare)

    def _other_settings(self) -> str:
        settings = self.folder / "other.toml"
        settings.write_text(_ANOTHER_CONTEXT, encoding="utf-8")
        return str(settings)

    @property
    def saved(self) -> Path:
        return self.folder / "saved.plan"

    def saved_plan(self) -> Command:
        """A first plan, saved to a file."""
        plan = self.reconciler("plan", self.manifests, "-o", self.saved)
        return replace(plan, prepare=self.database.renew)

    def reconciler(self, *words: str | Path) -> Command:
        return self._python("reconciler", *words)

    def bulk_read(self, what: str) -> Command:
        """A read of all rows, of which only that part is timed."""
        command = self._python("benchmarks.bulk", what, self.database.url)
        return replace(command, tells_seconds=True)

    def bulk_apply(self) -> Command:
        """The transaction of a first apply, into a database that is new every time."""
        return self._bulk("apply", self.manifests, self._loaded.renew)

    def bulk_load(self, what: str, folder: Path) -> Command:
        """A load into a database with its tables and nothing in them, only that part timed."""
        return self._bulk(what, folder, partial(self._loaded.renew, self._empty.name))

    def _bulk(self, what: str, folder: Path, prepare: Callable[[], None]) -> Command:
        command = self._python("benchmarks.bulk", what, self._loaded.url, folder)
        return replace(command, prepare=prepare, tells_seconds=True)

    def dump(self) -> Path:
        """The rows of the database as COPY takes them, with a database to load them into."""
        self._empty.renew()
        once(self.reconciler("db", "upgrade", "--database", self._empty.url))
        rows = self.folder / "rows"
        bulk.dump(self.database.url, rows)
        return rows

    @property
    def _postgres(self) -> Postgres:
        assert isinstance(self.database, Postgres)
        return self.database

    @property
    def _loaded(self) -> Postgres:
        return Postgres(self._postgres.server, "loaded")

    @property
    def _empty(self) -> Postgres:
        return Postgres(self._postgres.server, "empty")

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
            "RECONCILER_DATABASE_URL": self.database.url,
        }
