"""A plan as people read it: what happens to each partner, and one line that sums it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict

from reconciler.diagnostics.words import KIND_WORDS, _, n_
from reconciler.model.cnpj import masked
from reconciler.model.state import Company, HeadOffice, Link, MailServer
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Action, Change
from reconciler.plan.plan import PartnerPlan, Plan, Summary, summarise
from reconciler.render.changes_text import fields, reason
from reconciler.render.passwords_text import password_lines
from reconciler.render.refusals import refusal_lines
from reconciler.render.style import Style, one_line

BUDGET = 200
"""How many changes are shown field by field; what goes away is always shown."""

_SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.LINK: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.DELETE: ("-", "red"),
    Action.UNLINK: ("-", "red"),
}


def lines(
    plan: Plan, style: Style, locate: Callable[[Change], str], *, full: bool
) -> Iterator[str]:
    """A plan whole; `locate` says where a change is written, as `file:line`."""

    def why(change: Change, cause: Cause) -> str:
        # The reason of a rollback is the rollback, and no manifest says it.
        return "" if plan.rolls_back is not None else reason(change, cause, locate(change))

    yield from ChangesText(style, why, fields, full=full).lines(plan.partners)
    yield from password_lines(plan.passwords, style, full=full)
    yield from _summary(plan)


Why = Callable[[Change, Cause], str]
Fields = Callable[[Change, Cause], Iterator[str]]


class ChangesText:
    """Writes what happens to partners; `why` tells the reason of a change, if any, `fields` what
    it does to single fields.
    """

    def __init__(self, style: Style, why: Why, fields: Fields, *, full: bool) -> None:
        self._style = style
        self._why = why
        self._fields = fields
        self._left = 10**9 if full else BUDGET

    def lines(self, parts: Iterable[PartnerPlan]) -> Iterator[str]:
        """Each partner with its changes, and an empty line behind it."""
        folded: Counter[str] = Counter()
        for part in parts:
            if self._left <= 0 and not (
                part.refusals or part.accepted or any(map(_always_shown, part.changes))
            ):
                folded.update(_counted(part.changes))
                continue
            yield self._style(one_line(part.partner), "bold")
            yield from self._changes(part)
            for refusal in part.refusals:
                yield from refusal_lines(refusal, self._style)
            for item in part.accepted:
                words = _("accepted: {guard}={count} {reason}").format_map(asdict(item))
                yield f"  {one_line(words).rstrip()}"
            yield ""
        if folded:
            yield self._folded(folded)
            yield ""

    def _changes(self, part: PartnerPlan) -> Iterator[str]:
        hidden: list[Change] = []
        grouped = sorted(part.explained, key=lambda item: (item[0].server, item[0].kind == "link"))
        for change, cause in grouped:  # every link after its server, and servers after all else
            if self._left > 0 or _always_shown(change):
                yield from self._change(change, cause, within=self._left > 0)
                self._left -= 1
            else:
                hidden.append(change)
        if hidden:
            yield "  " + self._folded(_counted(hidden))

    def _folded(self, counts: Counter[str]) -> str:
        words = ", ".join(f"{what} × {count}" for what, count in counts.items())
        text = _("… and {changes}; --full shows them").format(changes=words)
        return self._style(text, "dim")

    def _change(self, change: Change, cause: Cause, *, within: bool) -> Iterator[str]:
        sign, colour = _SIGNS[change.action]
        words = self._why(change, cause)
        why = f"  ({words})" if words else ""
        yield f"  {self._style(f'{sign} {_title(change)}', colour)}{self._style(why, 'dim')}"
        if within or change.after is not None:
            yield from self._fields(change, cause)


def _always_shown(change: Change) -> bool:
    return change.after is None or (change.before is not None and bool(_facets(change)))


def _title(change: Change) -> str:
    facets = ", ".join(_facets(change))
    words = f"{_(KIND_WORDS[change.kind])} {_name(change)}"
    return f"{words}: {facets}" if facets else words


def _name(change: Change) -> str:
    """What people call the row of a change."""
    match change.row:
        case Company(cnpj=cnpj, nickname=nickname):
            return f"{one_line(masked(cnpj))} {one_line(nickname)}"
        case HeadOffice(root=base):
            both = (getattr(row, "cnpj", "") for row in (change.before, change.after))
            named = [" ".join(map(masked, cnpj.split())) or "–" for cnpj in both]
            short = next((cnpj[:10] for cnpj in reversed(named) if len(cnpj) == 18), base)
            return one_line(f"{short}: {named[0]} → {named[1]}")
        case Link(cnpj=cnpj, sender_name=sender_name, active=active):
            name = one_line(f"{change.server} ↔ {masked(cnpj)}")
            notes = [one_line(f'"{sender_name}"')] if sender_name else []
            notes += [] if active else [_("inactive")]
            shown = notes and change.action is Action.LINK
            return f"{name} ({', '.join(notes)})" if shown else name
        case _:
            return one_line(change.name)


def _facets(change: Change) -> list[str]:
    """What an update is besides a change of fields."""
    before, after = change.before, change.after
    if before is None or after is None:
        return []
    facets = []
    old, new = (getattr(row, "project", None) for row in (before, after))
    taken = new is not None and old != new
    if isinstance(before, MailServer) and before.stable_id != change.name:
        words = _("takeover of {name}") if taken else _("renamed from {name}")
        facets.append(words.format(name=one_line(before.stable_id)))
    elif taken:
        released = old is None and getattr(before, "file", None) is not None
        facets.append(_("declared again") if released else _("takeover"))
    if old is not None and new is None:
        facets.append(_("released"))
    was, is_ = getattr(before, "active", None), getattr(after, "active", None)
    if was != is_:
        facets.append(_("activate") if is_ else _("deactivate"))
    return facets


def _counted(changes: Iterable[Change]) -> Counter[str]:
    """How many changes there are of each kind, as in `+ link`."""
    kinds = Counter((change.kind, change.action) for change in changes)
    return Counter(
        {f"{_SIGNS[act][0]} {_(KIND_WORDS[kind])}": count for (kind, act), count in kinds.items()}
    )


def _summary(plan: Plan) -> Iterator[str]:
    """The line that sums a plan up, and what it does not touch."""
    summary = summarise(plan.partners, plan.changed_passwords)
    untouched = n_("{count} row unchanged", "{count} rows unchanged", plan.unchanged)
    if plan.left_alone:
        untouched += ", " + n_(
            "{count} of them made by another program",
            "{count} of them made by other programs",
            plan.left_alone,
        )
    if not plan.partners and not summary.seal:
        yield _("Nothing to change.") + f" {untouched}."
        return
    if plan.rolls_back is not None:
        yield _("This plan rolls back revision {number}.").format(number=plan.rolls_back)
    yield _("Plan: {counts}.").format(counts=_to_do(summary)) + f" {untouched}."


def _to_do(summary: Summary) -> str:
    words = [
        n_("{count} to create", "{count} to create", summary.create),
        n_("{count} to update", "{count} to update", summary.update),
        n_("{count} to delete", "{count} to delete", summary.delete),
        n_("{count} to link", "{count} to link", summary.link),
        n_("{count} to unlink", "{count} to unlink", summary.unlink),
    ]
    if summary.seal:
        words.append(n_("{count} password to seal", "{count} passwords to seal", summary.seal))
    if summary.refused:
        words.append(n_("{count} refused", "{count} refused", summary.refused))
    return ", ".join(words)


def done(summary: Summary) -> str:
    """The numbers of a summary in words, once it is done."""
    words = [
        n_("{count} created", "{count} created", summary.create),
        n_("{count} updated", "{count} updated", summary.update),
        n_("{count} deleted", "{count} deleted", summary.delete),
        n_("{count} linked", "{count} linked", summary.link),
        n_("{count} unlinked", "{count} unlinked", summary.unlink),
    ]
    if summary.seal:
        words.append(n_("{count} password sealed", "{count} passwords sealed", summary.seal))
    return ", ".join(words)
