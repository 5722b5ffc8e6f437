"""IMAP: greeting, STARTTLS, login, and a folder opened read-only."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import NamedTuple

from reconciler.probes.protocols import sasl
from reconciler.probes.protocols.sasl import Login
from reconciler.probes.protocols.talk import Talk
from reconciler.probes.results import ProbeError, ServerRefusal

_LITERAL = re.compile(r"\{(\d{1,20})\+?\}$")
_EXISTS = re.compile(r"(\d{1,10}) EXISTS", re.IGNORECASE)
_CAPABILITIES = re.compile(r"\[CAPABILITY ([^\]]*)\]", re.IGNORECASE)


class Answer(NamedTuple):
    """The tagged answer to a command, and the untagged lines before it."""

    text: str
    untagged: tuple[str, ...]


class Imap:
    """A client for the commands of a probe, in the order in which they are used."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._tags = 0
        self._tag = self._last = ""
        self._offers: frozenset[str] = frozenset()

    async def greet(self) -> None:
        self._talk.begin("greeting")
        line = await self._line()
        mark, _, rest = line.partition(" ")
        status, _, text = rest.partition(" ")
        if mark != "*" or status.upper() not in ("OK", "PREAUTH", "BYE"):
            raise ServerRefusal("", line)
        if status.upper() == "BYE":
            raise ServerRefusal("BYE", text)
        await self._ask_for_offers(text)
        self._talk.passed(server=_CAPABILITIES.sub("", text).strip()[:80])

    async def start_tls(self) -> None:
        self._talk.begin("tls")
        if "STARTTLS" not in self._offers:
            raise ProbeError("MBX766", " ".join(sorted(self._offers)))
        await self._command("STARTTLS")
        await self._talk.encrypt()
        await self._ask_for_offers("")

    async def log_in(self, login: Login) -> None:
        self._talk.begin("login")
        mechanism = self._mechanism(login)
        if mechanism == "LOGIN command":
            await self._command(f"LOGIN {_quoted(login.username)} {_quoted(login.secret)}")
        else:
            await sasl.authenticate(self, mechanism, login, at_once="SASL-IR" in self._offers)
        self._talk.passed(mechanism=mechanism)

    async def open(self, folder: str) -> None:
        """Open `folder` read-only and count what is in it."""
        self._talk.begin("folder")
        answer = await self._command(f"EXAMINE {_quoted(_utf7(folder))}")
        counts = [match[1] for line in answer.untagged if (match := _EXISTS.match(line))]
        if not counts:
            raise ProbeError("MBX826", answer.text)
        self._talk.passed(folder=folder, messages=int(counts[-1]))

    async def has(self, word: str) -> bool:
        """Whether the open folder has a message with `word` in its subject."""
        answer = await self._command(f"SEARCH SUBJECT {_quoted(word)}")
        lines = (line.upper().split() for line in answer.untagged)
        return any(words[:1] == ["SEARCH"] and len(words) > 1 for words in lines)

    async def leave(self) -> None:
        await self._talk.leave("z LOGOUT")

    def _mechanism(self, login: Login) -> str:
        encrypted = self._talk.wire.encrypted
        offered = [offer[5:] for offer in self._offers if offer.startswith("AUTH=")]
        may_say_login = "LOGINDISABLED" not in self._offers and not login.is_token
        if not may_say_login and not encrypted and not offered:
            raise ProbeError("MBX804", " ".join(sorted(self._offers)))
        plain = (login.username + login.secret).isascii()
        best = "PLAIN" if encrypted else "CRAM-MD5"
        if may_say_login and plain and best not in offered:
            return "LOGIN command"
        return sasl.choose(offered, login, encrypted=encrypted)

    async def begin(self, mechanism: str, first: str | None) -> str | None:
        self._tag = self._say(f"AUTHENTICATE {mechanism}" + (f" {first}" if first else ""))
        return await self._challenge()

    async def answer(self, text: str) -> str | None:
        self._talk.say(text)
        return await self._challenge()

    async def outcome(self) -> None:
        if self._last.startswith("+"):
            raise ServerRefusal("", self._last)
        await self._answer(self._tag, self._last)

    async def _challenge(self) -> str | None:
        self._last = await self._line()
        return self._last[1:].strip() if self._last.startswith("+") else None

    async def _ask_for_offers(self, text: str) -> None:
        """Take the capabilities from `text` if they are in it, or ask for them."""
        if match := _CAPABILITIES.search(text):
            words = match[1].split()
        else:
            answer = await self._command("CAPABILITY")
            words = [word for line in answer.untagged for word in line.split()]
        self._offers = frozenset(word.upper() for word in words)

    async def _command(self, line: str) -> Answer:
        return await self._answer(self._say(line), await self._line())

    def _say(self, line: str) -> str:
        self._tags += 1
        tag = f"a{self._tags}"
        self._talk.say(f"{tag} {line}")
        return tag

    async def _answer(self, tag: str, line: str) -> Answer:
        """Read on from `line` to the answer tagged `tag`; raises `ServerRefusal` where it is not
        OK, or the server says BYE, and `ProbeError` where this is not IMAP.
        """
        untagged = []
        while not line.startswith(tag + " "):
            if line[:6].upper() == "* BYE ":
                raise ServerRefusal("BYE", line[6:])
            if not line.startswith(("* ", "+")):
                raise ProbeError("MBX826", line)
            untagged.append(line[2:])
            line = await self._line()
        status, _, text = line[len(tag) + 1 :].partition(" ")
        if status.upper() != "OK":
            raise ServerRefusal(status.upper(), text)
        return Answer(text, tuple(untagged))

    async def _line(self) -> str:
        """The next line, read past the literals in it, which are left out."""
        line = await self._talk.line()
        while match := _LITERAL.search(line):
            await self._talk.wire.exactly(int(match[1]))
            line = line[: match.start()] + await self._talk.line()
        return line


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _utf7(folder: str) -> str:
    """A folder name in the modified UTF-7 of IMAP (RFC 3501, 5.1.3)."""
    parts: list[str] = []
    for match in re.finditer(r"[ -~]+|[^ -~]+", folder):
        text = match[0]
        if text.isascii():
            parts.append(text.replace("&", "&-"))
        else:
            packed = b64encode(text.encode("utf-16-be", "surrogatepass")).decode()
            parts.append("&" + packed.rstrip("=").replace("/", ",") + "-")
    return "".join(parts)
