"""Results as Markdown, for the comment or the summary of a pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reconciler.diagnostics.words import _
from reconciler.probes.results import Diagnosis, ProbeOutcome, ProbeResult, ProbeWarning
from reconciler.probes.shards import Tally
from reconciler.render.probe_text import STEPS, Words, described, mailbox, names, summary
from reconciler.render.style import one_line

MOST = 200
"""How many failures are told, as comments have a limit."""
_SIGNS = re.compile(r"([\\`*_{}\[\]()#+!|<>~&@-])")


def document(results: Iterable[ProbeResult]) -> Iterator[str]:
    """The failures in a table, then what to do about each kind of them, then warnings."""
    tally = Tally()
    failed: list[tuple[ProbeResult, Diagnosis]] = []
    warnings: dict[ProbeWarning, Words] = {}
    for result in results:
        tally.add(result)
        if result.diagnosis and len(failed) < MOST:
            failed.append((result, result.diagnosis))
        for warning in result.warnings:
            warnings[warning] = described(warning)
    yield f"### {_sign(tally)} {_plain(summary(tally))}\n"
    if failed:
        yield from _table(failed)
        yield from _advice(failed)
    if (more := tally.total - tally.outcomes[ProbeOutcome.PASSED] - len(failed)) > 0:
        yield "\n" + _plain(_("And {count} more.").format(count=more)) + "\n"
    for warning, words in warnings.items():
        yield f"\n- ⚠️ {warning.code}: {_plain(words.title)}. {_plain(words.repair)}\n"


def _sign(tally: Tally) -> str:
    if tally.outcomes[ProbeOutcome.FAILED]:
        return "❌"
    return "⚠️" if tally.outcomes[ProbeOutcome.NOT_TESTED] else "✅"


def _table(failed: list[tuple[ProbeResult, Diagnosis]]) -> Iterator[str]:
    heads = (_("Mail server"), _("Mailbox"), _("Step"), _("Failure"), _("The server says"))
    yield "\n| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|\n"
    for result, diagnosis in failed:
        cells = (
            _plain(names(result)),
            _plain(mailbox(result)),
            _plain(_(STEPS.get(diagnosis.step, diagnosis.step))),
            f"{diagnosis.code}: {_plain(described(diagnosis).title)}",
            _plain(diagnosis.line),
        )
        yield "| " + " | ".join(cells) + " |\n"


def _advice(failed: list[tuple[ProbeResult, Diagnosis]]) -> Iterator[str]:
    """What to do, each text once."""
    seen: set[str] = set()
    for _result, diagnosis in failed:
        words = described(diagnosis)
        line = f"- {diagnosis.code}: {_plain(words.cause)} **{_plain(words.repair)}**\n"
        if line not in seen:
            yield ("" if seen else "\n") + line
            seen.add(line)


def _plain(text: str) -> str:
    """`text` as Markdown that is shown literally and mentions nobody."""
    return _SIGNS.sub(r"\\\1", one_line(text)).replace("\\@", "@\u200b")
