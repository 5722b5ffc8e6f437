"""The one door to the terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from reconciler.diagnostics.problem import Failure, Problem, Severity
from reconciler.diagnostics.words import n_
from reconciler.manifests.load import Sources
from reconciler.manifests.read import ReadLimits
from reconciler.render import diagnostics
from reconciler.render.style import Style

NO_SOURCES = Sources(Path(), (), ReadLimits())


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
    """Print pieces of one text to standard output, as they come."""
    for piece in pieces:
        click.echo(piece, nl=False)


def say_json(document: Any) -> None:
    """Print a document to standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def show_problems(problems: Iterable[Problem], sources: Sources) -> None:
    """Print problems to standard error, and how many there are."""
    found = diagnostics.describe(problems, sources)
    if not found:
        return
    colours = style(sys.stderr)
    note("\n\n".join(diagnostics.text(item, colours) for item in found))
    note(f"\n{tally(found)}")


def tally(found: list[diagnostics.Diagnostic]) -> str:
    """How many errors and warnings there are, in words."""
    errors = sum(item.severity is Severity.ERROR for item in found)
    warnings = len(found) - errors
    words = [n_("{count} error", "{count} errors", errors)] if errors else []
    words += [n_("{count} warning", "{count} warnings", warnings)] if warnings else []
    return ", ".join(words)


def show_failure(failure: Failure) -> None:
    """Print what ended the run."""
    show_problems(
        failure.problems, failure.sources if isinstance(failure.sources, Sources) else NO_SOURCES
    )
