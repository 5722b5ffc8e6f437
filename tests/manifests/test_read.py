"""Reading: what arrives as it was written, what is refused and where, and which files are read."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest

from reconciler.diagnostics.problem import Problem
from reconciler.manifests import files
from reconciler.manifests.files import base_of, content, find
from reconciler.manifests.positions import locate
from reconciler.manifests.read import Quoted, ReadLimits, Suspect, read
from tests.support.estates import Manifest, cnpj, codes, manifest, outgoing, read_one, run, write

LIMITS = ReadLimits()
BOM = b"\xef\xbb\xbf"


def as_bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def told(data: str | bytes, limits: ReadLimits = LIMITS) -> list[tuple[str, int, int]]:
    """Code, line and column of everything that a file is refused for; both readers agree."""
    problems = locate("x.yaml", as_bytes(data), limits).problems
    try:
        read(as_bytes(data), limits)
    except Suspect:
        assert problems
    else:
        assert not problems
    return [(problem.code, *_start(problem)) for problem in problems]


def _start(problem: Problem) -> tuple[int, int]:
    assert problem.place
    assert problem.place.mark
    return (problem.place.mark.line, problem.place.mark.column)


# What arrives


TRAPS = [
    *("11222333000181", "00000000000191", "01234567000112", "00000000000700"),
    *("12E45678000106", "12e45678000106", "12345678E00195", "0x12345678ABCD"),
    *("0b0000000000001", "0o123456700011", "12.345.678/0001-95", "12ABC34501DE35"),
    *("yes", "NO", "no", "on", "off", "y", "n", "true", "False", "null", "Null", "~"),
    *("08", "0123", "1_000", "1:30", "190:20:30", ".5", "1.0", "1e3", "+1", "-0", ".inf", ".NaN"),
    *("2026-12-31", "2001-12-14t21:59:43.10-05:00", "=", "x#y", "a:b", "a'b", 'a"b', "100%"),
    *("São Paulo", "𝄞", "nfe@acme.example", "Acme & Cia", "\\x07", "\\"),
]


@pytest.mark.parametrize("text", TRAPS)
@pytest.mark.parametrize("style", ["plain", "single", "double"])
def test_a_scalar_arrives_as_it_was_written(text: str, style: str) -> None:
    written = {
        "plain": text,
        "single": "'" + text.replace("'", "''") + "'",
        "double": '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"',
    }[style]
    data = f"{written}: {written}\nlist:\n- {written}\n- [{written}]\n".encode()
    found = read(data, LIMITS)
    assert found == {text: text, "list": [text, [text]]}
    assert all(type(value) in (str, Quoted) for value in (*found, found[text], *found["list"][:1]))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("true", False),
        ("'true'", True),
        ('"465"', True),
        ("465", False),
        ('"null"', True),
        ("''", True),
    ],
)
def test_a_short_text_in_quotes_is_told_from_a_plain_one(text: str, quoted: bool) -> None:
    assert isinstance(read(f"a: {text}".encode(), LIMITS)["a"], Quoted) is quoted


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("11222333000181", "11222333000181"),
        ("00000000000191", "00000000000191"),
        ("12E45678000106", "12E45678000106"),
        ("12e45678000106", "12E45678000106"),
        ("12ABC34501DE35", "12ABC34501DE35"),
        ("12.345.678/0001-95", "12345678000195"),
        ("'11222333000181'", "11222333000181"),
        (cnpj(12, root="01234567"), cnpj(12, root="01234567")),
        (cnpj(777, root="07777777"), cnpj(777, root="07777777")),
        (cnpj(1, root="1234567E"), cnpj(1, root="1234567E")),
    ],
)
def test_a_cnpj_needs_no_quotes(text: str, bare: str) -> None:
    keys = "direction: outgoing, nickname: x, host: a.example, auth: none"
    entry = f"{{{keys}, sender: {{email: x@a.example}}"
    declared, problems = read_one(
        f"version: 1\npartner: acme\ncompanies:\n  {text}: {{nickname: no}}\n"
        f"mail_servers:\n  a: {entry}, companies: [{text}, {{branches_of: {text}}}]}}\n"
    )
    assert problems == []
    assert declared
    assert [item.company.cnpj for item in declared.companies] == [bare]
    assert declared.companies[0].company.nickname == "no"
    assert {item.cnpj for item in declared.servers[0].links} == {bare}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("01234567000112", "MBX211"),
        ("00000000000700", "MBX211"),
        ("12345678E00195", "MBX211"),
        ("0x12345678ABCD", "MBX210"),
        ("0b0000000000001", "MBX210"),
        ("0o123456700011", "MBX211"),
        ("1234567000112", "MBX210"),
        ("1.2345678000195E13", "MBX210"),
    ],
)
def test_what_yaml_could_take_for_a_number_is_checked_as_a_text(text: str, code: str) -> None:
    _, problems = read_one(f"version: 1\npartner: acme\ncompanies:\n  {text}: {{nickname: Acme}}\n")
    assert codes(problems) == [code]


class Accepted(NamedTuple):
    """The text of a file, and what it holds."""

    data: str | bytes
    found: Any


ACCEPTED = {
    "byte order mark": Accepted(BOM + b"a: 1\n", {"a": "1"}),
    "carriage returns": Accepted("a: 1\r\nb: x y\r\n", {"a": "1", "b": "x y"}),
    "byte order mark and carriage returns": Accepted(BOM + b"a: 1\r\n", {"a": "1"}),
    "carriage returns alone": Accepted("a: 1\rb: 2\r", {"a": "1", "b": "2"}),
    "no line end at the end": Accepted("a: 1", {"a": "1"}),
    "start of a document": Accepted("---\na: 1\n", {"a": "1"}),
    "end of a document": Accepted("a: 1\n...\n", {"a": "1"}),
    "directive": Accepted("%YAML 1.2\n---\na: 1\n", {"a": "1"}),
    "comments": Accepted("# x\na: 1 # y\n# z\n", {"a": "1"}),
    "tab between key and value": Accepted("a:\t1\n", {"a": "1"}),
    "tab before a comment": Accepted("a: 1\t# x\n", {"a": "1"}),
    "JSON": Accepted('{"a": [1, true, null, "x\\u00e9"]}', {"a": ["1", "true", "null", "xé"]}),
    "text over several lines": Accepted("a: x\n  y\n", {"a": "x y"}),
    "literal text": Accepted("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    "folded text": Accepted("a: >-\n  x\n  y\n", {"a": "x y"}),
    "no value": Accepted("a:\n", {"a": ""}),
    "document of nothing": Accepted("---\n", ""),
    "one scalar": Accepted("x\n", "x"),
    "a list": Accepted("- a\n- b\n", ["a", "b"]),
    "merge key in quotes is a key": Accepted('"<<": 1\n', {"<<": "1"}),
    "the same key in two places": Accepted(
        "a: {x: 1}\nb: {x: 1}\n", {"a": {"x": "1"}, "b": {"x": "1"}}
    ),
    "two spellings of a key": Accepted("a: 1\nA: 2\n", {"a": "1", "A": "2"}),
    "backslashes outside double quotes": Accepted(
        "a: '\\u202e'\nb: \\x07\n", {"a": "\\u202e", "b": "\\x07"}
    ),
    "harmless escapes": Accepted('a: "\\t\\n\\"\\\\\\u00e9\\_"\n', {"a": '\t\n"\\é\xa0'}),
    "letters of every script": Accepted("a: é日本語😀\u200b\n", {"a": "é日本語😀\u200b"}),
    "depth at the limit": Accepted("[" * 64 + "]" * 64, None),
    "scalar at the limit": Accepted("a: " + "x" * LIMITS.scalar_bytes, None),
    "wide scalar at the limit": Accepted('a: "' + "é" * (LIMITS.scalar_bytes // 2) + '"', None),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_a_file_may_hold(name: str) -> None:
    case = ACCEPTED[name]
    assert told(case.data) == []
    found = read(as_bytes(case.data), LIMITS)
    assert case.found is None or found == case.found


# What is refused


BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [*{before}, *{before}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


class Refused(NamedTuple):
    """The text of a file, and the code, line and column of all that it is refused for."""

    data: str | bytes
    told: list[tuple[str, int, int]]


REFUSED = {
    # Anchors, aliases, merge keys, tags
    "anchor": Refused("a: &x 1\n", [("MBX106", 1, 4)]),
    "anchor of a mapping": Refused("a: &x\n  b: 1\n", [("MBX106", 1, 4)]),
    "anchor of a key": Refused("&x a: 1\n", [("MBX106", 1, 1)]),
    "anchor of everything": Refused("&x\na: 1\n", [("MBX106", 1, 1)]),
    "alias": Refused("a: *x\n", [("MBX106", 1, 4)]),
    "alias for a key": Refused("*x : 1\n", [("MBX106", 1, 1)]),
    "anchor and alias": Refused("a: &x 1\nb: *x\n", [("MBX106", 1, 4), ("MBX106", 2, 4)]),
    "alias of itself": Refused("a: &x [*x]\n", [("MBX106", 1, 4), ("MBX106", 1, 8)]),
    "merge key": Refused("a: 1\n<<: {b: 2}\n", [("MBX107", 2, 1)]),
    "merge key with alias": Refused(
        "a: &x {b: 1}\nc:\n  <<: *x\n", [("MBX106", 1, 4), ("MBX107", 3, 3), ("MBX106", 3, 7)]
    ),
    "tag": Refused("a: !!str 1\n", [("MBX108", 1, 4)]),
    "tag that would run a program": Refused(
        "a: !!python/object/apply:os.system [ls]\n", [("MBX108", 1, 4)]
    ),
    "tag that says nothing": Refused("a: ! x\n", [("MBX108", 1, 4)]),
    "tag of a mapping": Refused("a: !x {b: 1}\n", [("MBX108", 1, 4)]),
    "tag of a key": Refused("!x a: 1\n", [("MBX108", 1, 1)]),
    "tag of everything": Refused("!x\na: 1\n", [("MBX108", 1, 1)]),
    # Keys
    "key twice": Refused("a: 1\nb: 2\na: 3\n", [("MBX105", 3, 1)]),
    "key three times": Refused("a: 1\na: 2\na: 3\n", [("MBX105", 2, 1), ("MBX105", 3, 1)]),
    "key twice, once in quotes": Refused('a: 1\n"a": 2\n', [("MBX105", 2, 1)]),
    "key twice, once escaped": Refused('"a": 1\n"\\x61": 2\n', [("MBX105", 2, 1)]),
    "key twice further down": Refused("x:\n  a: 1\n  a: 2\n", [("MBX105", 3, 3)]),
    "key twice in braces": Refused("x: {a: 1, a: 2}\n", [("MBX105", 1, 11)]),
    "key twice in a list": Refused("- {a: 1, a: 1}\n", [("MBX105", 1, 10)]),
    "list for a key": Refused("? [a]\n: b\n", [("MBX118", 1, 3)]),
    "mapping for a key": Refused("{a: 1}: b\n", [("MBX118", 1, 1)]),
    "braces of a template": Refused("a: {{ x }}\n", [("MBX118", 1, 5)]),
    # Depth and size
    "depth in brackets": Refused("[" * 65 + "]" * 65, [("MBX111", 1, 65)]),
    "depth in braces": Refused("{a: " * 65, [("MBX111", 1, 257)]),
    "depth in dashes": Refused("- " * 65 + "x", [("MBX111", 1, 129)]),
    "depth in indentation": Refused(
        "".join("  " * depth + "a:\n" for depth in range(66)), [("MBX111", 65, 129)]
    ),
    "scalar": Refused("a: " + "x" * (LIMITS.scalar_bytes + 1), [("MBX113", 1, 4)]),
    "scalar of wide characters": Refused(
        'a: "' + "é" * (LIMITS.scalar_bytes // 2 + 1) + '"', [("MBX113", 1, 4)]
    ),
    "scalar of escapes": Refused(
        'a: "' + "\\u00e9" * (LIMITS.scalar_bytes // 2 + 1) + '"', [("MBX113", 1, 4)]
    ),
    "file": Refused("#" * (LIMITS.file_bytes + 1), [("MBX112", 1, 1)]),
    # Characters as they are
    "NUL": Refused("a: 1\x00\n", [("MBX104", 1, 5)]),
    "bell": Refused("a: \x07b\n", [("MBX104", 1, 4)]),
    "terminal escape": Refused("a: \x1b[31m\n", [("MBX104", 1, 4)]),
    "form feed": Refused("a: x\x0cy\n", [("MBX104", 1, 5)]),
    "delete": Refused("a: \x7f\n", [("MBX104", 1, 4)]),
    "control of the upper half": Refused("a: \x9b\n", [("MBX104", 1, 4)]),
    "next line": Refused("a: x\x85y\n", [("MBX104", 1, 5)]),
    "line separator": Refused("a: x\u2028y\n", [("MBX104", 1, 5)]),
    "paragraph separator": Refused("a: x\u2029y\n", [("MBX104", 1, 5)]),
    "right-to-left override": Refused("a: x\u202ey\n", [("MBX104", 1, 5)]),
    "right-to-left isolate": Refused("a: \u2067y\n", [("MBX104", 1, 4)]),
    "left-to-right mark": Refused("a: \u200e\n", [("MBX104", 1, 4)]),
    "Arabic letter mark": Refused("a: \u061c\n", [("MBX104", 1, 4)]),
    "in a comment": Refused("a: 1 # \u202e\n", [("MBX104", 1, 8)]),
    "in a key": Refused("a\u202e: 1\n", [("MBX104", 1, 2)]),
    "several": Refused(
        "a: \u202e\nb: \u2066x\u2069\n", [("MBX104", 1, 4), ("MBX104", 2, 4), ("MBX104", 2, 6)]
    ),
    "byte order mark inside": Refused("a: x\ufeffy\n", [("MBX104", 1, 5)]),
    "byte order mark twice": Refused(BOM + BOM + b"a: 1\n", [("MBX104", 1, 1)]),
    "no character at all": Refused("b: 1\na: x\uffff\n", [("MBX104", 2, 5)]),
    "nor this one": Refused("b: 1\na: x\ufffe\n", [("MBX104", 2, 5)]),
    # Characters as escapes
    "escaped NUL": Refused('a: "\\0"\n', [("MBX104", 1, 4)]),
    "escaped bell": Refused('a: "x\\x07"\n', [("MBX104", 1, 4)]),
    "escaped terminal escape": Refused('a: "\\e[31m"\n', [("MBX104", 1, 4)]),
    "escaped next line": Refused('a: "\\N"\n', [("MBX104", 1, 4)]),
    "escaped line separator": Refused('a: "\\L"\n', [("MBX104", 1, 4)]),
    "escaped right-to-left override": Refused('a: "\\u202e"\n', [("MBX104", 1, 4)]),
    "escaped with eight digits": Refused('a: "\\U0000202e"\n', [("MBX104", 1, 4)]),
    "escaped byte order mark": Refused('a: "\\ufeff"\n', [("MBX104", 1, 4)]),
    "escaped in a key": Refused('b: 1\n"\\u202e": 1\n', [("MBX104", 2, 1)]),
    "escaped in a list": Refused('- a\n- "\\x1b"\n', [("MBX104", 2, 3)]),
    "escaped surrogate": Refused('a: "\\ud800"\n', [("MBX101", 1, 7)]),
    "escaped pair of surrogates": Refused('a: "\\ud83d\\ude00"\n', [("MBX101", 1, 7)]),
    "escaped number too large": Refused('a: "\\U00110000"\n', [("MBX101", 1, 7)]),
    "unknown escape": Refused('a: "\\q"\n', [("MBX101", 1, 5)]),
    # Bytes
    "surrogate": Refused(b"a: \xed\xa0\x80\n", [("MBX103", 1, 4)]),
    "Latin-1": Refused("a: 1\nb: São\n".encode("latin-1"), [("MBX103", 2, 5)]),
    "Latin-1 behind wide characters": Refused("é: é".encode() + b"\xe3", [("MBX103", 1, 5)]),
    "cut short": Refused(b"a: 1\nb: \xc3", [("MBX103", 2, 4)]),
    "too many bytes for a character": Refused(b"a: \xc0\xaf\n", [("MBX103", 1, 4)]),
    "UTF-16": Refused("a: 1\n".encode("utf-16"), [("MBX103", 1, 1)]),
    # Documents
    "second document": Refused("a: 1\n---\nb: 2\n", [("MBX109", 2, 1)]),
    "second document of nothing": Refused("a: 1\n---\n", [("MBX109", 2, 1)]),
    "second document behind an end": Refused("a: 1\n...\n---\nb: 1\n", [("MBX109", 3, 1)]),
    "empty": Refused("", [("MBX110", 1, 1)]),
    "spaces and lines": Refused("  \n\n", [("MBX110", 1, 1)]),
    "comment": Refused("# x\n", [("MBX110", 1, 1)]),
    "byte order mark alone": Refused(BOM, [("MBX110", 1, 1)]),
    # Syntax
    "tab for indentation": Refused("a:\n\tb: 1\n", [("MBX102", 2, 1)]),
    "tab beside spaces": Refused("a:\n  b: 1\n\tc: 2\n", [("MBX102", 3, 1)]),
    "indentation": Refused("a: 1\n b: 2\n", [("MBX101", 2, 3)]),
    "two colons": Refused("a: b: c\n", [("MBX101", 1, 5)]),
    "text that begins with an at sign": Refused("a: @x\n", [("MBX101", 1, 4)]),
    "text that begins with a percent sign": Refused("a: %x\n", [("MBX101", 1, 4)]),
    "undeclared handle of a tag": Refused("a: !u!x 1\n", [("MBX101", 1, 4)]),
    "another version of YAML": Refused("%YAML 2.0\n---\na: 1\n", [("MBX101", 1, 1)]),
    # Where, in files with other beginnings and line ends
    "column behind a byte order mark": Refused(BOM + b"{a: 1, a: 2}\n", [("MBX105", 1, 8)]),
    "line in a file with carriage returns": Refused("a: 1\r\nb: 1\r\na: 2\r\n", [("MBX105", 3, 1)]),
    "column counts characters": Refused("{é: 1, ç𝄞: 2, é: 3}\n", [("MBX105", 1, 15)]),
    # All at once
    "several kinds": Refused(
        "a: &x !!str 1\na: *x\n<<: 2\n",
        [("MBX106", 1, 4), ("MBX108", 1, 4), ("MBX105", 2, 1), ("MBX106", 2, 4), ("MBX107", 3, 1)],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_file_is_refused_for(name: str) -> None:
    case = REFUSED[name]
    assert told(case.data) == case.told


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_file_declares_nothing(name: str) -> None:
    declared, problems = read_one(as_bytes(REFUSED[name].data))
    assert declared is None
    assert codes(problems) == [code for code, _, _ in REFUSED[name].told]


def test_a_bomb_does_not_go_off() -> None:
    found = told(BOMB)
    assert {code for code, _, _ in found} == {"MBX106"}
    assert found[0] == ("MBX106", 1, 4)


def test_a_key_twice_is_shown_at_both_places() -> None:
    (problem,) = locate("x.yaml", b"x:\n  a: 1\n  b: 2\n  a: 3\n", LIMITS).problems
    assert _start(problem) == (4, 3)
    (other,) = problem.others
    assert other.mark
    assert (other.mark.line, other.mark.column) == (2, 3)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("[" * 100_000, id="brackets"),
        pytest.param("[" * 100_000 + "]" * 100_000, id="closed brackets"),
        pytest.param("{a: " * 100_000, id="braces"),
        pytest.param("- " * 100_000 + "x", id="dashes"),
        pytest.param("? " * 100_000, id="question marks"),
        pytest.param("- [" * 50_000, id="both"),
        pytest.param("a: &a " + "[*a, " * 100_000, id="aliases"),
    ],
)
def test_a_depth_of_100_000_is_refused_within_a_second(data: str) -> None:
    start = time.perf_counter()
    assert told(data)
    assert time.perf_counter() - start < 1


def test_a_large_file_is_read_in_good_time() -> None:
    lines = "".join(f"k{number}: [a, b, {{c: d}}]\n" for number in range(100_000))
    start = time.perf_counter()
    assert len(read(lines.encode(), LIMITS)) == 100_000
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("limits", "data", "expected"),
    [
        (ReadLimits(file_bytes=3), "a: 1", [("MBX112", 1, 1)]),
        (ReadLimits(file_bytes=4), "a: 1", []),
        (ReadLimits(scalar_bytes=3), "abcd: 1", [("MBX113", 1, 1)]),
        (ReadLimits(scalar_bytes=3), "a: abcd", [("MBX113", 1, 4)]),
        (ReadLimits(scalar_bytes=3), "a: abc", []),
        (ReadLimits(scalar_bytes=3), "a: éé", [("MBX113", 1, 4)]),
        (ReadLimits(depth=1), "a: [1]", [("MBX111", 1, 4)]),
        (ReadLimits(depth=2), "a: [1]", []),
        (ReadLimits(depth=200), "[" * 200 + "]" * 200, []),
        (ReadLimits(depth=200), "[" * 201 + "]" * 201, [("MBX111", 1, 201)]),
    ],
)
def test_the_limits_can_be_set(
    limits: ReadLimits, data: str, expected: list[tuple[str, int, int]]
) -> None:
    assert told(data, limits) == expected


@pytest.mark.parametrize("depth", [100, 200, 300, 400, 600, 800, 1000])
def test_every_depth_that_the_settings_allow_can_be_read(
    depth: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even where something in it is wrong, and its place is looked for."""
    write(tmp_path, {"a.yaml": "x: " + "[" * (depth - 1) + "*a" + "]" * (depth - 1)})
    (tmp_path / "reconciler.toml").write_text(f"[limits]\ndepth = {depth}\n")
    done = run(capsys, "validate", tmp_path)
    assert done.code == 1
    assert ("MBX106" in done.out) != ("MBX602" in done.err)


