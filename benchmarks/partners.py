"""The partners of an estate of any size, the same ones every time.

Twenty servers and twenty companies each, ten links a server; some CNPJs carry letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS_PER_PARTNER = 20
COMPANIES_PER_PARTNER = 20
LINKS_PER_SERVER = 10
_WEIGHTS = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


@dataclass(frozen=True)
class Server:
    """One mailbox of a partner; odd ones send, even ones read."""

    id: str
    outgoing: bool
    nickname: str
    host: str
    username: str
    password_env: str
    sender_name: str
    links: tuple[tuple[str, str], ...]
    """The CNPJ of each company, and the sender name of that link or nothing."""


@dataclass(frozen=True)
class Partner:
    """The partner of that number, counted from 1, and all that its file declares."""

    number: int
    first_server: int
    servers: int
    changed_percent: float = 0

    @property
    def id(self) -> str:
        return f"partner-{self.number:05}"

    @property
    def domain(self) -> str:
        return f"{self.id}.example"

    @cached_property
    def cnpjs(self) -> tuple[str, ...]:
        """A head office and its branches: one root, with letters for every third partner."""
        lettered = self.number % 3 == 0
        root = f"{self.number:06}NF" if lettered else f"{10_000_000 + self.number}"
        orders = range(1, COMPANIES_PER_PARTNER + 1)
        return tuple(masked_cnpj(f"{root}{order:04}") for order in orders)

    def mail_servers(self) -> Iterator[Server]:
        return map(self._mail_server, range(1, self.servers + 1))

    def _mail_server(self, place: int) -> Server:
        outgoing = place % 2 == 1
        kind, purpose = ("nfe", "Envio de NF-e") if outgoing else ("xml", "Leitura de XML")
        edited = _is_changed(self.first_server + place - 1, self.changed_percent)
        return Server(
            id=f"{kind}-{place:02}",
            outgoing=outgoing,
            nickname=f"{purpose} {place:02}" + (", após a mudança" if edited else ""),
            host=f"mail.{self.domain}",
            username=f"{kind}-{place:02}@{self.domain}",
            password_env=f"PARTNER_{self.number:05}_{kind.upper()}_{place:02}_PASSWORD",
            sender_name=f"Parceiro {self.number} Faturamento",
            links=tuple(self._links(place, outgoing=outgoing)),
        )

    def _links(self, place: int, *, outgoing: bool) -> Iterator[tuple[str, str]]:
        for step in range(LINKS_PER_SERVER):
            company = (place + step) % COMPANIES_PER_PARTNER
            named = outgoing and step == 0
            yield self.cnpjs[company], f"Filial {company + 1:02} Faturamento" if named else ""


def masked_cnpj(base: str) -> str:
    """The CNPJ of these twelve characters, with its check digits and its mask."""
    first = _check_digit(base)
    second = _check_digit(base + first)
    return f"{base[:2]}.{base[2:5]}.{base[5:8]}/{base[8:]}-{first}{second}"


def _check_digit(text: str) -> str:
    weights = _WEIGHTS[-len(text) :]
    total = sum((ord(char) - 48) * weight for char, weight in zip(text, weights, strict=True))
    return str((11 - total % 11) % 11 % 10)


def _is_changed(server: int, percent: float) -> bool:
    """Whether this server is one of the share that changed, spread evenly over all of them."""
    return int((server + 1) * percent / 100) > int(server * percent / 100)


def partners(servers: int, changed_percent: float = 0) -> Iterator[Partner]:
    """Whose servers they are: N/20 partners, at least one, with equally many each."""
    count = max(1, servers // SERVERS_PER_PARTNER)
    first = 0
    for number in range(1, count + 1):
        share = servers // count + (number <= servers % count)
        yield Partner(number, first, share, changed_percent)
        first += share
