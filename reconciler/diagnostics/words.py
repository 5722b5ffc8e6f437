"""Every text that users read goes through here, to the one gettext catalogue.

`reconciler/diagnostics/locale/reconciler.pot` lists them all.
"""

from __future__ import annotations

from gettext import NullTranslations

_catalogue = NullTranslations()


def _(text: str) -> str:
    """`text` in the language of the run."""
    return _catalogue.gettext(text)


def n_(one: str, many: str, count: int) -> str:
    """`one` or `many`, by what the language of the run does with `count`; formatted with it."""
    return _catalogue.ngettext(one, many, count).format(count=count)


class Word(str):
    """A text of the catalogue that is filled into another; translated where it is shown."""

    __slots__ = ()


def N_(text: str) -> Word:  # noqa: N802 - gettext's own name for it
    """Marks a text that is translated where it is shown."""
    return Word(text)


KIND_WORDS = {
    "partner": N_("partner"),
    "company": N_("company"),
    "head_office": N_("head office"),
    "host": N_("host"),
    "server": N_("mail server"),
    "link": N_("link"),
}
"""What people call each kind of row."""
