"""`explain`: every code, offline."""

from __future__ import annotations

import json

import pytest

from reconciler.render.messages import MESSAGES
from tests.support.estates import run


def test_a_failure_of_a_test_is_explained_whole(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _err = run(capsys, "explain", "mbx755")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "MBX755: {host} did not answer on port {port}"
    assert "the server says: connection timed out" in lines
    assert "while: connection" in lines
    assert any(line.startswith("KingHost: From outside Brazil") for line in lines)
    assert lines[-1].startswith("It may pass by itself")


@pytest.mark.parametrize("name", ["MBX501", "MBX120", "MBX900", "MBX842"])
def test_every_other_code_is_explained_too(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _err = run(capsys, "explain", name)
    assert code == 0
    assert out.startswith(f"{name}: ")
    assert "fix: " in out


def test_all_codes_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    for name in MESSAGES:
        code, out, _err = run(capsys, "explain", name, "--format", "json")
        found = json.loads(out)
        assert (code, found["code"]) == (0, name)
        assert found["title"]
        assert found["repair"]


def test_an_unknown_code_is_told_what_it_may_have_been(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "explain", "MBX77O")
    assert (code, out) == (1, "")
    assert "MBX616" in err
    assert "Did you mean" in err
    assert run(capsys, "explain", "x\x1b[31m").code == 1
