"""Results of tests in the form that was asked for, to standard output or to a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from reconciler.cli import terminal
from reconciler.manifests.atomic import default_mode, failing, replacing
from reconciler.probes.results import ProbeResult
from reconciler.probes.shards import Shard, Tally
from reconciler.render import probe_json, probe_junit, probe_markdown, probe_text
from reconciler.render.style import PLAIN, Style, clean

FORMS = ("text", "json", "junit", "markdown")
Say = Callable[[str], object]


class Report:
    """Takes results as they come; `tally` counts them.

    Text and JSON are written at once. JUnit XML and Markdown have their counts in front, so that
    those results are kept until the end.
    """

    def __init__(self, form: str, say: Say, shard: Shard, style: Style, *, steps: bool) -> None:
        self._form = form
        self._say = say
        self._shard = shard
        self._style = style
        self._steps = steps
        self._held: list[ProbeResult] = []
        self.tally = Tally()

    def begin(self) -> None:
        if self._form == "json":
            self._say(clean(probe_json.opening(self._shard)))

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
    hide: Callable[[str], str] = str,
) -> Iterator[Report]:
    """A report that is whole at the end of the block, however that ends; each piece of what goes
    to a file passes through `hide`.

    Raises:
        Failure: the file cannot be written.
    """
    with _place(out, hide) as say:
        style = PLAIN if out else terminal.style()
        made = Report(form, say, shard, style, steps=steps)
        made.begin()
        try:
            yield made
        except BaseException:
            made.end(complete=False)
            raise
        made.end(complete=True)
    if out or form != "text":
        terminal.note(probe_text.summary(made.tally))


@contextmanager
def _place(out: Path | None, hide: Callable[[str], str]) -> Iterator[Say]:
    if out is None:
        yield _say
        return
    # For whoever may read what is beside it, as any other program would leave it.
    with failing(out, "MBX855"), replacing(out, default_mode(), partial=True) as stream:
        yield lambda text: stream.write(hide(text).encode())


def _say(text: str) -> None:
    click.echo(text, nl=False, color=True)
    sys.stdout.flush()
