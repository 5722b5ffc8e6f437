"""How far a run of tests has come, on standard error: a bar on a terminal, else a line an item."""

from __future__ import annotations

import os
import sys
import time

import click

from reconciler.cli import terminal
from reconciler.diagnostics.words import _, n_
from reconciler.probes.results import ProbeOutcome, ProbeResult
from reconciler.render.probe_text import WORDS, mailbox, names

_WIDTH = 30
_APART = 0.1
"""Seconds between two drawings."""


class Progress:
    """What is finished of `total` mail servers. `lines` says whether items are told one by one
    where there is no bar; their results may be printed as they come, and say it already.
    """

    def __init__(self, total: int, *, lines: bool) -> None:
        plain = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
        self._bar = sys.stderr.isatty() and not plain
        self._lines = lines and not self._bar
        self._total = total
        self._done = self._failed = 0
        self._drawn = 0.0

    @property
    def left(self) -> int:
        """How many mail servers are not finished."""
        return self._total - self._done

    def add(self, result: ProbeResult) -> None:
        """Tell of one more that is finished."""
        self._done += len(result.names)
        self._failed += result.outcome is ProbeOutcome.FAILED
        if self._bar:
            self._draw()
        elif self._lines:
            count = f"{self._done}/{self._total}"
            code = result.diagnosis.code if result.diagnosis else ""
            words = (count, _(WORDS[result.outcome]), names(result), mailbox(result), code)
            terminal.note("  ".join(filter(None, words)))

    def clear(self) -> None:
        """Make room for something else on the terminal."""
        if self._bar and self._drawn:
            click.echo("\r\x1b[K", nl=False, err=True, color=True)
            sys.stderr.flush()
            self._drawn = 0.0

    def _draw(self) -> None:
        now = time.monotonic()
        if now - self._drawn < _APART and self._done < self._total:
            return
        self._drawn = now
        filled = _WIDTH * self._done // max(self._total, 1)
        bar = "█" * filled + "░" * (_WIDTH - filled)
        text = f"{bar} {self._done}/{self._total}"
        if self._failed:
            text += ", " + n_("{count} failed", "{count} failed", self._failed)
        click.echo(f"\r\x1b[K{text}", nl=False, err=True, color=True)
        sys.stderr.flush()
