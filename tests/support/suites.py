"""The quick suite, and a summary of what a run of tests left out.

With `--quick` a run keeps to SQLite and one PostgreSQL, and leaves out `tests/systems`, whose tests
kill processes and start mail servers, and what is marked `slow`. Every run ends with what it did
not do: a line for what `--quick` left out, and a line for each reason to skip.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import SQLITE

KINDS = (SQLITE, "postgres18")
"""The kinds of database in the quick suite."""
_SYSTEMS = Path(__file__).parents[1] / "systems"


class Suites:
    """A plugin of pytest; the processes of pytest-xdist tell the first one what they left out."""

    def __init__(self, config: pytest.Config) -> None:
        self._quick = bool(config.getoption("--quick"))
        self._left_out: Counter[str] = Counter()

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        reasons = [_reason(item) if self._quick else "" for item in items]
        out = [item for item, reason in zip(items, reasons, strict=True) if reason]
        self._left_out.update(filter(None, reasons))
        items[:] = [item for item, reason in zip(items, reasons, strict=True) if not reason]
        config.hook.pytest_deselected(items=out)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["left_out"] = dict(self._left_out)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        # Each process collects all tests, so that what one of them says is said for all.
        self._left_out = Counter(getattr(node, "workeroutput", {}).get("left_out", {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        skipped: list[pytest.TestReport] = terminalreporter.stats.get("skipped", [])
        for reason, tests in sorted(Counter(map(_reason_to_skip, skipped)).items()):
            terminalreporter.write_line(f"Skipped {tests}: {reason}")
        if self._left_out:
            terminalreporter.write_line(
                f"Left out {self._left_out.total():,}, which make test-all runs: "
                + ", ".join(f"{tests:,} {what}" for what, tests in sorted(self._left_out.items()))
            )


def _reason(item: pytest.Item) -> str:
    """Why the quick suite leaves this test out; empty where it does not."""
    callspec = getattr(item, "callspec", None)
    kind = callspec.params.get("kind", SQLITE) if callspec else SQLITE
    if item.path.is_relative_to(_SYSTEMS):
        return "on whole systems"
    if kind not in KINDS:
        return f"on {kind}"
    slow = item.get_closest_marker("slow")
    return "that are slow" if slow and (not slow.args or kind in slow.args) else ""


def _reason_to_skip(report: pytest.TestReport) -> str:
    assert isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ")
