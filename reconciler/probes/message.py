"""The message of a test send: plain, short, and recognizable by its token."""

from __future__ import annotations

import re
import secrets
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate
from typing import NamedTuple

_BODY = """\
This message shows that the mailbox can send.
Nobody needs to answer it.

Esta mensagem mostra que a caixa de e-mail consegue enviar.
Não é preciso responder.
{token}
"""
_DOT = re.compile(rb"^\.", re.MULTILINE)


class ProbeMessage(NamedTuple):
    """Sender, recipient, and what follows DATA, with dots doubled and the final one added."""

    sender: str
    recipient: str
    token: str
    data: bytes


def new_token() -> str:
    """A word that is in no other message."""
    return "mbx" + secrets.token_hex(12)


def compose(sender: str, name: str | None, recipient: str, token: str) -> ProbeMessage:
    """The test message; all texts are known to be single lines."""
    message = EmailMessage()
    message["From"] = _address(sender, name)
    message["To"] = _address(recipient)
    message["Subject"] = f"Test {token}"
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{token}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_BODY.format(token=token), cte="quoted-printable")
    policy = SMTP if (sender + recipient).isascii() else SMTPUTF8
    data = _DOT.sub(b"..", message.as_bytes(policy=policy))
    return ProbeMessage(sender, recipient, token, data + b".\r\n")


def _address(address: str, name: str | None = None) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name or "", local, domain)
