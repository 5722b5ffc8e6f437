"""Reading secrets in tests, with a look at every failure: its words must give nothing away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reconciler.diagnostics.problem import Problem
from reconciler.manifests.load import Sources
from reconciler.manifests.read import ReadLimits
from reconciler.render.diagnostics import describe
from reconciler.secrets.read import Resolved, Stores, resolve
from reconciler.secrets.redact import Redactor
from reconciler.secrets.references import from_text
from reconciler.secrets.settings import SecretSettings

MARK = "M4rk3d-S3cret"
"""A part of every secret of these tests."""


def opened(environment: Mapping[str, str] | None = None, **sections: Any) -> Stores:
    """The stores that these sections of the settings declare."""
    return Stores(SecretSettings.model_validate(sections), environment or {}, Redactor())


def resolved(*texts: str, stores: Stores, seconds: float = 10) -> Resolved:
    with stores:
        return resolve(map(from_text, texts), stores, seconds)


def values(found: Resolved) -> list[str]:
    """The secrets, by the order of their references."""
    assert found.failed == {}
    return [item.secret.reveal() for item in found.read.values()]


def failures(found: Resolved) -> dict[str, list[str]]:
    """The codes by name, where nothing was found."""
    assert found.read == {}
    return {item.name: codes(bad) for item, bad in found.failed.items()}


def codes(problems: Iterable[Problem]) -> list[str]:
    found = list(problems)
    words = str(describe(found, Sources(Path(), (), ReadLimits())))
    assert MARK not in words + str(found)
    return [problem.code for problem in found]
