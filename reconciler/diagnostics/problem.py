"""Problems, where they are, and the failures that end a run.

A `Problem` is a code and the values its message needs; the words are in `messages`. It points into
a manifest by path (`("mail_servers", "nfe-out", "host")`), and the line and column of that path are
looked up only when somebody is going to read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple, Self

Path = tuple[str | int, ...]


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Mark(NamedTuple):
    """A stretch of one line. Line and columns count characters from 1; `end` is exclusive."""

    line: int
    column: int
    end: int


class Source(NamedTuple):
    """Where a row is written: the file as the user would write it here, line and column."""

    file: str
    line: int
    column: int


class Place(NamedTuple):
    """A position in a manifest: by path, or by mark where no path leads to it."""

    file: str
    path: Path = ()
    on: Literal["key", "value"] = "key"
    mark: Mark | None = None

    def below(self, *steps: str | int, on: Literal["key", "value"] = "key") -> Place:
        return Place(self.file, (*self.path, *steps), on)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where; `others` are places that have a part in it."""

    code: str
    place: Place | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    others: tuple[Place, ...] = ()


class Failure(Exception):  # noqa: N818 - a failure of the run, not of the program
    """What ends a run: its problems, and the exit code that says which kind it is."""

    exit_code = 1

    def __init__(self, problems: Iterable[Problem], sources: object = None) -> None:
        self.problems = tuple(problems)
        self.sources = sources
        super().__init__(", ".join(problem.code for problem in self.problems))

    @classmethod
    def of(cls, code: str, place: Place | None = None, /, **values: object) -> Self:
        """The failure of a single problem."""
        return cls([Problem(code, place, values)])


class Stale(Failure):
    """The plan no longer fits the database, was altered, or is for another database."""

    exit_code = 4


class WrongUse(Failure):
    """The command line does not say what to do."""

    exit_code = 64


class Locked(Failure):
    """Another apply holds the database."""

    exit_code = 5
