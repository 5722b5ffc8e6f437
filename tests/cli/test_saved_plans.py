"""Saved plans: what vouches for them, how long they hold, and all for which they are refused."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from copy import copy, deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from reconciler import __version__
from reconciler.diagnostics.problem import Failure, Stale
from reconciler.model.as_list import plain as utc_text
from reconciler.model.state import MailServer
from reconciler.plan import freshness
from reconciler.plan.diff import Change
from reconciler.plan.file import read as reading
from reconciler.plan.file.sign import PlanKey
from reconciler.plan.file.write import PlanFile
from reconciler.plan.plan import DatabaseTarget, Plan
from reconciler.settings import DEFAULT_DATABASE
from tests.support.estates import (
    NOW,
    Cli,
    Manifest,
    Ran,
    acme,
    boxes,
    cnpj,
    dump,
    execute,
    incoming,
    manifest,
    nothing_written,
    outgoing,
    plain_sql,
    plan_of,
    query,
    server,
    url,
    write,
)
from tests.support.servers.databases import Database

ONE, TWO = cnpj(1), cnpj(2)
APPLY = ("apply", "m", "--auto-approve")
SAVED = ("apply", "saved.json", "--auto-approve")
FILE = Path("saved.json")
KEY = "a key that nobody else has, and long enough"
OTHER_KEY = "another key that is also long enough to be one"
Document = dict[str, Any]
Change_ = Callable[[Document], Any]


@pytest.fixture
def cli(bare: Cli) -> Cli:
    """The command line in a folder of the test's own; its database is not there yet."""
    return bare


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Configures a plan key, or none."""

    def configure(text: str | None) -> None:
        if text is None:
            monkeypatch.delenv("RECONCILER_PLAN_KEY", raising=False)
        else:
            monkeypatch.setenv("RECONCILER_PLAN_KEY", text)

    return configure


def applied(cli: Cli, content: Manifest) -> None:
    write(Path("m"), {"acme.yaml": content})
    assert cli(*APPLY).code == 0


def saved(cli: Cli, content: Manifest | None = None, *arguments: str) -> Document:
    """Save a plan of these manifests, which then go."""
    write(Path("m"), {"acme.yaml": content or acme(nickname="Outro")})
    assert cli("plan", "m", "-o", FILE, *arguments).code in (0, 3)
    shutil.rmtree("m")
    return document()


def document() -> Document:
    return parsed(FILE.read_text())


def parsed(text: str) -> Document:
    """What a plan file says: the members of its head and trailer, and the `lines` between."""
    head, *lines, trailer = map(json.loads, text.splitlines())
    return {**head, "lines": lines, **trailer}


def written(found: Document) -> str:
    """The text of a plan file that says this."""
    last = {name: found[name] for name in ("digest", "signature") if name in found}
    return f"{body(found)}{json.dumps(last)}\n"


def body(found: Document) -> str:
    """The text before the trailer."""
    apart = ("lines", "digest", "signature")
    head = {name: value for name, value in found.items() if name not in apart}
    values = [head, *found["lines"]]
    form = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    return "".join(f"{form(item)}\n" for item in values)


def altered(change: Change_) -> str:
    """The saved plan with a change, and with the digest that it had before."""
    found = document()
    change(found)
    return written(found)


def change_of(plan: Document, number: int = 0) -> Any:
    """A line that is a change: its kind, name, row before and after."""
    return [line for line in plan["lines"] if len(line) == 4][number]


def sealed(change: Change_, signed_with: str | None = None) -> str:
    """The same with a digest that fits, and a signature by a key."""
    found = parsed(altered(change))
    found["digest"] = f"sha256:{hashlib.sha256(body(found).encode()).hexdigest()}"
    signer = PlanKey(signed_with.encode(), "test") if signed_with else None
    found["signature"] = signer.sign(found["digest"]) if signer else None
    return written(found)


def refused(cli: Cli, code: str, exit_code: int = 4, *arguments: str) -> Ran:
    """Applying the saved plan ends with this problem, and changes nothing."""
    with nothing_written():
        said = cli(*SAVED, *arguments)
    assert (said.code, said.err.splitlines()[0][:12]) == (exit_code, f"error {code}"), said.err
    assert "Traceback" not in said.err
    return said


# Reading without a command line


def in_memory(**fields: Any) -> Plan:
    """A plan of a few changes."""
    before = server("nfe-out")
    changes = [
        Change("acme", "nfe-in", None, server("nfe-in", port=None)),
        Change("acme", "nfe-out", before, before._replace(nickname='Ação "x"\n\x7f\U0001f4e7')),
        Change("acme", "old", server("old"), None),
    ]
    return plan_of(changes, **fields)


def text_of(plan: Plan, key: PlanKey | None = None) -> str:
    return "".join(PlanFile(plan, key=key))


def read(text: str, key: PlanKey | None = None, digest: str = "") -> Plan:
    stream = io.BytesIO(text.encode(errors="surrogatepass"))
    return reading.read(stream, "saved.json", key, digest).plan


def code_of(text: str, key: PlanKey | None = None, digest: str = "") -> str:
    """The code that reading ends with, after a `4` where that is the exit code."""
    with pytest.raises(Failure) as failure:
        read(text, key, digest)
    (problem,) = failure.value.problems
    return ("4 " if isinstance(failure.value, Stale) else "1 ") + problem.code


PLAN = in_memory(id="a-plan")
TEXT = text_of(PLAN)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a document, containers too."""
    yield path
    items: Any = value.items() if isinstance(value, dict) else ()
    for name, item in enumerate(value) if isinstance(value, list) else items:
        yield from leaves(item, (*path, name))


