"""Many probes: what is tried again, what is given up, and at what pace."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reconciler.probes.policy import Pace, Policy
from reconciler.probes.results import Level, ProbeOutcome, ProbeResult
from reconciler.probes.schedule import WINDOW, Prober
from reconciler.probes.target import Target, distinct
from tests.support.mailservers import (
    SERVERS,
    Pauses,
    Script,
    Talking,
    imap,
    look_up,
    loopback,
    pop3,
    probed,
    served,
    smtp,
    target,
)


def code(result: ProbeResult) -> str:
    assert result.diagnosis is not None
    return result.diagnosis.code


def run(
    talking: Talking,
    targets: Callable[[int], Iterator[Target]],
    pace: Pace | None = None,
    pause: Pauses | None = None,
    policy: Policy | None = None,
) -> list[ProbeResult]:
    """The results of all targets, which are made for the port of the server."""
    results: list[ProbeResult] = []

    async def all_of_them() -> None:
        async with served(talking) as port:
            found = Prober(
                policy or loopback(), pace or Pace(), look_up=look_up, pause=pause or Pauses()
            )
            await found.run(targets(port), results.append)

    asyncio.run(all_of_them())
    return results


def many(count: int, **changes: Any) -> Callable[[int], Iterator[Target]]:
    def targets(port: int) -> Iterator[Target]:
        for number in range(count):
            name = f"u{number}@acme.test"
            yield target(
                port, username=name, sender_email=name, names=(f"acme/u{number}",), **changes
            )

    return targets


# --- trying again


class Changing:
    """Answers one command differently each time, and then well for ever."""

    def __init__(self, word: str, *answers: str) -> None:
        self.word = word
        self.answers = list(answers)
        self.heard: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        changed = {self.word: self.answers.pop(0)} if self.answers else {}
        script = smtp(**changed)
        await script(reader, writer)
        self.heard += script.heard


def test_what_passes_by_itself_is_tried_again() -> None:
    pause = Pauses()
    server = Changing("greeting", "421 4.7.0 Too many connections", "421 4.7.0 Try again later")
    result = probed(server, pause=pause)
    assert (result.outcome, result.attempts) == (ProbeOutcome.PASSED, 3)
    first, second = pause.seconds
    assert 5 <= first < 7
    assert 15 <= second < 20


def test_it_is_not_tried_for_ever() -> None:
    server = smtp(MAIL="451 4.3.0 later")
    result = probed(server, pace=Pace(attempts=2))
    assert (code(result), result.attempts, server.connections) == ("MBX816", 2, 2)


def test_greylisting_is_waited_for_and_is_no_failure() -> None:
    pause = Pauses()
    result = probed(Changing("RCPT", "450 4.7.1 Greylisted"), pause=pause)
    assert (result.outcome, result.attempts) == (ProbeOutcome.PASSED, 2)
    assert 300 <= pause.seconds[0] <= 390
    server = smtp(RCPT="450 4.7.1 Greylisted")
    result = probed(server, pace=Pace(patience=60))
    assert (result.outcome, result.attempts) == (ProbeOutcome.NOT_TESTED, 1)


@pytest.mark.parametrize(
    ("name", "word", "answer"),
    [
        ("smtp", "AUTH", "535 5.7.8 Error: authentication failed"),
        ("smtp", "AUTH", "535 something new"),
        ("imap", "LOGIN", "{tag} NO [AUTHENTICATIONFAILED] no"),
        ("imap", "LOGIN", "{tag} NO no"),
        ("pop3", "PASS", "-ERR [AUTH] no"),
        ("pop3", "PASS", "-ERR no"),
    ],
)
def test_a_refused_password_is_never_tried_again(name: str, word: str, answer: str) -> None:
    server: Script = SERVERS[name](**{word: answer})
    result = probed(server, name, pace=Pace(attempts=9))
    assert (result.outcome, result.attempts, server.connections) == (ProbeOutcome.FAILED, 1, 1)
    assert server.words().count(word) == 1


def test_once_is_once() -> None:
    server = imap(EXAMINE="{tag} NO User is authenticated but not connected.")
    result = probed(server, "imap")
    assert (code(result), result.attempts) == ("MBX807", 2)


# --- hosts


def test_a_dead_host_is_given_up_and_reported_for_all_its_mailboxes() -> None:
    server = smtp(greeting="554 5.7.1 Blocked")
    results = run(server, many(40), Pace(per_host=5, give_up_after=3))
    assert Counter(map(code, results)) == {"MBX769": 40}
    assert {result.outcome for result in results} == {ProbeOutcome.FAILED}
    assert server.connections <= 5 + 3
    assert sum(result.given_up for result in results) == 40 - server.connections
    assert {result.names for result in results} == {(f"acme/u{n}",) for n in range(40)}


def test_timeouts_of_a_dead_host_are_not_waited_for_in_turn() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    bounds = loopback(deadline=0.3)
    for at_once in (1, 2, 5):
        results = run(silent, many(20), Pace(per_host=at_once), policy=bounds)
        assert sum(not result.given_up for result in results) <= max(at_once, 3)
        tried = [result.seconds for result in results if not result.given_up]
        rounds = len(tried) / at_once
        assert rounds <= 1


def test_refused_passwords_do_not_give_a_host_up() -> None:
    server = smtp(AUTH="535 5.7.8 no")
    results = run(server, many(20))
    assert server.connections == 20
    assert not any(result.given_up for result in results)


def test_a_host_that_works_now_and_then_is_not_given_up() -> None:
    turns = iter(range(1000))

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = {} if next(turns) % 3 == 2 else {"greeting": "554 no"}
        await smtp(**greeting)(reader, writer)

    results = run(talking, many(30), Pace(per_host=1, give_up_after=3))
    assert not any(result.given_up for result in results)


def test_a_host_that_asks_to_come_back_is_asked_longer_and_not_for_ever() -> None:
    server = smtp(greeting="421 4.7.0 Too many connections")
    results = run(server, many(60), Pace(per_host=2, give_up_after=2))
    assert 10 <= server.connections <= 12
    assert Counter(map(code, results)) == {"MBX768": 60}


def test_mailboxes_that_were_not_tried_say_nothing_of_their_host() -> None:
    def strange(port: int) -> Iterator[Target]:
        for number, one in enumerate(many(40)(port)):
            changed: dict[str, Any] = {"username": f"a\r\n{number}"} if number % 2 else {}
            yield one._replace(server=one.server._replace(**changed))

    results = run(smtp(), strange, Pace(per_host=1))
    assert Counter(result.outcome for result in results) == {
        ProbeOutcome.PASSED: 20,
        ProbeOutcome.NOT_TESTED: 20,
    }

    def without_secrets(port: int) -> Iterator[Target]:
        for number, one in enumerate(many(40)(port)):
            yield one if number % 2 else one._replace(secret=None)

    server = smtp(greeting="554 5.7.1 Blocked")
    results = run(server, without_secrets, Pace(per_host=1))
    assert server.connections == 3


def test_no_more_find_out_than_it_takes() -> None:
    """Those that come later do not begin a timeout of their own."""

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    bounds = loopback(deadline=0.3)
    results = run(silent, many(50), Pace(per_host=10), policy=bounds)
    assert sum(not result.given_up for result in results) == 3


def test_another_door_of_the_host_is_not_given_up_with_it() -> None:
    async def talking() -> list[ProbeResult]:
        results: list[ProbeResult] = []
        async with served(smtp(greeting="554 no")) as bad, served(smtp()) as good:
            found = Prober(loopback(), Pace(), look_up=look_up)
            wanted = [*many(10)(bad), *many(10)(good)]
            await found.run(wanted, results.append)
        return results

    assert Counter(result.outcome for result in asyncio.run(talking())) == {
        ProbeOutcome.PASSED: 10,
        ProbeOutcome.FAILED: 10,
    }


class Counting:
    """Knows how many talk to it at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await smtp()(reader, writer)
        finally:
            self.now -= 1


