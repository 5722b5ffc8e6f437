"""Where a probe may connect: every address is checked, and looked up once."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_network
from threading import Event

import pytest

from reconciler.probes import conversation
from reconciler.probes.policy import MAIL_PORTS, Pace, Policy
from reconciler.probes.protocols.addresses import MOST, Resolver, allowed, may_connect
from reconciler.probes.results import ProbeError, ProbeOutcome, ProbeResult
from reconciler.probes.schedule import Prober
from tests.support.mailservers import Pauses, loopback, probed, prober, served, smtp, target

INTERNET = Policy()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2001:0:53aa:64c:0:0:80ff:fffe",
    ],
)
def test_no_probe_goes_to(address: str) -> None:
    assert not may_connect(address, INTERNET)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_the_internet_is_allowed(address: str) -> None:
    assert may_connect(address, INTERNET)
    assert not may_connect(address, Policy(public=False))


def test_settings_allow_networks() -> None:
    inside = Policy(networks=(ip_network("10.1.0.0/16"), ip_network("fd00::/8")))
    assert may_connect("10.1.2.3", inside)
    assert may_connect("fd00::1", inside)
    assert may_connect("::ffff:10.1.2.3", inside)
    assert not may_connect("10.2.0.1", inside)


def test_only_allowed_addresses_are_kept_and_not_too_many() -> None:
    assert allowed(("127.0.0.1", "8.8.8.8"), "x", INTERNET) == ("8.8.8.8",)
    assert len(allowed(tuple(f"8.8.8.{i}" for i in range(20)), "x", INTERNET)) == MOST
    with pytest.raises(ProbeError, match="MBX822"):
        allowed(("127.0.0.1", "::1"), "x", INTERNET)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1", "0x7f000001"])
def test_loopback_is_refused_by_default_under_every_name(host: str) -> None:
    server = smtp()

    async def run() -> ProbeResult:
        async with served(server) as port:
            bounds = Policy(ports=frozenset((port,)))
            return await Prober(bounds, Pace()).probe(target(port, host=host))

    result = asyncio.run(run())
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.outcome) == ("MBX822", ProbeOutcome.NOT_TESTED)
    assert server.connections == 0


@pytest.mark.parametrize("port", [22, 80, 3306, 6379])
def test_other_ports_are_refused_before_anything_is_looked_up(port: int) -> None:
    asked: list[str] = []

    async def look_up(host: str) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",)

    bounds = loopback(ports=MAIL_PORTS)
    found = Prober(bounds, Pace(), look_up=look_up)
    result = asyncio.run(found.probe(target(port)))
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.outcome) == ("MBX821", ProbeOutcome.NOT_TESTED)
    assert asked == []


def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """A name server that changes its answer gains nothing."""
    answers = [("127.0.0.1",), ("10.0.0.1",), ("10.0.0.1",)]

    async def look_up(_host: str) -> tuple[str, ...]:
        return answers.pop(0)

    async def run() -> tuple[ProbeResult, ProbeResult]:
        async with served(smtp()) as port:
            found = Prober(loopback(), Pace(), look_up=look_up)
            return await found.probe(target(port)), await found.probe(target(port))

    for result in asyncio.run(run()):
        assert dict(result.steps[1].facts)["address"] == "127.0.0.1"
    assert len(answers) == 2


def test_one_look_up_for_many_mailboxes() -> None:
    asked: list[str] = []

    async def look_up(host: str) -> tuple[str, ...]:
        asked.append(host)
        await asyncio.sleep(0)
        return ("127.0.0.1",)

    async def run() -> None:
        async with served(smtp()) as port:
            found = Prober(loopback(), Pace(), look_up=look_up, pause=Pauses())
            wanted = [target(port, username=f"u{n}", host=f"h{n % 3}.test") for n in range(30)]
            await found.run(wanted, lambda _: None)

    asyncio.run(run())
    assert sorted(asked) == ["h0.test", "h1.test", "h2.test"]


def test_a_resolver_that_hangs_costs_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hanging.wait(20) and [])
    result = asyncio.run(Prober(loopback(deadline=0.2), Pace()).probe(target(465)))
    hanging.set()
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.diagnosis.step) == ("MBX818", "resolve")
    assert result.seconds < 2


def test_a_temporary_answer_is_not_kept() -> None:
    answers = [socket.EAI_AGAIN, socket.EAI_NONAME, socket.EAI_NONAME]

    async def look_up(_host: str) -> tuple[str, ...]:
        raise socket.gaierror(answers.pop(0), "no")

    async def run() -> None:
        resolver = Resolver(look_up)
        for _ in range(4):
            with pytest.raises(socket.gaierror):
                await resolver.addresses("x.test")

    asyncio.run(run())
    assert answers == [socket.EAI_NONAME]


def test_the_next_address_is_tried() -> None:
    async def look_up(_host: str) -> tuple[str, ...]:
        return ("127.0.0.9", "127.0.0.1")

    async def run() -> ProbeResult:
        async with served(smtp()) as port:
            return await Prober(loopback(), Pace(), look_up=look_up).probe(target(port))

    result = asyncio.run(run())
    assert result.outcome is ProbeOutcome.PASSED
    assert dict(result.steps[1].facts)["address"] == "127.0.0.1"


def test_a_password_is_not_said_in_the_clear_on_the_internet() -> None:
    from reconciler.probes.conversation import refuse_open_secret
    from reconciler.probes.protocols.talk import Shared, Talk

    async def run() -> None:
        talk = Talk(target(25).door, Shared(INTERNET))
        talk.address = "8.8.8.8"
        with pytest.raises(ProbeError, match="MBX847"):
            refuse_open_secret(talk)
        talk.address = "10.0.0.1"
        refuse_open_secret(talk)

    asyncio.run(run())


def test_that_is_asked_before_any_login(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_talk: object) -> None:
        raise ProbeError("MBX847")

    monkeypatch.setattr(conversation, "refuse_open_secret", refuse)
    server = smtp()
    result = probed(server)
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.outcome) == ("MBX847", ProbeOutcome.NOT_TESTED)
    assert "AUTH" not in server.words()


def test_a_prober_of_tests_uses_no_resolver() -> None:
    result = asyncio.run(prober().probe(target(1)))
    assert dict(result.steps[0].facts) == {"addresses": "127.0.0.1"}
