"""Proofs: a plan with them is the plan without them, whatever happens in between."""

from __future__ import annotations

import io
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Engine, Integer, Table, insert

from reconciler.cli.plan import notice, show
from reconciler.database import tables
from reconciler.database import unchanged as recorded
from reconciler.database.engine import transaction
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.model.unchanged import Unchanged
from reconciler.operations import inputs, unchanged
from reconciler.operations import transaction as transaction_
from reconciler.operations.context import Context
from reconciler.operations.plan import Ask, plan
from reconciler.operations.transaction import Work
from reconciler.plan.accept import Acceptance
from reconciler.plan.plan import Plan
from tests.laws.test_laws import WITH_DATABASE
from tests.support.estates import (
    NOW,
    Cli,
    Manifest,
    cnpj,
    companies,
    database_file,
    execute,
    fetch,
    incoming,
    manifest,
    opened,
    outgoing,
    url,
    write,
)
from tests.support.servers import MAIN, SQLITE
from tests.support.servers.databases import Database
from tests.support.strategies import COMPANIES, Edit, Editor, edits

pytestmark = pytest.mark.databases(SQLITE)
ROWS = (tables.partner, tables.company, tables.host_profile, tables.mail_server, tables.link)
"""The tables that a plan reads."""


class Meddling(NamedTuple):
    """Another program changes one value of one row, to whatever SQLite takes."""

    table: Table
    column: Column[Any]
    row: int
    value: Any


def _values(column: Column[Any]) -> list[Any]:
    """What another program may put there, or find that it cannot."""
    if isinstance(column.type, Boolean):
        return [0, 1, None, "yes", b"0"]
    if isinstance(column.type, Integer):
        return [None, 0, 1, 587, "x", 30.5]
    texts = ["", "x", "acme.yaml", "more.yaml", "tls", "other", "a", "beta", "acme-sul"]
    return [None, b"x", *texts, COMPANIES["acme"][1]]


@st.composite
def _meddling(draw: st.DrawFn) -> Meddling:
    table = draw(st.sampled_from(ROWS))
    column = draw(st.sampled_from([*table.c]))
    return Meddling(table, column, draw(st.integers(0, 5)), draw(st.sampled_from(_values(column))))


class Claim(NamedTuple):
    """A partner declares a company of another one, or no longer."""

    number: int
    flag: bool


class Step(NamedTuple):
    """What happens, which paths are given to the next run, and whether that applies its plan."""

    happening: list[Edit | Meddling | Claim]
    paths: tuple[str, ...]
    applies: bool


PARTNERS = {"acme", "beta", "gamma"}
WAYS = [(".",), (".",), (".",), ("sub",), ("acme.yaml", "more.yaml"), ("acme.yaml", "sub")]
_happenings = edits | _meddling() | _meddling() | st.builds(Claim, st.integers(0, 2), st.booleans())
_steps = st.lists(
    st.builds(
        Step,
        st.lists(_happenings, max_size=2),
        st.sampled_from(WAYS),
        st.sampled_from([True, True, False]),
    ),
    min_size=3,
    max_size=8,
)


