"""Stories: manifests before and after, and what the tool says of the change.

A story is a folder below `stories/`:

- `before/`: manifests that were applied before (may be left out);
- `rows.sql`: what another program then wrote to the database (may be left out);
- `after/`: the manifests of now;
- `reconciler.toml`: settings (may be left out);
- `paths`: what is given, one a line, if not the whole folder `manifests`;
- `arguments`: more arguments for plan and apply, one a line (may be left out);
- `validate.txt` and `plan.txt`: what the two commands print, with the exit code.

Where the plan may be applied it is, and a second plan must then be empty.
`pytest tests/test_stories.py --update-stories` writes what is printed now: read the difference.
"""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.estates import Cli, plain_sql
from tests.support.servers import SQLITE
from tests.support.servers.databases import Database

STORIES = Path(__file__).parent
_WHEN = re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC")
"""When a story is told is left out of it."""
NAMES = sorted(str(path.parent.relative_to(STORIES)) for path in STORIES.rglob("after"))
WITH_ROWS = [name for name in NAMES if (STORIES / name / "rows.sql").exists()]


class Story:
    """One story, told in the current folder, which is of its own."""

    def __init__(self, name: str, cli: Cli, database: Database) -> None:
        self.source = STORIES / name
        self._cli = cli
        self._database = database

    def prepare(self) -> None:
        """Bring the database to where the story begins, and the manifests to now."""
        settings = self.source / "reconciler.toml"
        if settings.exists():
            shutil.copy(settings, ".")
        if (self.source / "before").exists():
            self._manifests("before")
            assert self.run("apply", "manifests", "--auto-approve").endswith("exit 0\n")
        self._write_rows()
        self._manifests("after")

    def _manifests(self, name: str) -> None:
        shutil.rmtree("manifests", ignore_errors=True)
        shutil.copytree(self.source / name, "manifests", symlinks=True)

    def _write_rows(self) -> None:
        rows = self.source / "rows.sql"
        if rows.exists():
            with plain_sql(self._database.url) as program:
                program.script(rows.read_text())

    def paths(self) -> list[str]:
        return self._words("paths") or ["manifests"]

    def arguments(self) -> list[str]:
        return self._words("arguments")

    def _words(self, name: str) -> list[str]:
        file = self.source / name
        return file.read_text().split() if file.exists() else []

    def run(self, *arguments: str) -> str:
        """What a command prints, on both streams, and its exit code."""
        done = self._cli(*arguments)
        said = "\n".join(text.rstrip() for text in (done.err, done.out) if text.strip())
        return _WHEN.sub("2026-11-24 08:00 UTC", f"{said}\nexit {done.code}\n")

    def check(self, file: str, told: str, *, update: bool) -> None:
        """Compare what was printed with what the story expects."""
        expected = self.source / file
        if update:
            expected.write_text(told)
        assert told == expected.read_text()


@pytest.mark.databases(SQLITE, "postgres18")
@pytest.mark.parametrize("name", NAMES)
def test_story(name: str, cli: Cli, database: Database, request: pytest.FixtureRequest) -> None:
    update = database.kind == SQLITE and bool(request.config.getoption("--update-stories"))
    _tell(Story(name, cli, database), update=update)


@pytest.mark.databases("mariadb")
@pytest.mark.parametrize("name", WITH_ROWS)
def test_story_with_rows(name: str, cli: Cli, database: Database) -> None:
    _tell(Story(name, cli, database), update=False)


def _tell(story: Story, *, update: bool) -> None:
    """Whatever the database is, the same is printed."""
    story.prepare()
    story.check("validate.txt", story.run("validate", *story.paths()), update=update)
    planned = story.run("plan", *story.paths(), *story.arguments())
    story.check("plan.txt", planned, update=update)
    if planned.endswith("exit 0\n"):
        applied = story.run("apply", *story.paths(), "--auto-approve", *story.arguments())
        assert applied.endswith("exit 0\n"), applied
        second = story.run("plan", *story.paths(), "--detailed-exitcode", *_selected(story))
        assert second.endswith("exit 0\n"), second


def _selected(story: Story) -> list[str]:
    """The arguments that limit a plan; an acceptance is used up by now."""
    arguments = story.arguments()
    return [
        text
        for option, value in pairwise(arguments)
        if option in ("--partner", "--server")
        for text in (option, value)
    ]


def test_stories_are_found() -> None:
    assert len(NAMES) > 50
