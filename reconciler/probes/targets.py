"""Rows → targets: what is tested of each server, whom it writes to, where that is looked for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from reconciler.database import bulk, listing, passwords
from reconciler.database.listing import Listed
from reconciler.database.tables import company, link, mail_server
from reconciler.model.state import MailServer
from reconciler.probes.credentials import Credentials, SecretRequest, Secrets
from reconciler.probes.results import Level
from reconciler.probes.select import rows_of
from reconciler.probes.target import Target


class Purpose(NamedTuple):
    """What all tests of a run are to do.

    `to` is whom messages go to in place of the sender. From the hosts `to_companies`, on which no
    mailbox may write to itself, they go to the notification address of a linked company. With
    `round_trip` each message is looked for in an incoming mailbox of the same company.
    """

    level: Level = Level.SEND
    to: str | None = None
    to_companies: frozenset[str] = frozenset()
    round_trip: bool = False


class Batch(NamedTuple):
    """Targets that were made together, the secrets they share, and the rows by their names.

    `open` has the targets that are not finished, by their names.
    """

    open: dict[tuple[str, ...], Target]
    secrets: Secrets
    numbers: Mapping[str, int]


def batch_of(
    connection: Connection, numbers: Sequence[int], purpose: Purpose, credentials: Credentials
) -> Batch:
    """The targets of the rows with these numbers, as far as they still exist."""
    rows = sorted(rows_of(connection, numbers), key=lambda row: row.row_id)
    senders = [row for row in rows if row.server.direction == "outgoing"]
    readers = _readers(connection, senders) if purpose.round_trip else {}
    by_number = {row.row_id: row for row in (*rows, *readers.values())}
    sealed = passwords.sealed(connection, list(by_number))
    secrets = credentials.batch(
        SecretRequest(number, row.partner, row.server, sealed.get(number))
        for number, row in by_number.items()
    )
    notified = _notified(connection, senders, purpose)
    targets: dict[Hashable, Target] = {}
    for row in rows:
        target = _target(row, purpose.level, secrets)
        if row.server.direction == "outgoing":
            target = target._replace(recipient=purpose.to or notified.get(row.row_id))
            if purpose.round_trip:
                target = _with_reader(target, readers.get(row.row_id), secrets)
        targets[row.row_id] = target
    distinct = {target.names: target for target in secrets.distinct(targets)}
    return Batch(distinct, secrets, {row.address: row.row_id for row in rows})


def _target(row: Listed, level: Level, secrets: Secrets) -> Target:
    return Target(row.server, (row.address,), level, secrets.source(row.row_id))


def _with_reader(sender: Target, reader: Listed | None, secrets: Secrets) -> Target:
    """The same, writing to the mailbox in which the message is looked for."""
    if reader is None:
        return sender._replace(lacking="MBX840")
    recipient = sender.recipient or _address(reader.server) or sender.server.sender_email
    return sender._replace(recipient=recipient, reader=_target(reader, Level.SEND, secrets))


def _address(server: MailServer) -> str | None:
    """The address whose mail an incoming server has, as far as its row tells."""
    return server.username if server.username and "@" in server.username else None


def _readers(connection: Connection, senders: Iterable[Listed]) -> dict[int, Listed]:
    """An active incoming server of a company that also uses the sender, by the sender's row.

    One that gets what is written to the sender itself is preferred.
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
    rows = {row.row_id: row for row in rows_of(connection, {reader for _, reader in pairs})}
    emails = {row.row_id: row.server.sender_email for row in senders}
    readers: dict[int, Listed] = {}
    for sender, reader in pairs:
        row = rows.get(reader)
        if row and (sender not in readers or _address(row.server) == emails[sender]):
            readers[sender] = row
    return readers


def _notified(
    connection: Connection, senders: Iterable[Listed], purpose: Purpose
) -> dict[int, str]:
    """The notification address of the first linked company that has one, by the sender's row."""
    hosts = purpose.to_companies
    numbers = [row.row_id for row in senders if row.server.host.lower() in hosts]
    if not numbers:
        return {}
    query = (
        select(link.c.mail_server_id, link.c.cnpj, company.c.notification_email)
        .join(company, company.c.cnpj == link.c.cnpj)
        .where(
            link.c.mail_server_id.in_(numbers),
            link.c.active,
            company.c.notification_email.is_not(None),
        )
        .order_by(link.c.mail_server_id, link.c.cnpj.desc())
    )
    return {number: email for number, _cnpj, email in bulk.fetch(connection, query)}
