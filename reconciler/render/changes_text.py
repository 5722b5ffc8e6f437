"""What a change does to the fields of a row, and why it is there, as people read it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Any

from reconciler.diagnostics.words import N_, _, n_
from reconciler.model.cnpj import masked
from reconciler.model.state import OPTIONS, HeadOffice, Origins, Partner, Row
from reconciler.plan.cause import Cause, Changed
from reconciler.plan.diff import Action, Change, FieldChange, changed_fields
from reconciler.render.style import one_line

_OF_A_FIELD: dict[Changed, str] = {
    "database": N_("changed in the database"),
    "both": N_("changed in both"),
}


def fields(change: Change, cause: Cause) -> Iterator[str]:
    """The fields that a plan tells of: what comes, and what of a row differs."""
    match change.action:
        case Action.CREATE if not isinstance(change.row, Partner | HeadOffice):
            untold = ["project", "file", "stable_id", "cnpj"]
            if not getattr(change.row, "own_mailboxes", False):
                untold.append("own_mailboxes")
            yield from all_fields(change.row, untold)
        case Action.UPDATE if not isinstance(change.row, HeadOffice):
            yield from _updated(change, cause)


def all_fields(row: Row, untold: Container[str]) -> Iterator[str]:
    """Every field that a row has but the `untold`, its options with where they come from."""
    fields = row._asdict()
    origins = fields.pop("origins", None)
    for name, value in fields.items():
        if value not in (None, ()) and name not in untold:
            yield f"      {name}: {field_text(name, value)}{_origin(name, origins)}"


def _updated(change: Change, cause: Cause) -> Iterator[str]:
    origins = getattr(change.after, "origins", None)
    changed = changed_fields(change)
    names = {field.path[0] for field in changed}
    for field in changed:
        path, name = field.path, field.path[-1]
        if path[0] != "origins":
            if not _is_titled(name, field):
                notes = _origin(name, origins) + _of_field(path[0], cause)
                yield f"      {name}: {change_text(field, field_text)}{notes}"
        elif name not in names:
            value = field_text(name, getattr(change.after, name))
            origin = f"({field.before} → {field.after}){_of_field(path[0], cause)}"
            yield f"      {name}: {value} {origin}"
    same = len(change.row) - len(names)
    yield "      " + n_("({count} unchanged field)", "({count} unchanged fields)", same)


def _is_titled(name: str, field: FieldChange) -> bool:
    """Whether the title of the change says it: a rename, or a takeover by the only project."""
    return name == "stable_id" or (name == "project" and "" in (field.before, field.after))


def _origin(name: str, origins: Origins | None) -> str:
    return f" ({one_line(getattr(origins, name))})" if origins and name in OPTIONS else ""


def _of_field(name: str, cause: Cause) -> str:
    """Who changed a field, in brackets, where that was not the manifests alone and others were."""
    words = _OF_A_FIELD.get(dict(cause.fields).get(name, "manifest"))
    return f" ({_(words)})" if words else ""


def change_text(field: FieldChange, text: Callable[[str, Any], str]) -> str:
    """What becomes of a field: the items of a list that come and go, else both values."""
    if field.added or field.removed:
        added, removed = (map(one_line, items) for items in (field.added, field.removed))
        return ", ".join([*(f"+ {item}" for item in added), *(f"- {item}" for item in removed)])
    name = field.path[-1]
    return f"{text(name, field.before)} → {text(name, field.after)}"


def field_text(name: str, value: Any) -> str:
    """The value of a field of this name, with its unit or mask."""
    if name == "timeout" and isinstance(value, int):
        return f"{value}s"
    return shown(masked(value) if name == "company" and value else value)


def shown(value: Any) -> str:
    """A value as the manifests would write it."""
    if value is None or value == ():
        return "–"
    if value == "":
        return '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(map(one_line, value))
    return one_line(value)


def reason(change: Change, cause: Cause, place: str) -> str:
    """Who changed the row and since when, and where it is written, as far as that is known.

    The place alone means that the manifests changed.
    """
    written = _written(change, place)
    if cause.changed == "manifest":
        return written
    return "; ".join(filter(None, (_who(change, cause), place and written)))


def since(cause: Cause) -> str:
    """The revision that last touched a row, and when it was applied."""
    assert cause.applied_at is not None
    time = f"{cause.applied_at:%Y-%m-%d %H:%M} UTC"
    return _("since revision {number} of {time}").format(number=cause.revision, time=time)


def _who(change: Change, cause: Cause) -> str:
    if cause.revision is None:
        return _("made by another program")
    if cause.changed == "both":
        changed = _("changed in the manifests, and in the database {since}")
        deleted = _("changed in the manifests, and deleted in the database {since}")
    else:
        changed = _("changed in the database {since}")
        deleted = _("deleted in the database {since}")
    return (deleted if change.before is None else changed).format(since=since(cause))


def _written(change: Change, place: str) -> str:
    if place:
        return one_line(place)
    before, after = (getattr(row, "file", None) for row in (change.before, change.after))
    if after and getattr(change.after, "project", None) is not None:
        return one_line(after)
    if before:
        return _("no longer in {file}").format(file=one_line(before))
    return _("in the manifests")
