"""Sealing what was read for a plan, inside the transaction that writes its changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import passwords as kept
from reconciler.database import schema
from reconciler.database.passwords import FORGOTTEN, Sealed, Stored, where
from reconciler.model.state import MailServer, called
from reconciler.plan import freshness
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
        rows = self._rows(connection, plan)
        if self.ring is None:
            kept.write(connection, self._outdated(plan, rows))
            return {}
        database = schema.status_of(connection).database_id or ""
        changed: dict[Password, int] = {}
        sealed = []
        for item in plan.to_seal:
            row = rows.get((item.partner, item.server))
            if row is None or row.reference != item.reference:
                raise freshness.overtaken()
            if made := self._sealed(row, from_text(item.reference), database, self.ring):
                changed[item] = row.number
                sealed.append(made)
        kept.write(connection, sealed)
        return changed

    def _rows(self, connection: Connection, plan: Plan) -> dict[tuple[str, str], Stored]:
        partners = {item.partner for item in plan.to_seal} if self.ring else set(_repointed(plan))
        return {
            (row.partner, called(row.name, row.number)): row
            for row in kept.read(connection, sorted(partners), lock=True)
        }

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

    @staticmethod
    def _outdated(plan: Plan, rows: Mapping[tuple[str, str], Stored]) -> Iterator[Sealed]:
        """Rows with a sealed password of what their reference was before."""
        for partner, names in _repointed(plan).items():
            for name in names:
                row = rows.get((partner, name))
                if row and row.sealed and seal.key_id(row.sealed):
                    yield Sealed(row.number, *FORGOTTEN)


NOTHING_TO_SEAL = Sealer(None, {})


def _repointed(plan: Plan) -> dict[str, list[str]]:
    """The servers by partner whose reference a plan changes."""
    repointed: dict[str, list[str]] = {}
    for part in plan.applicable:
        for change in part.changes:
            before, after = change.before, change.after
            if (
                isinstance(before, MailServer)
                and isinstance(after, MailServer)
                and before.password_reference != after.password_reference
            ):
                repointed.setdefault(part.partner, []).append(change.name)
    return repointed
