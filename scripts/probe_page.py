"""Writes the second part of `docs/probes.md`: what each failure of a test means."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.diagnostics.messages.failures import Again, ProbeFailure, failures

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
        for code, failure in failures().items():
            if first <= int(code.removeprefix("MBX")) <= last:
                yield from _failure(failure)


def _failure(failure: ProbeFailure) -> Iterator[str]:
    title, cause, repair = map(_plain, failure.message[1:])
    yield f"#### {failure.code}: {title}\n"
    if failure.server_says:
        yield f"- The server says: `{failure.server_says}`"
    if failure.steps:
        yield f"- Step: {', '.join(f'`{step}`' for step in failure.steps)}"
    yield f"- Cause: {cause}"
    yield f"- Fix: {repair}"
    for name, text in failure.repairs.items():
        yield f"- {name}: {_plain(text)}"
    verdict = "; not tested" if failure.not_tested else ""
    yield f"- {_AGAIN[failure.again].capitalize()}{verdict}.\n"


def _plain(template: str) -> str:
    text = template.replace("{{", "{").replace("}}", "}")
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("<", "\\<")