def different(value: Any) -> Any:
    """Something else of the same kind, where there is one."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return f"{value}x"
        case list():
            return [*value, "more"]
        case dict():
            return {**value, "more": 1}
        case _:
            return "something"


CHANGES: list[Callable[[Any], Any]] = [different, lambda _value: [], lambda _value: None]


def test_nothing_in_a_plan_can_be_changed() -> None:
    """Neither a value nor its kind, whatever it is and wherever."""
    original = parsed(TEXT)
    paths = [path for path in leaves(original) if path]
    assert len(paths) > 100
    for path in paths:
        if path in (("signature",), ("lines",)):
            continue
        for other in CHANGES:
            content = deepcopy(original)
            *way, last = path
            place = content
            for step in way:
                place = place[step]
            if (changed := other(place[last])) == place[last]:
                continue
            place[last] = changed
            no_plan = path == ("format_version",) and other is not different
            assert code_of(written(content)) == ("1 MBX523" if no_plan else "4 MBX521"), path


def test_nothing_in_a_plan_can_be_left_out_added_or_moved() -> None:
    original = parsed(TEXT)
    for name in original.keys() - {"signature", "lines"}:
        shorter = {key: value for key, value in original.items() if key != name}
        expected = "1 MBX523" if name == "format_version" else "4 MBX521"
        assert code_of(written(shorter)) == expected, name
    assert code_of(written(original | {"more": 1})) == "4 MBX521"
    lines = original["lines"]
    others: list[Any] = [lines[::-1], lines[1:], [*lines, lines[0]], [], [lines], [1], [None], [{}]]
    for other in others:
        assert code_of(written(original | {"lines": other})) == "4 MBX521"


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 3), st.text(max_size=3))
def test_whatever_is_cut_out_of_the_text_or_put_in_is_found(at: int, cut: int, put: str) -> None:
    text = TEXT[:at] + put + TEXT[at + cut :]
    try:
        plan = read(text)
    except Failure:
        return
    assert plan == PLAN
    assert parsed(text) == parsed(TEXT)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.integers(0, len(TEXT) - 3))
def test_the_beginning_of_a_plan_is_none(length: int) -> None:
    assert code_of(TEXT[:length]) == ("1 MBX523" if length <= TEXT.index("\n") else "4 MBX521")


def test_every_byte_matters() -> None:
    """However the same JSON is written: what was reviewed is these bytes."""
    assert code_of(TEXT.replace(",", ", ", 1)) == "4 MBX521"
    assert code_of(TEXT.replace("\n", "\r\n")) == "4 MBX521"
    assert code_of(f"\n{TEXT}") == "1 MBX523"
    assert code_of(f"\ufeff{TEXT}") == "1 MBX523"


@pytest.mark.parametrize(
    "old, new",  # noqa: PT006
    [
        ('"project":""', '"project":"","project":""'),
        ('"project":""', '"project":"x","project":""'),
        ('"digest":', '"digest":"sha256:0","digest":'),
        ('"signature":null', '"signature":null,"signature":null'),
        ('"format_version":"1.0"', '"format_version":"1.0","format_version":"1.0"'),
    ],
)
def test_a_name_that_is_there_twice_is_refused(old: str, new: str) -> None:
    assert old in TEXT
    code = "1 MBX523" if "_" in old or "project" in old else "4 MBX521"
    assert code_of(TEXT.replace(old, new, 1)) == code


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "0.0", "0e0", "-0", "9" * 4000, "00", "0x0"]
)
def test_a_number_is_written_in_one_way(number: str) -> None:
    text = TEXT.replace('"left_alone":0', f'"left_alone":{number}')
    assert text != TEXT
    assert code_of(text) in ("4 MBX521", "1 MBX523")
    if number == "-0":
        assert read(with_digest(text)) == PLAN
    else:
        assert code_of(with_digest(text)) == "1 MBX523"


def with_digest(text: str) -> str:
    """The text with a digest that fits."""
    *lines, _trailer = text.splitlines(keepends=True)
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return "".join(lines) + json.dumps({"digest": f"sha256:{digest}", "signature": None}) + "\n"


@pytest.mark.parametrize(
    "after", ["x", "{}", "null", ",", "]", "\0", TEXT, "\ufeff", "// more", "\n"]
)
def test_nothing_may_follow_a_plan(after: str) -> None:
    assert code_of(TEXT + after) == "4 MBX521"


@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_deep_nesting_ends_in_a_message(opening: str) -> None:
    first, rest = TEXT.split("\n", 1)
    assert code_of(f"{first}\n{opening * 200_000}\n{rest}") == "4 MBX521"
    closing = {"[": "]"}.get(opening, "}")
    closed = opening * 900 + "1" + closing * 900
    assert code_of(f"{first}\n{closed}\n{rest}") == "4 MBX521"
    assert code_of(opening * 200_000) == "1 MBX523"


def test_lone_surrogates_are_no_text() -> None:
    text = TEXT.replace('"project":""', '"project":"\\ud800"')
    assert code_of(text) == "4 MBX521"


def test_a_text_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.BytesIO):
        taken = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size
            self.taken += size
            return b"x" * size

    monkeypatch.setattr(reading, "LARGEST_LINE", 1 << 21)
    endless = Endless()
    with pytest.raises(Failure, match="MBX523"):
        reading.read(endless, "saved.json")
    assert endless.taken < 1 << 22
    size = len(TEXT.encode())
    monkeypatch.setattr(reading, "LARGEST_FILE", size - 1)
    assert code_of(TEXT) == "4 MBX521"
    monkeypatch.setattr(reading, "LARGEST_FILE", size)
    assert read(TEXT) == PLAN


def test_the_digest_can_be_computed_by_anyone() -> None:
    """With `head -n -1 plan.json | sha256sum`, and nothing of the tool."""
    *lines, trailer = TEXT.encode().splitlines(keepends=True)
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    assert json.loads(trailer)["digest"] == f"sha256:{digest}"


def test_every_change_is_a_line() -> None:
    lines = TEXT.splitlines()
    assert lines[0].startswith('{"format_version":"1.0",')
    assert [json.loads(line)[:2] for line in lines[1:-1]] == [
        ["of", "acme"],
        ["server", "nfe-in"],
        ["server", "nfe-out"],
        ["server", "old"],
    ]
    assert '\\"x\\"\\n\x7f\U0001f4e7' in TEXT


# What is none


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe{\x00}\x00",
        b"[" * 100_000,
        b'{"a": 1}',
        b'{"format_version": 1}',
        b'{"format_version": "one"}',
        b'{"format_version": "0.9"}',
        b"version: 1\npartner: acme\n",
    ],
)
def test_a_file_that_is_no_plan(cli: Cli, content: bytes) -> None:
    FILE.write_bytes(content)
    said = cli(*SAVED)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error MBX523: saved.json is no plan\n")
    assert not Path("reconciler.db").exists()


def test_what_is_no_file_is_no_plan(cli: Cli) -> None:
    Path("folder.json").mkdir()
    os.mkfifo("pipe.json")
    for name in ("folder.json", "pipe.json"):
        said = cli("apply", name, "--auto-approve")
        assert (said.code, said.out) == (1, "")
        assert "It is no file." in said.err


def test_a_plan_that_lacks_something_is_none(cli: Cli) -> None:
    saved(cli, acme())
    for name in ("id", "target", "selection", "unchanged", "created_at", "expires_at"):
        Path("short.json").write_text(sealed(lambda plan, name=name: plan.pop(name)))  # type: ignore[misc]
        said = cli("apply", "short.json", "--auto-approve")
        assert said.code == 1
        assert f"{name}: it is missing" in said.err


def crafted() -> dict[str, Change_]:
    """What no version of the tool writes, under a digest that fits."""

    def change(place: int, value: Any) -> Change_:
        return lambda plan: change_of(plan).__setitem__(place, value)

    def row(field: str, value: Any) -> Change_:
        place = MailServer._fields.index(field)
        return lambda plan: change_of(plan)[3].__setitem__(place, value)

    def both(plan: Document) -> None:
        change_of(plan)[2:] = [None, None]

    return {
        "name": change(1, "other"),
        "no name": change(1, 5),
        "type": change(0, "company"),
        "unknown type": change(0, "planet"),
        "no row": both,
        "a value more": lambda plan: change_of(plan)[3].append(1),
        "a value less": lambda plan: change_of(plan)[3].pop(),
        "a fraction": row("port", 1.5),
        "a list of numbers": row("host", [1]),
        "a number for a CNPJ": row("company", -1),
        "text for origins": row("origins", "é"),
        "half of the origins": row("origins", ["hosts"]),
        "origins of numbers": row("origins", [1, 2, 3, 4, 5, 6]),
        "text for a flag": row("active", "yes"),
        "null for a text": row("nickname", None),
        "too large a number": row("port", 2**63),
        "a mapping": row("nickname", {"port": "x"}),
        "unknown key": lambda plan: plan.update(a_key_of_tomorrow=1),
        "a line more": lambda plan: plan["lines"].append(["more", 2]),
        "a line of nothing": lambda plan: plan["lines"].append([]),
        "a change of nobody": lambda plan: plan["lines"].pop(0),
        "an alarm of nothing": lambda plan: plan["lines"].append(["refusal", []]),
        "time without zone": lambda plan: plan.update(expires_at="2999-01-01T00:00:00"),
        "time of another zone": lambda plan: plan.update(expires_at="2999-01-01T00:00:00-03:00"),
        "no time": lambda plan: plan.update(expires_at="tomorrow"),
    }


@pytest.mark.parametrize("change", crafted().values(), ids=crafted().keys())
def test_what_contradicts_itself_is_no_plan(cli: Cli, change: Change_) -> None:
    applied(cli, acme())
    saved(cli)
    FILE.write_text(sealed(change))
    refused(cli, "MBX523", 1)


# Through the command line


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: change_of(plan)[3].__setitem__(3, "Altered"),
        lambda plan: plan["lines"].pop(),
        lambda plan: plan["lines"].reverse(),
        lambda plan: plan["lines"].append(plan["lines"][0]),
        lambda plan: plan.update(lines=[line for line in plan["lines"] if line[0] != "refusal"]),
        lambda plan: [line[1].append(4) for line in plan["lines"] if line[0] == "accepted"],
        lambda plan: plan["target"].__setitem__(0, "another"),
        lambda plan: plan.update(expires_at="2999-12-31T00:00:00Z"),
        lambda plan: plan.update(digest="sha256:0"),
        lambda plan: plan.pop("digest"),
    ],
)
def test_an_altered_plan_is_not_applied(cli: Cli, change: Change_) -> None:
    beta = manifest("beta", mail_servers=boxes(1, 2, 3))
    write(Path("m"), {"acme.yaml": acme(**boxes(1, 2, 3)), "beta.yaml": beta})
    assert cli(*APPLY).code == 0
    write(Path("m"), {"acme.yaml": acme(nickname="Outro"), "beta.yaml": manifest("beta")})
    assert cli("plan", "m", "-o", FILE, "--accept", "acme:mass-delete=3").code == 3
    unaltered = FILE.read_text()
    FILE.write_text(altered(change))
    said = refused(cli, "MBX521")
    assert said.out == ""
    assert "saved.json was altered\n  Its digest does not fit its content.\n" in said.err
    FILE.write_text(unaltered)
    assert cli(*SAVED).code == 3
    assert query("SELECT partner, guard FROM revision_acceptance") == [("acme", "mass-delete")]


@pytest.mark.parametrize("version", ["1.1", "1.999999", "2.0", "10.0"])
def test_a_plan_of_a_newer_format_is_not_applied(cli: Cli, version: str) -> None:
    """Of a later minor version too: it may say what this version would pass over."""
    applied(cli, acme())
    saved(cli)
    FILE.write_text(sealed(lambda plan: plan.update(format_version=version, more={"and": "more"})))
    said = refused(cli, "MBX524")
    assert "saved.json was made by a newer version of the tool" in said.err
    assert f"Its format is {version}; this version knows 1.0." in said.err


@pytest.mark.parametrize("version", ["0.0.9", "0.999.0", "1.0.0", "2.3.4rc1"])
def test_a_plan_of_another_version_of_the_tool_is_not_applied(cli: Cli, version: str) -> None:
    applied(cli, acme())
    saved(cli)
    FILE.write_text(sealed(lambda plan: plan.update(tool_version=version)))
    said = refused(cli, "MBX556")
    assert f"It is of version {version}; this is {__version__}" in said.err


def test_a_plan_of_another_patch_of_the_tool_is_applied(cli: Cli) -> None:
    applied(cli, acme())
    saved(cli)
    patch = ".".join([*__version__.split(".")[:2], "999"])
    FILE.write_text(sealed(lambda plan: plan.update(tool_version=patch)))
    assert cli(*SAVED).code == 0


def test_a_plan_for_another_schema_is_not_applied(cli: Cli) -> None:
    applied(cli, acme())
    revision = saved(cli)["target"][2]
    FILE.write_text(sealed(lambda plan: plan["target"].__setitem__(2, "0000")))
    assert f"It was 0000; it is {revision}." in refused(cli, "MBX555").err


def test_a_plan_for_a_new_database_applies_only_to_its_kind(cli: Cli) -> None:
    saved(cli, acme())
    FILE.write_text(sealed(lambda plan: plan["target"].__setitem__(1, "postgresql")))
    said = cli(*SAVED)
    assert said.code == 4
    assert "It is for postgresql a new one; this is sqlite a new one." in said.err


# Time


CLOCKS = {
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "postgresql": "SELECT timezone('UTC', clock_timestamp())",
    "mariadb": "SELECT UTC_TIMESTAMP(6)",
}


def database_time() -> datetime:
    if url() == DEFAULT_DATABASE and not Path("reconciler.db").exists():
        return datetime.now(UTC)
    with plain_sql(url()) as program:
        ((found,),) = program.execute(CLOCKS[program.dialect])
    return datetime.fromisoformat(str(found)).replace(tzinfo=UTC)


def test_time_is_told_by_the_clock_of_the_database(
    cli: Cli, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_DATABASE_URL", database.url)
    monkeypatch.setenv("TZ", "America/Sao_Paulo")
    applied(cli, acme())
    began = database_time()
    plan = saved(cli)
    assert began <= datetime.fromisoformat(plan["created_at"]) <= database_time()
    FILE.write_text(sealed(ended(-1)))
    refused(cli, "MBX550")
    FILE.write_text(sealed(ended(60)))
    assert cli(*SAVED).code == 0


CLOCK_OF_ITS_OWN = """
CREATE FUNCTION other_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
'SELECT pg_catalog.clock_timestamp() + :days * interval ''1 day'''
"""


@pytest.mark.databases("postgres15", "postgres18")
@pytest.mark.parametrize("days", [-3, 3])
def test_the_clock_of_this_machine_does_not_matter(
    cli: Cli, new_database: Database, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """The database's is days behind or ahead: what holds by one has expired by the other."""
    monkeypatch.setenv("RECONCILER_DATABASE_URL", new_database.url)
    name = make_url(new_database.url).database
    with plain_sql(url()) as program:
        program.execute("CREATE SCHEMA other_clock")
        program.execute(CLOCK_OF_ITS_OWN.replace(":days", str(days)))
        program.execute(f'ALTER DATABASE "{name}" SET search_path = other_clock, pg_catalog')
    applied(cli, acme())
    plan = saved(cli)
    away = datetime.fromisoformat(plan["created_at"]) - datetime.now(UTC)
    assert abs(away - timedelta(days=days)) < timedelta(hours=1)
    assert cli(*SAVED).code == 0
    ((at,),) = query("SELECT max(applied_at) FROM revision")
    assert abs(at.replace(tzinfo=UTC) - database_time()) < timedelta(hours=1)
    machine = datetime.now(UTC) + timedelta(minutes=5)
    saved(cli, acme(nickname="Another"))
    FILE.write_text(sealed(lambda plan: plan.update(expires_at=utc_text(machine))))
    said = cli(*SAVED)
    assert (said.code, "MBX550" in said.err) == ((4, True) if days > 0 else (0, False))


