"""Results as JUnit XML, which every CI shows as tests: a suite for each host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from reconciler.probes.documents import Tally
from reconciler.probes.results import Outcome, ProbeResult
from reconciler.render.probe_failure import described, warned
from reconciler.render.probe_text import mailbox, names, step_line
from reconciler.render.style import clean


def document(results: Iterable[ProbeResult]) -> Iterator[str]:
    """The document, in pieces. It has its counts in front, so it needs all results."""
    ordered = sorted(results, key=lambda result: (result.host, result.port, result.names))
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f"<testsuites{_counts(ordered)}>\n"
    for host, group in groupby(ordered, key=lambda result: f"{result.host}:{result.port}"):
        cases = list(group)
        yield f"  <testsuite name={_attribute(host)}{_counts(cases)}>\n"
        for case in cases:
            yield from _case(case)
        yield "  </testsuite>\n"
    yield "</testsuites>\n"


def _counts(results: list[ProbeResult]) -> str:
    tally = Tally()
    for result in results:
        tally.add(result)
    counts = tally.outcomes
    return (
        f' tests="{tally.total}" failures="{counts[Outcome.FAILED]}" errors="0"'
        f' skipped="{counts[Outcome.NOT_TESTED]}" time="{tally.seconds:.3f}"'
    )


def _case(result: ProbeResult) -> Iterator[str]:
    where = f"{result.protocol}.{result.level}"
    yield (
        f"    <testcase name={_attribute(names(result))} classname={_attribute(where)}"
        f' time="{result.seconds:.3f}">\n'
    )
    if result.diagnosis:
        found = described(result.diagnosis)
        element = "failure" if result.outcome is Outcome.FAILED else "skipped"
        message = _attribute(f"{result.diagnosis.code}: {found.title}")
        kind = f" type={_attribute(result.diagnosis.code)}" if element == "failure" else ""
        lines = [mailbox(result), result.diagnosis.line, found.cause, found.repair]
        body = _text("\n".join(filter(None, lines)))
        yield f"      <{element} message={message}{kind}>{body}</{element}>\n"
    said = [step_line(step) for step in result.steps]
    said += [f"{warning.code}: {warned(warning).title}" for warning in result.warnings]
    if said:
        yield f"      <system-out>{_text(chr(10).join(said))}</system-out>\n"
    yield "    </testcase>\n"


def _text(text: str) -> str:
    return escape(clean(text))


def _attribute(text: str) -> str:
    return quoteattr(clean(text))
