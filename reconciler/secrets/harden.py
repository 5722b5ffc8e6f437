"""What the system may not do with the memory of a process that holds secrets."""

from __future__ import annotations

import resource
import sys

_PR_SET_DUMPABLE = 4


def harden() -> None:
    """No core file, and on Linux no other process of this user may look into this one.

    Where the system does not offer one of these, the other still holds.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - not needed elsewhere

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
