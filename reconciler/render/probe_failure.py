"""What a failed probe means, in words: its title, its cause, and what to do at this provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.diagnostics.messages.probe_providers import REPAIRS
from reconciler.diagnostics.words import N_, Word, _
from reconciler.probes.results import REASON, Again, Diagnosis, Facts, Warned
from reconciler.render.messages import MESSAGES
from reconciler.render.style import one_line

AGAIN = {
    Again.NO: N_("The same would happen again until this is corrected."),
    Again.ONCE: N_("It was tried once more."),
    Again.SOON: N_("It passes by itself; a test tries again after some seconds."),
    Again.WAIT: N_("It passes by itself; a test tries again after some minutes."),
    Again.LATER: N_("It may pass by itself in hours or days; a test does not wait for that."),
}
STEPS = {
    "resolve": N_("look-up"),
    "connect": N_("connection"),
    "tls": N_("encryption"),
    "greeting": N_("greeting"),
    "login": N_("login"),
    "sender": N_("sender"),
    "recipient": N_("recipient"),
    "data": N_("message"),
    "folder": N_("folder"),
    "round-trip": N_("way back"),
}


class Words(NamedTuple):
    title: str
    cause: str
    repair: str


class _Given(dict[str, str]):
    """Values for a message; a name that nobody gave is shown as it is written."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def described(diagnosis: Diagnosis) -> Words:
    """The words of a diagnosis, with its values."""
    return _filled(words(diagnosis.code, diagnosis.provider), diagnosis.values)


def warned(warning: Warned) -> Words:
    """The words of a warning, with its values."""
    return _filled(words(warning.code, None), warning.values)


def words(code: str, provider: str | None) -> Words:
    """The words of a code as they are written; the repair is the one for `provider`."""
    message = MESSAGES[code]
    repair = REPAIRS.get((code, provider or ""), message.repair)
    return Words(_(message.title), _(message.cause), _(repair))


def by_provider(code: str) -> dict[str, Word]:
    """The repairs of a code that hold for one provider only, by its name."""
    return {name: repair for (found, name), repair in sorted(REPAIRS.items()) if found == code}


def _filled(found: Words, values: Facts) -> Words:
    given = _Given((name, one_line(value)) for name, value in values)
    if given.get(REASON) in MESSAGES:
        given[REASON] = _reason(given)
    return Words(*(text.format_map(given) for text in found))


def _reason(given: Mapping[str, str]) -> str:
    """The code that is the reason of another one, and what it says."""
    code, mark = given[REASON], f"{REASON}_"
    named = ((name, text) for name, text in given.items() if name.startswith(mark))
    values = _Given((name.removeprefix(mark), text) for name, text in named)
    return f"{code}: {_(MESSAGES[code].title).format_map(values)}"
