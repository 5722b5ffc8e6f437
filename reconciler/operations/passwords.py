"""The passwords of a plan, read from their stores and compared with what the database keeps.

Everything is read before a transaction begins. Sealing happens inside it, since the number of a row
is part of what its password is sealed with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import passwords as kept
from reconciler.database.passwords import Stored, where
from reconciler.diagnostics.problem import Failure, Place, Problem
from reconciler.model.state import called
from reconciler.plan.plan import Password, PasswordState, Plan, new_names
from reconciler.secrets import seal
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.read import ReadSecret, newest_versions, problems, resolve
from reconciler.secrets.references import BadReferenceError, Reference, from_text
from reconciler.secrets.scope import Scopes
from reconciler.secrets.stores.open import Stores

Locate = Callable[[Password], Place | None]
"""Finds where the manifests of a run have a password; None where there are none."""


class Means(NamedTuple):
    """What it takes to read secrets, within how many `seconds`, and to seal them.

    Without a `ring` passwords are read and not kept.
    """

    stores: Stores
    scopes: Scopes
    ring: Keyring | None
    seconds: float


class Checked(NamedTuple):
    """A plan that says of its passwords what is known of them, the secrets that were read for it,
    and why others could not be.
    """

    plan: Plan
    secrets: Mapping[Reference, ReadSecret]
    ring: Keyring | None
    problems: tuple[Problem, ...] = ()


def check(plan: Plan, connection: Connection | None, means: Means, locate: Locate) -> Checked:
    """Read the passwords of `plan` that may have to be sealed, and compare each with its row.

    Those whose newest version is the one that is kept are not read. Without a connection the
    database is new.

    Raises:
        Failure: a partner may not use one of the secrets, or a reference is none.
    """
    references = {item: _reference(item) for item in plan.to_seal}
    _require_scope(references, means.scopes, locate)
    rows = _Rows(plan, connection)
    current = _current(references, rows, means)
    resolved = resolve(
        {reference for item, reference in references.items() if item not in current},
        means.stores,
        means.seconds,
    )
    states: dict[Password, PasswordState] = dict.fromkeys(current, PasswordState.UNCHANGED)
    for item in references.keys() - current:
        states[item] = rows.state(item, resolved.read.get(references[item]), means.ring)
    passwords = tuple(
        item._replace(state=states[item]) if item in states else item for item in plan.passwords
    )
    places: dict[Reference, list[Place]] = {}
    for item, reference in references.items():
        if reference in resolved.failed and (place := locate(item)):
            places.setdefault(reference, []).append(place)
    failed = problems(resolved.failed, places)
    return Checked(replace(plan, passwords=passwords), resolved.read, means.ring, tuple(failed))


def _reference(item: Password) -> Reference:
    try:
        return from_text(item.reference)
    except BadReferenceError:
        raise Failure.of("MBX698", address=item.address) from None


def _require_scope(
    references: Mapping[Password, Reference], scopes: Scopes, locate: Locate
) -> None:
    outside = [
        replace(problem, place=locate(item))
        for item, reference in references.items()
        if (problem := scopes.problem(item.partner, reference, None))
    ]
    if outside:
        raise Failure(outside)


def _current(
    references: Mapping[Password, Reference], rows: _Rows, means: Means
) -> frozenset[Password]:
    """The passwords of which the version that is kept is the newest."""
    known = {item: version for item in references if (version := rows.version(item, means.ring))}
    newest = newest_versions({references[item] for item in known}, means.stores, means.seconds)
    return frozenset(item for item, version in known.items() if newest[references[item]] == version)


class _Rows:
    """What the database keeps of the passwords of a plan."""

    def __init__(self, plan: Plan, connection: Connection | None) -> None:
        partners = sorted({item.partner for item in plan.to_seal})
        names = {part.partner: new_names(part.changes) for part in plan.partners}
        self._database = plan.target.id or ""
        self._kept: dict[tuple[str, str], Stored] = {}
        for row in kept.read(connection, partners) if connection else ():
            name = called(row.name, row.number)
            self._kept[row.partner, names.get(row.partner, {}).get(name, name)] = row

    def version(self, item: Password, ring: Keyring | None) -> str | None:
        """The version that is kept of the same reference, where what is kept can be opened."""
        row = self._kept.get((item.partner, item.server))
        if row is None or row.sealed is None or row.reference != item.reference:
            return None
        key = seal.key_id(row.sealed)
        return row.version if key and (ring is None or ring.find(key)) else None

    def state(self, item: Password, read: ReadSecret | None, ring: Keyring | None) -> PasswordState:
        """What is known of a password, now that it was read or could not be."""
        row = self._kept.get((item.partner, item.server))
        if row and row.sealed is not None and seal.key_id(row.sealed) is None:
            return PasswordState.FOREIGN
        if read is None:
            return PasswordState.NOT_CHECKED
        if row is None or row.sealed is None:
            return PasswordState.CHANGED if ring else PasswordState.NOT_CHECKED
        if ring is None:
            return _by_version(row, item, read)
        place = where(self._database, row.number)
        same = seal.is_same(read.secret, row.fingerprint or "", place, ring)
        return {
            True: PasswordState.UNCHANGED,
            False: PasswordState.CHANGED,
            None: PasswordState.NOT_CHECKED,
        }[same]


def _by_version(row: Stored, item: Password, read: ReadSecret) -> PasswordState:
    if not (row.version and read.version) or row.reference != item.reference:
        return PasswordState.NOT_CHECKED
    return PasswordState.UNCHANGED if row.version == read.version else PasswordState.CHANGED
