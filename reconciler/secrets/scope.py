"""Which partner may use which secrets: else a manifest could use another partner's password.

Settings say so by patterns for a partner and a store: a name, or what it begins with and `*`. For
who is not in the settings it is the partner's own prefix, unless that is not certainly its own.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Mapping
from functools import cache
from itertools import islice
from typing import NamedTuple

from reconciler.diagnostics.problem import Place, Problem
from reconciler.secrets.references import FORMS, BadReferenceError, Reference, from_text

Patterns = tuple[str, ...]
NOT_SETTLED = "MBX661"

PREFIXES: Mapping[str, str | None] = {"env": "{partner}_", "file": "{partner}-"}
"""What a partner's names begin with; stores that are not here are trees, where the partner's id is
one of the steps of the path: `…/acme/…`."""
RESERVED = {
    "env": ("RECONCILER_", "AWS_", "VAULT_", "BAO_", "CI_", "GITHUB_", "GITLAB_", "ACTIONS_",
            "RUNNER_", "DOCKER_", "KUBERNETES_", "GOOGLE_", "AZURE_", "PYTHON"),
    "file": ("reconciler-",),
}  # fmt: skip
"""Prefixes of what pipelines and the tool itself need; a partner of that name has no default."""
_NEVER = {"env": "RECONCILER_", "file": "reconciler-"}


class Rules(NamedTuple):
    """What the settings say."""

    partners: Mapping[str, Mapping[str, Patterns]] = {}
    """Partner → store → patterns."""
    prefixes: Mapping[str, str | None] = {}
    """Store that is set up → what a partner's names begin with, in place of `PREFIXES`."""
    own: frozenset[tuple[str, str]] = frozenset()
    """Store and name of each secret that the tool itself logs in with."""


class Scopes:
    """The scopes of all known partners: those of the manifests, the settings and the database."""

    def __init__(self, rules: Rules, known: Collection[str]) -> None:
        self._rules = rules
        self._known = frozenset(known) | rules.partners.keys()
        self._prefix = cache(self._find_prefix)
        self._occupied = cache(self._find_occupied)
        self._shared = cache(self._is_shared)

    def problem(self, partner: str, reference: Reference, place: Place | None) -> Problem | None:
        """What stands against `partner` using `reference`, if anything does.

        The name is not repeated: somebody may have written the secret itself there.
        """
        store, name = reference.store, reference.name
        if (store, name) in self._rules.own or name.startswith(_NEVER.get(store, "\0")):
            return Problem("MBX662", place, {"store": store})
        patterns = self._explicit(store, partner)
        if patterns is None and self._shared(store, partner):
            pattern = self._default(store, partner)
            return Problem(
                NOT_SETTLED, place, {"pattern": pattern, "partner": partner, "store": store}
            )
        if patterns is None:
            inside = self._is_own(store, partner, name)
        else:
            inside = any(_matches(item, name) for item in patterns)
        if inside:
            return None
        allowed = self._default(store, partner) if patterns is None else ", ".join(patterns)
        values = {"partner": partner, "store": store, "allowed": allowed or "–"}
        return Problem("MBX660", place, values)

    def allows(self, partner: str, text: str) -> bool:
        """Whether `partner` may use what the database keeps as `text`, if that is a reference."""
        try:
            reference = from_text(text)
        except BadReferenceError:
            return False
        return self.problem(partner, reference, None) is None

    def prefix(self, store: str, partner: str) -> str:
        """What a partner's names begin with in a store that is no tree; so a new one does too."""
        default = self._default(store, partner).removesuffix("*")
        patterns = self._explicit(store, partner)
        if patterns is None or any(_matches(pattern, default) for pattern in patterns):
            return default
        return next((item[:-1] for item in patterns if item.endswith("*")), default)

    def is_crowded(self, partner: str) -> bool:
        """Whether the partner's default is not certainly its own, in any store."""
        return any(
            self._explicit(store, partner) is None and self._shared(store, partner)
            for store in FORMS
        )

    @property
    def open_stores(self) -> list[str]:
        """The stores where every name decides whose it is, as no prefix is known."""
        return [store for store in FORMS if self._prefix(store, "") is None]

    def _is_own(self, store: str, partner: str, name: str) -> bool:
        """Whether `name` lies where the partner's secrets are, and nobody else's."""
        prefix = self._prefix(store, partner)
        if prefix is not None:
            return name.startswith(prefix)
        steps = set(name.split("/"))
        return partner in steps and steps & self._known <= {partner}

    def _is_shared(self, store: str, partner: str) -> bool:
        """Whether the partner's default also covers another's names, or reserved ones."""
        prefix = self._prefix(store, partner)
        occupied = self._occupied(store)
        if prefix is None:
            return any(partner in name.split("/") and owner != partner for name, owner in occupied)
        if any(prefix.startswith(word) or word.startswith(prefix) for word in _reserved(store)):
            return True
        for name, owner in islice(occupied, bisect_left(occupied, (prefix, "")), None):
            if not name.startswith(prefix):
                return False
            if owner != partner:
                return True
        return False

    def _find_occupied(self, store: str) -> list[tuple[str, str]]:
        """What everybody's names begin with, in order, and whose that is."""
        return sorted(
            (pattern.removesuffix("*"), partner)
            for partner in self._known
            for pattern in self._patterns(store, partner)
        )

    def _patterns(self, store: str, partner: str) -> Patterns:
        explicit, prefix = self._explicit(store, partner), self._prefix(store, partner)
        if explicit is None:
            return () if prefix is None else (prefix,)
        return explicit

    def _explicit(self, store: str, partner: str) -> Patterns | None:
        return self._rules.partners.get(partner, {}).get(store)

    def _default(self, store: str, partner: str) -> str:
        """What a partner may use that the settings do not name, as people read it."""
        prefix = self._prefix(store, partner)
        return f"…/{partner}/…" if prefix is None else f"{prefix}*"

    def _find_prefix(self, store: str, partner: str) -> str | None:
        template = self._rules.prefixes.get(store) or PREFIXES.get(store)
        word = variable(partner) if store == "env" else partner
        return template.replace("{partner}", word) if template else None


def _reserved(store: str) -> tuple[str, ...]:
    return RESERVED.get(store, ())


def _matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def variable(partner: str) -> str:
    """A partner's id as the names of variables have it: `acme-sul` is `ACME_SUL`, `3m` is `_3M`."""
    word = re.sub(r"[^A-Z0-9]", "_", partner.upper())
    return f"_{word}" if word[:1].isdigit() else word
