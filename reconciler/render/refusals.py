"""Refusals in words: who is in the way, and the edit or command that resolves it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.diagnostics.messages import GUARD_CODES, MESSAGES
from reconciler.diagnostics.words import N_, _, n_
from reconciler.model.cnpj import masked
from reconciler.plan.accept import NEVER
from reconciler.plan.alarm import Concern, Concerns
from reconciler.plan.plan import Refusal
from reconciler.render.style import Style, one_line

_SHOWN = 20
_KINDS = {
    "company": N_("company"),
    "head_office": N_("head office"),
    "host": N_("host"),
    "server": N_("mail server"),
    "link": N_("link"),
}
_LINKED_BY = {
    "declared": N_("{company}, declared in {file}"),
    "own": N_("{company}, whose own it is, declared in {file}"),
    "imported": N_("{company}, imported in {file}"),
    "foreign": N_("{company}, linked by another program"),
}
_UNLINK = {
    "declared": N_(
        'Put "{server}" back with "companies: []", apply, and remove it with the next change.'
    ),
    "own": N_(
        'Put "{server}" back with "linked: false", apply, and remove it with the next change.'
    ),
    "imported": N_(
        'Put "{server}" back without its item of "import_from" in {files}, apply, and remove it '
        "with the next change."
    ),
    "foreign": N_(
        'Remove the link where it was made, or put "{server}" back with "companies: []" and '
        '"exclusive_links: true", apply, and remove it with the next change.'
    ),
}


def refusal_lines(refusal: Refusal, style: Style) -> Iterator[str]:
    """A refusal over several lines."""
    if refusal.alarm.guard == "linked-delete":
        yield from _linked_delete(refusal.alarm.concerns, style)
        return
    accept = one_line(f"{refusal.partner}:{refusal.alarm.guard}={refusal.alarm.count}")
    names = [_name(refusal.alarm.guard, concern) for concern in refusal.alarm.concerns]
    values = {
        "count": str(refusal.alarm.count),
        "accept": accept,
        "list": _listed(names),
        "renames": ", ".join(_renames(refusal.alarm.concerns)),
        "revisions": ", ".join(_revisions(refusal.alarm.concerns)),
    }
    yield from _block(refusal.alarm.guard, values, style)
    if refusal.alarm.guard in NEVER:
        return
    yield f"      {_written_down(refusal)}"
    if refusal.offered is not None:
        yield "      " + _("accepted was {offered}; it is {count}").format(
            offered=refusal.offered, count=refusal.alarm.count
        )


def _written_down(refusal: Refusal) -> str:
    """How to accept it without an option, where a reviewer sees it."""
    if refusal.alarm.guard == "lost-input":
        words = _(
            'or in the settings: [[guards.accept]] partner = "{partner}", guard = "{guard}", '
            "count = {count}"
        )
    else:
        words = _(
            "or in a manifest of {partner}: "
            "accept: [{{guard: {guard}, count: {count}, reason: …, until: …}}]"
        )
    alarm = refusal.alarm
    return words.format(partner=one_line(refusal.partner), guard=alarm.guard, count=alarm.count)


def _block(guard: str, values: dict[str, str], style: Style) -> Iterator[str]:
    message = MESSAGES[GUARD_CODES[guard]]
    title = _(message.title).format_map(values)
    head = f"! {_('refused')} {GUARD_CODES[guard]} {guard}: {title}"
    yield f"  {style(head, 'red')}"
    yield f"      {_(message.cause).format_map(values)}".replace(" \n", "\n")
    yield f"      {style(_('fix'), 'cyan')}: {_(message.repair).format_map(values)}"


def _linked_delete(concerns: Concerns, style: Style) -> Iterator[str]:
    server = concerns[0].name.rpartition("/")[0]
    listed = [
        _(_LINKED_BY[concern.detail]).format(company=_company(concern), file=one_line(concern.file))
        for concern in concerns
    ]
    kinds = {concern.detail for concern in concerns}
    imports = {one_line(concern.file) for concern in concerns if concern.detail == "imported"}
    named = {"server": one_line(server), "files": ", ".join(sorted(imports))}
    edits = [_(edit).format_map(named) for kind, edit in _UNLINK.items() if kind in kinds]
    below = "".join(f"\n        {item}" for item in listed) if len(listed) > 1 else listed[0]
    values = {"server": one_line(server), "list": below, "edit": " ".join(edits)}
    yield from _block("linked-delete", values, style)


def _name(guard: str, concern: Concern) -> str:
    match guard:
        case "lost-input":
            rows = n_("{count} row", "{count} rows", int(concern.detail))
            return f"{one_line(concern.name)} ({rows})"
        case "suspected-rename" | "credential-moved":
            return f"{one_line(concern.name)} → {one_line(concern.detail)}"
        case "orphaned-company":
            return _company(concern)
        case "takeover" | "undoes-rollback":
            kind, _dot, address = concern.name.partition(".")
            return f"{_(_KINDS[kind])} {_row(kind, address.partition('/')[2])}"
        case "mass-unlink" | "mass-deactivate":
            return _row("link" if "/" in concern.name else "server", concern.name)
        case _:
            return one_line(concern.name)


def _row(kind: str, name: str) -> str:
    """The row that a change is about, as the changes of a plan are titled."""
    server, _slash, cnpj = name.rpartition("/")
    if kind == "link":
        return f"{one_line(server)} ↔ {one_line(masked(cnpj))}"
    if kind == "head_office" and len(name) == 8:
        return one_line(f"{name[:2]}.{name[2:5]}.{name[5:]}")
    return one_line(masked(name) if kind == "company" else name)


def _company(concern: Concern) -> str:
    cnpj = one_line(masked(concern.name.rpartition("/")[2]))
    return f"{cnpj} {one_line(concern.nickname)}" if concern.nickname else cnpj


def _renames(concerns: tuple[Concern, ...]) -> list[str]:
    return [
        _('"renamed_from: {old}" under "{new}"').format(
            old=one_line(concern.name), new=one_line(concern.detail)
        )
        for concern in concerns
    ]


def _revisions(concerns: Concerns) -> list[str]:
    """The revisions that were rolled back."""
    numbers = {int(concern.detail) for concern in concerns if concern.detail.isdecimal()}
    return [str(number) for number in sorted(numbers)]


def _listed(names: list[str]) -> str:
    if len(names) <= _SHOWN:
        return ", ".join(names)
    more = _("and {count} more").format(count=len(names) - _SHOWN)
    return ", ".join([*names[:_SHOWN], more])
