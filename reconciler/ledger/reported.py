"""Which drift was reported before, so that a report can have what is new alone.

A row is known by what others made of it. Where it goes back it is forgotten, and what they make of
it after the next apply is new again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from reconciler.database import bulk, observe
from reconciler.database.tables import drift_report
from reconciler.ledger.drift import Scope
from reconciler.ledger.last_applied import Key
from reconciler.model import as_json
from reconciler.model.state import Row
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change
from reconciler.plan.plan import PartnerPlan

_KEY = ("project", "partner", "kind", "name")


class Reports:
    """What was reported before, and what is to be remembered of the report that is being made."""

    def __init__(self, connection: Connection, scope: Scope) -> None:
        self._connection = connection
        self._scope = scope
        self._new: dict[Key, str] = {}
        self._back: list[Key] = []
        self.known = 0
        """How many rows were reported before and are as they were then, counted on the way."""

    def new(self, parts: Iterable[PartnerPlan]) -> Iterator[PartnerPlan]:
        """`parts` with what was not reported before alone."""
        remaining = iter(parts)
        while batch := list(islice(remaining, observe.BATCH)):
            known = self._known([part.partner for part in batch])
            for part in batch:
                yield self._part(part, known.get(part.partner, {}))

    def _known(self, partners: Sequence[str]) -> dict[str, dict[Key, str]]:
        c = drift_report.c
        query = select(c.partner, c.kind, c.name, c.digest).where(
            c.project == self._scope.project, c.partner.in_(partners)
        )
        found: dict[str, dict[Key, str]] = {}
        for *named, digest in bulk.fetch(self._connection, query):
            key = Key(*named)
            found.setdefault(key.partner, {})[key] = digest
        return found

    def _part(self, part: PartnerPlan, known: dict[Key, str]) -> PartnerPlan:
        new = []
        for change, cause in part.explained:
            key, digest = Key(part.partner, change.kind, change.name), _digest(change, cause)
            if known.pop(key, "") != digest:
                self._new[key] = digest
                new.append((change, cause))
        servers = self._scope.servers(part.partner)
        self._back += [key for key in known if not servers or key.server in servers]
        self.known += len(part.changes) - len(new)
        changes, causes = zip(*new, strict=True) if new else ((), ())
        return replace(part, changes=changes, causes=causes)

    def remember(self, connection: Connection, now: datetime) -> None:
        """Write down what was reported; `now` is in UTC."""
        project, when = self._scope.project, now.replace(tzinfo=None)
        keys = [(project, *key) for key in (*self._new, *self._back)]
        is_meant = [drift_report.c[name] == bindparam(f"key_{name}") for name in _KEY]
        statement = delete(drift_report).where(*is_meant)
        bulk.execute(connection, statement, [f"key_{name}" for name in _KEY], keys)
        rows = ((project, *key, digest, when) for key, digest in self._new.items())
        bulk.execute(connection, insert(drift_report), (*_KEY, "digest", "reported_at"), rows)


def _digest(change: Change, cause: Cause) -> str:
    """What others made of a row, and since which revision."""
    made = (cause.revision, _fields(change.before, change.after))
    return sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def _fields(before: Row | None, after: Row | None) -> dict[str, Any] | None:
    """The fields of a row that others changed, all of one that they made, None of one that went."""
    if after is None:
        return None
    there = as_json.plain(before) if before is not None else {}
    return {name: value for name, value in as_json.plain(after).items() if there.get(name) != value}
