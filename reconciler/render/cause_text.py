"""Why a change is there, in the words that stand behind it."""

from __future__ import annotations

from reconciler.diagnostics.words import N_, _
from reconciler.model.state import Row
from reconciler.plan.cause import Cause, Changed
from reconciler.plan.diff import Change
from reconciler.render.style import one_line

_OF_A_FIELD: dict[Changed, str] = {
    "database": N_("changed in the database"),
    "both": N_("changed in both"),
}


def reason(change: Change, cause: Cause, place: str) -> str:
    """Who changed the row and since when, and where it is written, as far as that is known.

    The place alone means that the manifests changed.
    """
    written = _written(change, place)
    if cause.changed == "manifest":
        return written
    return "; ".join(filter(None, (_who(change, cause), place and written)))


def of_field(name: str, cause: Cause) -> str:
    """Who changed a field, in brackets, where that was not the manifests alone and others were."""
    words = _OF_A_FIELD.get(dict(cause.fields).get(name, "manifest"))
    return f" ({_(words)})" if words else ""


def since(cause: Cause) -> str:
    """The revision that last touched a row, and when it was applied."""
    assert cause.applied_at is not None
    time = f"{cause.applied_at:%Y-%m-%d %H:%M} UTC"
    return _("since revision {number} of {time}").format(number=cause.revision, time=time)


def _who(change: Change, cause: Cause) -> str:
    if cause.revision is None:
        return _("made by another program")
    if cause.changed == "both":
        words = _("changed in the manifests, and in the database {since}")
        if change.before is None:
            words = _("changed in the manifests, and deleted in the database {since}")
    else:
        words = _("changed in the database {since}")
        if change.before is None:
            words = _("deleted in the database {since}")
    return words.format(since=since(cause))


def _written(change: Change, place: str) -> str:
    if place:
        return one_line(place)
    if getattr(change.after, "project", None) is not None and (file := _file(change.after)):
        return one_line(file)
    if file := _file(change.before):
        return _("no longer in {file}").format(file=one_line(file))
    return _("in the manifests")


def _file(row: Row | None) -> str | None:
    return getattr(row, "file", None)
