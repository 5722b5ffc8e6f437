"""Edits of a manifest's text: what is meant changes, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from operator import methodcaller

import pytest

from reconciler.manifests.edit import Sheet
from reconciler.manifests.read import ReadLimits, read
from reconciler.manifests.yamltext import Flow, InQuotes, Noted, Plain

Edit = Callable[[Sheet], None]
Put, Rename, Expand, Append, Remove = (
    partial(methodcaller, name) for name in ("put", "rename", "expand", "append", "remove")
)
A = ("mail_servers", "a")
B = ("mail_servers", "b")
ORDER = ("direction", "nickname", "host", "username", "password")
BLOCK = """\
# head
version: 1   # v
mail_servers:
    a:   # first
        nickname: 'It''s'   # nick
        password: {env: A}
        sender:
            email: x@y.z
        companies:
        - "1"   # one
        # between
        - cnpj: "2"
          active: false
        # tail
    # before b
    b:
        nickname: |-
            block
        timeout:
        companies: []   # none
"""


def edited(data: bytes, edits: Iterable[Edit]) -> bytes:
    """A file with all these edits made."""
    sheet = Sheet(data)
    for edit in edits:
        edit(sheet)
    return sheet.data()


def changed(before: str, *edits: Edit) -> list[str]:
    """The lines that differ, as a diff shows them without what surrounds them."""
    after = edited(before.encode(), edits).decode()
    read(after.encode(), ReadLimits())
    old, new = before.splitlines(), after.splitlines()
    from difflib import ndiff

    return [line for line in ndiff(old, new) if line[0] in "+-"]


@pytest.mark.parametrize(
    ("edit", "diff"),
    [
        (Put((*A, "nickname"), "New's"), ["-'It''s'   # nick", "+'New''s'   # nick"]),
        (Put((*B, "nickname"), "no"), ["-|-", "-", '+"no"']),
    ],
)
def test_values_keep_their_quotes_and_comments(edit: Edit, diff: list[str]) -> None:
    shown = [line[0] + line[2:].partition("nickname: ")[2] for line in changed(BLOCK, edit)]
    assert sorted(shown) == sorted(diff)


CASES: dict[str, tuple[list[Edit], list[str]]] = {
    "a key among others": ([Put((*A, "host"), "h.example", ORDER)], ["+         host: h.example"]),
    "a key before all others": (
        [Put((*A, "direction"), "outgoing", ORDER)],
        ["+         direction: outgoing"],
    ),
    "a key below a key": (
        [Put((*A, "sender", "name"), "N", ("name", "email"))],
        ['+             name: "N"'],
    ),
    "no value yet": (
        [Put((*B, "timeout"), Plain("30s"))],
        ["-         timeout:", "+         timeout: 30s"],
    ),
    "another key in braces": (
        [Rename((*A, "password", "env"), "file"), Put((*A, "password", "env"), "x")],
        ["-         password: {env: A}", "+         password: {file: x}"],
    ),
    "a whole value": (
        [Put((*A, "sender"), Flow({"email": "b@c.example"}))],
        ["-             email: x@y.z", "+             {email: b@c.example}"],
    ),
    "an item": ([Append((*A, "companies"), InQuotes("3"))], ['+         - "3"']),
    "items where there are none": (
        [Append((*B, "companies"), InQuotes("3")), Append((*B, "companies"), {"cnpj": "x"})],
        [
            "-         companies: []   # none",
            "+         companies:   # none",
            '+         - "3"',
            "+         - cnpj: x",
        ],
    ),
    "a list where there is none": (
        [Append((*B, "others"), InQuotes("3"))],
        ["+         others:", '+         - "3"'],
    ),
    "more than a text": (
        [Expand((*A, "companies", 0), "cnpj", {"sender_name": "S", "active": Plain("false")})],
        [
            '-         - "1"   # one',
            '+         - cnpj: "1"   # one',
            "+           sender_name: S",
            "+           active: false",
        ],
    ),
    "a key goes": ([Remove((*A, "password"))], ["-         password: {env: A}"]),
    "a key of an item goes": (
        [Remove((*A, "companies", 1, "active"))],
        ["-           active: false"],
    ),
    "the first key of an item goes": (
        [Remove((*A, "companies", 1, "cnpj"))],
        ['-         - cnpj: "2"', "-           active: false", "+         - active: false"],
    ),
    "an item goes": ([Remove((*A, "companies", 0))], ['-         - "1"   # one']),
    "all items go": (
        [Remove((*A, "companies", 0)), Remove((*A, "companies", 1))],
        [
            "-         companies:",
            "+         companies: []",
            '-         - "1"   # one',
            '-         - cnpj: "2"',
            "-           active: false",
        ],
    ),
    "the only key goes": (
        [Remove((*A, "sender", "email"))],
        ["-         sender:", "+         sender: {}", "-             email: x@y.z"],
    ),
    "items come and go": (
        [Append((*A, "companies"), InQuotes("3")), Remove((*A, "companies", 0))],
        ['-         - "1"   # one', '+         - "3"'],
    ),
    "an entry": (
        [Put(("mail_servers", "c"), {"password": Noted(Flow({"env": "X"}), "do"), "l": ["x"]})],
        ["+     c:", "+         password: {env: X}  # do", "+         l:", "+         - x"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_meant_changes_and_no_line_beside_it(case: str) -> None:
    edits, expected = CASES[case]
    assert sorted(changed(BLOCK, *edits)) == sorted(expected)


JSON = """\
{
 "version": 1,
 "mail_servers": {
  "a": {
   "nickname": "x",
   "companies": [
    "1"
   ]
  }
 }
}"""


def test_json_stays_json() -> None:
    edits: list[Edit] = [
        Put((*A, "host"), "h"),
        Append((*A, "companies"), InQuotes("2")),
        Put(("mail_servers", "b"), {"q": Plain("1"), "z": ["a"]}),
        Expand((*A, "companies", 0), "cnpj", {"sender_name": "S"}),
    ]
    assert edited(JSON.encode(), edits).decode() == (
        '{\n "version": 1,\n "mail_servers": {\n  "a": {\n   "nickname": "x",\n'
        '   "companies": [\n    {"cnpj": "1", "sender_name": "S"},\n    "2"\n   ],\n'
        '   "host": "h"\n  },\n  "b": {"q": 1, "z": ["a"]}\n }\n}'
    )


@pytest.mark.parametrize(
    ("before", "edits", "after"),
    [
        ("a: {x: 1, y: 2}", [Remove(("a", "y"))], "a: {x: 1}"),
        ("a: {x: 1, y: 2}", [Remove(("a", "x"))], "a: {y: 2}"),
        ("a: {x: 1}", [Remove(("a", "x"))], "a: {}"),
        ("a: {y: 1}", [Put(("a", "x"), "no", ("x", "y"))], 'a: {x: "no", y: 1}'),
        ("a: {x: 1, z: 2}", [Put(("a", "w"), "q", ("x", "w"))], "a: {x: 1, w: q, z: 2}"),
        ("a: [1, 2,]", [Append(("a",), "q")], "a: [1, 2, q]"),
        ("a: [1]", [Append(("a",), "q"), Append(("a",), {"r": "s"})], "a: [1, q, {r: s}]"),
        ("a: {b: []}", [Append(("a", "b"), "q")], "a: {b: [q]}"),
        (
            "a: [\n  1,  # one\n  2  # two\n]",
            [Append(("a",), "q")],
            "a: [\n  1,  # one\n  2,  # two\n  q\n]",
        ),
        ("a: [\n  1,\n  2,  # two\n]", [Append(("a",), "q")], "a: [\n  1,\n  2,  # two\n  q\n]"),
        ("a: [1, 2]", [Expand(("a", 0), "k", {"l": "m"})], "a: [{k: 1, l: m}, 2]"),
        ("a: 'x'", [Put(("a",), "\u200b")], 'a: "\\u200b"'),
        ("a: 1\nb: {}", [Put(("b", "c"), {"d": "e"})], "a: 1\nb:\n  c:\n    d: e"),
        ("a: 1", [Put(("b",), {"c": {"d": "e"}})], "a: 1\n\nb:\n  c:\n    d: e"),
        ("a:\n  b: 1\n  c: 2", [Remove(("a", "c"))], "a:\n  b: 1"),
        ("a:\r\n  b: 1\r\n  c: 2", [Remove(("a", "c"))], "a:\r\n  b: 1"),
        ("a: 1\nb: 2", [Remove(("a",))], "b: 2"),
    ],
)
def test_small_files(before: str, edits: list[Edit], after: str) -> None:
    assert edited(before.encode(), edits).decode() == after


SPACED = "s:\n  a:\n    x: 1\n\n  b:\n    x: 1\n"


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("1", "Ação 𝄞").encode(),
    ],
    ids=["plain", "crlf", "bom", "letters"],
)
def test_line_ends_and_empty_lines_between_entries_go_on(spell: Callable[[str], bytes]) -> None:
    new = SPACED + "\n  c:\n    x: z\n"
    assert edited(spell(SPACED), [Put(("s", "c"), {"x": "z"})]) == spell(new)


def test_nothing_is_written_where_nothing_is_edited() -> None:
    data = b"a: 1\r\nb:\t 'x'\r\n\r\n# end"
    assert Sheet(data).data() == data
    assert Sheet(data).has(("b",))
    assert not Sheet(data).has(("b", "c"))
    assert not Sheet(data).has(("c",))
