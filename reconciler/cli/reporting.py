"""Results of tests in the form asked for, to standard output or a file; and their progress."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from reconciler.cli import terminal
from reconciler.diagnostics.words import _, n_
from reconciler.manifests.atomic import default_mode, failing, replacing
from reconciler.probes.results import Hide, ProbeOutcome, ProbeResult
from reconciler.probes.schedule import Consumer
from reconciler.probes.shards import Shard, Tally
from reconciler.render import probe_json, probe_junit, probe_markdown, probe_text
from reconciler.render.style import PLAIN, Style, clean

FORMS = ("text", "json", "junit", "markdown")
Say = Callable[[str], object]
_WIDTH = 30
_APART = 0.1
"""Seconds between two drawings."""


class Report:
    """Takes results as they come; `tally` counts them.

    Text and JSON are written at once. JUnit XML and Markdown have their counts in front, so that
    those results are kept until the end.
    """

    def __init__(self, form: str, say: Say, style: Style, *, steps: bool) -> None:
        self._form = form
        self._say = say
        self._style = style
        self._steps = steps
        self._held: list[ProbeResult] = []
        self.tally = Tally()

    def add(self, result: ProbeResult) -> None:
        if self._form == "text":
            self._say(probe_text.text(result, self._style, steps=self._steps) + "\n")
        elif self._form == "json":
            self._say(clean(probe_json.item(result, first=not self.tally.total)))
        else:
            self._held.append(result)
        self.tally.add(result)

    def end(self, *, complete: bool) -> None:
        """Write what comes last; a run that was interrupted is not `complete`."""
        if self._form == "text":
            self._say(probe_text.summary(self.tally) + "\n")
        elif self._form == "json":
            self._say(probe_json.closing(self.tally, complete=complete))
        else:
            document = {"junit": probe_junit, "markdown": probe_markdown}[self._form].document
            for piece in document(self._held):
                self._say(piece)


@contextmanager
def report(
    form: str,
    out: Path | None,
    *,
    shard: Shard = Shard(),  # noqa: B008 - it never changes
    steps: bool = False,
    hide: Hide = str,
) -> Iterator[Report]:
    """A report that is whole at the end of the block, however that ends; each piece of what goes
    to a file passes through `hide`. Raises `Failure` where the file cannot be written.
    """
    with _place(out, hide) as say:
        made = Report(form, say, PLAIN if out else terminal.style(), steps=steps)
        complete = False
        if form == "json":
            say(clean(probe_json.opening(shard)))
        try:
            yield made
            complete = True
        finally:
            made.end(complete=complete)
    if out or form != "text":
        terminal.note(probe_text.summary(made.tally))


@contextmanager
def _place(out: Path | None, hide: Hide) -> Iterator[Say]:
    if out is None:
        yield _say
        return
    # For whoever may read what is beside it, as any other program would leave it.
    with failing(out, "MBX855"), replacing(out, default_mode(), partial=True) as stream:
        yield lambda text: stream.write(hide(text).encode())


def _say(text: str) -> None:
    click.echo(text, nl=False, color=True)
    sys.stdout.flush()


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

    @contextmanager
    def telling(self, results: Report) -> Iterator[Consumer]:
        """What passes results on to a report, and tells of them without being in its way."""

        def tell(result: ProbeResult) -> None:
            self.clear()
            results.add(result)
            self.add(result)

        try:
            yield tell
        finally:
            self.clear()

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
            words = (
                count,
                _(probe_text.WORDS[result.outcome]),
                probe_text.names(result),
                probe_text.mailbox(result),
                code,
            )
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
