"""What all tests share: an environment that says nothing, and the option that writes stories."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

REQUIRED = os.environ.get("RECONCILER_TEST_REQUIRE") == "all"
"""Whether tests that need other programs must run, and fail where those are not installed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-stories", action="store_true", help="write what stories expect")


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("RECONCILER_", "GITHUB_", "GITLAB_")) or name in ("CI", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that leaves the machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if host and host not in ("::1", "localhost") and not host.startswith("127."):
            pytest.fail(f"a test connects to {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
