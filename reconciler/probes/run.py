"""A run over the database: targets taken in some at a time, verdicts written back in between.

However many mail servers there are, only those of a few batches are in memory, with their secrets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select

from reconciler.database import bulk, listing, passwords, verdicts
from reconciler.database.engine import transaction
from reconciler.database.listing import Listed
from reconciler.database.tables import company, link, mail_server
from reconciler.database.verdicts import TestVerdict
from reconciler.diagnostics.problem import Failure
from reconciler.model.state import MailServer
from reconciler.probes.credentials import Credentials, SecretRequest, Secrets
from reconciler.probes.protocols.aside import aside
from reconciler.probes.results import Hide, Level, ProbeResult, redacted
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


class Run:
    """The targets of a run, and their verdicts, which are written with `writing` if that is given.

    `failure` is why verdicts can no longer be written: the run goes on without, so that its results
    are told.
    """

    def __init__(
        self,
        batches: Sequence[tuple[int, ...]],
        purpose: Purpose,
        credentials: Credentials,
        reading: Engine,
        writing: Engine | None,
    ) -> None:
        self._waiting = list(reversed(batches))
        self._purpose = purpose
        self._credentials = credentials
        self._reading = reading
        self._writing = writing
        self._open: dict[tuple[str, ...], Batch] = {}
        self._verdicts: list[tuple[int, TestVerdict]] = []
        self.failure: Failure | None = None

    async def targets(self) -> AsyncIterator[Target]:
        """All targets, each batch read when the one before has been taken."""
        while self._waiting:
            await aside(partial(self._write, self._taken()))
            batch = await aside(partial(self._read, self._waiting.pop()))
            for target in self._opened(batch):
                yield target

    def finished(self, result: ProbeResult) -> ProbeResult:
        """Take note of a result; returns it without any secret of the run."""
        shown = without_secrets(result, self._credentials.stores.redactor.redact)
        batch = self._open.pop(result.names)
        verdict = verdict_of(shown)
        self._verdicts += [(batch.numbers[name], verdict) for name in result.names]
        del batch.open[result.names]
        if not batch.open:
            batch.secrets.forget()
        return shown

    def untested(self) -> Iterator[ProbeResult]:
        """A result for everything that is not finished when the time is over."""
        for names, batch in list(self._open.items()):
            yield batch.open[names].untried("MBX854")
        while self._waiting:
            self.keep()
            for target in self._opened(self._read(self._waiting.pop())):
                yield target.untried("MBX854")

    def keep(self) -> None:
        """Write the verdicts since the last time."""
        self._write(self._taken())

    def _taken(self) -> list[tuple[int, TestVerdict]]:
        taken, self._verdicts = self._verdicts, []
        return taken

    def _write(self, taken: list[tuple[int, TestVerdict]]) -> None:
        if self._writing is None or self.failure:
            return
        try:
            verdicts.keep(self._writing, taken)
        except Failure as failure:
            self.failure = failure

    def _read(self, numbers: tuple[int, ...]) -> Batch:
        with transaction(self._reading) as connection:
            return batch_of(connection, numbers, self._purpose, self._credentials)

    def _opened(self, batch: Batch) -> list[Target]:
        self._open |= dict.fromkeys(batch.open, batch)
        return list(batch.open.values())


def verdict_of(result: ProbeResult) -> TestVerdict:
    """What the database keeps of a result."""
    verdict, failed = TestVerdict(result.outcome.value, str(result.level)), result.diagnosis
    if failed is None:
        return verdict
    return verdict._replace(code=failed.code, step=failed.step, line=failed.line or None)


def without_secrets(result: ProbeResult, hide: Hide) -> ProbeResult:
    """`result` without anything that would give away a secret of another mailbox."""
    failed = result.diagnosis
    return result._replace(
        steps=tuple(step._replace(facts=redacted(step.facts, hide)) for step in result.steps),
        diagnosis=failed
        and failed._replace(line=hide(failed.line), values=redacted(failed.values, hide)),
    )


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