# Which files


def found(folder: Path, *paths: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """The names that are found, and what keeps others from being read, reading included."""
    given = paths or (folder,)
    manifests, problems = find(given, base_of(given, folder).root)
    for item in manifests:
        data = content(item, LIMITS.file_bytes)
        if isinstance(data, Problem):
            problems.append(data)
    return [item.name for item in manifests], [
        (problem.code, problem.place.file if problem.place else "") for problem in problems
    ]


def test_manifests_are_found_below_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "sub/c.yaml", "sub/sub/d.yaml", "x.txt", "y.json", "yaml"):
        write(tmp_path, {name: manifest()})
    for name in (".hidden.yaml", ".git/e.yaml", "sub/.f.yaml"):
        write(tmp_path, {name: manifest()})
    names, problems = found(tmp_path)
    assert names == ["a.yml", "b.yaml", "sub/c.yaml", "sub/sub/d.yaml"]
    assert problems == []


def test_a_file_that_is_given_needs_no_ending(tmp_path: Path) -> None:
    write(tmp_path, {"acme": manifest()})
    assert found(tmp_path, tmp_path / "acme") == (["acme"], [])


def test_a_file_that_is_given_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": manifest()})
    assert found(tmp_path, tmp_path, tmp_path / "a.yaml") == (["a.yaml"], [])


