"""Comparing two states: which changes, in which order, and which fields they are about."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from reconciler.model.state import EMPTY, HeadOffice, Link, MailServer, Partner, Row, State
from reconciler.plan.diff import Action, Change, FieldChange, changed_fields, diff
from tests.support.estates import (
    BY_DEFAULT,
    HOST,
    PARTNER,
    cnpj,
    company,
    link,
    profile,
    server,
    sorted_links,
    state,
)

FIRST, SECOND, THIRD = cnpj(1), cnpj(2), cnpj(3)
LETTERS = cnpj(1, root="AB12CD34")
ROOT = FIRST[:8]
WHOLE = state(
    companies=[company(FIRST), company(SECOND)],
    servers=[server("in"), server("out")],
    links={"in": [link(FIRST)], "out": [link(FIRST), link(SECOND)]},
    hosts=[profile(), profile(protocol="imap")],
    head_offices=[FIRST],
)


class Case(NamedTuple):
    """Two states, and the action and address of every change, in order."""

    before: State
    after: State
    changes: list[str]


CASES = {
    "nothing and nothing": Case(EMPTY, EMPTY, []),
    "the same": Case(WHOLE, WHOLE, []),
    "everything comes: each row after those it needs": Case(
        EMPTY,
        WHOLE,
        [
            "create partner.acme",
            f"create company.acme/{FIRST}",
            f"create company.acme/{SECOND}",
            f"create head_office.acme/{ROOT}",
            f"create host.acme/{HOST}/imap",
            f"create host.acme/{HOST}/smtp",
            "create server.acme/in",
            "create server.acme/out",
            f"link link.acme/in/{FIRST}",
            f"link link.acme/out/{FIRST}",
            f"link link.acme/out/{SECOND}",
        ],
    ),
    "everything goes: links before servers, the partner last": Case(
        WHOLE,
        EMPTY,
        [
            f"unlink link.acme/in/{FIRST}",
            f"unlink link.acme/out/{FIRST}",
            f"unlink link.acme/out/{SECOND}",
            "delete server.acme/in",
            "delete server.acme/out",
            f"delete host.acme/{HOST}/imap",
            f"delete host.acme/{HOST}/smtp",
            f"delete head_office.acme/{ROOT}",
            f"delete company.acme/{FIRST}",
            f"delete company.acme/{SECOND}",
            "delete partner.acme",
        ],
    ),
    "what comes is before what goes": Case(
        state(servers=[server("a")]),
        state(servers=[server("b")]),
        ["create server.acme/b", "delete server.acme/a"],
    ),
    "a server is linked before another is unlinked": Case(
        state([company(FIRST)], [server("a"), server("b")], {"a": [link(FIRST)]}),
        state([company(FIRST)], [server("a"), server("b")], {"b": [link(FIRST)]}),
        [f"link link.acme/b/{FIRST}", f"unlink link.acme/a/{FIRST}"],
    ),
    "updates stand among what comes, by name": Case(
        state(servers=[server("b")]),
        state(servers=[server("c"), server("a"), server("b", active=False)]),
        ["create server.acme/a", "update server.acme/b", "create server.acme/c"],
    ),
    "a field of a server": Case(
        state(servers=[server("a")]),
        state(servers=[server("a", nickname="Other")]),
        ["update server.acme/a"],
    ),
    "only the file it is declared in": Case(
        state(servers=[server("a")]),
        state(servers=[server("a", file="other.yaml")]),
        ["update server.acme/a"],
    ),
    "only where an option came from": Case(
        state(servers=[server("a")]),
        state(servers=[server("a", origins=BY_DEFAULT._replace(port="server"))]),
        ["update server.acme/a"],
    ),
    "a link is deactivated": Case(
        state([company(FIRST)], [server("a")], {"a": [link(FIRST)]}),
        state([company(FIRST)], [server("a")], {"a": [link(FIRST, active=False)]}),
        [f"update link.acme/a/{FIRST}"],
    ),
    "links come, change, stay and go at once": Case(
        state(
            [company(FIRST), company(SECOND), company(THIRD), company(LETTERS)],
            [server("a")],
            {"a": [link(FIRST), link(SECOND), link(THIRD)]},
        ),
        state(
            [company(FIRST), company(SECOND), company(THIRD), company(LETTERS)],
            [server("a")],
            {"a": [link(FIRST), link(SECOND, sender_name="Acme"), link(LETTERS)]},
        ),
        [
            f"update link.acme/a/{SECOND}",
            f"link link.acme/a/{LETTERS}",
            f"unlink link.acme/a/{THIRD}",
        ],
    ),
    "the last link goes": Case(
        state([company(FIRST)], [server("a")], {"a": [link(FIRST)]}),
        state([company(FIRST)], [server("a")]),
        [f"unlink link.acme/a/{FIRST}"],
    ),
    "no links and an empty list of links are the same": Case(
        state(servers=[server("a")]), state(servers=[server("a")], links={"a": []}), []
    ),
    "a company": Case(
        state([company(FIRST)]),
        state([company(FIRST, extensions=("document_import",))]),
        [f"update company.acme/{FIRST}"],
    ),
    "a company is released": Case(
        state([company(FIRST)]),
        state([company(FIRST, project=None)]),
        [f"update company.acme/{FIRST}"],
    ),
    "a host is released": Case(
        state(hosts=[profile()]),
        state(hosts=[profile(project=None)]),
        [f"update host.acme/{HOST}/smtp"],
    ),
    "a head office is named": Case(
        state([company(FIRST)]),
        state([company(FIRST)], head_offices=[FIRST]),
        [f"create head_office.acme/{ROOT}"],
    ),
    "a head office moves: one change": Case(
        state([company(FIRST), company(SECOND)], head_offices=[FIRST]),
        state([company(FIRST), company(SECOND)], head_offices=[SECOND]),
        [f"update head_office.acme/{ROOT}"],
    ),
    "a root has no head office any more": Case(
        state([company(FIRST)], head_offices=[FIRST]),
        state([company(FIRST)]),
        [f"delete head_office.acme/{ROOT}"],
    ),
    "two roots have a head office each": Case(
        state([company(FIRST), company(LETTERS)], head_offices=[FIRST]),
        state([company(FIRST), company(LETTERS)], head_offices=[FIRST, LETTERS]),
        ["create head_office.acme/AB12CD34"],
    ),
    "one host, two protocols": Case(
        state(hosts=[profile(), profile(protocol="pop3")]),
        state(hosts=[profile(), profile(protocol="pop3", port=995)]),
        [f"update host.acme/{HOST}/pop3"],
    ),
    "a server of another program is taken over": Case(
        state(servers=[server("a", project=None, file=None)]),
        state(servers=[server("a")]),
        ["update server.acme/a"],
    ),
    "a link of another program is taken over": Case(
        state([company(FIRST)], [server("a")], {"a": [link(FIRST, project=None, file=None)]}),
        state([company(FIRST)], [server("a")], {"a": [link(FIRST)]}),
        [f"update link.acme/a/{FIRST}"],
    ),
    "a partner is new and has nothing": Case(EMPTY, state(), ["create partner.acme"]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_changes_between_two_states(name: str) -> None:
    case = CASES[name]
    changes = diff(PARTNER, case.before, case.after)
    assert [f"{change.action} {change.address}" for change in changes] == case.changes


def test_a_rename_is_an_update_of_the_same_row_with_its_links_in_place() -> None:
    before = state([company(FIRST)], [server("old")], {"old": [link(FIRST)]})
    after = state(
        [company(FIRST)], [server("old")._replace(stable_id="new")], {"new": [link(FIRST)]}
    )
    (change,) = diff(PARTNER, before.renamed({"old": "new"}), after)
    assert change.action is Action.UPDATE
    assert change.address == "server.acme/new"
    assert changed_fields(change) == (FieldChange(("stable_id",), "old", "new"),)


def test_a_swap_is_two_updates() -> None:
    first, second = server("a"), server("b")
    before = state([company(FIRST)], [first, second], {"a": [link(FIRST)]})
    after = state(
        [company(FIRST)],
        [second._replace(stable_id="a"), first._replace(stable_id="b")],
        {"b": [link(FIRST)]},
    )
    changes = diff(PARTNER, before.renamed({"a": "b", "b": "a"}), after)
    assert [(change.name, _id(change.before), change.action) for change in changes] == [
        ("a", "b", Action.UPDATE),
        ("b", "a", Action.UPDATE),
    ]


def test_a_chain_of_renames_is_an_update_each() -> None:
    before = state(servers=[server("a"), server("b")])
    after = state(
        servers=[server("a")._replace(stable_id="b"), server("b")._replace(stable_id="c")]
    )
    changes = diff(PARTNER, before.renamed({"a": "b", "b": "c"}), after)
    assert [(change.name, _id(change.before)) for change in changes] == [("b", "a"), ("c", "b")]


def test_a_takeover_by_mailbox_is_an_update_of_the_nameless_row() -> None:
    foreign = server("#7", project=None, file=None, username="nfe@acme.example")
    wanted = server("nfe-out", username="nfe@acme.example")
    before = state(servers=[foreign]).renamed({"#7": "nfe-out"})
    (change,) = diff(PARTNER, before, state(servers=[wanted]))
    assert change.action is Action.UPDATE
    fields = {".".join(field.path) for field in changed_fields(change)}
    assert {"stable_id", "project", "file"} <= fields
    assert "username" not in fields


def _id(row: Row | None) -> str:
    assert isinstance(row, MailServer)
    return row.stable_id


class Update(NamedTuple):
    """Two rows, and the fields that differ between them."""

    before: Row
    after: Row
    fields: list[tuple[str, Any, Any]]


UPDATES = {
    "a text": Update(server("a"), server("a", nickname="Novo"), [("nickname", "Envio", "Novo")]),
    "a flag": Update(server("a"), server("a", active=False), [("active", True, False)]),
    "a number": Update(server("a"), server("a", port=587), [("port", 465, 587)]),
    "several, by name": Update(
        server("a"),
        server("a", port=587, active=False, security="starttls"),
        [("active", True, False), ("port", 465, 587), ("security", "tls", "starttls")],
    ),
    "a value where there was none": Update(
        server("a"), server("a", reply_to="x@acme.example"), [("reply_to", None, "x@acme.example")]
    ),
    "none where there was a value": Update(
        server("a", reply_to="x@acme.example"), server("a"), [("reply_to", "x@acme.example", None)]
    ),
    "none and a flag that is off are two": Update(
        server("a", verify_certificate=None),
        server("a", verify_certificate=False),
        [("verify_certificate", None, False)],
    ),
    "none and an empty text are two": Update(
        server("a", folder=None), server("a", folder=""), [("folder", None, "")]
    ),
    "a text that looks like the number": Update(
        server("a", port="465"), server("a", port=465), [("port", "465", 465)]
    ),
    "one option from elsewhere": Update(
        server("a"),
        server("a", origins=BY_DEFAULT._replace(port="hosts")),
        [("origins.port", "default", "hosts")],
    ),
    "an option and where it came from": Update(
        server("a"),
        server("a", timeout=20, origins=BY_DEFAULT._replace(timeout="server")),
        [("origins.timeout", "default", "server"), ("timeout", 30, 20)],
    ),
    "origins where there were none": Update(
        server("a", origins=None), server("a"), [("origins", None, BY_DEFAULT._asdict())]
    ),
    "an extension where there was none": Update(
        company(FIRST),
        company(FIRST, extensions=("document_import",)),
        [("extensions", (), ("document_import",))],
    ),
    "several extensions are one field": Update(
        company(FIRST, extensions=("a", "b", "c")),
        company(FIRST, extensions=("c", "d")),
        [("extensions", ("a", "b", "c"), ("c", "d"))],
    ),
    "no extension any more": Update(
        company(FIRST, extensions=("document_import",)),
        company(FIRST),
        [("extensions", ("document_import",), ())],
    ),
    "a sender name of a link": Update(
        link(FIRST), link(FIRST, sender_name="Acme"), [("sender_name", None, "Acme")]
    ),
    "the head office": Update(
        HeadOffice(ROOT, FIRST), HeadOffice(ROOT, SECOND), [("cnpj", FIRST, SECOND)]
    ),
    "options of a host": Update(
        profile(port=587),
        profile(security="starttls"),
        [("port", 587, None), ("security", None, "starttls")],
    ),
    "nothing": Update(server("a"), server("a"), []),
}


@pytest.mark.parametrize("name", UPDATES)
def test_the_fields_of_an_update(name: str) -> None:
    case = UPDATES[name]
    found = changed_fields(Change(PARTNER, "x", case.before, case.after))
    assert [(".".join(field.path), field.before, field.after) for field in found] == case.fields


@pytest.mark.parametrize(
    ("before", "after", "added", "removed"),
    [
        pytest.param((), ("a", "b"), ("a", "b"), (), id="added"),
        pytest.param(("a", "b"), (), (), ("a", "b"), id="removed"),
        pytest.param(("a", "b", "c"), ("c", "d"), ("d",), ("a", "b"), id="both"),
        pytest.param(("a", "b", "d"), ("a", "c", "d"), ("c",), ("b",), id="one for another"),
        pytest.param(("a", "b"), ("b", "a"), (), (), id="another order"),
        pytest.param(("a", "a"), ("a",), (), (), id="one of two"),
    ],
)
def test_the_items_of_a_list_that_come_and_go(
    before: tuple[str, ...],
    after: tuple[str, ...],
    added: tuple[str, ...],
    removed: tuple[str, ...],
) -> None:
    rows = company(FIRST, extensions=before), company(FIRST, extensions=after)
    (field,) = changed_fields(Change(PARTNER, "x", *rows))
    assert (field.path, sorted(field.added), sorted(field.removed)) == (
        ("extensions",),
        sorted(added),
        sorted(removed),
    )


@pytest.mark.parametrize(
    ("change", "server_name"),
    [
        pytest.param(Change(PARTNER, "a", None, server("a")), "a", id="server"),
        pytest.param(Change(PARTNER, "a", server("a"), None), "a", id="server that goes"),
        pytest.param(Change(PARTNER, f"a/{FIRST}", None, link(FIRST)), "a", id="link"),
        pytest.param(Change(PARTNER, f"a/{FIRST}", link(FIRST), None), "a", id="link that goes"),
        pytest.param(Change(PARTNER, f"#7/{FIRST}", None, link(FIRST)), "#7", id="nameless server"),
        pytest.param(Change(PARTNER, FIRST, None, company(FIRST)), "", id="company"),
        pytest.param(Change(PARTNER, PARTNER, None, Partner(PARTNER, "")), "", id="partner"),
    ],
)
def test_a_change_knows_the_server_it_is_about(change: Change, server_name: str) -> None:
    assert change.server == server_name


def test_links_are_compared_by_company_whatever_their_place() -> None:
    rows = sorted_links([link(SECOND), link(FIRST)])
    assert rows == (link(FIRST), link(SECOND))
    assert Link._fields[0] == "cnpj"
    before = state(servers=[server("a")], links={"a": rows})
    assert diff(PARTNER, before, state(servers=[server("a")], links={"a": reversed(rows)})) == ()