@pytest.mark.parametrize(
    ("pace", "host", "most"),
    [
        (Pace(per_host=3), "mail.acme.test", 3),
        (Pace(at_once=2, per_host=50), "mail.acme.test", 2),
        (Pace(per_host=2), "smtp.gmail.com", 20),
    ],
)
def test_no_more_at_once_than_a_host_puts_up_with(pace: Pace, host: str, most: int) -> None:
    server = Counting()
    run(server, many(60, host=host), pace)
    assert 1 < server.most <= most + 1  # the server learns a moment later who has gone


def test_a_host_of_the_catalogue_has_its_rate() -> None:
    pause = Pauses()
    run(smtp(), many(10, host="smtp.office365.com"), pause=pause)
    assert len(pause.seconds) == 9
    assert max(pause.seconds) == pytest.approx(0.9, abs=0.1)


def test_one_at_a_time_for_each_mailbox() -> None:
    server = Counting()

    def same(port: int) -> Iterator[Target]:
        for number in range(10):
            yield target(port, sender_email=f"alias{number}@acme.test")

    results = run(server, same)
    assert len(results) == 10
    assert server.most == 1


def test_targets_are_taken_as_there_is_room() -> None:
    taken, done = 0, 0
    most = 0

    def targets(port: int) -> Iterator[Target]:
        nonlocal taken, most
        for one in many(200)(port):
            taken += 1
            most = max(most, taken - done)
            yield one

    results: list[ProbeResult] = []

    def consume(result: ProbeResult) -> None:
        nonlocal done
        done += 1
        results.append(result)

    async def all_of_them() -> None:
        async with served(smtp()) as port:
            found = Prober(loopback(), Pace(at_once=4), look_up=look_up)
            await found.run(targets(port), consume)

    asyncio.run(all_of_them())
    assert len(results) == 200
    assert most <= 4 * WINDOW + 1


