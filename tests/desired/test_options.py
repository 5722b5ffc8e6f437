"""The advanced options: where each comes from, and what goes together."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from reconciler.database.engine import transaction
from reconciler.desired.desire import Desired, desire
from reconciler.desired.options import resolve
from reconciler.model.state import EMPTY, OPTIONS, HostProfile, MailServer, Origins
from tests.support.estates import (
    FILE,
    HOST,
    PARTNER,
    Estate,
    Manifest,
    codes,
    covers,
    declare,
    fetch,
    incoming,
    manifest,
    memory_database,
    outgoing,
    profile,
    server,
    state,
)

GMAIL = "smtp.gmail.com"
"""The catalogue has 465 with tls for it, then 587 with starttls."""
UOL = "smtps.uol.com.br"
"""The catalogue has nothing but 587 with starttls for it."""
SAMPLES: dict[str, list[Any]] = {
    "port": [2525, 2526, 2527],
    "security": ["starttls", "tls", "none"],
    "verify_certificate": [False, True, False],
    "ca_file": ["own.pem", "hosts.pem", "database.pem"],
    "timeout": [1, 2, 3],
    "ehlo_name": ["own.example", "hosts.example", "database.example"],
}
"""A value of each option for the server itself, for `hosts:` and for the database."""


def bare(host: str = HOST, protocol: str = "smtp", **options: Any) -> MailServer:
    """A server that says nothing but these options."""
    nothing: dict[str, Any] = dict.fromkeys(OPTIONS)
    return server("a", host=host, protocol=protocol, origins=None, **{**nothing, **options})


def values(row: MailServer) -> dict[str, Any]:
    return {name: getattr(row, name) for name in OPTIONS}


def origin(row: MailServer, name: str) -> str:
    assert row.origins
    return str(getattr(row.origins, name))


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_taken_from_the_first_that_has_it(name: str) -> None:
    own, of_hosts, of_database = SAMPLES[name]
    hosts, database = profile(**{name: of_hosts}), profile(**{name: of_database})
    for chosen, value, found in (
        ("server", own, resolve(bare(**{name: own}), hosts, database)),
        ("server", own, resolve(bare(**{name: own}), None, database)),
        ("server", own, resolve(bare(**{name: own}), None, None)),
        ("hosts", of_hosts, resolve(bare(), hosts, database)),
        ("hosts", of_hosts, resolve(bare(), hosts, None)),
        ("database", of_database, resolve(bare(), None, database)),
        ("default", DEFAULTS[name], resolve(bare(), None, None)),
    ):
        assert (getattr(found, name), origin(found, name)) == (value, chosen)


DEFAULTS = {
    "port": 465,
    "security": "tls",
    "verify_certificate": True,
    "ca_file": None,
    "timeout": 30,
    "ehlo_name": None,
}


@pytest.mark.parametrize("name", OPTIONS)
def test_one_option_leaves_the_others_alone(name: str) -> None:
    found = resolve(bare(**{name: SAMPLES[name][0]}), None, None)
    together = {"port", "security"} if name in ("port", "security") else {name}
    for other in set(OPTIONS) - together:
        assert getattr(found, other) == DEFAULTS[other]
        assert origin(found, other) == "default"


def test_every_option_may_come_from_somewhere_else() -> None:
    row = bare(GMAIL, verify_certificate=False)
    found = resolve(row, profile(GMAIL, ca_file="acme.pem", timeout=20), None)
    said = {"verify_certificate": False, "ca_file": "acme.pem", "timeout": 20}
    assert values(found) == {**DEFAULTS, **said}
    assert found.origins == Origins(
        port="catalogue",
        security="catalogue",
        verify_certificate="server",
        ca_file="hosts",
        timeout="hosts",
        ehlo_name="default",
    )


def test_a_profile_of_the_manifests_takes_the_place_of_the_one_in_the_database() -> None:
    """That one is about to be overwritten: what it said must not come back and go again."""
    found = resolve(bare(), profile(timeout=20), profile(timeout=40, ca_file="old.pem"))
    assert (found.timeout, found.ca_file) == (20, None)


def test_all_else_of_a_server_stays() -> None:
    row = bare(timeout=9)
    found = resolve(row, profile(port=587), None)
    settled = {**values(found), "origins": found.origins}
    assert found == row._replace(**settled)


class Pair(NamedTuple):
    """What is given, and the port and security that come of it."""

    row: MailServer
    port: int
    security: str
    origins: tuple[str, str]
    hosts: HostProfile | None = None
    database: HostProfile | None = None


PAIRS = {
    "smtp: nothing is given": Pair(bare(), 465, "tls", ("default", "default")),
    "imap: nothing is given": Pair(bare(protocol="imap"), 993, "tls", ("default", "default")),
    "pop3: nothing is given": Pair(bare(protocol="pop3"), 995, "tls", ("default", "default")),
    "smtp: starttls": Pair(bare(security="starttls"), 587, "starttls", ("default", "server")),
    "imap: starttls": Pair(
        bare(protocol="imap", security="starttls"), 143, "starttls", ("default", "server")
    ),
    "pop3: starttls": Pair(
        bare(protocol="pop3", security="starttls"), 110, "starttls", ("default", "server")
    ),
    "smtp: tls": Pair(bare(security="tls"), 465, "tls", ("default", "server")),
    "smtp: 587": Pair(bare(port=587), 587, "starttls", ("server", "default")),
    "smtp: 465": Pair(bare(port=465), 465, "tls", ("server", "default")),
    "imap: 143": Pair(bare(protocol="imap", port=143), 143, "starttls", ("server", "default")),
    "imap: 993": Pair(bare(protocol="imap", port=993), 993, "tls", ("server", "default")),
    "pop3: 110": Pair(bare(protocol="pop3", port=110), 110, "starttls", ("server", "default")),
    "pop3: 995": Pair(bare(protocol="pop3", port=995), 995, "tls", ("server", "default")),
    "a port of no standard": Pair(bare(port=2525), 2525, "tls", ("server", "default")),
    "port 25": Pair(bare(port=25), 25, "tls", ("server", "default")),
    "none without a port": Pair(
        bare("localhost", security="none"), 25, "none", ("default", "server")
    ),
    "none is what somebody wrote": Pair(
        bare("localhost", port=25, security="none"), 25, "none", ("server", "server")
    ),
    "both are given, and unusual": Pair(
        bare(port=587, security="tls"), 587, "tls", ("server", "server")
    ),
    "the pair of hosts": Pair(
        bare(), 587, "starttls", ("hosts", "hosts"), profile(port=587, security="starttls")
    ),
    "a port of hosts": Pair(bare(), 587, "starttls", ("hosts", "default"), profile(port=587)),
    "security of hosts": Pair(
        bare(), 587, "starttls", ("default", "hosts"), profile(security="starttls")
    ),
    "the pair of the database": Pair(
        bare(),
        2587,
        "starttls",
        ("database", "database"),
        database=profile(port=2587, security="starttls"),
    ),
    "a port of the database": Pair(
        bare(), 587, "starttls", ("database", "default"), database=profile(port=587)
    ),
    "catalogue: preferred first": Pair(bare(GMAIL), 465, "tls", ("catalogue", "catalogue")),
    "catalogue: the only one": Pair(bare(UOL), 587, "starttls", ("catalogue", "catalogue")),
    "catalogue: chosen by port": Pair(
        bare(GMAIL, port=587), 587, "starttls", ("server", "catalogue")
    ),
    "catalogue: chosen by security": Pair(
        bare(GMAIL, security="starttls"), 587, "starttls", ("catalogue", "server")
    ),
    "catalogue: a port that it has not": Pair(
        bare(UOL, port=465), 465, "tls", ("server", "default")
    ),
    "catalogue: security that it has not": Pair(
        bare(UOL, security="tls"), 465, "tls", ("default", "server")
    ),
    "catalogue: another port of a pattern": Pair(
        bare("email-smtp.sa-east-1.amazonaws.com", port=2587),
        2587,
        "starttls",
        ("server", "catalogue"),
    ),
    "catalogue: hosts say more": Pair(
        bare(GMAIL), 587, "starttls", ("hosts", "catalogue"), profile(GMAIL, port=587)
    ),
    "catalogue: the database says more": Pair(
        bare(GMAIL), 587, "starttls", ("database", "catalogue"), database=profile(GMAIL, port=587)
    ),
    "catalogue: for another protocol": Pair(
        bare(GMAIL, "imap"), 993, "tls", ("default", "default")
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_port_and_security_choose_each_other(name: str) -> None:
    pair = PAIRS[name]
    found = resolve(pair.row, pair.hosts, pair.database)
    assert (found.port, found.security) == (pair.port, pair.security)
    assert (origin(found, "port"), origin(found, "security")) == pair.origins


@pytest.mark.parametrize("protocol", ["smtp", "imap", "pop3"])
@pytest.mark.parametrize("host", [HOST, GMAIL, UOL, "localhost", "127.0.0.1", "pop3.bol.com.br"])
@pytest.mark.parametrize("port", [None, 1, 25, 110, 143, 465, 587, 993, 995, 2525, 65535])
def test_nobody_gets_a_connection_in_the_clear_unasked(
    protocol: str, host: str, port: int | None
) -> None:
    of_its_own = bare(host, protocol, port=port)
    for row, hosts in ((of_its_own, None), (bare(host, protocol), profile(port=port))):
        found = resolve(row, hosts, None)
        assert found.security in ("tls", "starttls")
        assert found.port == port or port is None
        assert found.verify_certificate is True


# Through manifests and database


def desired(entry: Manifest, *stored: HostProfile, hosts: Manifest | None = None) -> Desired:
    declared = declare(manifest(mail_servers={"a": entry}, hosts=hosts or {}))
    return desire(declared, state(hosts=stored), covers())


@pytest.mark.parametrize(
    ("owner", "counts"),
    [
        pytest.param({"project": None, "file": None}, True, id="of another program"),
        pytest.param({"project": ""}, False, id="of this project"),
        pytest.param({"project": None}, False, id="released by the tool"),
        pytest.param({"project": "other"}, False, id="of another project of the tool"),
    ],
)
def test_a_profile_counts_where_another_program_wrote_it(
    owner: dict[str, Any], counts: bool
) -> None:
    stored = profile(timeout=77, **owner)
    row = desired(outgoing("a"), stored).state.servers["a"]
    assert row.timeout == (77 if counts else 30)
    assert origin(row, "timeout") == ("database" if counts else "default")


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(profile("other.acme.example", timeout=77, project=None, file=None), id="host"),
        pytest.param(profile(protocol="imap", timeout=77, project=None, file=None), id="protocol"),
    ],
)
def test_a_profile_counts_for_its_host_and_protocol(stored: HostProfile) -> None:
    assert desired(outgoing("a"), stored).state.servers["a"].timeout == 30


def test_hosts_count_for_their_protocol_and_whatever_case_the_host_has() -> None:
    hosts = {"Mail.Acme.Example": {"imap": {"timeout": "1m"}, "smtp": {"timeout": "2m"}}}
    sections = {"a": outgoing("a", host="MAIL.acme.example"), "b": incoming("b")}
    declared = declare(manifest(mail_servers=sections, hosts=hosts))
    rows = desire(declared, EMPTY, covers()).state.servers
    assert (rows["a"].timeout, rows["b"].timeout) == (120, 60)


def test_hosts_of_another_file_of_the_partner_count() -> None:
    declared = declare(
        manifest(mail_servers={"a": outgoing("a")}),
        manifest(hosts={HOST: {"smtp": {"timeout": "2m"}}}),
    )
    assert desire(declared, EMPTY, covers()).state.servers["a"].timeout == 120


CHECKED = {
    "none over the network": (outgoing(security="none", port=2525), ["MBX401"]),
    "none on this machine": (outgoing(security="none", port=2525, host="localhost"), []),
    "none at 127.0.0.1": (outgoing(security="none", port=2525, host="127.0.0.1"), []),
    "none at ::1": (outgoing(security="none", port=2525, host="::1"), []),
    "none at a name like it": (
        outgoing(security="none", port=2525, host="localhost.example"),
        ["MBX401"],
    ),
    "no verification": (outgoing(verify_certificate=False), ["MBX402"]),
    "verification": (outgoing(verify_certificate=True), []),
    "port 25": (outgoing(port=25), ["MBX403"]),
    "587 with tls": (outgoing(port=587, security="tls"), ["MBX404"]),
    "465 with starttls": (outgoing(port=465, security="starttls"), ["MBX404"]),
    "587 alone": (outgoing(port=587), []),
    "465 alone": (outgoing(port=465), []),
    "imap 993 with starttls": (incoming(port=993, security="starttls"), ["MBX404"]),
    "imap 143 with tls": (incoming(port=143, security="tls"), ["MBX404"]),
    "pop3 995 with starttls": (
        incoming(protocol="pop3", port=995, security="starttls"),
        ["MBX404"],
    ),
    "pop3 110 with tls": (incoming(protocol="pop3", port=110, security="tls"), ["MBX404"]),
    "nothing said": (outgoing(), []),
}


@pytest.mark.parametrize("name", CHECKED)
def test_options_that_hardly_are_meant_are_told(name: str) -> None:
    entry, expected = CHECKED[name]
    assert codes(desired(entry).problems) == expected


def test_options_of_hosts_are_told_where_they_stand() -> None:
    found = desired(outgoing("a"), hosts={HOST: {"smtp": {"port": 587, "security": "tls"}}})
    (problem,) = found.problems
    assert problem.code == "MBX404"
    assert problem.place
    assert problem.place.path == ("hosts", HOST, "smtp", "security")


def test_what_the_tool_stored_does_not_feed_back() -> None:
    """A profile that is declared, then released, is not a source; nor is it after another run."""
    with memory_database() as engine:
        estate = Estate(engine)
        servers = {"a": outgoing("a")}
        hosts = {HOST: {"smtp": {"timeout": "2m"}}}
        estate.settle({FILE: manifest(mail_servers=servers, hosts=hosts)})
        assert fetch(engine, "SELECT timeout, origins FROM mail_server")[0][0] == 120
        for _ in range(2):
            estate.settle({FILE: manifest(mail_servers=servers)})
            assert fetch(engine, "SELECT timeout FROM mail_server") == [(30,)]
            assert fetch(engine, "SELECT timeout, project FROM host_profile") == [(120, None)]


@pytest.mark.parametrize("hosts", [{}, {HOST: {"smtp": {"timeout": "2m"}}}], ids=["alone", "both"])
def test_a_profile_of_another_program_is_settled_at_once(hosts: Manifest) -> None:
    """Whether `hosts:` take it over or not, the plan after the apply is empty."""
    with memory_database() as engine:
        estate = Estate(engine)
        estate.settle({FILE: manifest()})
        foreign = (PARTNER, HOST, "smtp", 77, "foreign.pem")
        with transaction(engine) as connection:
            connection.exec_driver_sql(
                "INSERT INTO host_profile (partner, host, protocol, timeout, ca_file) "
                "VALUES (?, ?, ?, ?, ?)",
                foreign,
            )
        commit = {FILE: manifest(mail_servers={"a": outgoing("a")}, hosts=hosts)}
        estate.settle(commit)
        expected = (120, None) if hosts else (77, "foreign.pem")
        assert fetch(engine, "SELECT timeout, ca_file FROM mail_server") == [expected]
        assert estate.plan(commit).plan.partners == ()