class Place:
    """A folder with manifests and a database, where everything can happen."""

    def __init__(self, folder: Path, engine: Engine, url: str) -> None:
        self.root = folder / "manifests"
        self.url = url
        self._engine = engine
        self._editor = Editor(engine)
        self._claims: dict[int, bool] = {}

    def happens(self, item: Edit | Meddling | Claim) -> None:
        match item:
            case Edit():
                self._editor.make(item)
            case Claim():
                self._claims[item.number] = item.flag
            case Meddling():
                self._meddle(item)

    def _meddle(self, item: Meddling) -> None:
        """Change a value as other programs can: SQLite takes bytes for everything, and checks
        foreign keys only for those who ask for it.
        """
        table, key = item.table.name, [column.name for column in item.table.primary_key.columns]
        names, same = ", ".join(key), " AND ".join(f"{name} = ?" for name in key)
        query = f"SELECT {names} FROM {table} ORDER BY {names} LIMIT 1 OFFSET ?"
        with closing(self._other_program()) as program, suppress(sqlite3.IntegrityError):
            for found in program.execute(query, (item.row,)).fetchall():
                change = f"UPDATE {table} SET {item.column.name} = ? WHERE {same}"
                program.execute(change, (item.value, *found))

    def _other_program(self) -> sqlite3.Connection:
        return sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)

    def write(self) -> None:
        rmtree(self.root, ignore_errors=True)
        files = self._editor.manifests(whole=True)
        claimed = [COMPANIES["acme"][number] for number, on in self._claims.items() if on]
        if "beta.yaml" in files:
            beta = dict(files.pop("beta.yaml"))
            beta["companies"] = {**beta["companies"], **companies(*claimed)}
            files["sub/beta.yaml"] = beta
        write(self.root, {**files, "quiet.yaml": manifest("gamma")})

    def paths(self, names: Sequence[str]) -> list[Path]:
        return [path for name in names if (path := self.root / name).exists()] or [self.root]

    def settle(self) -> None:
        """Write the manifests and apply them, until there is a proof for everybody."""
        self.write()
        short, _ = with_facts(self, [self.root])
        short, _ = with_facts(self, [self.root], accepting(short.plan))
        assert short.plan
        assert not short.plan.refusals
        self.apply(short)

    def context(self, paths: list[Path]) -> Context:
        return Context.of({}, paths=paths, root=self.root, database=self.url)

    def unchanged(self, paths: list[Path] | None = None) -> set[str]:
        """The partners that need not be planned now."""
        return unchanged_in(self.context(paths or [self.root]))

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What happens to the database here has not happened afterwards."""
        with closing(self._other_program()) as kept, closing(sqlite3.connect(":memory:")) as copy:
            kept.backup(copy)
            yield
            copy.backup(kept)

    def apply(self, told: Told) -> None:
        assert told.plan
        with transaction(self._engine) as connection:
            work = Work(told.plan, unchanged=told.unchanged)
            transaction_.write(connection, work, "test", NOW)


class Told(NamedTuple):
    """All that a run says, the plan that it makes, and the facts beside it."""

    plan: Plan | None
    problems: tuple[Problem, ...]
    printed: str
    refused: int
    unchanged: tuple[Unchanged, ...] = ()


ALL = Ask()


def unchanged_in(context: Context) -> set[str]:
    reading = inputs.begin(context, hashing=True)
    return {*unchanged.read(reading, context).loaded.unchanged}


def told(context: Context, ask: Ask) -> Told:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(out):
        try:
            planned = plan(context, ask, recording=True)
        except Failure as failure:
            return Told(None, failure.problems, out.getvalue(), failure.exit_code)
        notice(planned)
        show(planned.plan, planned.inputs, full=True)
    return Told(planned.plan, planned.problems, out.getvalue(), planned.skipped, planned.unchanged)


def with_facts(place: Place, paths: list[Path], ask: Ask = ALL) -> tuple[Told, int]:
    return told(place.context(paths), ask), len(place.unchanged(paths))


def without(place: Place, paths: list[Path], ask: Ask = ALL) -> Told:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unchanged, "facts", lambda _context: [])
        return told(place.context(paths), ask)


def comparable(found: Told) -> Told:
    if found.plan is None:
        return found
    plan = replace(found.plan, id="", created_at=NOW, expires_at=NOW)
    return found._replace(plan=plan, unchanged=())


def accepting(plan: Plan | None) -> Ask:
    """Everything accepted that a plan refuses."""
    return Ask(
        acceptances=tuple(
            Acceptance(item.alarm.guard, item.alarm.count, partner=item.partner)
            for item in (plan.refusals if plan else ())
        )
    )


@contextmanager
def a_place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        url = database_file(Path(folder))
        with opened(url) as engine:
            yield Place(Path(folder), engine, url)


@pytest.mark.slow
@settings(WITH_DATABASE, max_examples=60)
@given(_steps)
def test_a_plan_with_facts_is_the_plan_without_them(steps: list[Step]) -> None:
    with a_place() as place:
        for step in [Step([], (".",), applies=True), *steps]:
            for item in step.happening:
                place.happens(item)
            place.write()
            paths = place.paths(step.paths)
            short, count = with_facts(place, paths)
            event(f"unchanged: {count}")
            assert comparable(short) == comparable(without(place, paths))
            asked = accepting(short.plan)
            short, count = with_facts(place, paths, asked)
            assert comparable(short) == comparable(without(place, paths, asked))
            if step.applies and short.plan and short.plan.applicable:
                place.apply(short)
                event(f"facts: {len(short.unchanged)}")


# Every single value


COLUMNS = [column for table in ROWS for column in table.c]


@pytest.fixture(scope="module")
def unchanged_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An estate of which everything is proven, with rows of other programs in it."""
    folder = tmp_path_factory.mktemp("settled")
    url = database_file(folder)
    with opened(url) as engine:
        place = Place(folder, engine, url)
        for edit in (
            Edit("own", "acme.yaml", "a", "b", 0, flag=False),
            Edit("hosts", "acme.yaml", "a", "b", 1, flag=True),
            Edit("company", "acme.yaml", "a", "b", 1, flag=True),
            Edit("active", "acme.yaml", "b", "b", 0, flag=False),
        ):
            place.happens(edit)
        place.settle()
        for edit in (
            Edit("foreign-server", "acme.yaml", "c", "c", 0, flag=True),
            Edit("foreign-server", "beta.yaml", "c", "c", 0, flag=False),
            Edit("foreign-host", "beta.yaml", "a", "b", 0, flag=False),
            Edit("foreign-link", "acme.yaml", "b", "b", 2, flag=False),
            Edit("active", "beta.yaml", "b", "b", 0, flag=False),
        ):
            place.happens(edit)
        place.settle()
        yield place


