"""The built-in catalogue: every entry is well formed, and hosts find the entry that is theirs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from datetime import date

import pytest

from reconciler.model.providers import Endpoint, Entry, Provider, catalogue, endpoints

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"(({LABEL}|\*)\.)+{LABEL}")

# RFC 8314 and RFC 6409; 2465 and 2587 are Amazon's second ports for 465 and 587.
SECURITY = {
    "smtp": {465: "tls", 587: "starttls", 2465: "tls", 2587: "starttls"},
    "imap": {993: "tls", 143: "starttls"},
    "pop3": {995: "tls", 110: "starttls"},
}

PROVIDERS = catalogue()
ENTRIES = [entry for provider in PROVIDERS for entry in provider.entries]


def _name(value: Provider | Entry) -> str:
    return f"{value.host}-{value.protocol}" if isinstance(value, Entry) else value.name


@pytest.mark.parametrize("provider", PROVIDERS, ids=_name)
def test_a_provider_says_where_it_is_known_from_and_since_when(provider: Provider) -> None:
    assert provider.name.strip()
    assert provider.source.strip()
    assert type(provider.checked) is date
    assert isinstance(provider.confirmed, bool)
    assert provider.entries


@pytest.mark.parametrize("entry", ENTRIES, ids=_name)
def test_a_host_is_in_lower_case_and_has_one_star_at_most(entry: Entry) -> None:
    assert HOST.fullmatch(entry.host)
    assert len(entry.host) <= 253
    assert entry.host.count("*") <= 1


@pytest.mark.parametrize("entry", ENTRIES, ids=_name)
def test_ports_have_the_security_of_rfc_8314(entry: Entry) -> None:
    usual = SECURITY[entry.protocol]
    ports = [endpoint.port for endpoint in entry.endpoints]

    assert ports
    assert len(ports) == len(set(ports))
    assert [endpoint.security for endpoint in entry.endpoints] == [usual.get(p) for p in ports]


def test_a_host_and_protocol_occur_once() -> None:
    times = Counter((entry.host, entry.protocol) for entry in ENTRIES)
    assert [pair for pair, count in times.items() if count > 1] == []


def test_an_exact_host_gives_its_endpoints_preferred_first() -> None:
    assert endpoints("smtp.gmail.com", "smtp") == (
        Endpoint(465, "tls", "Gmail"),
        Endpoint(587, "starttls", "Gmail"),
    )


def test_one_host_may_serve_several_protocols() -> None:
    assert endpoints("outlook.office365.com", "imap")[0].port == 993
    assert endpoints("outlook.office365.com", "pop3")[0].port == 995
    assert endpoints("outlook.office365.com", "smtp") == ()


@pytest.mark.parametrize("region", ["sa-east-1", "us-east-1"])
def test_a_star_stands_for_a_label(region: str) -> None:
    found = endpoints(f"email-smtp.{region}.amazonaws.com", "smtp")

    assert found[0] == Endpoint(465, "tls", "Amazon SES")
    assert Endpoint(2587, "starttls", "Amazon SES") in found


@pytest.mark.parametrize(
    "host",
    [
        "email-smtp.amazonaws.com",
        "email-smtp..amazonaws.com",
        "email-smtp.sa-east-1.vpce.amazonaws.com",
        "x.email-smtp.sa-east-1.amazonaws.com",
        "email-smtp.sa-east-1.amazonaws.com.example",
    ],
)
def test_a_star_is_neither_none_nor_several_labels(host: str) -> None:
    assert endpoints(host, "smtp") == ()


def test_a_pattern_is_of_one_protocol() -> None:
    assert endpoints("email-smtp.sa-east-1.amazonaws.com", "imap") == ()


@pytest.mark.parametrize("host", ["mail.acme.example", "gmail.com", "smtp.gmail.com.example", ""])
def test_an_unknown_host_has_no_endpoints(host: str) -> None:
    assert endpoints(host, "smtp") == ()


def test_the_file_is_not_read_before_the_first_host_is_looked_up() -> None:
    program = "import sys, reconciler.model.providers; sys.exit('tomllib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
