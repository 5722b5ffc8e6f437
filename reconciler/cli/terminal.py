"""The one door to the terminal and the environment: what is said, asked, and hidden."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from reconciler.diagnostics.problem import Failure, Problem, Severity
from reconciler.diagnostics.words import n_
from reconciler.manifests.load import Sources
from reconciler.manifests.read import ReadLimits
from reconciler.operations.context import Context
from reconciler.render import diagnostics
from reconciler.render.style import Style
from reconciler.secrets.redact import RedactingFilter, RedactingStream, Redactor
from reconciler.secrets.secret import harden

NO_SOURCES = Sources(Path(), (), ReadLimits())
YES = "yes"
_AT_ONCE = 100


def context(
    paths: Sequence[Path] = (),
    root: Path | None = None,
    settings_file: Path | None = None,
    database: str | None = None,
    *,
    making: bool = False,
) -> Context:
    """What a command works with: its options, the settings, and the environment."""
    return Context.of(
        os.environ,
        paths=paths,
        root=root,
        settings_file=settings_file,
        database=database,
        redacting=redact,
        making=making,
    )


def style(stream: Any = None) -> Style:
    """Colours where the stream is a terminal; NO_COLOR and FORCE_COLOR decide before that."""
    environment = os.environ
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return Style(colour=False)
    if environment.get("FORCE_COLOR"):
        return Style(colour=True)
    return Style(colour=(stream or sys.stdout).isatty())


def say(lines: Iterable[str] | str) -> None:
    """Print to standard output."""
    text = lines if isinstance(lines, str) else "\n".join(lines)
    click.echo(text, color=True)


def note(text: str) -> None:
    """Print to standard error."""
    click.echo(text, err=True, color=True)


def pour(pieces: Iterable[str]) -> None:
    """Print pieces of one text to standard output, as they come, some at a time."""
    remaining = iter(pieces)
    while some := "".join(islice(remaining, _AT_ONCE)):
        click.echo(some, nl=False)


def say_json(document: Any) -> None:
    """Print a document to standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def show_problems(problems: Iterable[Problem], sources: Sources) -> None:
    """Print problems to standard error, and how many there are."""
    described = diagnostics.describe(problems, sources)
    if not described:
        return
    colours = style(sys.stderr)
    note("\n\n".join(diagnostics.text(item, colours) for item in described))
    note(f"\n{tally(described)}")


def tally(described: list[diagnostics.Diagnostic]) -> str:
    """How many errors and warnings there are, in words."""
    errors = sum(item.severity is Severity.ERROR for item in described)
    warnings = len(described) - errors
    words = [n_("{count} error", "{count} errors", errors)] if errors else []
    words += [n_("{count} warning", "{count} warnings", warnings)] if warnings else []
    return ", ".join(words)


def show_failure(failure: Failure) -> None:
    """Print what ended the run."""
    show_problems(
        failure.problems, failure.sources if isinstance(failure.sources, Sources) else NO_SOURCES
    )


def confirm(question: str, refused: str, *, auto_approve: bool) -> None:
    """Go on if the answer is yes, or if nobody needs to be asked.

    Raises:
        Failure: nobody can be asked, or the answer is another: the code `refused`.
    """
    if auto_approve:
        return
    if not sys.stdin.isatty():
        raise Failure.of("MBX604")
    answer = click.prompt(question, default="", show_default=False)
    if answer.strip() != YES:
        raise Failure.of(refused, answer=YES)


def redact() -> Redactor:
    """Hide in everything that is written from now on each secret that the redactor gets to know.

    It is the last line of defence, and holds until the process ends.
    """
    harden()
    redactor = Redactor()
    sys.stdout = RedactingStream(sys.stdout, redactor)
    sys.stderr = RedactingStream(sys.stderr, redactor)
    for handler in (*logging.getLogger().handlers, logging.lastResort):
        if handler:
            handler.addFilter(RedactingFilter(redactor))
    return redactor