def test_a_folder_without_manifests_is_told(tmp_path: Path) -> None:
    assert found(tmp_path) == ([], [("MBX117", "")])


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder_named_like_a_manifest(path: Path) -> None:
    write(path, {"inside.yaml": manifest()})


def link_to(target: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.symlink_to(target)

    return make


class Odd(NamedTuple):
    """Something beside `good.yaml` that is called `odd.yaml`."""

    make: Callable[[Path], None]
    names: list[str]
    problems: list[str]


ODD = {
    "pipe": Odd(pipe, ["odd.yaml"], ["MBX114"]),
    "link to a device": Odd(link_to("/dev/zero"), [], ["MBX115"]),
    "link to nothing": Odd(link_to("nowhere"), ["odd.yaml"], ["MBX116"]),
    "link to itself": Odd(link_to("odd.yaml"), ["odd.yaml"], ["MBX116"]),
    "link to a file outside": Odd(link_to("../outside.yaml"), [], ["MBX115"]),
    "link to a folder outside": Odd(link_to("../elsewhere"), [], ["MBX115"]),
    "link to a file inside": Odd(link_to("good.yaml"), ["odd.yaml"], []),
    "link to the folder itself": Odd(link_to("."), [], []),
    "link to a folder inside": Odd(link_to("sub"), [], []),
    "absolute link to a secret": Odd(link_to("/etc/passwd"), [], ["MBX115"]),
    "folder": Odd(folder_named_like_a_manifest, ["odd.yaml/inside.yaml"], []),
}


@pytest.fixture
def _no_waiting() -> Iterator[None]:
    """Who opens a pipe that nobody writes to waits for ever, unless it is careful."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize("name", ODD)
def test_only_regular_files_of_the_folder_are_read(name: str, tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"good.yaml": manifest()})
    (root / "sub").mkdir()
    write(tmp_path, {"outside.yaml": manifest(), "elsewhere/a.yaml": manifest()})
    case = ODD[name]
    case.make(root / "odd.yaml")
    names, problems = found(root)
    assert names == sorted(["good.yaml", *case.names])
    assert problems == [(code, "odd.yaml") for code in case.problems]


def test_a_socket_is_no_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "r", {"good.yaml": manifest()})
    monkeypatch.chdir(root)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("odd.yaml")
    names, ((code, file),) = found(root)
    assert names == ["good.yaml", "odd.yaml"]
    assert file == "odd.yaml"
    assert code in ("MBX114", "MBX116")


@pytest.mark.usefixtures("_no_waiting")
def test_a_device_is_not_read_for_ever() -> None:
    assert isinstance(content(files.Manifest("zero.yaml", Path("/dev/zero")), 10), Problem)


def test_links_that_lead_to_each_other_are_left(tmp_path: Path) -> None:
    root = write(tmp_path, {"good.yaml": manifest(), "sub/a.yaml": manifest()})
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    (root / "sub" / "up").symlink_to("..")
    names, problems = found(root)
    assert names == ["good.yaml", "sub/a.yaml"]
    assert problems == []


def test_a_link_is_named_by_its_place(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"sub/a.yaml": manifest()})
    (root / "b.yaml").symlink_to("sub/a.yaml")
    names, problems = found(root)
    assert names == ["b.yaml", "sub/a.yaml"]
    assert problems == []


def test_a_root_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    write(tmp_path / "root", {"a.yaml": manifest()})
    (tmp_path / "link").symlink_to("root")
    assert found(tmp_path / "link") == (["a.yaml"], [])


def denied(_path: object, *_rest: object) -> int:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path, {"a.yaml": manifest()})
    (found_,), _ = find([root], root)
    with monkeypatch.context() as patch:
        patch.setattr("reconciler.manifests.files.os.open", denied)
        problem = content(found_, 100)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.values) == ("MBX116", {"reason": "Permission denied"})


def test_a_folder_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path, {"a.yaml": manifest(), "closed/b.yaml": manifest()})
    listdir = os.listdir

    def guarded(path: Path) -> list[str]:
        return listdir(path) if "closed" not in str(path) else [str(denied(path))]

    with monkeypatch.context() as patch:
        patch.setattr("reconciler.manifests.files.os.listdir", guarded)
        manifests, problems = find([root], root)
    assert [item.name for item in manifests] == ["a.yaml"]
    assert [(item.code, item.place.file if item.place else "") for item in problems] == [
        ("MBX116", "closed")
    ]


@pytest.mark.parametrize("limit", [0, 1, 5, 100])
def test_no_more_than_a_byte_beyond_the_limit_is_read(tmp_path: Path, limit: int) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"0123456789")
    data = content(files.Manifest("a.yaml", file), limit)
    assert data == b"0123456789"[: limit + 1]


def test_a_name_that_is_no_text_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"good.yaml": manifest()})
    with open(os.fsencode(tmp_path) + b"/\xff.yaml", "wb") as file:  # noqa: PTH123
        file.write(b"version: 1\npartner: acme\n")
    assert run(capsys, "validate", tmp_path).code in (0, 1)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", BOM], ids=["", "byte order mark"])
def test_the_line_end_does_not_matter(ending: str, mark: bytes) -> None:
    server: Manifest = outgoing()
    text = "version: 1\npartner: acme\nmail_servers:\n  a:\n" + "".join(
        f"    {key}: {value}\n" for key, value in server.items()
    )
    declared, problems = read_one(text)
    assert problems == []
    assert read_one(mark + text.replace("\n", ending).encode()) == (declared, [])
