"""The benchmark of probes does the same conversations in each of its ways, and judges fairly."""

from __future__ import annotations

import pytest

from benchmarks import probes
from benchmarks.probing import HOSTS, WAYS, Figures

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("encrypted", [False, True])
def test_every_way_hands_every_message_over(way: str, encrypted: bool) -> None:
    with probes._simulated(encrypted=encrypted) as place:
        figures = probes._probe(way, place, HOSTS)
    assert figures.outcomes == {"ok": HOSTS}
    assert figures.cpu > 0
    assert figures.memory > 10


def figures(**changes: Figures) -> dict[str, Figures]:
    usual = Figures(1.0, 5.0, 40.0, {"ok": 1_000})
    known = dict.fromkeys(("asyncio", "aiosmtplib", "reconciler", "alive", "few", "many"), usual)
    dead = Figures(1.0, 7.0, 40.0, {"ok": 980, "MBX755": 20})
    return known | {"dead": dead} | changes


def test_what_is_promised() -> None:
    assert [bar.verdict for bar in probes.bars(figures(), 1_000, 100_000)] == ["ok"] * 4
    assert probes.table(figures()).count("\n") == 7


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (0, {"reconciler": Figures(1.6, 5.0, 40.0, {})}),
        (1, {"dead": Figures(1.0, 12.0, 40.0, {"MBX755": 20})}),
        (2, {"dead": Figures(1.0, 5.0, 40.0, {"MBX755": 21})}),
        (3, {"many": Figures(1.0, 5.0, 50.0, {})}),
    ],
)
def test_what_is_not_kept_is_missed(number: int, changes: dict[str, Figures]) -> None:
    found = probes.bars(figures(**changes), 1_000, 100_000)
    assert [bar.verdict == "MISSED" for bar in found] == [other == number for other in range(4)]
