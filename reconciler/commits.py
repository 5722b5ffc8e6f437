"""Which commit the manifests are at, and whether it descends from another."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Commit:
    """The checked-out commit of the repository that `folder` lies in."""

    folder: Path
    id: str

    def descends_from(self, other: str) -> bool:
        """Whether `other` is this commit or an ancestor; False where the clone cannot tell."""
        return _git(self.folder, "merge-base", "--is-ancestor", other, self.id) is not None


def commit_of(folder: Path) -> Commit | None:
    """The commit of a folder; None without a repository, without commits, or without Git."""
    found = _git(folder, "rev-parse", "--verify", "HEAD")
    return Commit(folder, found) if found else None


def _git(folder: Path, *arguments: str) -> str | None:
    """What Git prints; None where it fails."""
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, and arguments that are never options
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
