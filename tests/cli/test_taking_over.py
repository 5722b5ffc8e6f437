"""What taking rows over may change, and what is more than that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.state import Origins, State
from reconciler.plan.diff import diff
from reconciler.plan.ownership import differences
from tests.support.estates import PARTNER, cnpj, company, link, profile, server, state

ONE, TWO = cnpj(1), cnpj(2)
THEIRS: dict[str, Any] = {"project": None, "file": None}
OF_A_HOST = Origins(*["hosts"] * 6)
BEFORE = state(
    [company(ONE, **THEIRS), company(TWO, **THEIRS)],
    [server("a", **THEIRS), server("b", company=ONE, **THEIRS)],
    {"a": [link(ONE, **THEIRS)], "b": [link(ONE, **THEIRS)]},
    [profile(timeout=20, **THEIRS)],
    [ONE],
)
AFTER = state(
    [company(ONE), company(TWO)],
    [server("a", origins=OF_A_HOST), server("b", company=ONE, importable=False)],
    {"a": [link(ONE)], "b": [link(ONE)]},
    [profile(timeout=20), profile("other.example", port=25)],
    [ONE],
)


def found(before: State, after: State) -> list[tuple[str, str]]:
    changes = diff(PARTNER, before, after)
    return [(item.change.address, item.field) for item in differences(changes, "")]


def with_server(states: State, name: str, **fields: Any) -> State:
    row = states.servers[name]._replace(**fields)
    return replace(states, servers={**states.servers, name: row})


def test_taking_everything_over_is_no_difference() -> None:
    assert found(BEFORE, AFTER) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"stable_id": "#12"}, {}),
        ({"password_reference": None}, {"password_reference": "env:B"}),
        ({"origins": None}, {}),
    ],
)
def test_what_a_row_lacked_may_be_filled_in(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert found(with_server(BEFORE, "a", **before), with_server(AFTER, "a", **after)) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nickname", "Other"),
        ("active", False),
        ("host", "Mail.Acme.Example"),
        ("port", 25),
        ("timeout", None),
        ("username", None),
        ("password_reference", "env:OTHER"),
        ("password_reference", None),
        ("sender_name", "Acme"),
        ("folder", "INBOX"),
        ("company", ONE),
        ("importable", False),
        ("ignore_changes", ("active",)),
        ("project", None),
        ("project", "other"),
    ],
)
def test_any_other_field_of_a_server_is_a_difference(field: str, value: object) -> None:
    assert found(BEFORE, with_server(AFTER, "a", **{field: value})) == [("server.acme/a", field)]


def test_an_id_that_a_row_has_stays() -> None:
    before = with_server(BEFORE, "a", stable_id="#x")
    assert found(before, AFTER) == [("server.acme/a", "stable_id")]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"companies": {ONE: company(ONE), TWO: company(TWO, nickname="X")}}, "company.acme/2"),
        ({"companies": {ONE: company(ONE), TWO: company(TWO, project=None)}}, "company.acme/2"),
        ({"head_offices": {}}, "head_office.acme"),
        ({"links": {"a": (), "b": (link(ONE),)}}, "link.acme/a/1"),
        ({"links": {"a": (link(ONE), link(TWO)), "b": (link(ONE),)}}, "link.acme/a/2"),
        ({"links": {"a": (link(ONE, active=False),), "b": (link(ONE),)}}, "link.acme/a/1"),
        ({"links": {"a": (link(ONE, project="x"),), "b": (link(ONE),)}}, "link.acme/a/1"),
        ({"hosts": {("mail.acme.example", "smtp"): profile(timeout=30)}}, "host.acme/mail"),
        ({"servers": {"a": server("a")}, "links": {"a": (link(ONE),)}}, "server.acme/b"),
    ],
)
def test_other_rows_stay_as_they_are(after: dict[str, Any], expected: str) -> None:
    shown = expected.replace("/1", f"/{ONE}").replace("/2", f"/{TWO}")
    addresses = [address for address, _field in found(BEFORE, replace(AFTER, **after))]
    assert any(address.startswith(shown) for address in addresses), addresses


def test_a_host_profile_of_the_project_is_its_own_affair() -> None:
    before = replace(BEFORE, hosts={("mail.acme.example", "smtp"): profile(timeout=99)})
    assert found(before, AFTER) == []
    released = {("mail.acme.example", "smtp"): profile(timeout=99, project=None)}
    assert found(before, replace(AFTER, hosts=released)) == [
        ("host.acme/mail.acme.example/smtp", "project")
    ]
