"""The fact that a partner is unchanged, so that no plan has to find it out again.

What a plan says of a partner follows from its manifests, its rows and what plans are made with.
Once there was nothing to change and nothing to say, that stays true of the same files, rows and
tool, whatever happens in between. It does not matter when the fact was recorded or by whom: it
holds where files and rows are these again, and nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

Files = tuple[tuple[str, str], ...]
"""The names of files, sorted, each with the SHA-256 of its content."""


class Unchanged(NamedTuple):
    """That nothing is to be changed and nothing is to be said of a partner.

    `context` names what the plan was made with, and `files` are all its manifests. The counts are
    those of a plan: rows that stay, rows of other programs among them, and companies that `all` and
    `branches_of` leave out. `digest` binds it all to the partner's rows.
    """

    partner: str
    context: str
    files: Files
    unchanged: int
    left_alone: int
    skipped: int
    digest: str

    def fits(self, context: str, digests: Mapping[str, str]) -> bool:
        """Whether it was recorded in this context and its files have these digests, by name."""
        same = bool(self.files) and all(digests.get(name) == sha for name, sha in self.files)
        return same and self.context == context

    def is_of(self, rows: str) -> bool:
        """Whether the fact is about rows with this digest."""
        return self.digest == _digest(self, rows)

    def bound_to(self, rows: str) -> Unchanged:
        """The same fact, about rows with this digest."""
        return self._replace(digest=_digest(self, rows))


def _digest(fact: Unchanged, rows: str) -> str:
    text = repr((rows, *fact[:-1]))
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()
