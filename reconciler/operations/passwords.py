"""The passwords of a plan: read from their stores, compared with what is kept, and sealed.

Everything is read before a transaction begins; sealing happens inside it, since the number of a row
is part of what its password is sealed with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import passwords as stored
from reconciler.database import schema
from reconciler.database.passwords import FORGOTTEN, Sealed, Stored, where
from reconciler.diagnostics.problem import Failure, Place, Problem, Stale
from reconciler.model.state import MailServer, called
from reconciler.plan.plan import Password, PasswordState, Plan, new_names
from reconciler.secrets import seal
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.read import Found, newest_versions, problems, resolve
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
    secrets: Mapping[Reference, Found]
    problems: tuple[Problem, ...] = ()


def check(plan: Plan, connection: Connection | None, means: Means, locate: Locate) -> Checked:
    """Read the passwords of `plan` that may have to be sealed, and compare each with its row.

    Those whose newest version is the one that is kept are not read. Without a connection the
    database is new.

    Raises:
        Failure: a partner may not use one of the secrets, or a reference is none.
    """
    wanted = {item: _reference(item) for item in plan.to_seal}
    _require_scope(wanted, means.scopes, locate)
    rows = _Rows(plan, connection)
    settled = _settled(wanted, rows, means)
    resolved = resolve(
        {wanted[item] for item in wanted if item not in settled}, means.stores, means.seconds
    )
    told: dict[Password, PasswordState] = dict.fromkeys(settled, PasswordState.UNCHANGED)
    for item in wanted.keys() - settled:
        told[item] = rows.verdict(item, resolved.found.get(wanted[item]), means.ring)
    passwords = tuple(
        item._replace(verdict=told[item]) if item in told else item for item in plan.passwords
    )
    where_wanted: dict[Reference, list[Place]] = {}
    for item, reference in wanted.items():
        if reference in resolved.failed and (place := locate(item)):
            where_wanted.setdefault(reference, []).append(place)
    failed = problems(resolved.failed, where_wanted)
    return Checked(replace(plan, passwords=passwords), resolved.found, tuple(failed))


def _reference(item: Password) -> Reference:
    try:
        return from_text(item.reference)
    except BadReferenceError:
        raise Failure.of("MBX698", address=item.address) from None


def _require_scope(wanted: Mapping[Password, Reference], scopes: Scopes, locate: Locate) -> None:
    found = [
        replace(problem, place=locate(item))
        for item, reference in wanted.items()
        if (problem := scopes.problem(item.partner, reference, None))
    ]
    if found:
        raise Failure(found)


def _settled(
    wanted: Mapping[Password, Reference], rows: _Rows, means: Means
) -> frozenset[Password]:
    """The passwords of which the version that is kept is the newest."""
    known = {item: version for item in wanted if (version := rows.version(item, means.ring))}
    newest = newest_versions({wanted[item] for item in known}, means.stores, means.seconds)
    return frozenset(item for item, version in known.items() if newest[wanted[item]] == version)


class _Rows:
    """What the database keeps of the passwords of a plan."""

    def __init__(self, plan: Plan, connection: Connection | None) -> None:
        partners = sorted({item.partner for item in plan.to_seal})
        names = {part.partner: new_names(part.changes) for part in plan.partners}
        self._database = plan.target.id or ""
        self._found: dict[tuple[str, str], Stored] = {}
        for row in stored.read(connection, partners) if connection else ():
            name = called(row.name, row.number)
            self._found[row.partner, names.get(row.partner, {}).get(name, name)] = row

    def version(self, item: Password, ring: Keyring | None) -> str | None:
        """The version that is kept of the same reference, where what is kept can be opened."""
        row = self._found.get((item.partner, item.server))
        if row is None or row.sealed is None or row.reference != item.reference:
            return None
        key = seal.key_id(row.sealed)
        return row.version if key and (ring is None or ring.find(key)) else None

    def verdict(self, item: Password, found: Found | None, ring: Keyring | None) -> PasswordState:
        """What is known of a password, now that it was read or could not be."""
        row = self._found.get((item.partner, item.server))
        if row and row.sealed is not None and seal.key_id(row.sealed) is None:
            return PasswordState.FOREIGN
        if found is None:
            return PasswordState.NOT_CHECKED
        if row is None or row.sealed is None:
            return PasswordState.CHANGED if ring else PasswordState.NOT_CHECKED
        if ring is None:
            return _by_version(row, item, found)
        place = where(self._database, row.number)
        same = seal.is_same(found.secret, row.fingerprint or "", place, ring)
        return {
            True: PasswordState.UNCHANGED,
            False: PasswordState.CHANGED,
            None: PasswordState.NOT_CHECKED,
        }[same]


def _by_version(row: Stored, item: Password, found: Found) -> PasswordState:
    if not (row.version and found.version) or row.reference != item.reference:
        return PasswordState.NOT_CHECKED
    return PasswordState.UNCHANGED if row.version == found.version else PasswordState.CHANGED


class Sealer(NamedTuple):
    """Seals what was read for a plan; without a ring, lets go of what no longer fits."""

    ring: Keyring | None
    secrets: Mapping[Reference, Found]

    def write(self, connection: Connection, plan: Plan) -> tuple[Password, ...]:
        """Seal the passwords of a plan whose changes were just written; those that changed.

        Raises:
            Stale: a mail server is no longer there, or its password is somewhere else by now.
        """
        rows = self._rows(connection, plan)
        if self.ring is None:
            stored.write(connection, self._outdated(plan, rows))
            return ()
        database = schema.status_of(connection).database_id or ""
        changed, sealed = [], []
        for item in plan.to_seal:
            row = rows.get((item.partner, item.server))
            if row is None or row.reference != item.reference:
                raise Stale.of("MBX540")
            if made := self._sealed(row, from_text(item.reference), database, self.ring):
                changed.append(item)
                sealed.append(made)
        stored.write(connection, sealed)
        return tuple(changed)

    def _rows(self, connection: Connection, plan: Plan) -> dict[tuple[str, str], Stored]:
        partners = {item.partner for item in plan.to_seal} if self.ring else set(_moved(plan))
        return {
            (row.partner, called(row.name, row.number)): row
            for row in stored.read(connection, sorted(partners), lock=True)
        }

    def _sealed(
        self, row: Stored, reference: Reference, database: str, ring: Keyring
    ) -> Sealed | None:
        """What the row gets; None where it keeps what it has."""
        found = self.secrets.get(reference)
        foreign = row.sealed is not None and seal.key_id(row.sealed) is None
        if found is None or foreign:
            return None
        place = where(database, row.number)
        if row.sealed and seal.is_same(found.secret, row.fingerprint or "", place, ring):
            return None
        text = seal.seal(found.secret, place, ring.active)
        mark = seal.fingerprint(found.secret, place, ring.active)
        return Sealed(row.number, text, mark, found.version)

    @staticmethod
    def _outdated(plan: Plan, rows: Mapping[tuple[str, str], Stored]) -> Iterator[Sealed]:
        """Rows with a sealed password of what their reference was before."""
        for partner, names in _moved(plan).items():
            for name in names:
                row = rows.get((partner, name))
                if row and row.sealed and seal.key_id(row.sealed):
                    yield Sealed(row.number, *FORGOTTEN)


NOTHING_TO_SEAL = Sealer(None, {})


def _moved(plan: Plan) -> dict[str, list[str]]:
    """The servers by partner whose reference a plan changes."""
    found: dict[str, list[str]] = {}
    for part in plan.applicable:
        for change in part.changes:
            before, after = change.before, change.after
            if (
                isinstance(before, MailServer)
                and isinstance(after, MailServer)
                and before.password_reference != after.password_reference
            ):
                found.setdefault(part.partner, []).append(change.name)
    return found
