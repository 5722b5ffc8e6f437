"""Values written as YAML are read back as they were, by readers of YAML 1.1, 1.2 and our own."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.read import ReadLimits, read
from reconciler.manifests.yamltext import (
    Flow,
    InQuotes,
    Layout,
    Noted,
    Plain,
    Value,
    entry,
    flow,
    scalar,
)
from tests.laws.test_guards_of_guards import as_an_editor_reads
from tests.laws.test_laws import LAWS
from tests.support.foreign import TRICKY, texts

LIKE_NUMBERS = st.text("0123456789eE.:-+_xXoObBtTzZn ", min_size=1, max_size=12)


def readings(text: str) -> list[Any]:
    """What each reader makes of a document."""
    own = read(text.encode(), ReadLimits())
    return [yaml.safe_load(text), yaml.load(text, yaml.CSafeLoader), as_an_editor_reads(text), own]


@settings(LAWS, max_examples=600)
@given(texts | LIKE_NUMBERS)
def test_every_reader_reads_a_text_as_it_was(text: str) -> None:
    written, inside = scalar(text), scalar(text, flow=True)
    for found in readings(
        f"key: {written}\nlist:\n  - {written}\nin: {{{inside}: [{inside}, x]}}\n"
    ):
        assert found == {"key": text, "list": [text], "in": {text: [text, "x"]}}
    for found in readings(f"{written}: x\n"):
        assert found == {text: "x"}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Envio de NF-e",
            "Ação & Reação",
            "fiscal@acme.example",
            "3 Irmãos",
            "12.345.678/0001-95",
        ),
        *("a, b", "x'y", "mail.acme.example", "2024@acme.example", "INBOX/Notas (2)"),
    ],
)
def test_what_nobody_misreads_is_not_quoted(text: str) -> None:
    assert scalar(text) == text


@pytest.mark.parametrize("text", [text for text in TRICKY if text[0] not in "EeAÜaSo"])
def test_what_somebody_might_misread_is_quoted(text: str) -> None:
    assert scalar(text).startswith('"')
    assert scalar(text, flow=True).startswith('"')


def test_what_nobody_sees_is_spelled_out() -> None:
    assert scalar("a\u200bb\U000e0001\t") == '"a\\u200bb\\U000e0001\\t"'


def test_a_comma_is_quoted_inside_braces_alone() -> None:
    assert scalar("Acme, Ltda") == "Acme, Ltda"
    assert scalar("Acme, Ltda", flow=True) == '"Acme, Ltda"'


def test_flags_and_numbers_are_not_quoted_and_some_texts_always_are() -> None:
    assert scalar(Plain("true")) == "true"
    assert scalar(InQuotes("12.345.678/0001-95")) == '"12.345.678/0001-95"'
    assert scalar("12.345.678/0001-95") == "12.345.678/0001-95"  # the same text, unlike it


ENTRY: dict[str, Value] = {
    "nickname": "no",
    "active": Plain("false"),
    "password": Noted(Flow({"env": "A"}), "TODO"),
    "companies": [InQuotes("1"), {"cnpj": InQuotes("2"), "sender_name": "08"}],
    "sender": {"name": "a", "email": "b"},
    "empty": {},
    "none": [],
}


def test_an_entry_is_laid_out_as_people_write_it() -> None:
    assert list(entry("a", ENTRY, 2)) == [
        "  a:",
        '    nickname: "no"',
        "    active: false",
        "    password: {env: A}  # TODO",
        "    companies:",
        '      - "1"',
        '      - cnpj: "2"',
        '        sender_name: "08"',
        "    sender:",
        "      name: a",
        "      email: b",
        "    empty: {}",
        "    none: []",
    ]


def test_an_entry_follows_the_layout_of_its_file() -> None:
    lines = list(entry("a", {"b": {"c": ["x", {"d": "z"}]}}, 0, Layout(step=4, dash=0)))
    assert lines == ["a:", "    b:", "        c:", "        - x", "        - d: z"]


def test_an_entry_on_one_line_can_be_json() -> None:
    quoted = Layout(quoted=True)
    assert flow({"a": ["x", Plain("1")], "b": Flow({"c": "d"})}, quoted) == (
        '{"a": ["x", 1], "b": {"c": "d"}}'
    )
