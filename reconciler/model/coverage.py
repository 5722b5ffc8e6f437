"""What a run covers: which rows it may delete or unlink."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.state import Company, HostProfile, Link, MailServer


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a run may delete or unlink: rows of its project from what it was given.

    That is the `files` it has read, and all that ever stood below the `folders` it was given, by
    their names below the root: a file of these that was not read is gone. `whole` is the root.
    """

    project: str
    files: frozenset[str]
    whole: bool
    folders: tuple[str, ...] = ()

    def holds(self, row: MailServer | Company | HostProfile | Link) -> bool:
        """Whether the absence of `row` from the manifests means something."""
        if row.project != self.project:
            return False
        return self.whole or row.file in self.files or self._is_below(row.file or "")

    @property
    def reach(self) -> tuple[str, bool, tuple[str, ...], tuple[str, ...]]:
        """Everything that `holds` depends on, as text: equal for runs that cover the same rows."""
        if self.whole:
            return (self.project, True, (), ())
        loose = (file for file in self.files if not self._is_below(file))
        return (self.project, False, tuple(sorted(self.folders)), tuple(sorted(loose)))

    def declares(self, row: MailServer | Company | HostProfile | Link) -> bool:
        """Whether `row` is declared in a file that was read."""
        return row.project == self.project and row.file in self.files

    def lost(self, row: MailServer | Company | HostProfile | Link) -> bool:
        """Whether `row` was declared in a file that is gone."""
        return self.holds(row) and row.file not in self.files

    def _is_below(self, file: str) -> bool:
        return any(file.startswith(f"{name}/") for name in self.folders)
