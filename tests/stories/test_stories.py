"""Stories: manifests before and after, and what the tool says of the change.

A story is one text file. First come commands, each with what it prints and its exit code; then
files, each below a line with its name:

- `before/…`: manifests that were applied before (may be left out);
- `after/…`: manifests of now; `manifests/…` is the same before and after;
- `rows.sql`: what another program wrote to the database in between;
- `reconciler.toml`: settings.

A name may be followed by `-> target`, for a link, or by `escaped`: bytes are written `\\xNN` then,
and a backslash at the end of a line leaves out the line break.

Where the plan may be applied it is, and a second plan must then be empty.
`pytest tests/stories --update-story GROUP/NAME` writes what one story prints now: read it then.
"""

from __future__ import annotations

import codecs
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.estates import Cli, plain_sql
from tests.support.servers import SQLITE
from tests.support.servers.databases import Database

STORIES = Path(__file__).parent
NAMES = sorted(
    path.relative_to(STORIES).with_suffix("").as_posix() for path in STORIES.rglob("*.txt")
)
ELSEWHERE = ("postgres18", "mariadb")
_WHEN = re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC")
"""When a story is told is left out of it."""
_MARK = re.compile(r"^-- (\S+)(?: -> (\S+)| (escaped))? --\n", re.MULTILINE)
_COMMAND = re.compile(r"^\$ reconciler (.*)\n", re.MULTILINE)


class File(NamedTuple):
    """A file of a story: its content, or where it links to."""

    name: str
    content: bytes
    target: str | None

    def write(self, name: str) -> None:
        path = Path(name)
        if self.name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.target is not None:
            path.symlink_to(self.target)
        else:
            path.write_bytes(self.content)


def files_of(text: str) -> tuple[str, list[File]]:
    """The commands of a story, and its files."""
    script, *rest = _MARK.split(text)
    parts = zip(rest[::4], rest[1::4], rest[2::4], rest[3::4], strict=True)
    return script, [
        File(name, _bytes(body, escaped), target) for name, target, escaped, body in parts
    ]


def _bytes(body: str, escaped: str | None) -> bytes:
    if not escaped:
        return body.encode()
    decoded, _length = codecs.escape_decode(body.replace("\\\n", "").encode("ascii"))
    return bytes(decoded)


class Story:
    """One story, told in the current folder, which is of its own."""

    def __init__(self, name: str, cli: Cli, database: Database) -> None:
        self.file = STORIES / f"{name}.txt"
        self._script, self._files = files_of(self.file.read_text())
        self._cli = cli
        self._database = database
        self.commands = [line.split() for line in _COMMAND.findall(self._script)]

    def prepare(self) -> None:
        """Bring the database to where the story begins, and the manifests to now."""
        self._write("reconciler.toml", "reconciler.toml")
        if any(file.name.startswith("before/") for file in self._files):
            self._manifests("before/")
            assert self.run("apply", "manifests", "--auto-approve").endswith("exit 0\n")
        for file in self._files:
            if file.name == "rows.sql":
                with plain_sql(self._database.url) as program:
                    program.script(file.content.decode())
        self._manifests("after/")

    def _manifests(self, folder: str) -> None:
        shutil.rmtree("manifests", ignore_errors=True)
        Path("manifests").mkdir()
        for prefix in ("manifests/", folder):
            self._write(prefix, "manifests/")

    def _write(self, prefix: str, into: str) -> None:
        for file in self._files:
            if file.name.startswith(prefix):
                file.write(into + file.name.removeprefix(prefix))

    def run(self, *arguments: str) -> str:
        """What a command prints, on both streams, and its exit code."""
        done = self._cli(*arguments)
        printed = "\n".join(text.rstrip() for text in (done.err, done.out) if text.strip())
        return _WHEN.sub("2026-11-24 08:00 UTC", f"{printed}\nexit {done.code}\n")

    def check(self, printed: list[str], *, update: bool) -> None:
        """Compare what the commands printed with what the story expects."""
        pairs = zip(self.commands, printed, strict=True)
        script = "".join(f"$ reconciler {' '.join(words)}\n{text}" for words, text in pairs)
        if update:
            self.file.write_text(script + self.file.read_text()[len(self._script) :])
            self._script = script
        assert script == self._script


def spread(kind: str) -> list[str]:
    """About a tenth of the stories, others on each kind of database; those with rows come first."""
    first = ELSEWHERE.index(kind)
    with_rows = [name for name in NAMES if "\n-- rows.sql --\n" in _text(name)]
    others = [name for name in NAMES if name not in with_rows]
    return with_rows[first::5] + others[first::12]


def _text(name: str) -> str:
    return (STORIES / f"{name}.txt").read_text()


@pytest.mark.databases(SQLITE)
@pytest.mark.parametrize("name", NAMES)
def test_story(name: str, cli: Cli, database: Database, request: pytest.FixtureRequest) -> None:
    tell(Story(name, cli, database), update=name in request.config.getoption("--update-story"))


@pytest.mark.slow
@pytest.mark.databases("postgres18")
@pytest.mark.parametrize("name", spread("postgres18"))
def test_story_on_postgres(name: str, cli: Cli, database: Database) -> None:
    tell(Story(name, cli, database))


@pytest.mark.databases("mariadb")
@pytest.mark.parametrize("name", spread("mariadb"))
def test_story_on_mariadb(name: str, cli: Cli, database: Database) -> None:
    tell(Story(name, cli, database))


def tell(story: Story, *, update: bool = False) -> None:
    """Whatever the database is, the same is printed."""
    story.prepare()
    printed = [story.run(*words) for words in story.commands]
    story.check(printed, update=update)
    (_plan, *arguments) = story.commands[-1]
    if printed[-1].endswith("exit 0\n"):
        applied = story.run("apply", "--auto-approve", *arguments)
        assert applied.endswith("exit 0\n"), applied
        second = story.run("plan", "--detailed-exitcode", *_selected(arguments))
        assert second.endswith("exit 0\n"), second


def _selected(arguments: list[str]) -> list[str]:
    """The arguments of a second plan; an acceptance is used up by then."""
    pairs = pairwise(arguments)
    chosen = [text for pair in pairs if pair[0] in ("--partner", "--server") for text in pair]
    return [text for text in arguments if text.startswith("manifests")] + chosen


def test_stories_are_found() -> None:
    assert len(NAMES) > 300
    assert 50 < len(spread("postgres18") + spread("mariadb")) < len(NAMES) // 3
