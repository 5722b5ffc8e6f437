"""Rows → targets: what is tested of each server, whom it writes to, where that is looked for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from reconciler.database import bulk, listing, passwords
from reconciler.database.listing import Listed
from reconciler.database.tables import company, link, mail_server
from reconciler.model.state import MailServer
from reconciler.probes.credentials import Asking, Credentials, Secrets
from reconciler.probes.results import Level
from reconciler.probes.select import rows
from reconciler.probes.target import Target

_NO_READER = "MBX840"


class Purpose(NamedTuple):
    """What all tests of a run are to do.

    `to` is whom messages go to in place of the sender. `to_companies` has the hosts where nobody
    may write to itself: from there it is the notification address of a linked company. With
    `round_trip` a message is looked for in the incoming mailbox of the same company.
    """

    level: Level = Level.SEND
    to: str | None = None
    to_companies: frozenset[str] = frozenset()
    round_trip: bool = False


class Batch(NamedTuple):
    """Targets that were made together, the secrets they share, and the rows by their names."""

    targets: tuple[Target, ...]
    secrets: Secrets
    numbers: Mapping[str, int]


def batch_of(
    connection: Connection, numbers: Sequence[int], purpose: Purpose, credentials: Credentials
) -> Batch:
    """The targets of these rows, as far as they are still there."""
    found = sorted(rows(connection, numbers), key=lambda row: row.row_id)
    senders = [row for row in found if row.server.direction == "outgoing"]
    readers = _readers(connection, senders) if purpose.round_trip else {}
    everybody = {row.row_id: row for row in (*found, *readers.values())}
    sealed = passwords.sealed(connection, list(everybody))
    secrets = credentials.batch(
        Asking(number, row.partner, row.server, sealed.get(number))
        for number, row in everybody.items()
    )
    notified = _notified(connection, senders, purpose)
    targets: dict[Hashable, Target] = {}
    for row in found:
        made = _target(row, purpose.level, secrets)
        if row.server.direction == "outgoing":
            made = made._replace(recipient=purpose.to or notified.get(row.row_id))
            if purpose.round_trip:
                made = _with_reader(made, readers.get(row.row_id), secrets)
        targets[row.row_id] = made
    names = {row.address: row.row_id for row in found}
    return Batch(secrets.distinct(targets), secrets, names)


def _target(row: Listed, level: Level, secrets: Secrets) -> Target:
    return Target(row.server, (row.address,), level, secrets.source(row.row_id))


def _with_reader(sender: Target, reader: Listed | None, secrets: Secrets) -> Target:
    """The same, writing to the mailbox in which the message is looked for."""
    if reader is None:
        return sender._replace(lacking=_NO_READER)
    recipient = sender.recipient or _address(reader.server) or sender.server.sender_email
    return sender._replace(recipient=recipient, reader=_target(reader, Level.SEND, secrets))


def _address(server: MailServer) -> str | None:
    """Where mail for an incoming server goes to, as far as its row tells."""
    return server.username if server.username and "@" in server.username else None


def _readers(connection: Connection, senders: Iterable[Listed]) -> dict[int, Listed]:
    """The incoming server in use by a company that also uses the sender, by the sender's row.

    The one that gets what is written to the sender goes before others.
    """
    own, other = link.alias("own"), link.alias("other")
    query = (
        select(own.c.mail_server_id, other.c.mail_server_id)
        .join(other, own.c.cnpj == other.c.cnpj)
        .join(mail_server, mail_server.c.id == other.c.mail_server_id)
        .where(
            own.c.mail_server_id.in_([row.row_id for row in senders]),
            own.c.active,
            other.c.active,
            mail_server.c.direction == "incoming",
            listing.is_active(),
        )
    )
    pairs = sorted(set(bulk.fetch(connection, query)))
    known = {row.row_id: row for row in rows(connection, {reader for _, reader in pairs})}
    found: dict[int, Listed] = {}
    emails = {row.row_id: row.server.sender_email for row in senders}
    for sender, reader in pairs:
        row = known.get(reader)
        if row and (sender not in found or _address(row.server) == emails[sender]):
            found[sender] = row
    return found


def _notified(
    connection: Connection, senders: Iterable[Listed], purpose: Purpose
) -> dict[int, str]:
    """The notification address of the first linked company that has one, by the sender's row."""
    hosts = purpose.to_companies
    asking = [row.row_id for row in senders if row.server.host.lower() in hosts]
    if not asking:
        return {}
    query = (
        select(link.c.mail_server_id, link.c.cnpj, company.c.notification_email)
        .join(company, company.c.cnpj == link.c.cnpj)
        .where(
            link.c.mail_server_id.in_(asking),
            link.c.active,
            company.c.notification_email.is_not(None),
        )
        .order_by(link.c.mail_server_id, link.c.cnpj.desc())
    )
    return {number: email for number, _cnpj, email in bulk.fetch(connection, query)}
