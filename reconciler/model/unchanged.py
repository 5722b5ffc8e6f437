"""What holds of a partner for good, so that no plan has to find it out again.

What a plan says of a partner follows from its manifests, its rows and what plans are made with. So
once it was found that there is nothing to change and nothing to say, that stays true of the same
files, rows and tool, whatever happens to them in between. A proof says so. It is of no use to know
when it was made or by whom: it holds where files and rows are found to be these again, and nowhere
else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

Files = tuple[tuple[str, str], ...]
"""The names of files, sorted, each with the SHA-256 of its content."""


class Proof(NamedTuple):
    """That nothing is to be changed and nothing is to be said of a partner.

    `context` names what the plan was made with, and `files` are all its manifests. The counts are
    those of a plan: rows that stay, rows of other programs among them, and companies that `all` and
    `branches_of` leave out. `seal` binds it all to the partner's rows.
    """

    partner: str
    context: str
    files: Files
    unchanged: int
    left_alone: int
    skipped: int
    seal: str

    def fits(self, context: str, digests: Mapping[str, str]) -> bool:
        """Whether its files are among those with these digests by their names."""
        there = bool(self.files) and all(digests.get(name) == sha for name, sha in self.files)
        return there and self.context == context

    def holds(self, rows: str) -> bool:
        """Whether this is of the rows with this digest."""
        return self.seal == _seal(self, rows)


def sealed(proof: Proof, rows: str) -> Proof:
    """The proof, with its seal."""
    return proof._replace(seal=_seal(proof, rows))


def _seal(proof: Proof, rows: str) -> str:
    text = repr((rows, *proof[:-1]))
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()
