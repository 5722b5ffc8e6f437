"""`[probes]` in the settings: what the platform engineer decides, and what is refused."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.probes.policy import Pace, Policy, ProbeSettings, TokenUrls


def test_without_settings_a_probe_has_the_usual_bounds() -> None:
    assert ProbeSettings().policy() == Policy()
    assert ProbeSettings().pace() == Pace()


def test_everything_that_is_written_counts() -> None:
    written = ProbeSettings(
        networks=["10.0.0.0/8", "fd00::/8"],
        ports=[2525],
        recipients=["Fiscal@Acme.example", "@lab.example"],
        ca_folder="/etc/ca",
        at_once=5,
        per_host=2,
        attempts=1,
        patience=0,
        give_up_after=9,
        round_trip=30,
        token_urls=TokenUrls(google="https://tokens.example/x"),
    )
    assert written.policy(("127.0.0.1", 1025)) == Policy(
        public=False,
        networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
        ports=frozenset((2525,)),
        recipients=frozenset(("fiscal@acme.example", "@lab.example")),
        sink=("127.0.0.1", 1025),
        ca_folder=Path("/etc/ca"),
        token_urls={"google": "https://tokens.example/x"},
    )
    assert written.pace() == Pace(5, 2, 1, 0, 9, 30)


def test_no_network_at_all_is_no_network() -> None:
    assert ProbeSettings(networks=[]).policy().public is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"networks": ["10.0.0.1/8"]},
        {"networks": ["private"]},
        {"ports": [0]},
        {"recipients": ["*"]},
        {"recipients": ["acme.example"]},
        {"recipients": ["a@"]},
        {"token_urls": {"google": "http://tokens.example/"}},
        {"token_urls": {"yahoo": "https://tokens.example/"}},
        {"at_once": 0},
        {"anything": 1},
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProbeSettings.model_validate(wrong)
