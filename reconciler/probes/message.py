"""The message of a test send: plain, short, and found again by its token."""

from __future__ import annotations

import secrets
from email.header import Header
from email.utils import formatdate
from typing import NamedTuple

_BODY = (
    "This message shows that the mailbox can send.",
    "Nobody needs to answer it.",
    "",
    "Esta mensagem mostra que a caixa de e-mail consegue enviar.",
    "N=C3=A3o =C3=A9 preciso responder.",
)
"""In quoted-printable, which every server carries."""


class ProbeMessage(NamedTuple):
    """From whom to whom, and everything between DATA and its end, dot included."""

    sender: str
    recipient: str
    token: str
    data: bytes


def token() -> str:
    """One word that is in no other message."""
    return "mbx" + secrets.token_hex(12)


def compose(sender: str, name: str | None, recipient: str, word: str) -> ProbeMessage:
    """The test message `word`; all its texts are known to be single lines."""
    head = (
        f"From: {_named(name, sender)}",
        f"To: <{recipient}>",
        f"Subject: Test {word}",
        f"Date: {formatdate()}",
        f"Message-ID: <{word}@{sender.rpartition('@')[2]}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        "",
    )
    lines = (*head, *_BODY, "", word, ".", "")
    return ProbeMessage(sender, recipient, word, "\r\n".join(lines).encode("utf-8", "replace"))


def _named(name: str | None, address: str) -> str:
    if not name:
        return f"<{address}>"
    if name.isascii():
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address}>'
    return f"{Header(name, 'utf-8').encode(linesep=chr(13) + chr(10))} <{address}>"
