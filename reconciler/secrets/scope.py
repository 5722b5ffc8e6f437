"""Which partner may use which secrets: else a manifest could use another partner's password.

The settings have patterns by partner and store: a name, or the beginning of names and `*`. A
partner that is not in the settings may use its own prefix, if that is certainly its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from functools import cache
from itertools import islice
from typing import NamedTuple

from reconciler.diagnostics.problem import Place, Problem
from reconciler.secrets.references import BadReferenceError, Reference, from_text
from reconciler.secrets.stores.kinds import KINDS

Patterns = tuple[str, ...]
NOT_SETTLED = "MBX661"


class Rules(NamedTuple):
    """What the settings say."""

    partners: Mapping[str, Mapping[str, Patterns]] = {}
    """Partner → store → patterns."""
    prefixes: Mapping[str, str | None] = {}
    """Store that is set up → what a partner's names begin with, in place of the usual."""
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
        """Why `partner` may not use `reference`; its name is not repeated, it may be the secret."""
        store, name = reference.store, reference.name
        own = KINDS[store].own
        if (store, name) in self._rules.own or (own and name.startswith(own)):
            return Problem("MBX662", place, {"store": store})
        patterns, default = self._explicit(store, partner), self._default(store, partner)
        values = {"partner": partner, "store": store}
        if patterns is not None:
            inside = any(_matches(item, name) for item in patterns)
            allowed = ", ".join(patterns) or "–"
        elif self._shared(store, partner):
            return Problem(NOT_SETTLED, place, {**values, "pattern": default})
        else:
            inside, allowed = self._is_own(store, partner, name), default
        return None if inside else Problem("MBX660", place, {**values, "allowed": allowed})

    def allows(self, partner: str, text: str) -> bool:
        """Whether `text` is a reference, as the database keeps it, that `partner` may use."""
        try:
            reference = from_text(text)
        except BadReferenceError:
            return False
        return self.problem(partner, reference, None) is None

    def prefix(self, store: str, partner: str) -> str:
        """The prefix for a new name of a partner, in a store that is no tree."""
        default = self._default(store, partner).removesuffix("*")
        patterns = self._explicit(store, partner)
        if patterns is None or any(_matches(pattern, default) for pattern in patterns):
            return default
        return next((item[:-1] for item in patterns if item.endswith("*")), default)

    def is_crowded(self, partner: str) -> bool:
        """Whether the partner's default is not certainly its own, in any store."""
        return any(
            self._explicit(store, partner) is None and self._shared(store, partner)
            for store in KINDS
        )

    @property
    def open_stores(self) -> list[str]:
        """The stores that are trees, where the name alone decides whose a secret is."""
        return [store for store in KINDS if self._prefix(store, "") is None]

    def _is_own(self, store: str, partner: str, name: str) -> bool:
        """Whether `name` lies where the partner's secrets are, and nobody else's."""
        if (prefix := self._prefix(store, partner)) is not None:
            return name.startswith(prefix)
        steps = set(name.split("/"))
        return partner in steps and steps & self._known <= {partner}

    def _is_shared(self, store: str, partner: str) -> bool:
        """Whether the partner's default also covers another's names, or reserved ones."""
        prefix = self._prefix(store, partner)
        occupied = self._occupied(store)
        if prefix is None:
            return any(partner in name.split("/") and owner != partner for name, owner in occupied)
        if any(
            prefix.startswith(word) or word.startswith(prefix) for word in KINDS[store].reserved
        ):
            return True
        for name, owner in islice(occupied, bisect_left(occupied, (prefix, "")), None):
            if not name.startswith(prefix):
                return False
            if owner != partner:
                return True
        return False

    def _find_occupied(self, store: str) -> list[tuple[str, str]]:
        """The prefixes of all partners, sorted, each with its partner."""
        occupied = []
        for partner in self._known:
            patterns = self._explicit(store, partner)
            if patterns is None:
                prefix = self._prefix(store, partner)
                patterns = () if prefix is None else (prefix,)
            occupied += [(pattern.removesuffix("*"), partner) for pattern in patterns]
        return sorted(occupied)

    def _explicit(self, store: str, partner: str) -> Patterns | None:
        return self._rules.partners.get(partner, {}).get(store)

    def _default(self, store: str, partner: str) -> str:
        """What a partner may use by default, as people read it."""
        prefix = self._prefix(store, partner)
        return f"…/{partner}/…" if prefix is None else f"{prefix}*"

    def _find_prefix(self, store: str, partner: str) -> str | None:
        kind = KINDS[store]
        template = self._rules.prefixes.get(store) or kind.prefix
        return template.replace("{partner}", kind.spelled(partner)) if template else None


def _matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
