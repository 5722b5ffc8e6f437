"""Logging in: one mechanism, chosen once, and what it says."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from reconciler.probes.failure import ProbeError, ServerRefusal

_ENCRYPTED = ("PLAIN", "LOGIN", "CRAM-MD5")
_IN_THE_CLEAR = ("CRAM-MD5", "PLAIN", "LOGIN")
_TURNS = 3
"""As many challenges are answered: no mechanism has more."""


class Login(NamedTuple):
    """Who logs in, and with what: a password, or the access token of OAuth 2.0."""

    username: str
    secret: str
    is_token: bool


def choose(offered: Iterable[str], login: Login, *, encrypted: bool) -> str:
    """The one mechanism to use: a second try would count as a second wrong password.

    Raises:
        ProbeError: the server offers none that fits.
    """
    names = {name.upper() for name in offered}
    usable = ("XOAUTH2",) if login.is_token else _ENCRYPTED if encrypted else _IN_THE_CLEAR
    for name in usable:
        if name in names:
            return name
    raise ProbeError("MBX827", offered=" ".join(sorted(names)) or "-", wanted=" ".join(usable))


def initial(mechanism: str, login: Login) -> str | None:
    """The first response, in base64; None where the server speaks first."""
    if mechanism == "PLAIN":
        return encoded(f"\0{login.username}\0{login.secret}")
    if mechanism == "XOAUTH2":
        return encoded(f"user={login.username}\1auth=Bearer {login.secret}\1\1")
    return None


def response(mechanism: str, login: Login, challenge: str, turn: int) -> str:
    """The answer to a challenge in base64; `turn` counts from 0."""
    if mechanism == "LOGIN":
        return encoded(login.username if turn == 0 else login.secret)
    if mechanism == "CRAM-MD5":
        key = login.secret.encode()
        digest = hmac.new(key, _decoded(challenge), "md5").hexdigest()
        return encoded(f"{login.username} {digest}")
    # XOAUTH2 explains a refusal in a challenge; an empty line asks for the refusal itself.
    return ""


class Exchange(Protocol):
    """How a protocol carries the challenges and answers of a login."""

    async def begin(self, mechanism: str, first: str | None) -> str | None:
        """Name the mechanism, with the first answer where that is given; the first challenge, or
        None where the server has made up its mind.
        """

    async def answer(self, text: str) -> str | None:
        """Answer a challenge; the next one, or None."""

    async def outcome(self) -> None:
        """Read what the server has made of the login.

        Raises:
            ServerRefusal: it is refused, or there were too many challenges.
        """


async def authenticate(
    exchange: Exchange, mechanism: str, login: Login, *, at_once: bool = True
) -> None:
    """Log in. The credential goes over the wire once, whatever the server answers.

    With `at_once` the first answer goes with the name of the mechanism.

    Raises:
        ServerRefusal: the server refuses the login; with its reason, where it gives one.
    """
    first = initial(mechanism, login)
    challenge = await exchange.begin(mechanism, first if at_once else None)
    if first is not None and not at_once and challenge is not None:
        challenge = await exchange.answer(first)
    why = ""
    for turn in range(_TURNS):
        if challenge is None:
            break
        if mechanism == "XOAUTH2":
            why = explanation(challenge)
        challenge = await exchange.answer(response(mechanism, login, challenge, turn))
    try:
        await exchange.outcome()
    except ServerRefusal as refusal:
        raise ServerRefusal(refusal.basic, f"{refusal.text} {why}".rstrip()) from None


def explanation(challenge: str) -> str:
    """What a refused XOAUTH2 says in its challenge: the status of a small JSON document."""
    try:
        said = json.loads(_decoded(challenge))
        return " ".join(f"{key}={said[key]}" for key in ("status", "schemes") if key in said)
    except (ValueError, TypeError, RecursionError):
        return ""


def encoded(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogateescape")).decode()


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text.strip(), validate=True)
    except ValueError:
        return b""
