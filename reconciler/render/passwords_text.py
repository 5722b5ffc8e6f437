"""What a plan says of passwords: which have changed, and how many it knows nothing of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from reconciler.diagnostics.words import N_, _, n_
from reconciler.plan.plan import Password, PasswordState
from reconciler.render.style import Style, one_line

BUDGET = 50
"""How many passwords are shown one by one."""
_WORDS = {
    PasswordState.CHANGED: N_("changed"),
    PasswordState.UNCHANGED: N_("unchanged"),
    PasswordState.NOT_CHECKED: N_("not checked"),
    PasswordState.FOREIGN: N_("left to another program"),
}


def password_lines(passwords: Sequence[Password], style: Style, *, full: bool) -> Iterator[str]:
    """Those that changed one by one, or with `full` all, and how many there are of each kind."""
    if not passwords:
        return
    shown = [item for item in passwords if full or item.state is PasswordState.CHANGED]
    told = shown if full else shown[:BUDGET]
    if told:
        yield style(_("Passwords"), "bold")
    for item in told:
        sign, colour = ("~", "yellow") if item.state is PasswordState.CHANGED else (" ", "dim")
        text = _("{address}  password (sensitive, {verdict})").format(
            address=one_line(item.address), verdict=_(_WORDS[item.state])
        )
        yield "  " + style(f"{sign} {text}", colour)
    if left := len(shown) - len(told):
        more = n_(
            "… and {count} more; --full shows it", "… and {count} more; --full shows them", left
        )
        yield "  " + style(more, "dim")
    if told:
        yield ""
    states = Counter(item.state for item in passwords)
    changed, unchanged, unknown, foreign = map(states.__getitem__, PasswordState)
    words = {
        n_("{count} changed", "{count} changed", changed): changed,
        n_("{count} unchanged", "{count} unchanged", unchanged): unchanged,
        n_("{count} left to another program", "{count} left to another program", foreign): foreign,
        n_(
            "{count} not checked: apply compares it",
            "{count} not checked: apply compares them",
            unknown,
        ): unknown,
    }
    counts = ", ".join(text for text, count in words.items() if count)
    yield _("Passwords: {counts}.").format(counts=counts)