def test_who_consumes_badly_ends_the_run() -> None:
    def consume(_result: ProbeResult) -> None:
        raise ZeroDivisionError

    async def all_of_them() -> None:
        async with served(smtp()) as port:
            await Prober(loopback(), Pace(), look_up=look_up).run(many(5)(port), consume)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(all_of_them())


# --- distinct mailboxes and shards


def test_a_mailbox_that_is_shared_is_one_target() -> None:
    wanted = [target(465, names=(f"p{number}/nfe",)) for number in range(3)]
    wanted += [target(465, names=("p9/other",), username="other@acme.test")]
    wanted += [target(465, names=("p8/nfe",), host="MAIL.acme.test.")]
    first, second = distinct(wanted)
    assert first.names == ("p0/nfe", "p1/nfe", "p2/nfe", "p8/nfe")
    assert second.names == ("p9/other",)


@pytest.mark.parametrize(
    "change",
    [
        {"sender_email": "alias@acme.test"},
        {"port": 587},
        {"security": "tls"},
        {"password_reference": "env:OTHER"},
        {"recipient": "x@acme.test"},
        {"folder": "NFe"},
    ],
)
def test_what_may_end_differently_is_another_target(change: dict[str, Any]) -> None:
    port = change.pop("port", 465)
    assert len(list(distinct([target(465), target(port, **change)]))) == 2


def test_shards_take_everything_once_evenly_and_always_the_same() -> None:
    wanted = list(many(8_000)(465))
    parts = [
        [one.names[0] for one in wanted if one.in_shard(number, 16)] for number in range(1, 17)
    ]
    assert sorted(name for part in parts for name in part) == sorted(one.names[0] for one in wanted)
    assert min(map(len, parts)) > 400
    assert max(map(len, parts)) < 600
    # The very number, so that shards of different machines and versions fit together.
    assert target(465).key == target(465, sender_email="x@y.test").key
    assert target(465).key == 8193265357509514322


# --- round trips


@pytest.mark.parametrize("name", ["imap", "pop3"])
def test_a_message_that_arrives_is_found(name: str) -> None:
    sending = smtp()
    token: list[str] = []
    looks = 0

    async def reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal looks
        looks += 1
        there = looks >= 3
        found = token[0] if there else "nothing"
        script = {
            "imap": imap(SEARCH="* SEARCH 7\n{tag} OK" if there else "* SEARCH\n{tag} OK"),
            "pop3": pop3(TOP=f"+OK\nSubject: Test {found}\n."),
        }[name]
        await script(reader, writer)

    async def keeping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Watching(sending, token)(reader, writer)

    async def both() -> ProbeResult:
        async with served(keeping) as out, served(reading) as back:
            found = Prober(loopback(), Pace(), look_up=look_up, pause=Pauses())
            return await found.probe(target(out, reader=target(back, name)))

    result = asyncio.run(both())
    assert result.outcome is ProbeOutcome.PASSED
    last = result.steps[-1]
    assert (last.name, dict(last.facts)["looks"]) == ("round-trip", 3)


class Watching:
    """An outgoing server that notes the token of what it takes."""

    def __init__(self, script: Script, token: list[str]) -> None:
        self.script = script
        self.token = token

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reading = reader.readline

        async def noting() -> bytes:
            line = await reading()
            if line.startswith(b"Subject: Test "):
                self.token.append(line.split()[-1].decode())
            return line

        reader.readline = noting  # type: ignore[method-assign]
        await self.script(reader, writer)


def test_a_message_that_does_not_arrive() -> None:
    pause = Pauses()

    async def both() -> ProbeResult:
        nothing = imap(SEARCH="* SEARCH\n{tag} OK")
        async with served(smtp()) as out, served(nothing) as back:
            found = Prober(loopback(), Pace(round_trip=60), look_up=look_up, pause=pause)
            return await found.probe(target(out, reader=target(back, "imap")))

    result = asyncio.run(both())
    assert (code(result), result.outcome) == ("MBX839", ProbeOutcome.FAILED)
    assert result.steps[-1].name == "data"
    assert 30 < sum(pause.seconds) <= 60


def test_a_reader_that_cannot_log_in_ends_the_round_trip() -> None:
    async def both() -> ProbeResult:
        refusing = imap(LOGIN="{tag} NO [AUTHENTICATIONFAILED] no")
        async with served(smtp()) as out, served(refusing) as back:
            found = Prober(loopback(), Pace(), look_up=look_up, pause=Pauses())
            result = await found.probe(target(out, reader=target(back, "imap")))
            assert refusing.connections == 1
            return result

    result = asyncio.run(both())
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.diagnosis.step) == ("MBX800", "round-trip")


def test_no_round_trip_without_a_message() -> None:
    back = imap()

    async def both() -> ProbeResult:
        async with served(smtp()) as out, served(back) as port:
            wanted = target(out, reader=target(port, "imap"), level=Level.SENDER)
            return await Prober(loopback(), Pace(), look_up=look_up).probe(wanted)

    assert asyncio.run(both()).outcome is ProbeOutcome.PASSED
    assert back.connections == 0
