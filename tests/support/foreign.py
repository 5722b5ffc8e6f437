"""What other programs have put into a database: rows that manifests can say, and others."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Engine

from reconciler.database.engine import transaction
from reconciler.manifests.read import FORBIDDEN
from reconciler.model.cnpj import root
from reconciler.model.state import (
    EMPTY,
    Company,
    HeadOffice,
    HostProfile,
    Link,
    Links,
    MailServer,
    Origins,
    Partner,
    State,
)
from reconciler.plan.diff import diff
from tests.support.estates import HOST, PARTNER, put, sorted_links
from tests.support.strategies import CNPJS

REFERENCES = [
    *("env:ACME_A", "file:acme-b.txt", "vault:smtp/acme#/nfe", "vault:smtp/acme?version=7#/08"),
    *("aws:acme/nfe", "aws:/mail/acme#/no"),
]
"""What leads to passwords of the partner, in every store."""
UNNAMED = "unnamed-"
"""What the ids begin with that `insert` takes away."""
TRICKY = [
    *("no", "08", "1e3", "12E45678000106", "0x1F", "~", "null", "true", "=", "<<", "12:30:45"),
    *(" leading", "trailing ", "a: b", "a #b", "#1", "- a", "? a", "[a]", "{a", "a, b", "'", '"'),
    *("\\", "a\tb", "&a", "*a", "!a", "%a", "@a", "`a", "|", ">", "🎉", "São João", "2026-11-24"),
    *("Envio de NF-e", "ENVIO DE NF-E", "envio de nf-e", "\u200b", "A" * 200, "Ünïcödé", "ação"),
]
texts = st.sampled_from(TRICKY) | st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\ufffd"), min_size=1, max_size=20
).filter(lambda text: not FORBIDDEN.search(text))
_hosts = st.sampled_from([HOST, "smtp.gmail.com", "10.0.0.5", "localhost", "xn--ao-xka.example"])
_ids = ["a", "nfe-out", "x.y", "08", "no", "envio-de-nf-e", "1e3"]
_addresses = st.sampled_from(["fiscal@acme.example", "2024@acme.example", "o'b@acme.example"])
_ports = st.sampled_from([465, 587, 25, 993, 995, 143, 110, 2525])


def _origins() -> st.SearchStrategy[Origins | None]:
    return st.none() | st.just(Origins(*["default"] * 6))


@st.composite
def _options(draw: st.DrawFn, host: str, protocol: str) -> dict[str, Any]:
    security = ["tls", "starttls", *(["none"] if host == "localhost" else [])]
    return {
        "port": draw(_ports),
        "security": draw(st.sampled_from(security)),
        "verify_certificate": draw(st.sampled_from([True, True, False])),
        "ca_file": draw(st.sampled_from([None, None, "acme.pem"])),
        "timeout": draw(st.sampled_from([30, 30, 20, 600])),
        "ehlo_name": draw(st.sampled_from([None, "us.example"])) if protocol == "smtp" else None,
    }


@st.composite
def _servers(
    draw: st.DrawFn, name: str, companies: dict[str, Company], project: str | None
) -> MailServer:
    outgoing = draw(st.booleans())
    protocol = "smtp" if outgoing else draw(st.sampled_from(["imap", "pop3"]))
    host = draw(_hosts)
    auth = draw(st.sampled_from(["password", "password", "oauth2", "none"]))
    references = [None] if auth == "none" else [None, *REFERENCES]
    reading = [number for number, row in companies.items() if row.extensions]
    owners = [number for number, row in companies.items() if row.own_mailboxes]
    able = [number for number in owners if outgoing or number in reading]
    owner = draw(st.sampled_from([None, None, *able]))
    return MailServer(
        stable_id=name,
        direction="outgoing" if outgoing else "incoming",
        protocol=protocol,
        nickname=draw(texts),
        active=draw(st.booleans()),
        host=host,
        **draw(_options(host, protocol)),
        origins=draw(_origins()),
        auth=auth,
        username=draw(texts) if auth != "none" or draw(st.booleans()) else None,
        password_reference=draw(st.sampled_from(references)),
        sender_name=draw(st.none() | texts) if outgoing else None,
        sender_email=draw(_addresses) if outgoing else None,
        reply_to=draw(st.none() | _addresses) if outgoing else None,
        folder=draw(st.just("INBOX") | texts) if protocol == "imap" else None,
        company=owner,
        importable=draw(st.booleans()),
        ignore_changes=(),
        project=project,
        file=None if project is None else "old/acme.yaml",
    )


def _owned(draw: st.DrawFn) -> tuple[str | None, str | None]:
    project = draw(st.sampled_from([None, None, None, "", "other"]))
    return project, None if project is None else "old/acme.yaml"


@st.composite
def sayable_states(draw: st.DrawFn) -> State:
    """Any state whose rows manifests can say; some are of this project or another already.

    A server whose id begins with `UNNAMED` is to have none.
    """
    numbers = draw(st.lists(st.sampled_from(CNPJS), unique=True))
    companies = {
        number: Company(
            number,
            draw(texts),
            draw(st.none() | _addresses),
            draw(st.sampled_from([(), ("document_import",)])),
            draw(st.booleans()),
            *_owned(draw),
        )
        for number in sorted(numbers)
    }
    heads = {root(number): number for number in companies if draw(st.booleans())}
    servers: dict[str, MailServer] = {}
    for number in range(draw(st.integers(0, 5))):
        project, _file = _owned(draw)
        named = draw(st.booleans()) or project == ""
        name = draw(st.sampled_from(_ids)) if named else f"{UNNAMED}{number}"
        row = draw(_servers(name, companies, project))
        if name not in servers and row.mailbox not in {other.mailbox for other in servers.values()}:
            servers[name] = row
    profiles = [_profile(draw, row) for row in servers.values() if draw(st.booleans())]
    return State(
        Partner(PARTNER, draw(st.sampled_from([None, "", "other"]))),
        companies,
        {base: HeadOffice(base, number) for base, number in heads.items()},
        {(row.host, row.protocol): row for row in profiles},
        servers,
        {name: rows for name, row in servers.items() if (rows := _links(draw, row, companies))},
    )


def _profile(draw: st.DrawFn, row: MailServer) -> HostProfile:
    """A profile of the host, of what any server can take back."""
    options = draw(_options(row.host, row.protocol))
    some = {name: value for name, value in options.items() if draw(st.booleans())}
    given = {**dict.fromkeys(options), **some, "ca_file": None, "ehlo_name": None}
    return HostProfile(host=row.host, protocol=row.protocol, **given, project=None, file=None)


def _links(draw: st.DrawFn, row: MailServer, companies: dict[str, Company]) -> Links:
    if row.company:
        own = Link(row.company, None, True, *_owned(draw))
        return (own,) if draw(st.booleans()) else ()
    return sorted_links(
        Link(number, draw(st.none() | texts), draw(st.booleans()), *_owned(draw))
        for number, company in companies.items()
        if row.direction == "outgoing" or company.extensions
        if draw(st.booleans())
    )


def insert(engine: Engine, state: State) -> None:
    """Put the rows of a state into a database, as another program does."""
    put(engine, *diff(PARTNER, EMPTY, state))
    with transaction(engine) as connection:
        connection.exec_driver_sql(
            f"UPDATE mail_server SET stable_id = NULL WHERE stable_id LIKE '{UNNAMED}%%'"
            if connection.dialect.name != "sqlite"
            else f"UPDATE mail_server SET stable_id = NULL WHERE stable_id LIKE '{UNNAMED}%'"
        )
