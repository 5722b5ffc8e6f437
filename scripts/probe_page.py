"""Writes the second part of `docs/probes.md`: what each failure of a test means."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.diagnostics.messages import PROBES
from reconciler.probes.failures import NO_VERDICT, ROWS
from reconciler.probes.results import Again
from reconciler.render.explain_text import steps
from reconciler.render.probe_failure import STEPS, by_provider

_MARK = "<!-- Everything below is made from the code by `make generate`. -->\n"
_SECTIONS = (
    ("Before the login", 751, 769),
    ("Login of an outgoing server", 770, 785),
    ("Sender, recipient, message", 786, 799),
    ("Reading over IMAP", 800, 810),
    ("Reading over POP3", 811, 815),
    ("All others", 816, 899),
)
_AGAIN = {
    Again.NO: "not tried again",
    Again.ONCE: "tried once more",
    Again.SOON: "tried again after seconds",
    Again.WAIT: "tried again after minutes",
    Again.LATER: "may pass in hours or days",
}


def page(text: str) -> str:
    """The page `text` with its failures as the code has them."""
    return "\n".join([text.partition(_MARK)[0] + _MARK, *_failures()]) + "\n"


def _failures() -> Iterator[str]:
    for title, first, last in _SECTIONS:
        yield f"### {title}\n"
        for code in sorted(ROWS):
            if first <= int(code.removeprefix("MBX")) <= last:
                yield from _failure(code)


def _failure(code: str) -> Iterator[str]:
    message, row = PROBES[code], ROWS[code]
    verdict = "; not tested" if code in NO_VERDICT else ""
    yield f"#### {code}: {_plain(message.title)}\n"
    if row.sample:
        yield f"- The server says: `{row.sample}`"
    if where := steps(code):
        yield f"- Step: {', '.join(f'`{step}`' for step in STEPS if step in where)}"
    yield f"- Cause: {_plain(message.cause)}"
    yield f"- Fix: {_plain(message.repair)}"
    for name, repair in by_provider(code).items():
        yield f"- {name}: {_plain(repair)}"
    yield f"- {_AGAIN[row.again].capitalize()}{verdict}.\n"


def _plain(template: str) -> str:
    text = template.replace("{{", "{").replace("}}", "}")
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("<", "\\<")
