"""`test merge`: the results of shards, put together."""

from __future__ import annotations

import json
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.cli.plan import TEST_FAILED
from reconciler.cli.reporting import FORMS, report
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _
from reconciler.probes import shards
from reconciler.probes.results import ProbeOutcome
from reconciler.probes.shards import ShardResults
from reconciler.render.messages import MESSAGES

FEW = 10
"""Up to so many mail servers, every step of them is shown."""
_LARGEST = 512 * 1024 * 1024


@click.command(
    "merge",
    short_help=_("Put the results of shards together."),
    help=_(
        "Put together the results that the shards of one run have written with --format json, "
        "and print them as one. The exit code is 6 where any test failed."
    ),
)
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@options.output_format(*FORMS)
@options.results_out
def merge(files: tuple[Path, ...], form: str, out: Path | None) -> int:
    results = shards.merged((str(file), _document(file)) for file in files)
    with report(form, out, steps=len(results) <= FEW) as told:
        for result in results:
            told.add(result)
    return TEST_FAILED if told.tally.outcomes[ProbeOutcome.FAILED] else 0


def _document(file: Path) -> ShardResults:
    """The results in a file.

    Raises:
        Failure: it cannot be read, or holds something else.
    """
    try:
        if file.stat().st_size > _LARGEST:
            raise Failure.of("MBX850", file=str(file))
        document = shards.read(json.loads(file.read_text(encoding="utf-8")), str(file))
    except OSError as error:
        raise Failure.of("MBX856", file=str(file), reason=error.strerror or "") from None
    except (ValueError, RecursionError):
        raise Failure.of("MBX850", file=str(file)) from None
    if not _codes(document) <= MESSAGES.keys():
        raise Failure.of("MBX850", file=str(file))
    return document


def _codes(document: ShardResults) -> set[str]:
    failed = {result.diagnosis.code for result in document.results if result.diagnosis}
    return failed | {warning.code for result in document.results for warning in result.warnings}
