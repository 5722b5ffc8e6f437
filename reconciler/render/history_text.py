"""Revisions of the ledger as people read them, and as data for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from operator import attrgetter
from typing import Any

from reconciler.diagnostics.words import N_, _, n_
from reconciler.ledger.revisions import LedgerEntry, Revision, Revisions
from reconciler.model.as_json import plain
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Action, Change, changed_fields
from reconciler.plan.plan import Accepted, PartnerPlan, Password, Selection
from reconciler.render.changes_text import all_fields, change_text, field_text
from reconciler.render.passwords_text import password_lines
from reconciler.render.plan_json import pieces
from reconciler.render.plan_text import BUDGET, ChangesText, done
from reconciler.render.style import Style, one_line
from reconciler.render.table import table

FORMAT_VERSION = "1.0"
_HEADERS = (
    *(N_("REVISION"), N_("WHEN (UTC)"), N_("WHO"), N_("COMMIT"), N_("CREATE"), N_("UPDATE")),
    *(N_("DELETE"), N_("LINK"), N_("UNLINK"), N_("NOTES")),
)
_COUNTS = tuple(action.value for action in Action)


def table_lines(listed: Revisions, style: Style) -> Iterator[str]:
    """Revisions as a table, and how many more there are."""
    yield from table(_HEADERS, map(_cells, listed.revisions), style)
    if not listed.revisions:
        yield _("No revision.")
    if listed.more:
        yield n_(
            "… and {count} older revision; --limit shows more",
            "… and {count} older revisions; --limit shows more",
            listed.more,
        )


def _cells(revision: Revision) -> tuple[str, ...]:
    counts = (str(getattr(revision.summary, name)) for name in _COUNTS)
    commit = one_line(revision.commit[:12]) if revision.commit else "–"
    who = one_line(revision.applied_by)
    return (str(revision.number), _when(revision), who, commit, *counts, _notes(revision))


def _when(revision: Revision) -> str:
    moment = revision.applied_at
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "–"


def _notes(revision: Revision) -> str:
    notes = []
    if sealed := revision.summary.seal:
        notes.append(n_("{count} password sealed", "{count} passwords sealed", sealed))
    if revision.rolls_back is not None:
        notes.append(_("rolls back {number}").format(number=revision.rolls_back))
    if only := _selected(revision.selection):
        names = ", ".join(map(one_line, only[:3])) + (", …" if len(only) > 3 else "")
        notes.append(_("only {names}").format(names=names))
    if revision.project:
        notes.append(_("project {name}").format(name=one_line(revision.project)))
    return ", ".join(notes)


def _selected(selection: Selection) -> list[str]:
    return [*selection.partners, *map("/".join, selection.servers)]


def revision_lines(
    revision: Revision,
    entries: Iterable[LedgerEntry],
    accepted: Sequence[Accepted],
    sealed: Sequence[Password],
    style: Style,
    *,
    full: bool,
) -> Iterator[str]:
    """One revision whole: who, when and what for; every change; and how many they were."""
    yield from _head(revision, style)
    yield ""
    room = iter(range(10**9 if full else BUDGET))
    unreadable: list[LedgerEntry] = []

    def fields(change: Change, _cause: Cause) -> Iterator[str]:
        # As long as there is room for them.
        return iter(()) if next(room, None) is None else _fields(change, full=full)

    changes = ChangesText(style, lambda *_: "", fields, full=full)
    yield from changes.lines(_parts(entries, accepted, unreadable))
    if unreadable:
        yield n_(
            "{count} entry of the ledger cannot be read, or not all of it:",
            "{count} entries of the ledger cannot be read, or not all of them:",
            len(unreadable),
        )
        for entry in unreadable if full else unreadable[:20]:
            yield f"  ? {one_line(entry.key.address)}"
        yield ""
    yield from password_lines(sealed, style, full=full)
    yield _("Revision {number}: {counts}.").format(
        number=revision.number, counts=done(revision.summary)
    )


def _head(revision: Revision, style: Style) -> Iterator[str]:
    title = _("Revision {number}, {when} UTC, by {who}").format(
        number=revision.number, when=_when(revision), who=one_line(revision.applied_by)
    )
    yield style(title, "bold")
    if revision.rolls_back is not None:
        yield "  " + _("rolls back revision {number}").format(number=revision.rolls_back)
    if only := _selected(revision.selection):
        yield "  " + _("only {names}").format(names=", ".join(map(one_line, only)))
    facts = {
        "commit": revision.commit,
        "project": revision.project or None,
        "plan": revision.plan_id,
        "tool": revision.tool_version,
    }
    for name, value in facts.items():
        if value is not None:
            yield f"  {name}: {one_line(value)}"


def _parts(
    entries: Iterable[LedgerEntry], accepted: Sequence[Accepted], unreadable: list[LedgerEntry]
) -> Iterator[PartnerPlan]:
    """What happened to each partner; entries that cannot be read whole go to `unreadable`."""
    for partner, group in groupby(entries, attrgetter("partner")):
        changes = []
        for entry in group:
            if not entry.whole:
                unreadable.append(entry)
            if entry.change is not None:
                changes.append(entry.change)
        guards = tuple(item for item in accepted if item.partner == partner)
        yield PartnerPlan(partner, tuple(changes), accepted=guards)


def _fields(change: Change, *, full: bool) -> Iterator[str]:
    if change.before is None or change.after is None:
        yield from all_fields(change.row, ("stable_id", "cnpj"))
        return
    changed = changed_fields(change)
    names = {field.path[0] for field in changed}
    for field in changed:
        yield f"      {'.'.join(field.path)}: {change_text(field, _value)}"
    same = {name: value for name, value in change.row._asdict().items() if name not in names}
    if full:
        yield from (f"      {name}: {_value(name, value)}" for name, value in same.items())
    else:
        yield "      " + n_("({count} unchanged field)", "({count} unchanged fields)", len(same))


def _value(name: str, value: Any) -> str:
    """A value as a line shows it; origins, of which a row may have none, as one text."""
    value = value._asdict() if hasattr(value, "_asdict") else value
    if isinstance(value, dict):
        return one_line(" ".join(value.values()))
    return field_text(name, value)


def list_data(listed: Revisions) -> dict[str, Any]:
    """Revisions as `history --format json` prints them."""
    revisions = list(map(_data, listed.revisions))
    return {"format_version": FORMAT_VERSION, "revisions": revisions, "more": listed.more}


def _data(revision: Revision) -> dict[str, Any]:
    moment = revision.applied_at
    return {
        **revision._asdict(),
        "applied_at": moment.isoformat().replace("+00:00", "Z") if moment else None,
        "selection": {
            "partners": list(revision.selection.partners),
            "servers": list(map("/".join, revision.selection.servers)),
        },
        "summary": {name: getattr(revision.summary, name) for name in (*_COUNTS, "seal")},
    }


def revision_json(
    revision: Revision,
    entries: Iterable[LedgerEntry],
    accepted: Iterable[Accepted],
    sealed: Iterable[Password],
) -> Iterator[str]:
    """One revision as `history REV --format json` prints it, piece by piece."""
    head = {
        "format_version": FORMAT_VERSION,
        "revision": _data(revision),
        "accepted": list(map(asdict, accepted)),
        "passwords": [{"partner": item.partner, "server": item.server} for item in sealed],
    }
    yield from pieces(head, "changes", map(_entry_data, entries))
    yield "}\n"


def _entry_data(entry: LedgerEntry) -> dict[str, Any]:
    """`readable` is false where something of the entry cannot be read, and null here then."""
    before = entry.change.before if entry.change else None
    after = entry.change.after if entry.change else None
    return {
        "address": (entry.change or entry.key).address,
        "partner": entry.partner,
        "kind": entry.kind,
        "name": entry.name,
        "action": entry.action,
        "before": plain(before) if before is not None else None,
        "after": plain(after) if after is not None else None,
        "readable": entry.whole,
    }
