"""A code explained without any network: what it means, and all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.diagnostics.messages.failures import failures
from reconciler.diagnostics.words import _
from reconciler.render.messages import MESSAGES
from reconciler.render.probe_failure import AGAIN, STEPS, words
from reconciler.render.style import PLAIN, Style


def data(code: str) -> dict[str, Any]:
    """The explanation of `code` as JSON has it."""
    failure = failures().get(code)
    result = {"code": code, "severity": MESSAGES[code].severity.value}
    result |= words(code, None)._asdict()
    if failure is None:
        return result
    repairs = {name: _(repair) for name, repair in failure.repairs.items()}
    return {
        **result,
        "steps": failure.steps,
        "server_says": failure.server_says,
        "again": failure.again.value,
        "repair_by_provider": repairs,
    }


def lines(code: str, style: Style = PLAIN) -> Iterator[str]:
    """The explanation of `code`, one of `MESSAGES`, as people read it."""
    title, cause, repair = map(_literal, words(code, None))
    failure = failures().get(code)
    yield f"{style(code, 'bold')}: {style(title, 'bold')}"
    if failure and failure.server_says:
        yield f"  {_('the server says')}: {failure.server_says}"
    if failure and failure.steps:
        yield f"  {_('while')}: {', '.join(_(STEPS[step]) for step in failure.steps)}"
    yield f"  {cause}"
    yield f"  {style(_('fix'), 'cyan')}: {repair}"
    if failure:
        for name, text in failure.repairs.items():
            yield f"  {style(name, 'cyan')}: {_literal(_(text))}"
        yield f"  {_(AGAIN[failure.again])}"


def _literal(template: str) -> str:
    return template.replace("{{", "{").replace("}}", "}")