_SERVER = tables.mail_server.c
UNSEEN = {
    *(_SERVER.id, _SERVER.password_sealed, _SERVER.password_fingerprint),
    _SERVER.password_version,
}
"""No plan depends on these: apply compares sealed passwords by itself."""


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS, ids=map(str, COLUMNS))
def test_no_change_of_a_value_is_hidden(unchanged_place: Place, column: Column[Any]) -> None:
    """Every column that plans depend on is looked at; what is not seen makes no difference."""
    place, table, seen = unchanged_place, column.table, 0
    assert isinstance(table, Table)
    for row in range(3):
        for value in _values(column):
            with place.undone():
                place.happens(Meddling(table, column, row, value))
                if place.unchanged() == PARTNERS:
                    short, _ = with_facts(place, [place.root])
                    assert comparable(short) == comparable(without(place, [place.root]))
                else:
                    seen += 1
    assert seen or column in UNSEEN
    assert place.unchanged() == PARTNERS


# From one run to the next


def folder_of(*numbers: int) -> Path:
    """Manifests of so many partners, each in a file of its own."""
    rmtree("m", ignore_errors=True)
    return write(Path("m"), {f"p{number}.yaml": one(number) for number in numbers})


def settled(cli: Cli, *numbers: int) -> None:
    """The same, applied."""
    folder_of(*numbers)
    assert cli("apply", "m", "--auto-approve").code == 0


def one(number: int, **keys: Any) -> Manifest:
    own = cnpj(1, root=10_000_000 + number)
    servers = {"out": outgoing(f"p{number}", companies=[own], **keys)}
    return manifest(f"p{number}", companies=companies(own), mail_servers=servers)


def unchanged_now(*paths: str) -> set[str]:
    """The partners that the next plan of these paths would take as they are."""
    context = Context.of(os.environ, paths=[Path(path) for path in paths or ("m",)])
    return unchanged_in(context)


@pytest.mark.databases(*MAIN)
def test_what_was_applied_is_unchanged_until_a_file_or_a_row_changes(new_cli: Cli) -> None:
    folder_of(1, 2, 3)
    assert unchanged_now() == set()
    assert new_cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == {"p1", "p2", "p3"}
    write(Path("m"), {"p1.yaml": one(1, nickname="Outro")})
    execute("UPDATE mail_server SET nickname = 'Meddled' WHERE partner = 'p2'")
    assert unchanged_now() == {"p3"}
    said = new_cli("plan", "m")
    assert [line for line in said.out.splitlines() if line.startswith("p")] == ["p1", "p2"]
    assert said.out.endswith(
        "Plan: 0 to create, 2 to update, 0 to delete, 0 to link, 0 to unlink. 10 rows unchanged.\n"
    )
    execute("UPDATE mail_server SET nickname = 'Envio' WHERE partner = 'p2'")
    assert unchanged_now() == {"p2", "p3"}
    assert new_cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == {"p1", "p2", "p3"}


