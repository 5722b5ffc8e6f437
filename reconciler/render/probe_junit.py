"""Results as JUnit XML, which every CI shows as tests: a suite for each host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.probes.results import ProbeOutcome, ProbeResult
from reconciler.probes.shards import Tally
from reconciler.render.probe_text import described, mailbox, names, step_line
from reconciler.render.style import clean


def document(results: Iterable[ProbeResult]) -> Iterator[str]:
    """The document; its counts come first, so it needs all results."""
    ordered = sorted(results, key=lambda result: (result.host, result.port, result.names))
    suites = Element("testsuites", _counts(ordered))
    for host, group in groupby(ordered, key=lambda result: f"{result.host}:{result.port}"):
        cases = list(group)
        suite = SubElement(suites, "testsuite", {"name": clean(host), **_counts(cases)})
        for case in cases:
            _case(suite, case)
    indent(suites)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield tostring(suites, encoding="unicode") + "\n"


def _counts(results: list[ProbeResult]) -> dict[str, str]:
    tally = Tally(results)
    counts = tally.outcomes
    return {
        "tests": str(tally.total),
        "failures": str(counts[ProbeOutcome.FAILED]),
        "errors": "0",
        "skipped": str(counts[ProbeOutcome.NOT_TESTED]),
        "time": f"{tally.seconds:.3f}",
    }


def _case(suite: Element, result: ProbeResult) -> None:
    attributes = {
        "name": clean(names(result)),
        "classname": clean(f"{result.protocol}.{result.level}"),
        "time": f"{result.seconds:.3f}",
    }
    case = SubElement(suite, "testcase", attributes)
    if result.diagnosis:
        words = described(result.diagnosis)
        failed = result.outcome is ProbeOutcome.FAILED
        element = SubElement(case, "failure" if failed else "skipped")
        element.set("message", clean(f"{result.diagnosis.code}: {words.title}"))
        if failed:
            element.set("type", result.diagnosis.code)
        lines = [mailbox(result), result.diagnosis.line, words.cause, words.repair]
        element.text = clean("\n".join(filter(None, lines)))
    steps = [step_line(step) for step in result.steps]
    steps += [f"{warning.code}: {described(warning).title}" for warning in result.warnings]
    if steps:
        SubElement(case, "system-out").text = clean("\n".join(steps))