def ended(seconds: int) -> Change_:
    """A plan that ends so many seconds from now, by the clock of the database."""
    end = database_time() + timedelta(seconds=seconds)
    return lambda plan: plan.update(
        created_at=utc_text(end - timedelta(hours=24)), expires_at=utc_text(end)
    )


def test_a_plan_holds_for_a_day(cli: Cli) -> None:
    began = datetime.now(UTC) - timedelta(milliseconds=1)
    for plan in (saved(cli, acme()), document()):
        created, expires = (
            datetime.fromisoformat(plan[name]) for name in ("created_at", "expires_at")
        )
        assert began <= created <= datetime.now(UTC)
        assert expires - created == timedelta(hours=24)
    assert cli(*SAVED).code == 0


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("1m", timedelta(minutes=1)),
        ("90m", timedelta(minutes=90)),
        ("24h", timedelta(hours=24)),
        ("30d", timedelta(days=30)),
    ],
)
@pytest.mark.parametrize("where", ["file", "environment"])
def test_how_long_a_plan_holds_is_a_setting(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, where: str, text: str, lifetime: timedelta
) -> None:
    if where == "file":
        Path("reconciler.toml").write_text(f'plan_lifetime = "{text}"\n')
    else:
        Path("reconciler.toml").write_text('plan_lifetime = "7d"\n')
        monkeypatch.setenv("RECONCILER_PLAN_LIFETIME", text)
    plan = saved(cli, acme())
    created, expires = (datetime.fromisoformat(plan[name]) for name in ("created_at", "expires_at"))
    assert expires - created == lifetime