@pytest.mark.databases(*MAIN)
def test_the_rows_of_other_programs_are_part_of_it(cli: Cli) -> None:
    settled(cli, 1, 2)
    execute(
        "INSERT INTO mail_server (partner, direction, protocol, nickname, host, username) "
        "VALUES ('p1', 'outgoing', 'smtp', 'Other', 'smtp.other.example', NULL)"
    )
    assert unchanged_now() == {"p2"}
    write(Path("m"), {"p2.yaml": one(2, nickname="Outro")})
    assert cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == {"p1", "p2"}
    execute("UPDATE mail_server SET nickname = 'Another' WHERE nickname = 'Other'")
    assert unchanged_now() == {"p2"}


def test_a_saved_plan_brings_its_facts_along(cli: Cli) -> None:
    folder_of(1, 2)
    assert cli("plan", "m", "-o", "saved.json").code == 0
    assert cli("apply", "saved.json", "--auto-approve").code == 0
    assert unchanged_now() == {"p1", "p2"}


def test_a_plan_of_a_part_records_nothing(cli: Cli) -> None:
    folder_of(1, 2)
    assert cli("apply", "m", "--partner", "p1", "--auto-approve").code == 0
    assert unchanged_now() == set()


def test_a_refused_partner_is_not_settled(cli: Cli) -> None:
    settled(cli, 1, 2)
    write(Path("m"), {"p1.yaml": manifest("p1"), "p2.yaml": one(2, nickname="Outro")})
    assert cli("apply", "m", "--auto-approve").code == 3
    assert unchanged_now() == {"p2"}


def test_a_warning_is_told_every_time(cli: Cli) -> None:
    folder_of(1)
    content = one(2)
    content["mail_servers"]["out"] |= {"port": 25, "security": "starttls"}
    write(Path("m"), {"p2.yaml": content})
    assert "MBX403" in cli("apply", "m", "--auto-approve").err
    assert unchanged_now() == {"p1"}
    assert "MBX403" in cli("plan", "m").err


def test_companies_that_are_left_out_are_told_every_time(cli: Cli) -> None:
    folder_of(1)
    content = one(2)
    content["mail_servers"]["in"] = incoming(
        "p2-in", password={"env": "P2_BOX"}, companies=[{"all": True}]
    )
    write(Path("m"), {"p2.yaml": content})
    assert cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == {"p1", "p2"}
    assert "1 company without document_import left out" in cli("plan", "m").err


def test_an_acceptance_is_judged_every_time(cli: Cli) -> None:
    folder_of(1)
    offer = {"guard": "mass-delete", "count": 12, "reason": "meant", "until": "2026-01-01"}
    write(Path("m"), {"p2.yaml": {**one(2), "accept": [offer]}})
    assert cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == {"p1"}
    assert "MBX512" in cli("plan", "m").err


def test_the_settings_acceptances_are_judged_every_time(cli: Cli) -> None:
    settled(cli, 1, 2)
    accepted = 'partner = "p1"\nguard = "takeover"\ncount = 1\nuntil = 2026-01-01\n'
    Path("reconciler.toml").write_text(f"[[guards.accept]]\n{accepted}")
    assert unchanged_now() == set()  # the root has become another folder
    assert cli("apply", "m", "--auto-approve").code == 0
    short = cli("plan", "m")
    execute("DELETE FROM unchanged")
    assert short == cli("plan", "m")
    assert "MBX512" in short.err


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("limits.depth = 30", False),
        ('paths = {p1 = ["m"]}', False),
        ('project = "other"', False),
        ("guards.most = 3", True),
        ('plan_lifetime = "1h"', True),
        ("probes.attempts = 1", True),
    ],
)
def test_settings_that_have_a_say_are_part_of_it(cli: Cli, line: str, stays: bool) -> None:
    Path("reconciler.toml").write_text("")
    settled(cli, 1, 2)
    assert unchanged_now() == {"p1", "p2"}
    Path("reconciler.toml").write_text(line)
    assert unchanged_now() == ({"p1", "p2"} if stays else set())


def test_what_is_given_is_part_of_it(cli: Cli) -> None:
    Path("reconciler.toml").write_text("")
    settled(cli, 1, 2)
    assert unchanged_now("m") == {"p1", "p2"}
    assert unchanged_now(".") == set()
    assert unchanged_now("m/p1.yaml") == set()


