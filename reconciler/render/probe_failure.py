"""Failures of probes in words: the title, the cause, and the repair at the provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.diagnostics.messages.failures import Again, failures
from reconciler.diagnostics.words import N_, _
from reconciler.probes.results import REASON, Diagnosis, ProbeWarning
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


class _Values(dict[str, str]):
    """Values for a message; a name without a value stays as it is written."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def described(item: Diagnosis | ProbeWarning) -> Words:
    """The words of a diagnosis or a warning, with its values."""
    provider = item.provider if isinstance(item, Diagnosis) else None
    values = _Values((name, one_line(value)) for name, value in item.values)
    if values.get(REASON) in MESSAGES:
        values[REASON] = _reason(values)
    return Words(*(text.format_map(values) for text in words(item.code, provider)))


def words(code: str, provider: str | None) -> Words:
    """The words of a code as they are written; the repair is the one for `provider`."""
    message, failure = MESSAGES[code], failures().get(code)
    repair = failure.repairs.get(provider or "") if failure else None
    return Words(_(message.title), _(message.cause), _(repair or message.repair))


def _reason(values: Mapping[str, str]) -> str:
    """The code that is the reason for another one, and its title."""
    code, mark = values[REASON], f"{REASON}_"
    own = ((name, text) for name, text in values.items() if name.startswith(mark))
    filled = _Values((name.removeprefix(mark), text) for name, text in own)
    return f"{code}: {_(MESSAGES[code].title).format_map(filled)}"
