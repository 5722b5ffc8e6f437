"""What a run covers: which rows it may delete or unlink."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model import Company, HostProfile, Link, MailServer


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a run may delete or unlink: rows of its project from the files it has read.

    `whole` means that the whole root was given, so that a file not among them is gone.
    """

    project: str
    files: frozenset[str]
    whole: bool

    def holds(self, row: MailServer | Company | HostProfile | Link) -> bool:
        """Whether the absence of `row` from the manifests means something."""
        return row.project == self.project and (self.whole or row.file in self.files)
