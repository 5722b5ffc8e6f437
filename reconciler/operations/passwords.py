"""The passwords of a plan, read from their stores and compared with what the database keeps.

Everything is read before a transaction begins. Sealing happens inside it, since the number of a row
is part of what its password is sealed with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import passwords as kept
from reconciler.database.passwords import Stored, where
from reconciler.diagnostics.problem import Failure, Place, Problem
from reconciler.model.state import called
from reconciler.operations.seal import Sealer
from reconciler.plan.plan import Password, PasswordState, Plan, new_names
from reconciler.secrets import seal
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.read import ReadSecret, Stores, newest_versions, problems, resolve
from reconciler.secrets.references import BadReferenceError, Reference, from_text
from reconciler.secrets.scope import Scopes

Locate = Callable[[Password], Place | None]
"""Finds where the manifests of a run have a password; None where there are none."""


class Checked(NamedTuple):
    """A plan that says of its passwords what is known of them, what seals those that were read for
    it, and why others could not be.
    """

    plan: Plan
    sealer: Sealer
    problems: tuple[Problem, ...]


def check(
    plan: Plan,
    connection: Connection | None,
    stores: Stores,
    scopes: Scopes,
    ring: Keyring | None,
    seconds: float,
    locate: Locate,
) -> Checked:
    """Read the passwords of `plan` that may have to be sealed, and compare each with its row.

    Those whose newest version is the one that is kept are not read. Without a connection the
    database is new; without a `ring` passwords are read and not kept.

    Raises:
        Failure: a partner may not use one of the secrets, or a reference is none.
    """
    references = {item: _reference(item) for item in plan.to_seal}
    outside = [
        replace(problem, place=locate(item))
        for item, reference in references.items()
        if (problem := scopes.problem(item.partner, reference, None))
    ]
    if outside:
        raise Failure(outside)
    rows = _Rows(plan, connection, ring)
    versions = {item: version for item in references if (version := rows.version(item))}
    newest = newest_versions({references[item] for item in versions}, stores, seconds)
    states = {
        item: PasswordState.UNCHANGED
        for item, version in versions.items()
        if newest[references[item]] == version
    }
    unread = references.keys() - states.keys()
    resolved = resolve({references[item] for item in unread}, stores, seconds)
    for item in unread:
        states[item] = rows.state(item, resolved.read.get(references[item]))
    passwords = tuple(item._replace(state=states.get(item, item.state)) for item in plan.passwords)
    places: dict[Reference, list[Place]] = {}
    for item, reference in references.items():
        if reference in resolved.failed and (place := locate(item)):
            places.setdefault(reference, []).append(place)
    failed = problems(resolved.failed, places)
    return Checked(replace(plan, passwords=passwords), Sealer(ring, resolved.read), tuple(failed))


def _reference(item: Password) -> Reference:
    try:
        return from_text(item.reference)
    except BadReferenceError:
        raise Failure.of("MBX698", address=item.address) from None


class _Rows:
    """What the database keeps of the passwords of a plan."""

    def __init__(self, plan: Plan, connection: Connection | None, ring: Keyring | None) -> None:
        partners = sorted({item.partner for item in plan.to_seal})
        names = {part.partner: new_names(part.changes) for part in plan.partners}
        self._database = plan.target.id or ""
        self._ring = ring
        self._kept: dict[tuple[str, str], Stored] = {}
        for row in kept.read(connection, partners) if connection else ():
            name = called(row.name, row.number)
            self._kept[row.partner, names.get(row.partner, {}).get(name, name)] = row

    def version(self, item: Password) -> str | None:
        """The version that is kept of the same reference, where what is kept can be opened."""
        row = self._kept.get((item.partner, item.server))
        if row is None or row.sealed is None or row.reference != item.reference:
            return None
        key = seal.key_id(row.sealed)
        return row.version if key and (self._ring is None or self._ring.find(key)) else None

    def state(self, item: Password, read: ReadSecret | None) -> PasswordState:
        """What is known of a password, now that it was read or could not be."""
        row = self._kept.get((item.partner, item.server))
        if row and row.sealed is not None and seal.key_id(row.sealed) is None:
            return PasswordState.FOREIGN
        if read is None:
            return PasswordState.NOT_CHECKED
        if row is None or row.sealed is None:
            return PasswordState.CHANGED if self._ring else PasswordState.NOT_CHECKED
        same: bool | None = None
        if self._ring:
            place = where(self._database, row.number)
            same = seal.is_same(read.secret, row.fingerprint or "", place, self._ring)
        elif row.version and read.version and row.reference == item.reference:
            same = row.version == read.version
        if same is None:
            return PasswordState.NOT_CHECKED
        return PasswordState.UNCHANGED if same else PasswordState.CHANGED
