"""One process that tests mailboxes, and says what that cost: `python -m benchmarks.probing WAY …`.

WAY is the program's own (`reconciler`), or the plainest loop that does the same conversations: with
nothing but asyncio (`asyncio`), or with a library that others use (`aiosmtplib`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import ssl
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

from benchmarks.maillab import DOMAIN
from reconciler.model.state import MailServer
from reconciler.probes.policy import Pace, Policy
from reconciler.probes.protocols.smtp import compose, new_token
from reconciler.probes.results import Level, ProbeResult
from reconciler.probes.schedule import Prober
from reconciler.probes.target import Sensitive, Target

HOSTS = 50
DEAD = 7
"""The host that does not answer, where one does not."""
PASSWORD = "bench-secret"  # noqa: S105 - of servers that live for a minute


class Work(NamedTuple):
    """What is to be tested: so many mailboxes on `HOSTS` hosts, all on this machine."""

    mailboxes: int
    port: int
    ca: str
    at_once: int
    timeout: int
    dead: bool

    @property
    def security(self) -> str:
        return "tls" if self.ca else "none"


class Figures(NamedTuple):
    """What it cost: seconds of processor and clock, and MiB at the peak; and how it ended."""

    cpu: float
    wall: float
    memory: float
    outcomes: dict[str, int]


def host(number: int) -> str:
    return f"h{number}.bench.test"


def address(name: str) -> str:
    """An address of its own for each host, so that ports do not run out."""
    number = int(name.partition(".")[0].removeprefix("h"))
    return f"127.0.1.{number + 1}"


def user(number: int) -> str:
    return f"u{number}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probing", description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--mailboxes", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", default="")
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--timeout", type=int, default=30)
    parser.add_argument("--dead", action="store_true")
    given = vars(parser.parse_args())
    way = WAYS[given.pop("way")]
    print(json.dumps(_measured(way, Work(**given))._asdict()))
    return 0


def _measured(way: Callable[[Work], Awaitable[Counter[str]]], work: Work) -> Figures:
    before, since = time.process_time(), time.monotonic()
    outcomes = asyncio.run(_run(way, work))
    cpu, wall = time.process_time() - before, time.monotonic() - since
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figures(cpu, wall, peak, dict(outcomes))


async def _run(way: Callable[[Work], Awaitable[Counter[str]]], work: Work) -> Counter[str]:
    return await way(work)


# --- the program's own way


class _Known:
    def reveal(self) -> str:
        return PASSWORD


async def _secret() -> Sensitive:
    return _Known()


async def _look_up(name: str) -> tuple[str, ...]:
    return (address(name),)


async def reconciler(work: Work) -> Counter[str]:
    """The results, counted as they come."""
    outcomes: Counter[str] = Counter()

    def consume(result: ProbeResult) -> None:
        outcomes[result.diagnosis.code if result.diagnosis else "ok"] += 1

    file = Path(work.ca)
    policy = Policy(
        public=False,
        networks=(ip_network("127.0.0.0/8"),),
        ports=frozenset((work.port,)),
        ca_folder=file.parent if work.ca else None,
    )
    prober = Prober(policy, Pace(at_once=work.at_once, attempts=1), look_up=_look_up)
    await prober.run(_targets(work), consume)
    return outcomes


def _targets(work: Work) -> Iterator[Target]:
    for number in range(work.mailboxes):
        name = f"{user(number)}@{DOMAIN}"
        server = MailServer(
            stable_id=user(number),
            direction="outgoing",
            protocol="smtp",
            nickname="",
            active=True,
            host=host(number % HOSTS),
            port=work.port,
            security=work.security,
            verify_certificate=True,
            ca_file=Path(work.ca).name or None,
            timeout=work.timeout,
            ehlo_name=None,
            ignore_changes=(),
            origins=None,
            auth="password",
            username=name,
            password_reference="env:BENCH",  # noqa: S106 - a reference
            sender_name="Bench",
            sender_email=name,
            reply_to=None,
            folder=None,
            company=None,
            importable=True,
            project="",
            file="bench.yaml",
        )
        yield Target(server, (f"bench/{user(number)}",), Level.SEND, _secret)


# --- the plainest loops


async def plain(work: Work) -> Counter[str]:
    """The same conversation with asyncio alone, written down once and never looked at."""
    context = ssl.create_default_context(cafile=work.ca) if work.ca else None
    room = asyncio.Semaphore(work.at_once)

    async def one(number: int) -> None:
        name = f"{user(number)}@{DOMAIN}"
        login = b64encode(f"\0{name}\0{PASSWORD}".encode()).decode()
        server = host(number % HOSTS)
        async with room:
            reader, writer = await asyncio.open_connection(
                address(server), work.port, ssl=context, server_hostname=server if context else None
            )
            await _answered(reader, b"220")
            for said, hoped in (
                ("EHLO [127.0.0.1]\r\n", b"250"),
                (f"AUTH PLAIN {login}\r\n", b"235"),
                (f"MAIL FROM:<{name}>\r\n", b"250"),
                (f"RCPT TO:<{name}>\r\n", b"250"),
                ("DATA\r\n", b"354"),
                (compose(name, "Bench", name, new_token()).data.decode(), b"250"),
                ("QUIT\r\n", b"221"),
            ):
                writer.write(said.encode())
                await _answered(reader, hoped)
            writer.close()

    await asyncio.gather(*map(one, range(work.mailboxes)))
    return Counter(ok=work.mailboxes)


async def _answered(reader: asyncio.StreamReader, hoped: bytes) -> None:
    while (line := await reader.readline())[3:4] == b"-":
        pass
    assert line.startswith(hoped), line


async def library(work: Work) -> Counter[str]:
    """The same conversation with aiosmtplib."""
    import aiosmtplib  # noqa: PLC0415 - only this way needs it

    context = ssl.create_default_context(cafile=work.ca) if work.ca else None
    if context:
        context.check_hostname = False  # it connects to an address, by its own name
    room = asyncio.Semaphore(work.at_once)

    async def one(number: int) -> None:
        name = f"{user(number)}@{DOMAIN}"
        async with room:
            client = aiosmtplib.SMTP(
                hostname=address(host(number % HOSTS)),
                port=work.port,
                use_tls=context is not None,
                start_tls=False,
                tls_context=context,
                local_hostname="[127.0.0.1]",
            )
            await client.connect()
            await client.auth_plain(name, PASSWORD)
            message = compose(name, "Bench", name, new_token()).data.removesuffix(b".\r\n")
            await client.sendmail(name, [name], message)
            await client.quit()

    await asyncio.gather(*map(one, range(work.mailboxes)))
    return Counter(ok=work.mailboxes)


WAYS: dict[str, Callable[[Work], Awaitable[Counter[str]]]] = {
    "reconciler": reconciler,
    "asyncio": plain,
    "aiosmtplib": library,
}

if __name__ == "__main__":
    sys.exit(main())
