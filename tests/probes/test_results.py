"""Results as text, JSON, JUnit and Markdown; shards put together; codes explained."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.diagnostics.messages.failures import Again, failures
from reconciler.diagnostics.problem import Failure
from reconciler.probes.results import (
    Diagnosis,
    Level,
    ProbeOutcome,
    ProbeResult,
    ProbeWarning,
    Step,
)
from reconciler.probes.shards import Shard, ShardResults, Tally, merged, read
from reconciler.render import explain_text, probe_json, probe_junit, probe_markdown, probe_text
from reconciler.render.messages import MESSAGES

NASTY = "a|b <img src=x> @team `x` \x1b[31m\r\n::error::z \u202e ]]> &amp;"
PASSED = ProbeResult(
    ("acme/nfe-out", "beta/nfe"),
    "smtp",
    "mail.acme.test",
    465,
    "tls",
    "nfe@acme.test",
    Level.SEND,
    ProbeOutcome.PASSED,
    steps=(
        Step("resolve", 0.001, (("addresses", "192.0.2.1"),)),
        Step("tls", 0.02, (("version", "TLSv1.3"), ("subject", NASTY))),
    ),
    warnings=(ProbeWarning("MBX843", (("host", "mail.acme.test"), ("date", "2026-12-01"))),),
    at="2026-11-24T10:00:00+00:00",
    seconds=0.5,
)
REFUSED = PASSED._replace(
    names=("acme/nfe-in",),
    protocol="imap",
    port=993,
    outcome=ProbeOutcome.FAILED,
    diagnosis=Diagnosis(
        "MBX800",
        "login",
        f"NO [AUTHENTICATIONFAILED] {NASTY}",
        values=(("host", "mail.acme.test"), ("username", NASTY)),
    ),
    warnings=(),
    attempts=2,
)
UNTRIED = PASSED._replace(
    names=("acme/x",),
    outcome=ProbeOutcome.NOT_TESTED,
    steps=(),
    diagnosis=Diagnosis("MBX829", "login", "", Again.NO, None, (("reason", "MBX603"),)),
    given_up=True,
    attempts=0,
    warnings=(),
)
RESULTS = (PASSED, REFUSED, UNTRIED)


def harmless(text: str) -> bool:
    return all(sign == "\n" or sign.isprintable() or sign == "\u200b" for sign in text)


def tally(results: tuple[ProbeResult, ...] = RESULTS) -> Tally:
    found = Tally()
    for result in results:
        found.add(result)
    return found


# --- text


def test_a_failure_says_what_to_do() -> None:
    said = probe_text.text(REFUSED)
    assert said.startswith("FAILED  acme/nfe-in  nfe@acme.test imap mail.acme.test:993")
    assert "MBX800 (login): mail.acme.test refuses username or password of" in said
    assert "the server says: NO [AUTHENTICATIONFAILED]" in said
    assert "fix: Check first whether" in said
    assert "It was tried 2 times." in said
    assert harmless(said)


def test_steps_are_told_when_asked_for() -> None:
    assert "look-up" not in probe_text.text(PASSED)
    said = probe_text.text(PASSED, steps=True)
    assert "look-up 0.001 s: 192.0.2.1" in said
    assert "encryption 0.020 s: TLSv1.3, " in said
    assert harmless(said)


def test_who_was_not_tried_says_so() -> None:
    said = probe_text.text(UNTRIED)
    assert "not tested  acme/x" in said
    assert "It was not tried: others on this host had failed in the same way." in said


def test_many_names_are_counted() -> None:
    said = probe_text.text(PASSED._replace(names=tuple(f"p{n}/a" for n in range(12))))
    assert "p4/a, 7 more" in said


def test_the_summary_counts() -> None:
    assert probe_text.summary(tally()) == "1 mailbox ok, 1 failed, 1 not tested, 1 warning"


# --- JSON and shards


def written(results: tuple[ProbeResult, ...] = RESULTS, shard: Shard = Shard()) -> Any:  # noqa: B008
    return json.loads("".join(probe_json.document(results, shard)))


def test_json_comes_back_as_it_was() -> None:
    document = read(written(), "x.json")
    assert document == ShardResults(Shard(1, 1), RESULTS)


def test_json_has_words_and_a_summary() -> None:
    found = written()
    assert found["summary"] == {
        "total": 3,
        "passed": 1,
        "failed": 1,
        "not_tested": 1,
        "warnings": 1,
    }
    failure = found["results"][1]["failure"]
    assert failure["code"] == "MBX800"
    assert failure["title"].startswith("mail.acme.test refuses")
    assert found["results"][0]["warnings"][0]["date" if False else "title"].endswith("2026-12-01")


def test_json_is_a_line_for_each_result() -> None:
    lines = "".join(probe_json.document(RESULTS)).splitlines()
    assert len(lines) == len(RESULTS) + 2
    assert "".join(probe_json.document(())).count("\n") == 3


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"format_version": "2.0", "shard": {"number": 1, "of": 1}, "results": []},
        {"format_version": "1.0", "shard": {"number": 3, "of": 2}, "results": []},
        {"format_version": "1.0", "shard": {"number": 1, "of": 1}, "results": [{}]},
        {"format_version": "1.0", "shard": None, "results": [], "complete": True},
        {"format_version": "1.0", "shard": {"number": 1, "of": 1}, "results": []},
    ],
)
def test_what_holds_no_results(document: Any) -> None:
    with pytest.raises(Failure, match="MBX850"):
        read(document, "x.json")


def shards(*numbers: int, of: int) -> list[tuple[str, ShardResults]]:
    return [
        (f"{n}.json", ShardResults(Shard(n, of), (PASSED._replace(names=(f"acme/{n}",)),)))
        for n in numbers
    ]


def test_shards_are_put_together() -> None:
    found = merged(shards(3, 1, 2, of=3))
    assert [result.names for result in found] == [("acme/1",), ("acme/2",), ("acme/3",)]


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        (shards(1, 3, of=3), "MBX851"),
        (shards(1, 1, 2, of=2), "MBX852"),
        (shards(1, of=1) + shards(2, of=2), "MBX853"),
    ],
)
def test_shards_that_do_not_fit(documents: list[tuple[str, ShardResults]], code: str) -> None:
    with pytest.raises(Failure, match=code):
        merged(documents)


# --- JUnit and Markdown


def test_junit_is_xml_that_ci_reads() -> None:
    root = ET.fromstring("".join(probe_junit.document(RESULTS)))
    assert root.attrib == {
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
        "time": "1.500",
    }
    cases = {case.attrib["name"]: case for case in root.iter("testcase")}
    assert set(cases) == {"acme/nfe-out, beta/nfe", "acme/nfe-in", "acme/x"}
    failure = cases["acme/nfe-in"].find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "MBX800"
    assert failure.attrib["message"].startswith("MBX800: mail.acme.test refuses")
    assert failure.text is not None
    assert "AUTHENTICATIONFAILED" in failure.text
    assert cases["acme/x"].find("skipped") is not None
    for element in root.iter():
        assert harmless((element.text or "") + "".join(element.attrib.values()))


def test_markdown_shows_what_is_said_and_does_nothing_with_it() -> None:
    said = "".join(probe_markdown.document(RESULTS))
    assert said.startswith("### ❌ 1 mailbox ok, 1 failed, 1 not tested, 1 warning\n")
    assert harmless(said)
    assert "@team" not in said
    assert "<img" not in said.replace("\\<img", "")
    rows = [line for line in said.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
    assert "".join(probe_markdown.document((PASSED,))).startswith("### ✅")


def test_markdown_tells_a_bounded_number() -> None:
    many = tuple(REFUSED._replace(names=(f"acme/{n}",)) for n in range(1_000))
    said = "".join(probe_markdown.document(many))
    assert "And 800 more" in said
    assert len(said) < 200_000


# --- explain


@pytest.mark.parametrize("code", MESSAGES)
def test_every_code_is_explained(code: str) -> None:
    said, found = "\n".join(explain_text.lines(code)), explain_text.data(code)
    assert said.startswith(f"{code}: ")
    assert found["title"]
    assert found["repair"] in said.replace("  ", " ") or "{{" in MESSAGES[code].repair
    assert ("again" in found) == (code in failures())


def test_an_explanation_has_what_the_server_says_and_the_providers() -> None:
    said = "\n".join(explain_text.lines("MBX775"))
    assert "the server says: 535 5.7.8 Error: authentication failed" in said
    assert "while: login" in said
    assert "SendGrid: Write the word" in said
    found = explain_text.data("MBX775")
    assert found["steps"] == ["login"]
    assert "SendGrid" in found["repair_by_provider"]