@pytest.mark.parametrize(
    "value", ['"0h"', '"30"', "24", '"31d"', '"1s"', '"-1h"', '"1.5h"', '"999999d"', '"24 h"', "[]"]
)
def test_a_lifetime_that_is_none(cli: Cli, value: str) -> None:
    write(Path("m"), {"acme.yaml": acme()})
    Path("m/reconciler.toml").write_text(f"plan_lifetime = {value}\n")
    said = cli("plan", "m")
    assert said.code == 1
    assert 'error MBX651: the setting "plan_lifetime" does not fit' in said.err
    assert "Write it as 30m, 24h or 7d." in said.err


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_an_expired_plan_is_not_applied(
    cli: Cli, key: Callable[[str | None], None], *, signed: bool, new: bool
) -> None:
    if not new:
        applied(cli, acme())
    key(KEY if signed else None)
    saved(cli, acme(nickname="Outro"))
    FILE.write_text(sealed(ended(-1), KEY if signed else None))
    said = cli(*SAVED) if new else refused(cli, "MBX550")
    assert said.code == 4
    until = document()["expires_at"][:19].replace("T", " ")
    assert "error MBX550: the plan has expired\n" in said.err
    assert f"It could be applied until {until} UTC. By the clock of the database it is " in said.err
    assert "fix: Make a new plan. Nothing was applied." in said.err
    assert new is (dump(url()) == [])
    FILE.write_text(sealed(ended(60), KEY if signed else None))
    assert cli(*SAVED).code == 0


