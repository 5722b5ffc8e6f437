"""Text: what differs in any character is another name, in every table of every database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine

from reconciler.database import observe
from reconciler.database.engine import transaction
from reconciler.model.cnpj import masked
from reconciler.model.state import EMPTY, Partner
from reconciler.plan.diff import diff
from tests.support.estates import (
    FILE,
    HOST,
    Cli,
    Estate,
    cnpj,
    companies,
    company,
    covers,
    fetch,
    incoming,
    link,
    manifest,
    outgoing,
    profile,
    put,
    read_back,
    row_ids,
    server,
    state,
    write,
)

ALIKE = [
    *("Acme", "ACME", "acme", "Áçme", "A\u0301c\u0327me", "Acme ", " Acme", "Acme\u200b"),
    *(
        "strasse",
        "straße",
        "ﬁm",
        "fim",
        "İ",
        "i",
        "\u0131",
        "a_b",
        "a%b",
        "a\\b",
        "a'b",
        'a"b',
        "a:b",
    ),
    *("😀", "😁", "𝄞", "日本", "ｱ", "ア"),
]
"""Each is equal to another one by the rules of some language, or means something to a database."""
ONE = cnpj(1)
T = TypeVar("T")


def test_partners(engine: Engine) -> None:
    for number, name in enumerate(ALIKE):
        row = company(cnpj(number + 1))
        put(engine, *diff(name, EMPTY, state([row], partner=Partner(name, name))))
    assert sorted(name for (name,) in fetch(engine, "SELECT id FROM partner")) == sorted(ALIKE)
    for number, name in enumerate(ALIKE):
        found = read_back(engine, name)
        assert found.partner == Partner(name, name)
        assert list(found.companies) == [cnpj(number + 1)]
    with transaction(engine) as connection:
        assert [name for name in ALIKE if observe.has_partner(connection, name)] == ALIKE
        assert not observe.has_partner(connection, "aCme")


def test_mail_servers(engine: Engine) -> None:
    wanted = state(
        companies=[company(ONE)],
        servers=[server(name, username=name, nickname=name, folder=name) for name in ALIKE],
        links={name: [link(ONE, sender_name=name, file=name)] for name in ALIKE},
    )
    put(engine, *diff("acme", EMPTY, wanted))
    assert read_back(engine) == wanted
    numbers = row_ids(engine)
    assert len(set(numbers.values())) == len(ALIKE)
    left = wanted
    for name in ALIKE[::2]:
        linked = left
        unlinked = replace(linked, links=without(linked.links, name))
        left = replace(unlinked, servers=without(unlinked.servers, name))
        put(engine, *diff("acme", linked, unlinked))
        put(engine, *diff("acme", unlinked, left))
    assert read_back(engine) == left
    assert row_ids(engine) == {name: numbers[name] for name in left.servers}


def without(rows: Mapping[str, T], name: str) -> dict[str, T]:
    return {key: row for key, row in rows.items() if key != name}


def test_hosts(engine: Engine) -> None:
    wanted = state(hosts=[profile(name, ca_file=name) for name in ALIKE])
    put(engine, *diff("acme", EMPTY, wanted))
    assert read_back(engine) == wanted


def test_projects(engine: Engine) -> None:
    first, *others = ALIKE
    Estate(engine, first).settle({FILE: manifest(mail_servers={"out": outgoing()})})
    for name in others:
        Estate(engine, name).settle({FILE: manifest()})
        with transaction(engine) as connection:
            assert observe.partners_of(connection, covers(project=name)) == set()
    assert list(read_back(engine).servers) == ["out"]
    Estate(engine, first).settle({FILE: manifest()})
    assert list(read_back(engine).servers) == []


def test_the_longest_texts_fit(cli: Cli) -> None:
    """Whatever a manifest may say has room, and is counted in characters."""
    long, label, name = "😀" * 200, "a" * 61, "n" * 63
    host = ".".join(["h" * 63, "h" * 63, "h" * 63, "h" * 57, "br"])
    email = f"{'e' * 64}@{label}.{label}.{label}.br"
    stem = Path("m", *["f" * 120] * 8)
    entry: dict[str, Any] = {
        "nickname": long,
        "host": host,
        "username": long,
        "port": 65535,
        "timeout": "600s",
        "ehlo_name": host,
        "ca_file": "c" * 128,
        "password": {"file": f"{name}-".ljust(128, "p")},
        "sender": {"name": long, "email": email},
        "reply_to": email,
        "companies": [{"cnpj": masked(ONE), "sender_name": long}],
    }
    content = manifest(
        name,
        companies=companies(ONE, nickname=long, notification_email=email),
        mail_servers={
            name: outgoing(**entry),
            "in": incoming(folder=long, host=HOST, username=long, password=entry["password"]),
        },
    )
    write(stem, {"x.yaml": json.dumps(content, ensure_ascii=False)})
    assert cli("apply", "m", "--auto-approve").code == 0
    assert cli("plan", "m", "--detailed-exitcode").code == 0
