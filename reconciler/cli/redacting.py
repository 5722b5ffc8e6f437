"""The last line of defence: nothing that is written shows a secret which this run has read."""

from __future__ import annotations

import logging
import sys

from reconciler.secrets.harden import harden
from reconciler.secrets.redact import RedactingFilter, RedactingStream, Redactor


def begin() -> Redactor:
    """What every secret is to be made known to that is read from now on, until the process ends."""
    harden()
    redactor = Redactor()
    sys.stdout = RedactingStream(sys.stdout, redactor)
    sys.stderr = RedactingStream(sys.stderr, redactor)
    for handler in (*logging.getLogger().handlers, logging.lastResort):
        if handler:
            handler.addFilter(RedactingFilter(redactor))
    return redactor