def test_a_plan_ends_at_the_moment_it_says() -> None:
    found = DatabaseTarget("some-id", "sqlite", "0001")
    plan = plan_of((), expires_at=NOW, target=found)
    freshness.require(plan, found, NOW - timedelta(microseconds=1), empty=False)
    with pytest.raises(Stale, match="MBX550"):
        freshness.require(plan, found, NOW, empty=False)


# Signatures


def test_a_signed_plan_is_applied_where_its_key_is(
    cli: Cli, key: Callable[[str | None], None]
) -> None:
    key(KEY)
    applied(cli, acme())
    plan = saved(cli)
    expected = hmac.new(KEY.encode(), b"reconciler plan 1\0" + plan["digest"].encode(), "sha256")
    assert plan["signature"] == f"hmac-sha256:{expected.hexdigest()}"
    assert cli(*SAVED).code == 0
    assert query("SELECT nickname FROM mail_server") == [("Outro",)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda plan: plan.update(signature=None), "MBX551"),
        (lambda plan: plan.pop("signature"), "MBX551"),
        (lambda plan: plan.update(signature=""), "MBX552"),
        (lambda plan: plan.update(signature=plan["signature"].upper()), "MBX552"),
        (lambda plan: plan.update(signature=plan["signature"][:-1]), "MBX552"),
        (lambda plan: plan.update(signature=plan["digest"]), "MBX552"),
        (lambda plan: plan.update(signature="hmac-sha256:é\ud800"), "MBX552"),
        (lambda plan: plan.update(signature=[plan["signature"]]), "MBX552"),
        (lambda plan: plan.update(signature=True), "MBX552"),
        (lambda plan: plan.update(commit="0" * 40), "MBX521"),
    ],
)
def test_with_a_key_only_what_it_has_signed_is_applied(
    cli: Cli, key: Callable[[str | None], None], change: Change_, code: str
) -> None:
    key(KEY)
    applied(cli, acme())
    saved(cli)
    FILE.write_text(altered(change))
    refused(cli, code)
    refused(cli, code, 4, "--expect-digest", document()["digest"])


