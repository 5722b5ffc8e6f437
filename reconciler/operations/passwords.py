"""The passwords of a plan: read from their stores, compared with what the database keeps, sealed.

Everything is read before a transaction begins. Sealing happens inside it, since the number of a row
is part of what its password is sealed with.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import passwords as kept
from reconciler.database import schema
from reconciler.database.passwords import FORGOTTEN, Sealed, Stored, where
from reconciler.diagnostics.problem import Failure, Place, Problem, Stale
from reconciler.model.state import MailServer, called
from reconciler.plan.plan import Password, PasswordState, Plan, new_names
from reconciler.secrets import seal
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.read import ReadSecret, Stores, newest_versions, problems, resolve
from reconciler.secrets.references import BadReferenceError, Reference, from_text
from reconciler.secrets.scope import Scopes

Locate = Callable[[Password], Place | None]
"""Finds where the manifests of a run have a password; None where there are none."""


class Sealer(NamedTuple):
    """Seals what was read for a plan; without a ring, lets go of what no longer fits."""

    ring: Keyring | None
    secrets: Mapping[Reference, ReadSecret]

    def write(self, connection: Connection, plan: Plan) -> dict[Password, int]:
        """Seal the passwords of a plan whose changes were just written.

        Those that changed are returned, each with the number of its row.

        Raises:
            Stale: a mail server is no longer there, or its password is somewhere else by now.
        """
        if self.ring is None:
            repointed = _repointed(plan)
            rows = _stored(connection, {partner for partner, _ in repointed})
            affected = [row for name, row in rows.items() if name in repointed]
            outdated = [row.number for row in affected if seal.key_id(row.sealed or "")]
            kept.write(connection, (Sealed(number, *FORGOTTEN) for number in outdated))
            return {}
        rows = _stored(connection, {item.partner for item in plan.to_seal})
        database = schema.status_of(connection).database_id or ""
        changed: dict[Password, int] = {}
        sealed = []
        for item in plan.to_seal:
            row = rows.get((item.partner, item.server))
            if row is None or row.reference != item.reference:
                raise Stale.of("MBX540")
            if made := self._sealed(row, from_text(item.reference), database, self.ring):
                changed[item] = row.number
                sealed.append(made)
        kept.write(connection, sealed)
        return changed

    def _sealed(
        self, row: Stored, reference: Reference, database: str, ring: Keyring
    ) -> Sealed | None:
        """What the row gets; None where it keeps what it has."""
        read = self.secrets.get(reference)
        foreign = row.sealed is not None and seal.key_id(row.sealed) is None
        if read is None or foreign:
            return None
        place = where(database, row.number)
        if row.sealed and seal.is_same(read.secret, row.fingerprint or "", place, ring):
            return None
        text = seal.seal(read.secret, place, ring.active)
        mark = seal.fingerprint(read.secret, place, ring.active)
        return Sealed(row.number, text, mark, read.version)


NOTHING_TO_SEAL = Sealer(None, {})


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
    failed = problems(resolved.failed, _places(references, resolved.failed, locate))
    return Checked(replace(plan, passwords=passwords), Sealer(ring, resolved.read), tuple(failed))


def _places(
    references: Mapping[Password, Reference], failed: Container[Reference], locate: Locate
) -> dict[Reference, list[Place]]:
    """Where each reference that failed is written."""
    places: dict[Reference, list[Place]] = {}
    for item, reference in references.items():
        if reference in failed and (place := locate(item)):
            places.setdefault(reference, []).append(place)
    return places


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


def _stored(connection: Connection, partners: set[str]) -> dict[tuple[str, str], Stored]:
    return {
        (row.partner, called(row.name, row.number)): row
        for row in kept.read(connection, sorted(partners), lock=True)
    }


def _repointed(plan: Plan) -> set[tuple[str, str]]:
    """The servers, by partner and id, whose reference a plan changes."""
    return {
        (change.partner, change.name)
        for part in plan.applicable
        for change in part.changes
        if isinstance(change.before, MailServer) and isinstance(change.after, MailServer)
        if change.before.password_reference != change.after.password_reference
    }
