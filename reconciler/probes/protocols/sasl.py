"""SASL: the choice of one mechanism, and the exchange of challenges and responses."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from reconciler.probes.results import ProbeError, ServerRefusal

_ENCRYPTED = ("PLAIN", "LOGIN", "CRAM-MD5")
_IN_THE_CLEAR = ("CRAM-MD5", "PLAIN", "LOGIN")
_TURNS = 3
"""How many challenges are answered; no mechanism has more."""


class Login(NamedTuple):
    """Who logs in, and with what: a password, or the access token of OAuth 2.0."""

    username: str
    secret: str
    is_token: bool


def choose(offered: Iterable[str], login: Login, *, encrypted: bool) -> str:
    """The one mechanism to use; a second attempt would count as a second wrong password. Raises
    `ProbeError` where the server offers none that can be used.
    """
    names = {name.upper() for name in offered}
    usable = ("XOAUTH2",) if login.is_token else _ENCRYPTED if encrypted else _IN_THE_CLEAR
    if best := next((name for name in usable if name in names), None):
        return best
    raise ProbeError("MBX827", offered=" ".join(sorted(names)) or "-", wanted=" ".join(usable))


def initial(mechanism: str, login: Login) -> str | None:
    """The first response, in base64; None where the server speaks first."""
    plain = f"\0{login.username}\0{login.secret}"
    bearer = f"user={login.username}\1auth=Bearer {login.secret}\1\1"
    response = {"PLAIN": plain, "XOAUTH2": bearer}.get(mechanism)
    return None if response is None else encoded(response)


def response(mechanism: str, login: Login, challenge: str, turn: int) -> str:
    """The response to a challenge, in base64; `turn` counts the challenges from 0."""
    if mechanism == "LOGIN":
        return encoded(login.username if turn == 0 else login.secret)
    if mechanism == "CRAM-MD5":
        digest = hmac.new(login.secret.encode(), _decoded(challenge), "md5").hexdigest()
        return encoded(f"{login.username} {digest}")
    # XOAUTH2 explains a refusal in a challenge; an empty line asks for the refusal itself.
    return ""


class Exchange(Protocol):
    """How a protocol carries the challenges and answers of a login."""

    async def begin(self, mechanism: str, first: str | None) -> str | None:
        """Name the mechanism, with the initial response if there is one; returns the first
        challenge, or None if the server has already decided.
        """

    async def answer(self, text: str) -> str | None:
        """Answer a challenge; returns the next one, or None."""

    async def outcome(self) -> None:
        """Read the result of the login; raises `ServerRefusal` where it is negative, or there were
        too many challenges.
        """


async def authenticate(
    exchange: Exchange, mechanism: str, login: Login, *, at_once: bool = True
) -> None:
    """Log in. The credential goes over the wire once, whatever the server answers.

    With `at_once` the initial response is sent along with the name of the mechanism. Raises
    `ServerRefusal` where the server refuses the login; its text has the reason, if there is one.
    """
    first = initial(mechanism, login)
    challenge = await exchange.begin(mechanism, first if at_once else None)
    if first is not None and not at_once and challenge is not None:
        challenge = await exchange.answer(first)
    reason = ""
    for turn in range(_TURNS):
        if challenge is None:
            break
        if mechanism == "XOAUTH2":
            reason = explanation(challenge)
        challenge = await exchange.answer(response(mechanism, login, challenge, turn))
    try:
        await exchange.outcome()
    except ServerRefusal as refusal:
        raise ServerRefusal(refusal.basic, f"{refusal.text} {reason}".rstrip()) from None


def explanation(challenge: str) -> str:
    """The reason for refusing an XOAUTH2 login, from the JSON in its challenge; may be empty."""
    try:
        document = json.loads(_decoded(challenge))
        keys = (key for key in ("status", "schemes") if key in document)
        return " ".join(f"{key}={document[key]}" for key in keys)
    except (ValueError, TypeError, RecursionError):
        return ""


def encoded(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogateescape")).decode()


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text.strip(), validate=True)
    except ValueError:
        return b""