def test_a_signature_is_of_one_plan(cli: Cli, key: Callable[[str | None], None]) -> None:
    key(KEY)
    applied(cli, acme())
    one = saved(cli)["signature"]
    saved(cli, acme(nickname="Another"))
    FILE.write_text(altered(lambda plan: plan.update(signature=one)))
    refused(cli, "MBX552")


def test_whoever_alters_a_signed_plan_cannot_sign_it(
    cli: Cli, key: Callable[[str | None], None]
) -> None:
    key(KEY)
    applied(cli, acme())
    signature = saved(cli)["signature"]
    evil = parsed(sealed(lambda plan: plan.update(commit="0" * 40), OTHER_KEY))
    FILE.write_text(written(evil))
    assert "the signature of saved.json does not fit" in refused(cli, "MBX552").err
    FILE.write_text(written(evil | {"signature": signature}))
    refused(cli, "MBX552")
    FILE.write_text(written(evil | {"signature": None}))
    assert "saved.json is not signed" in refused(cli, "MBX551").err


def test_a_signed_plan_says_where_its_key_belongs(
    cli: Cli, key: Callable[[str | None], None]
) -> None:
    key(KEY)
    applied(cli, acme())
    digest = saved(cli)["digest"]
    key(None)
    said = refused(cli, "MBX553", 1)
    assert "saved.json is signed, and no plan key is configured to check it" in said.err
    assert digest not in said.err  # nobody should take it from there
    assert "Set RECONCILER_PLAN_KEY, or plan_key_file in the settings" in said.err
    assert cli(*SAVED, "--expect-digest", digest).code == 0


def test_a_plan_saved_without_a_key_is_refused_where_there_is_one(
    cli: Cli, key: Callable[[str | None], None]
) -> None:
    applied(cli, acme())
    saved(cli)
    key(KEY)
    assert "Save the plan with plan -o where the key is configured." in refused(cli, "MBX551").err


