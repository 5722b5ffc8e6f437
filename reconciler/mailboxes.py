"""For the invoicing application: its mailboxes with their passwords, opened and sealed as here.

    from reconciler.mailboxes import Mailboxes, keyring

    mailboxes = Mailboxes(connection, keyring(os.environ["RECONCILER_KEYS"]))
    for mailbox in mailboxes.of_company("12345678000195", direction="outgoing"):
        smtp.login(mailbox.username, mailboxes.password(mailbox).reveal())

    mailboxes.store(mail_server_id, Secret(typed))  # of a row that the application has inserted

`connection` is one of SQLAlchemy; the transaction is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, column, select, table

from reconciler.database import passwords, schema
from reconciler.database.passwords import Sealed, where
from reconciler.diagnostics.problem import Failure
from reconciler.secrets import seal
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.keyring import parse as keyring
from reconciler.secrets.secret import Secret

__all__ = ["Mailbox", "Mailboxes", "Secret", "keyring", "where"]


class Mailbox(NamedTuple):
    """A row of the view `company_mailbox`: a mailbox of a company, with all it takes to use it.

    `password_reference` says where the password is, as in `vault:smtp/acme#/nfe`;
    `password_sealed` is what `Mailboxes.password` opens.
    """

    partner: str
    cnpj: str
    company_nickname: str
    mail_server_id: int
    stable_id: str | None
    nickname: str
    direction: str
    protocol: str
    host: str
    port: int | None
    security: str | None
    verify_certificate: bool | None
    ca_file: str | None
    timeout: int | None
    ehlo_name: str | None
    auth: str
    username: str | None
    password_reference: str | None
    password_sealed: str | None
    sender_name: str | None
    sender_email: str | None
    reply_to: str | None
    folder: str | None

    def __repr__(self) -> str:
        """Leaves out the sealed password, which does not belong in a log."""
        return f"<mailbox {self.mail_server_id} of {self.cnpj}>"


_VIEW = table("company_mailbox", *(column(name) for name in Mailbox._fields))


class Mailboxes:
    """The active mailboxes of a database, and their passwords."""

    def __init__(self, connection: Connection, ring: Keyring) -> None:
        """Read through `connection`, with the keys of `ring`.

        Raises:
            Failure: the database is not of this version of the tool.
        """
        status = schema.status_of(connection)
        schema.require(status)
        self._connection = connection
        self._ring = ring
        self._database = status.database_id or ""

    def of_company(self, cnpj: str, direction: str | None = None) -> Iterator[Mailbox]:
        """The mailboxes of a company, by its CNPJ without the mask: `outgoing`, `incoming`, all."""
        query = select(_VIEW).where(_VIEW.c.cnpj == cnpj).order_by(_VIEW.c.mail_server_id)
        if direction:
            query = query.where(_VIEW.c.direction == direction)
        yield from map(Mailbox._make, self._connection.execute(query))

    def password(self, mailbox: Mailbox) -> Secret | None:
        """The password of a mailbox; None where the database keeps a reference only, or nothing.

        Raises:
            Failure: another program has written it (MBX692), its key is not in the ring (MBX693),
                or it was altered, or made for another row or database (MBX694).
        """
        text = mailbox.password_sealed
        return self.opened(mailbox.mail_server_id, text) if text else None

    def opened(self, server: int, text: str) -> Secret:
        """The password that the row of a mail server keeps as `text`; raises as `password`."""
        return seal.unseal(text, where(self._database, server), self._ring)

    def store(self, server: int, password: Secret) -> None:
        """Seal the password of a mail server into its row, which has to be there already.

        Raises:
            Failure: it is not (MBX699).
        """
        place, key = where(self._database, server), self._ring.active
        text, mark = seal.seal(password, place, key), seal.fingerprint(password, place, key)
        if not passwords.write(self._connection, [Sealed(server, text, mark, None)]):
            raise Failure.of("MBX699", number=server)