def test_a_new_file_of_a_settled_partner_is_read_with_its_others(cli: Cli) -> None:
    settled(cli, 1, 2)
    again = manifest("p1", mail_servers={"out": outgoing("p1-b"), "b": outgoing("p1-c")})
    write(Path("m"), {"more.yaml": again})
    said = cli("plan", "m")
    assert (said.code, "MBX301" in said.err) == (1, True)
    del again["mail_servers"]["out"]
    write(Path("m"), {"more.yaml": again})
    assert unchanged_now() == {"p2"}
    assert "1 to create" in cli("plan", "m").out


@pytest.mark.parametrize(
    ("partner", "owner", "keys", "words"),
    [
        # The file of the partner whose company it is, as far as manifests tell.
        pytest.param("p0", 2, {"mail_server": {}}, "m/p2.yaml", id="one wrong file"),
        pytest.param("p3", 1, {}, "MBX306", id="a company of another partner"),
    ],
)
def test_everything_that_is_wrong_is_told_beside_settled_partners(
    cli: Cli, partner: str, owner: int, keys: Manifest, words: str
) -> None:
    settled(cli, 1, 2)
    theirs = companies(cnpj(1, root=10_000_000 + owner))
    write(Path("m"), {f"{partner}.yaml": {**manifest(partner, companies=theirs), **keys}})
    short = cli("plan", "m")
    execute("DELETE FROM unchanged")
    assert short == cli("plan", "m")
    assert short.code == 1
    assert words in short.err


def test_what_depends_on_other_partners_is_never_recorded(cli: Cli) -> None:
    settled(cli, 1, 2)
    own = cnpj(7)
    registered = "INSERT INTO company (cnpj, partner, nickname, own_mailboxes) VALUES "
    execute(f"{registered} ('{own}', 'p1', 'Own', true)")
    mailbox = {"own": outgoing("own", linked=False)}
    write(Path("m"), {"own.yaml": manifest("p1", company=own, mail_servers=mailbox)})
    assert cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == {"p1", "p2"}
    with closing(sqlite3.connect(url().removeprefix("sqlite:///"))) as careless, careless:
        careless.execute("DELETE FROM company WHERE cnpj = ?", (own,))
    write(Path("m"), {"p2.yaml": one(2, nickname="Outro")})
    assert cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == {"p2"}
    execute(f"{registered} ('{own}', 'p2', 'Own', true)")
    assert "MBX306" in cli("plan", "m").err


@pytest.mark.slow("postgres18")
@pytest.mark.databases(*MAIN)
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE unchanged SET unchanged = unchanged + 1",
        "UPDATE unchanged SET left_alone = 1",
        "UPDATE unchanged SET skipped = 1",
        "UPDATE unchanged SET context = ''",
        "UPDATE unchanged SET files = ''",
        "UPDATE unchanged SET files = 'x'",
        "UPDATE unchanged SET digest = ''",
        "UPDATE unchanged SET partner = 'p9'",
        "DROP TABLE unchanged",
    ],
)
def test_a_fact_that_was_tampered_with_counts_for_nothing(new_cli: Cli, change: str) -> None:
    settled(new_cli, 1)
    execute(change)
    assert unchanged_now() == set()
    assert new_cli("plan", "m").out == "Nothing to change. 4 rows unchanged.\n"


@pytest.mark.databases(*MAIN)
@pytest.mark.filterwarnings("default::DeprecationWarning")
def test_several_processes_see_what_one_sees(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(cli, *range(20))
    execute("UPDATE mail_server SET nickname = 'x' WHERE partner IN ('p3', 'p17')")
    alone = unchanged_now()
    monkeypatch.setattr(unchanged, "MANY", 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2})
    assert unchanged_now() == alone
    assert len(alone) == 18


def test_nothing_is_recorded_of_strange_rows(cli: Cli) -> None:
    settled(cli, 1, 2)
    another = cnpj(2, root=10_000_001)
    execute(f"INSERT INTO company (cnpj, partner, nickname) VALUES ('{another}', 'p1', 'x')")
    execute("INSERT INTO company (cnpj, partner, nickname) VALUES (x'78', 'p1', 'x')")
    write(Path("m"), {"p2.yaml": one(2, nickname="Outro")})
    assert cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == {"p2"}