def test_manifests_need_no_key(cli: Cli, key: Callable[[str | None], None]) -> None:
    """A key that is missing or wrong only matters where a plan is saved or taken from a file."""
    key("short")
    write(Path("m"), {"acme.yaml": acme()})
    assert cli("plan", "m").code == 0
    assert cli("plan", "m", "--format", "json").code == 0
    assert cli(*APPLY).code == 0
    assert cli("plan", "m", "-o", FILE).code == 1


@pytest.mark.parametrize(
    "text", ["", " " * 40, "x" * 31, f"  {'x' * 31}\n"], ids=["empty", "blank", "short", "padded"]
)
@pytest.mark.parametrize("where", ["variable", "file"])
def test_a_key_has_32_bytes(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, where: str, text: str
) -> None:
    saved(cli, acme())
    Path("key").write_text(text)
    monkeypatch.setenv(*variables(where, text))
    name = "RECONCILER_PLAN_KEY" if where == "variable" else "key"
    write(Path("m"), {"acme.yaml": acme()})
    for command in (SAVED, ("plan", "m", "-o", "other.json")):
        said = cli(*command)
        assert (said.code, said.out) == (1, "")
        assert f"error MBX650: the plan key of {name} is too short\n" in said.err
        assert "x" * 31 not in said.err
    assert not Path("other.json").exists()


def variables(where: str, text: str) -> tuple[str, str]:
    return (
        ("RECONCILER_PLAN_KEY", text)
        if where == "variable"
        else ("RECONCILER_PLAN_KEY_FILE", "key")
    )


def test_a_key_is_the_same_from_wherever_it_comes(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(cli, acme())
    Path("key").write_bytes(f"{KEY}\r\n".encode())
    Path("reconciler.toml").write_text('plan_key_file = "key"\n')
    saved(cli)
    Path("reconciler.toml").write_text("")
    for name, value in (("RECONCILER_PLAN_KEY", OTHER_KEY), ("RECONCILER_PLAN_KEY_FILE", "other")):
        Path("other").write_text(OTHER_KEY)
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            refused(cli, "MBX552")
    monkeypatch.setenv("RECONCILER_PLAN_KEY_FILE", "other")
    monkeypatch.setenv("RECONCILER_PLAN_KEY", KEY)
    assert cli(*SAVED).code == 0


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda: None, "No such file or directory"),
        (lambda: Path("key").mkdir(), "Is a directory"),
        (lambda: Path("key").write_text("x" * 65537), "It is too large."),
    ],
)
def test_a_key_file_that_cannot_be_read(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[], Any], words: str
) -> None:
    saved(cli, acme())
    prepare()
    monkeypatch.setenv("RECONCILER_PLAN_KEY_FILE", "key")
    said = cli(*SAVED)
    assert said.code == 1
    assert "error MBX652: the plan key key cannot be read\n" in said.err
    assert words in said.err


def test_a_key_is_never_shown(
    cli: Cli, key: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_TRACEBACK", "1")
    key(KEY)
    applied(cli, acme())
    write(Path("m"), {"acme.yaml": acme(nickname="Outro")})
    everything = [cli("plan", "m", "-o", FILE), cli("plan", "m", "--format", "json", "-o", FILE)]
    text = FILE.read_text()
    FILE.write_text(altered(lambda plan: plan.update(signature="x")))
    everything += [cli(*SAVED), cli("plan", "m", "-o", "no/such/folder")]
    assert [said.code for said in everything] == [0, 0, 4, 1]
    assert KEY not in text + str(everything)
    held = PlanKey(KEY.encode(), "test")
    assert KEY not in f"{held} {held!r}" + str([held])
    for escape in (pickle.dumps, copy, deepcopy):
        with pytest.raises(TypeError):
            escape(held)
    assert not hasattr(held, "__dict__")


# The digest that was reviewed


def test_without_a_key_the_digest_is_how_a_plan_is_known(cli: Cli) -> None:
    applied(cli, acme())
    write(Path("m"), {"acme.yaml": acme(nickname="Outro")})
    said = cli("plan", "m", "-o", FILE)
    digest = document()["digest"]
    assert said.out.splitlines()[-1] == (
        f"Apply it with: reconciler apply saved.json --expect-digest {digest}"
    )
    assert cli(*SAVED, "--expect-digest", digest.replace(digest[7:], digest[7:].upper())).code == 0


def test_with_a_key_nobody_needs_the_digest(cli: Cli, key: Callable[[str | None], None]) -> None:
    key(KEY)
    write(Path("m"), {"acme.yaml": acme()})
    said = cli("plan", "m", "-o", FILE)
    assert said.out.splitlines()[-1] == "Apply it with: reconciler apply saved.json"


def test_the_json_is_all_that_is_printed(cli: Cli, key: Callable[[str | None], None]) -> None:
    write(Path("m"), {"acme.yaml": acme()})
    for text in (None, KEY):
        key(text)
        said = cli("plan", "m", "--format", "json", "-o", FILE)
        assert json.loads(said.out)["plan_id"] == document()["id"]
        assert said.err == ""


def test_another_plan_than_expected_is_not_applied(cli: Cli) -> None:
    applied(cli, acme())
    reviewed = saved(cli)["digest"]
    found = saved(cli, acme(nickname="Another"))["digest"]
    said = refused(cli, "MBX554", 4, "--expect-digest", reviewed)
    assert "saved.json is another plan than expected" in said.err
    assert f"Its digest is {found}; expected was {reviewed}." in said.err
    FILE.write_text(sealed(lambda plan: plan.update(commit="0" * 40)))
    refused(cli, "MBX554", 4, "--expect-digest", found)


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "0" * 63, "0" * 64, "sha256:" + "g" * 64, "\x1b[31m"]
)
def test_a_digest_that_is_none(cli: Cli, text: str) -> None:
    saved(cli, acme())
    said = cli(*SAVED, "--expect-digest", text)
    assert (said.code, said.out) == (64, "")
    assert said.err.startswith("error MBX653: ")
    assert "\x1b" not in said.err
    assert not Path("reconciler.db").exists()


