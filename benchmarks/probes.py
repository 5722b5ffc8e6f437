"""`python -m benchmarks.probes`: what a test of a mailbox costs, beside the plainest loop.

1,000 mailboxes on 50 hosts, against a real Postfix where one is installed, else against a simulated
server; one of the hosts dead; and up to 100,000 mailboxes on simulated servers for memory.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import trustme

from benchmarks import maillab
from benchmarks.bars import Bar, ratio
from benchmarks.probing import DEAD, HOSTS, PASSWORD, Figures, address, host, user

MAILBOXES, MANY = 1_000, 100_000
TIMEOUT = 3
"""Seconds that a host may take, where one is dead."""


class Place(NamedTuple):
    """Where mailboxes are: a port on every address, and the authority of its certificate."""

    name: str
    port: int
    ca: str


class Measured(NamedTuple):
    """What tests of mailboxes cost, in lines, and whether that is what was promised."""

    lines: str
    bars: list[Bar]


def main() -> int:
    arguments = _arguments()
    measured = measure(
        arguments.runs,
        mailboxes=arguments.mailboxes,
        many=arguments.many,
        real=not arguments.simulated,
    )
    print(measured.lines, *measured.bars, sep="\n")
    return int(any(bar.verdict == "MISSED" for bar in measured.bars))


def measure(
    runs: int, *, mailboxes: int = MAILBOXES, many: int = MANY, real: bool = True
) -> Measured:
    """Measure everything; with `real` against Postfix, where it is installed."""
    figures: dict[str, Figures] = {}
    with _place(real=real, mailboxes=mailboxes) as place:
        title = f"{mailboxes:,} mailboxes on {HOSTS} hosts, {place.name}"
        print(f"measuring {title} …", file=sys.stderr)
        figures |= _beside(place, mailboxes, runs)
    figures |= _with_a_dead_host(mailboxes, runs)
    with _simulated(encrypted=False) as place:
        figures["few"] = _probe("reconciler", place, MAILBOXES)
        figures["many"] = _probe("reconciler", place, many)
    return Measured(f"{title}\n{table(figures)}", bars(figures, mailboxes, many))


def bars(figures: dict[str, Figures], mailboxes: int, many: int) -> list[Bar]:
    """What is promised, and whether these figures keep it."""
    own, loop = figures["reconciler"].cpu, figures["asyncio"].cpu
    dead, alive = figures["dead"], figures["alive"]
    few, all_of_them = figures["few"].memory, figures["many"].memory
    given_up = sum(count for name, count in dead.outcomes.items() if name != "ok")
    return [
        Bar("processor time of a test, to the plainest loop", ratio(own, loop), 1.5, "times"),
        Bar("a dead host among 50 adds to a run", dead.wall - alive.wall, TIMEOUT + 0.5, "s"),
        Bar(
            "mailboxes that end otherwise with a dead host",
            abs(given_up - mailboxes / HOSTS),
            0,
            "mailboxes",
        ),
        Bar(
            f"{many:,} mailboxes: memory, to {MAILBOXES:,}", ratio(all_of_them, few), 1.15, "times"
        ),
    ]


def table(figures: dict[str, Figures]) -> str:
    """Every run in a line."""
    lines = [f"{'run':<12}{'mailboxes':>10}{'ms cpu each':>13}{'s':>8}{'MiB':>7}"]
    for name, found in figures.items():
        count = sum(found.outcomes.values())
        each = found.cpu / count * 1000
        lines.append(f"{name:<12}{count:>10,}{each:>13.2f}{found.wall:>8.1f}{found.memory:>7.0f}")
    return "\n".join(lines)


def _beside(place: Place, mailboxes: int, runs: int) -> dict[str, Figures]:
    """The program and both loops in turn, so that a busy machine is busy for all of them."""
    ways = ("asyncio", "aiosmtplib", "reconciler")
    found: dict[str, list[Figures]] = {way: [] for way in ways}
    for _ in range(runs):
        for way in ways:
            found[way].append(_probe(way, place, mailboxes))
    return {way: _middle(several) for way, several in found.items()}


def _with_a_dead_host(mailboxes: int, runs: int) -> dict[str, Figures]:
    """The same run without and with one, in turn."""
    with _simulated(encrypted=False) as alive, _simulated(encrypted=False, dead=True) as dead:
        found: dict[str, list[Figures]] = {"alive": [], "dead": []}
        for _ in range(runs):
            found["alive"].append(_probe("reconciler", alive, mailboxes))
            found["dead"].append(_probe("reconciler", dead, mailboxes, "--dead"))
    return {name: _middle(several) for name, several in found.items()}


def _middle(several: list[Figures]) -> Figures:
    """The medians of all figures."""
    return Figures(
        median(figures.cpu for figures in several),
        median(figures.wall for figures in several),
        median(figures.memory for figures in several),
        several[0].outcomes,
    )


def _probe(way: str, place: Place, mailboxes: int, *more: str) -> Figures:
    command = [sys.executable, "-m", "benchmarks.probing", way, "--mailboxes", str(mailboxes)]
    command += ["--port", str(place.port), "--timeout", str(TIMEOUT if more else 30), *more]
    command += ["--ca", place.ca] if place.ca else []
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    figures = Figures(**json.loads(done.stdout))
    expected = mailboxes // HOSTS if more else 0
    failed = sum(count for name, count in figures.outcomes.items() if name != "ok")
    if failed != expected:
        raise RuntimeError(f"{way}: {figures.outcomes}")
    return figures


@contextmanager
def _place(*, real: bool, mailboxes: int) -> Iterator[Place]:
    names = [host(number) for number in range(HOSTS)]
    if not real or not maillab.is_possible():
        with _simulated(encrypted=True) as place:
            yield place
        return
    passwords = {user(number): PASSWORD for number in range(mailboxes)}
    addresses = " ".join(address(name) for name in names)
    with maillab.running(*names, passwords=passwords, addresses=addresses) as lab:
        yield Place("Postfix with TLS", lab.ports["submissions"], str(lab.folder / "ca.pem"))


@contextmanager
def _simulated(*, encrypted: bool, dead: bool = False) -> Iterator[Place]:
    names = [host(number) for number in range(HOSTS)]
    silent = host(DEAD) if dead else ""
    addresses = [address(name) for name in names if name != silent]
    port = _free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="reconciler-bench-")))
        more = [_certified(folder, names)] if encrypted else []
        if dead:
            stack.enter_context(_silent(address(silent), port))
        command = [sys.executable, "-m", "benchmarks.postbox", *addresses, str(port), *more]
        server = subprocess.Popen(command, stdout=subprocess.PIPE)
        stack.callback(server.wait)
        stack.callback(server.kill)
        assert server.stdout is not None
        stack.enter_context(server.stdout)
        if server.stdout.readline() != b"ready\n":
            raise RuntimeError("the simulated server does not start")
        yield Place("simulated", port, str(folder / "ca.pem") if encrypted else "")


def _certified(folder: Path, names: list[str]) -> str:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    chain = folder / "chain.pem"
    authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(chain))
    return str(chain)


@contextmanager
def _silent(where: str, port: int) -> Iterator[None]:
    """A host that drops what comes, as a firewall does: its queue is full."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind((where, port))
        full.listen(0)
        for _ in range(3):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex((where, port))
        yield


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probes", description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=MAILBOXES)
    parser.add_argument("--many", type=int, default=MANY)
    parser.add_argument("--runs", type=int, default=3, help="runs of each way (default: 3)")
    parser.add_argument("--simulated", action="store_true", help="use no real server")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