@pytest.mark.databases("postgres18", "mariadb")
def test_two_applies_that_record_the_same_do_not_stop_each_other(database: Database) -> None:
    fact = Unchanged("p1", "2" * 64, (("p1.yaml", "0" * 64),), 5, 0, 0, "1" * 64)
    with opened(database.url) as engine, ThreadPoolExecutor() as threads:
        with transaction(engine) as first:
            recorded.write(first, "", [fact])
            other = threads.submit(_keep, engine, [fact._replace(partner="p0"), fact])
            with pytest.raises(TimeoutError):
                other.result(0.5)
        other.result(30)
        with transaction(engine) as connection:
            assert fact in recorded.read(connection, "")
        assert fetch(engine, "SELECT id FROM partner") == [("p7",)]


def _keep(engine: Engine, facts: list[Unchanged]) -> None:
    with transaction(engine) as connection:
        connection.execute(insert(tables.partner).values(id="p7"))
        recorded.write(connection, "", facts)


def test_the_tool_knows_itself() -> None:
    assert unchanged.identity() == unchanged.identity.__wrapped__()
    names = [name for name, _ in unchanged.code_files(Path(unchanged.__file__).parent.parent)]
    assert {"operations/unchanged.py", "model/providers.toml", "manifests/schema.py"} <= {*names}
    assert names == sorted(names) or len(names) == len({*names})


# Secrets, which another partner may have a claim to


def with_secret(number: int, password: Any) -> dict[str, Manifest]:
    return {f"p{number}.yaml": one(number, password=password)}


@pytest.mark.databases(*MAIN)
def test_a_new_partner_unsettles_those_in_whose_way_it_stands(cli: Cli) -> None:
    folder_of(1)
    write(Path("m"), with_secret(2, {"vault": {"path": "smtp/p2/new", "key": "nfe"}}))
    write(Path("m"), with_secret(3, {"aws": {"name": "mail/p3"}}))
    assert cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == {"p1", "p2", "p3"}
    for name, left, code in (
        ("p1-sul", {"p2", "p3"}, "MBX661"),
        ("new", {"p1", "p3"}, "MBX660"),
        ("other", {"p1", "p2", "p3"}, ""),
    ):
        execute(f"INSERT INTO partner (id) VALUES ('{name}')")
        assert unchanged_now() == left
        assert code in cli("plan", "m").err
        execute(f"DELETE FROM partner WHERE id = '{name}'")
        write(Path("m"), {"new.yaml": manifest(name)})
        assert unchanged_now() == left
        done = cli("plan", "m")
        assert (done.code, code in done.err) == (1 if code else 0, True)
        Path("m/new.yaml").unlink()
    assert unchanged_now() == {"p1", "p2", "p3"}


@pytest.mark.parametrize(
    "lines",
    [
        '[secrets.partners.p1]\nenv = ["RELAY"]',
        '[secrets.partners.other]\nenv = ["P1_PASSWORD"]',
        '[secrets.env]\nprefix = "MAIL_{partner}_"',
    ],
)
def test_other_settings_are_another_verdict(cli: Cli, lines: str) -> None:
    settled(cli, 1, 2)
    assert unchanged_now() == {"p1", "p2"}
    Path("reconciler.toml").write_text(lines)
    assert unchanged_now() == set()
    done = cli("plan", "m")
    assert done.code == 1
    assert "m/p1.yaml" in done.err


def test_a_reference_that_no_row_shows_is_looked_at_every_time(cli: Cli) -> None:
    ignoring = {"fields": ["password_reference"], "reason": "The help desk"}
    secret = {"vault": {"path": "smtp/p1/new", "key": "nfe"}}
    write(Path("m"), {"p1.yaml": one(1, password=secret, ignore_changes=ignoring)})
    assert cli("apply", "m", "--auto-approve").code == 0
    execute("UPDATE mail_server SET password_reference = 'env:P1_X'")
    assert cli("apply", "m", "--auto-approve").code == 0
    assert unchanged_now() == set()
    execute("INSERT INTO partner (id) VALUES ('new')")
    assert "MBX660" in cli("plan", "m").err
