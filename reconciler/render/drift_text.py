"""Drift as people read it, and as data for programs."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.diagnostics.words import _, n_
from reconciler.ledger.drift import Reports
from reconciler.operations.drift import Drift
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change
from reconciler.render.changes_text import fields, since
from reconciler.render.plan_json import dumped, pieces, resource_change
from reconciler.render.plan_text import ChangesText, done
from reconciler.render.style import Style

FORMAT_VERSION = "1.0"


def lines(drift: Drift, style: Style, reports: Reports | None, *, full: bool) -> Iterator[str]:
    """Every row that others changed, from as it was applied to as it is, and how many they are.

    With `reports` they are those that are new.
    """
    yield from ChangesText(style, _why, fields, full=full).lines(drift)
    if drift:
        words = _("New drift: {counts}.") if reports else _("Drift: {counts}.")
        told = [words.format(counts=done(drift.summary))]
    else:
        told = [_("No new drift.") if reports else _("No drift.")]
    if reports and (known := reports.known):
        told.append(n_("{count} was reported before.", "{count} were reported before.", known))
    told.append(n_("{count} row is as applied.", "{count} rows are as applied.", drift.unchanged))
    yield " ".join(told)


def _why(_change: Change, cause: Cause) -> str:
    return _("made by another program") if cause.revision is None else since(cause)


def document(drift: Drift, project: str, reports: Reports | None) -> Iterator[str]:
    """The same as JSON, piece by piece, each row in the shape that plans have it in."""
    head = {"format_version": FORMAT_VERSION, "project": project, "since_last": bool(reports)}
    changes = (resource_change(*item) for part in drift for item in part.explained)
    yield from pieces(head, "resource_drift", changes)
    counts = drift.summary._asdict()
    del counts["refused"], counts["seal"]  # no drift is either
    counts |= {"noop": drift.unchanged, "reported_before": reports.known if reports else 0}
    yield f',"summary":{dumped(counts)}}}\n'
