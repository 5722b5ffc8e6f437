"""Results as lines: one for each mailbox, and under a failed one the cause and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reconciler.diagnostics.messages.failures import Again, failures
from reconciler.diagnostics.words import N_, _, n_
from reconciler.probes.results import (
    REASON,
    Diagnosis,
    ProbeOutcome,
    ProbeResult,
    ProbeWarning,
    Step,
)
from reconciler.probes.shards import Tally
from reconciler.render.messages import MESSAGES
from reconciler.render.style import PLAIN, Style, one_line

WORDS = {
    ProbeOutcome.PASSED: N_("ok"),
    ProbeOutcome.FAILED: N_("FAILED"),
    ProbeOutcome.NOT_TESTED: N_("not tested"),
}
VERDICTS = {outcome.value: word for outcome, word in WORDS.items()}
"""The same words by the verdicts of the database."""
_COLOURS = {
    ProbeOutcome.PASSED: "green",
    ProbeOutcome.FAILED: "red",
    ProbeOutcome.NOT_TESTED: "yellow",
}
_SHOWN_NAMES = 5
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


def text(result: ProbeResult, style: Style = PLAIN, *, steps: bool = False) -> str:
    """A result over one or more lines; with `steps` the time and findings of each step too."""
    return "\n".join(_lines(result, style, steps=steps))


def summary(tally: Tally) -> str:
    """All results in one line."""
    counts = tally.outcomes
    parts = [
        n_("{count} mailbox ok", "{count} mailboxes ok", counts[ProbeOutcome.PASSED]),
        n_("{count} failed", "{count} failed", counts[ProbeOutcome.FAILED]),
        n_("{count} not tested", "{count} not tested", counts[ProbeOutcome.NOT_TESTED]),
    ]
    if tally.warnings:
        parts.append(n_("{count} warning", "{count} warnings", tally.warnings))
    return ", ".join(parts)


def names(result: ProbeResult) -> str:
    """The servers of a result, as many as fit on a line."""
    shown = ", ".join(result.names[:_SHOWN_NAMES])
    more = len(result.names) - _SHOWN_NAMES
    return one_line(shown if more <= 0 else shown + n_(", {count} more", ", {count} more", more))


def mailbox(result: ProbeResult) -> str:
    """A mailbox in a few words: username, protocol, host and port."""
    place = f"{result.protocol} {result.host}:{result.port}"
    return one_line(f"{result.username} {place}" if result.username else place)


def step_line(step: Step) -> str:
    """A step, its time and its findings."""
    facts = ", ".join(one_line(value) for _name, value in step.facts if value != "")
    return f"{_(STEPS.get(step.name, step.name))} {step.seconds:.3f} s: {facts}"


def _lines(result: ProbeResult, style: Style, *, steps: bool) -> Iterator[str]:
    word = style(_(WORDS[result.outcome]), _COLOURS[result.outcome])
    seconds = "" if result.given_up else f"  {result.seconds:.2f} s"
    yield f"{word}  {style(names(result), 'bold')}  {mailbox(result)}{seconds}"
    for step in result.steps if steps else ():
        yield f"    {step_line(step)}"
    if result.diagnosis:
        yield from _failure(result, result.diagnosis, style)
    for warning in result.warnings:
        words = described(warning)
        yield f"  {style(_('warning'), 'yellow')} {warning.code}: {words.title}"
        yield f"    {style(_('fix'), 'cyan')}: {words.repair}"


def _failure(result: ProbeResult, diagnosis: Diagnosis, style: Style) -> Iterator[str]:
    words = described(diagnosis)
    step = _(STEPS.get(diagnosis.step, diagnosis.step))
    yield f"  {diagnosis.code} ({step}): {words.title}"
    if diagnosis.line:
        yield f"    {_('the server says')}: {one_line(diagnosis.line)}"
    yield f"    {words.cause}"
    if result.given_up:
        yield "    " + _("It was not tried: others on this host had failed in the same way.")
    if (count := result.attempts) > 1:
        yield "    " + n_("It was tried {count} time.", "It was tried {count} times.", count)
    yield f"    {style(_('fix'), 'cyan')}: {words.repair}"


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
