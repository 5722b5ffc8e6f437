"""A code explained without any network: what it means, and all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.diagnostics.words import _
from reconciler.probes.failures import ROWS
from reconciler.render.messages import MESSAGES
from reconciler.render.probe_failure import AGAIN, STEPS, by_provider, words
from reconciler.render.style import PLAIN, Style


def text(code: str, style: Style = PLAIN) -> str:
    """The explanation of `code`, one of `MESSAGES`, as people read it."""
    return "\n".join(_lines(code, style))


def data(code: str) -> dict[str, Any]:
    """The explanation of `code` as JSON has it."""
    texts, row = words(code, None), ROWS.get(code)
    result: dict[str, Any] = {
        "code": code,
        "severity": MESSAGES[code].severity.value,
        "title": texts.title,
        "cause": texts.cause,
        "repair": texts.repair,
    }
    if row:
        result["steps"] = steps(code)
        result["server_says"] = row.sample
        result["again"] = row.again.value
        result["repair_by_provider"] = {name: _(text) for name, text in by_provider(code).items()}
    return result


def steps(code: str) -> list[str]:
    """The steps of a probe that end with `code`, in their order."""
    seen = {step for sign in ROWS[code].signs for step in sign.steps.split()}
    return [step for step in STEPS if step in seen]


def _lines(code: str, style: Style) -> Iterator[str]:
    texts, row = words(code, None), ROWS.get(code)
    yield f"{style(code, 'bold')}: {style(_literal(texts.title), 'bold')}"
    if row and row.sample:
        yield f"  {_('the server says')}: {row.sample}"
    if row and (where := steps(code)):
        yield f"  {_('while')}: {', '.join(_(STEPS[step]) for step in where)}"
    yield f"  {_literal(texts.cause)}"
    yield f"  {style(_('fix'), 'cyan')}: {_literal(texts.repair)}"
    for name, repair in by_provider(code).items() if row else ():
        yield f"  {style(name, 'cyan')}: {_literal(_(repair))}"
    if row:
        yield f"  {_(AGAIN[row.again])}"


def _literal(template: str) -> str:
    return template.replace("{{", "{").replace("}}", "}")
