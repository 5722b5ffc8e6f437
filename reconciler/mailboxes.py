"""For the application: the passwords of mail servers, opened and sealed as the tool does.

from reconciler.mailboxes import Passwords
from reconciler.secrets.keyring import parse

passwords = Passwords(parse(os.environ["RECONCILER_KEYS"]), database_id)
smtp.login(username, passwords.unseal(server_id, password_sealed).reveal())
"""

from __future__ import annotations

from typing import NamedTuple

from reconciler.secrets import sealing
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.sealing import Where
from reconciler.secrets.secret import Secret

TABLE = "mail_server"
FIELD = "password"


class Sealed(NamedTuple):
    """What the columns of a password get."""

    text: str
    fingerprint: str


class Passwords:
    """The passwords of one database, by the number of the mail server."""

    def __init__(self, ring: Keyring, database_id: str) -> None:
        self._ring = ring
        self._database_id = database_id

    def unseal(self, server_id: int, text: str) -> Secret:
        """The password of that server, which its row holds as `text`.

        Raises:
            Failure: it is not one of ours (MBX692), its key is not in the ring (MBX693), or it was
                altered, or made for another row or database (MBX694).
        """
        return sealing.unseal(text, self.where(server_id), self._ring)

    def seal(self, server_id: int, password: Secret) -> Sealed:
        """What to write into the row of that server, which therefore has to be there already."""
        where, key = self.where(server_id), self._ring.active
        return Sealed(sealing.seal(password, where, key), sealing.fingerprint(password, where, key))

    def is_same(self, server_id: int, password: Secret, fingerprint: str) -> bool | None:
        """Whether the password has that fingerprint; None where the key to tell is missing."""
        return sealing.is_same(password, fingerprint, self.where(server_id), self._ring)

    def where(self, server_id: int) -> Where:
        """What the password of that server is bound to."""
        return Where(self._database_id, TABLE, str(server_id), FIELD)
