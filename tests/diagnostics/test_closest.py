"""What somebody may have meant."""

from __future__ import annotations

import pytest

from reconciler.diagnostics.closest import closest

MANY = [f"{number:05}-name" for number in range(20_000)]


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("nfe-otu", ["nfe-out", "nfe-in"], "nfe-out"),
        ("xyz", ["nfe-out", "nfe-in"], ""),
        ("nfe-out", [], ""),
        ("00012-nmae", MANY, "00012-name"),
    ],
)
def test_the_closest_name_is_found(name: str, known: list[str], meant: str) -> None:
    assert closest(name, known) == meant


def test_only_some_of_many_names_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def counted(_name: str, names: list[str], _most: int, _likeness: float) -> list[str]:
        compared.append(len(names))
        return []

    monkeypatch.setattr("reconciler.diagnostics.closest.get_close_matches", counted)
    closest("none", MANY)
    assert compared[0] <= 100
