"""Sealing what was read for a plan, inside the transaction that writes its changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import passwords as kept
from reconciler.database import schema
from reconciler.database.passwords import FORGOTTEN, Sealed, Stored, where
from reconciler.diagnostics.problem import Stale
from reconciler.model.state import MailServer, called
from reconciler.plan.plan import Password, Plan
from reconciler.secrets import seal
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.read import ReadSecret
from reconciler.secrets.references import Reference, from_text


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
            outdated = _repointed(plan)
            rows = _rows(connection, {partner for partner, _ in outdated})
            kept.write(
                connection,
                (
                    Sealed(row.number, *FORGOTTEN)
                    for name, row in rows.items()
                    if name in outdated and row.sealed and seal.key_id(row.sealed)
                ),
            )
            return {}
        rows = _rows(connection, {item.partner for item in plan.to_seal})
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


def _rows(connection: Connection, partners: set[str]) -> dict[tuple[str, str], Stored]:
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
