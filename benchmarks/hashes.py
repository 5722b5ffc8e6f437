"""The least that it takes to know that nothing has changed: hash every manifest and every row.

`python -m benchmarks.hashes DIR URL` does so in one process, in the order in which they come.
"""

from __future__ import annotations

import gc
import hashlib
import marshal
import os
import sys

from benchmarks.rows import batches, connected


def hash_files(directory: str) -> str:
    """The digests of all files below `directory`, as one."""
    digest = hashlib.sha256()
    for folder, _, names in os.walk(directory):
        for name in names:
            with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123 - a floor without pathlib
                digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def hash_rows(url: str) -> str:
    """The digest of all rows that a plan reads."""
    digest = hashlib.sha256()
    for rows in batches(connected(url)):
        digest.update(marshal.dumps(rows, 2))
    return digest.hexdigest()


if __name__ == "__main__":
    gc.disable()
    hash_files(sys.argv[1])
    hash_rows(sys.argv[2])
