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

import shutil
import sqlite3
from itertools import pairwise
from pathlib import Path

import pytest

from reconciler.cli import run

STORIES = Path(__file__).parent / "stories"
NAMES = sorted(str(path.parent.relative_to(STORIES)) for path in STORIES.rglob("after"))


class Story:
    """One story, told in a folder of its own."""

    def __init__(self, name: str, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.source = STORIES / name
        self.folder = folder
        self._capture = capture

    def prepare(self) -> None:
        """Bring the database to where the story begins, and the manifests to now."""
        settings = self.source / "reconciler.toml"
        if settings.exists():
            shutil.copy(settings, self.folder)
        if (self.source / "before").exists():
            self._manifests("before")
            assert self.run("apply", "manifests", "--auto-approve").endswith("exit 0\n")
        self._write_rows()
        self._manifests("after")

    def _manifests(self, name: str) -> None:
        shutil.rmtree(self.folder / "manifests", ignore_errors=True)
        shutil.copytree(self.source / name, self.folder / "manifests", symlinks=True)

    def _write_rows(self) -> None:
        rows = self.source / "rows.sql"
        if rows.exists():
            assert self.run("db", "upgrade").endswith("exit 0\n")
            with sqlite3.connect(self.folder / "reconciler.db") as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                connection.executescript(rows.read_text())
            connection.close()

    def paths(self) -> list[str]:
        return self._words("paths") or ["manifests"]

    def arguments(self) -> list[str]:
        return self._words("arguments")

    def _words(self, name: str) -> list[str]:
        file = self.source / name
        return file.read_text().split() if file.exists() else []

    def run(self, *arguments: str) -> str:
        """What a command prints, on both streams, and its exit code."""
        self._capture.readouterr()
        code = run(list(arguments))
        printed = self._capture.readouterr()
        said = "\n".join(text.rstrip() for text in (printed.err, printed.out) if text.strip())
        return f"{said}\nexit {code}\n"

    def check(self, file: str, told: str, *, update: bool) -> None:
        """Compare what was printed with what the story expects."""
        expected = self.source / file
        if update:
            expected.write_text(told)
        assert told == expected.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_story(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    story = Story(name, tmp_path, capsys)
    story.prepare()
    update = bool(request.config.getoption("--update-stories"))
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
