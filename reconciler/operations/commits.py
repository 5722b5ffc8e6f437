"""Which commit the manifests are at, and whether it descends from another."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 20
_IS_COMMIT = re.compile("[0-9a-f]{7,64}").fullmatch


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
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    return Commit(folder, commit) if commit else None


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


def revert_command(folder: Path, commit: str | None, before: str | None) -> str | None:
    """The Git command that takes back what came with `commit`, since `before` if that is given.

    The repository of `folder` says how many commits that were and which are merges; without it, it
    is taken for one that is none. None where the commit tells nothing.
    """
    known = [item for item in (commit, before) if item is not None]
    if not commit or commit == before or not all(map(_IS_COMMIT, known)):
        return None
    span = f"{before}..{commit}" if before else f"{commit}^!"
    listed = _git(folder, "rev-list", "--first-parent", "--parents", span)
    commits = [line.split() for line in (listed or "").splitlines()]
    merges = any(len(parents) > 2 for parents in commits)
    if len(commits) < 2:
        return f"git revert -m 1 {commit}" if merges else f"git revert {commit}"
    if merges:
        return f"git revert -m 1 $(git rev-list --first-parent {span})"
    return f"git revert {span}"