def test_manifests_have_no_digest_to_expect(cli: Cli) -> None:
    digest = saved(cli, acme())["digest"]
    write(Path("m"), {"acme.yaml": acme()})
    said = cli(*APPLY, "--expect-digest", digest)
    assert (said.code, said.out) == (64, "")
    assert "error MBX654: --expect-digest is about a saved plan" in said.err
    assert not Path("reconciler.db").exists()


# What a plan is from


STRANGE = [
    "UPDATE mail_server SET port = 'abc'",
    "UPDATE mail_server SET port = 1.5",
    "UPDATE mail_server SET port = 9e999",
    "UPDATE mail_server SET port = -9223372036854775807",
    "UPDATE mail_server SET timeout = 'x', origins = 'bad'",
    "UPDATE mail_server SET username = x'ff41'",
    "UPDATE mail_server SET nickname = 5",
    "UPDATE host_profile SET port = 'x', timeout = 2.5",
    "UPDATE company SET extensions = x'ff', nickname = 1e999",
    "UPDATE link SET sender_name = x'00ff'",
    "UPDATE company SET head_office = 1",
]


@pytest.mark.parametrize("sql", STRANGE)
@pytest.mark.parametrize("declared", [True, False], ids=["repaired", "released"])
def test_strange_rows_go_through_a_file(cli: Cli, sql: str, *, declared: bool) -> None:
    """What could be read from the database can be saved, applied, and is repaired."""
    hosts = {"hosts": {"mail.acme.example": {"smtp": {"timeout": "9s"}}}}
    whole = acme(nfe=incoming()) | hosts
    applied(cli, whole)
    execute(sql)
    smaller = manifest(mail_servers={"nfe-out": outgoing()})
    content = saved(cli, whole if declared else smaller, "--accept", "takeover=1")
    if content["lines"] and "refusal" not in {line[0] for line in content["lines"]}:
        assert cli(*SAVED).code == 0, content
        write(Path("m"), {"acme.yaml": whole if declared else smaller})
        assert cli("plan", "m", "--detailed-exitcode").code == 0


def test_a_link_of_a_server_that_has_gone_makes_a_plan_stale(cli: Cli) -> None:
    applied(cli, acme(ONE))
    saved(cli, acme(ONE, TWO))
    execute("DELETE FROM link")
    execute("DELETE FROM mail_server")
    refused(cli, "MBX540")


# What vouches for a plan, beside its text


def test_a_key_signs_nothing_but_plans() -> None:
    digest = "sha256:" + "0" * 64
    signer = PlanKey(KEY.encode(), "test")
    bare = hmac.new(KEY.encode(), digest.encode(), "sha256").hexdigest()
    assert not signer.has_signed(digest, f"hmac-sha256:{bare}")
    assert signer.has_signed(digest, signer.sign(digest))
    assert not PlanKey(OTHER_KEY.encode(), "test").has_signed(digest, signer.sign(digest))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 70), st.sampled_from("0123456789abcdefXé\ud800"))
def test_no_other_signature_fits(at: int, character: str) -> None:
    signer = PlanKey(KEY.encode(), "test")
    digest = "sha256:" + "0" * 64
    right = signer.sign(digest)
    other = right[:at] + character + right[at + 1 :]
    assert signer.has_signed(digest, other) is (other == right)


def test_a_signed_plan_survives_its_file() -> None:
    signer = PlanKey(KEY.encode(), "test")
    assert read(text_of(PLAN, signer), signer) == PLAN
    assert code_of(text_of(PLAN, signer)) == "1 MBX553"
    assert code_of(TEXT, signer) == "4 MBX551"
