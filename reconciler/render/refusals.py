"""Refusals in words: who is in the way, and the edit or command that resolves it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.diagnostics.words import KIND_WORDS, _, n_
from reconciler.model.cnpj import masked
from reconciler.model.state import split_link
from reconciler.plan.alarm import AcceptedIn, Concern, Concerns, Guard
from reconciler.plan.guards import GUARDS
from reconciler.plan.plan import Refusal
from reconciler.render.style import Style, one_line

_SHOWN = 20


def refusal_lines(refusal: Refusal, style: Style) -> Iterator[str]:
    """A refusal over several lines."""
    alarm, guard = refusal.alarm, GUARDS[refusal.alarm.guard]
    numbers = {item.number for item in alarm.concerns if item.number is not None}
    values = {
        "count": str(alarm.count),
        "accept": one_line(f"{refusal.partner}:{guard.name}={alarm.count}"),
        "list": _listed(guard, alarm.concerns),
        "server": one_line(alarm.concerns[0].server) if guard.by_server else "",
        "edit": " ".join(_edits(guard, alarm.concerns)),
        "renames": ", ".join(
            _('"renamed_from: {old}" under "{new}"').format(
                old=one_line(item.name), new=one_line(item.detail)
            )
            for item in alarm.concerns
        ),
        "revisions": ", ".join(map(str, sorted(numbers))),
    }
    title, cause, repair = (_(text).format_map(values) for text in guard.message[1:])
    head = f"! {_('refused')} {guard.code} {guard.name}: {title}"
    yield f"  {style(head, 'red')}"
    yield f"      {cause}".replace(" \n", "\n")
    yield f"      {style(_('fix'), 'cyan')}: {repair}"
    if guard.accepted is AcceptedIn.NOWHERE:
        return
    yield f"      {_written_down(refusal, guard)}"
    if refusal.miscounted is not None:
        yield "      " + _("accepted was {offered}; it is {count}").format(
            offered=refusal.miscounted, count=alarm.count
        )


def _written_down(refusal: Refusal, guard: Guard) -> str:
    """How to accept it without an option, where a reviewer sees it."""
    if guard.accepted is AcceptedIn.SETTINGS:
        words = _(
            'or in the settings: [[guards.accept]] partner = "{partner}", guard = "{guard}", '
            "count = {count}"
        )
    else:
        words = _(
            "or in a manifest of {partner}: "
            "accept: [{{guard: {guard}, count: {count}, reason: …, until: …}}]"
        )
    count = refusal.alarm.count
    return words.format(partner=one_line(refusal.partner), guard=guard.name, count=count)


def _listed(guard: Guard, concerns: Concerns) -> str:
    if guard.by_server and len(concerns) > 1:
        return "".join(f"\n        {_item(guard, concern)}" for concern in concerns)
    items = [_item(guard, concern) for concern in concerns[:_SHOWN]]
    if more := len(concerns) - len(items):
        items.append(_("and {count} more").format(count=more))
    return ", ".join(items)


def _item(guard: Guard, concern: Concern) -> str:
    cnpj = one_line(masked(split_link(concern.name)[1]))
    rows = concern.number or 0
    values = {
        "kind": _(KIND_WORDS.get(concern.kind, "")),
        "row": _row(concern),
        "company": f"{cnpj} {one_line(concern.nickname)}" if concern.nickname else cnpj,
        "file": one_line(concern.file),
        "rows": n_("{count} row", "{count} rows", rows),
        "detail": one_line(concern.detail),
    }
    return _(guard.items.get(concern.detail, guard.item)).format_map(values)


def _row(concern: Concern) -> str:
    """The row as the changes of a plan are titled."""
    kind, name = concern.kind, concern.name
    if kind == "link":
        server, cnpj = split_link(name)
        return f"{one_line(server)} ↔ {one_line(masked(cnpj))}"
    if kind == "head_office" and len(name) == 8:
        return one_line(f"{name[:2]}.{name[2:5]}.{name[5:]}")
    return one_line(masked(name) if kind == "company" else name)


def _edits(guard: Guard, concerns: Concerns) -> Iterator[str]:
    """What to edit, once for each kind of concern."""
    details = {concern.detail for concern in concerns}
    files = {one_line(concern.file) for concern in concerns if concern.detail == "imported"}
    values = {"server": one_line(concerns[0].server), "files": ", ".join(sorted(files))}
    return (_(edit).format_map(values) for kind, edit in guard.edits.items() if kind in details)
