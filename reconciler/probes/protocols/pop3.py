"""POP3: greeting, STLS, login, and the messages counted."""

from __future__ import annotations

import re
from contextlib import suppress

from reconciler.probes.protocols import sasl
from reconciler.probes.protocols.sasl import Login
from reconciler.probes.protocols.talk import Talk
from reconciler.probes.results import ProbeError, ServerRefusal

_STAT = re.compile(r"(\d{1,10}) \d+")
NEWEST = 8
"""How many of the newest messages a round trip searches for its own."""


class Pop3:
    """A client for the commands of a probe, in the order in which they are used."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._offers: dict[str, str] = {}
        self._messages = 0
        self._last = ""

    async def greet(self) -> None:
        self._talk.begin("greeting")
        text = await self._status(await self._talk.line())
        await self._ask_for_offers()
        self._talk.passed(server=text[:80])

    async def start_tls(self) -> None:
        self._talk.begin("tls")
        if self._offers and "STLS" not in self._offers:
            raise ProbeError("MBX766", " ".join(sorted(self._offers)))
        await self._command("STLS")
        await self._talk.encrypt()
        await self._ask_for_offers()

    async def log_in(self, login: Login) -> None:
        self._talk.begin("login")
        mechanism = self._mechanism(login)
        if mechanism == "USER":
            await self._command(f"USER {login.username}")
            await self._command(f"PASS {login.secret}")
        else:
            await sasl.authenticate(self, mechanism, login, at_once=False)
        self._talk.passed(mechanism=mechanism)

    async def open(self, _folder: str) -> None:
        """Count the messages; POP3 has only one folder."""
        self._talk.begin("folder")
        text = await self._command("STAT")
        match = _STAT.match(text)
        if match is None:
            raise ProbeError("MBX826", text)
        self._messages = int(match[1])
        self._talk.passed(folder="INBOX", messages=self._messages)

    async def has(self, word: str) -> bool:
        """Whether one of the newest messages has `word` in its header."""
        for number in range(self._messages, max(self._messages - NEWEST, 0), -1):
            await self._command(f"TOP {number} 0")
            if any(word in line for line in await self._rest()):
                return True
        return False

    async def leave(self) -> None:
        await self._talk.leave("QUIT")

    def _mechanism(self, login: Login) -> str:
        offered = self._offers.get("SASL", "").split()
        if not login.is_token and ("USER" in self._offers or not offered):
            return "USER"
        return sasl.choose(offered, login, encrypted=self._talk.wire.encrypted)

    async def begin(self, mechanism: str, _first: str | None) -> str | None:
        return await self.answer(f"AUTH {mechanism}")

    async def answer(self, text: str) -> str | None:
        self._talk.say(text)
        self._last = await self._talk.line()
        is_challenge = self._last == "+" or self._last.startswith("+ ")
        return self._last[1:].strip() if is_challenge else None

    async def outcome(self) -> None:
        await self._status(self._last)

    async def _ask_for_offers(self) -> None:
        """Ask for the capabilities, a command that old servers do not know."""
        self._talk.say("CAPA")
        self._offers = {}
        with suppress(ServerRefusal):
            await self._status(await self._talk.line())
            pairs = [line.partition(" ") for line in await self._rest()]
            self._offers = {key.upper(): values.upper() for key, _, values in pairs}

    async def _command(self, line: str) -> str:
        self._talk.say(line)
        return await self._status(await self._talk.line())

    async def _status(self, line: str) -> str:
        """The text of a positive status line; raises `ServerRefusal` for anything else."""
        status, _, text = line.partition(" ")
        if status == "+OK":
            return text
        raise ServerRefusal(*((status, text) if status == "-ERR" else ("", line)))

    async def _rest(self) -> list[str]:
        """The lines of a multi-line answer, without the final dot."""
        lines = []
        while (line := await self._talk.line()) != ".":
            lines.append(line)
        return lines
