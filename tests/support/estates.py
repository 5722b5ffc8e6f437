"""What tests are made of: rows, manifests, databases, and the command line run in place."""

from __future__ import annotations

import gc
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, CursorResult, Engine, create_engine, inspect, make_url, text
from sqlalchemy.pool import NullPool, QueuePool

from reconciler import cli
from reconciler.database import observe, schema
from reconciler.database.engine import engine_of, sqlite_file, transaction
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Problem, Severity
from reconciler.manifests.declaration import FileDeclaration
from reconciler.manifests.load import parse
from reconciler.manifests.partner import PartnerDeclaration, by_partner
from reconciler.manifests.read import ReadLimits
from reconciler.model.cnpj import check_digits, masked
from reconciler.model.coverage import Coverage
from reconciler.model.state import (
    Company,
    HeadOffice,
    HostProfile,
    Link,
    Links,
    MailServer,
    Origins,
    Partner,
    State,
)
from reconciler.operations import transaction as transaction_
from reconciler.operations.partners import PlannedPartners, Request, plan_partners
from reconciler.operations.transaction import Work
from reconciler.plan.accept import Acceptance
from reconciler.plan.alarm import Thresholds
from reconciler.plan.diff import Change
from reconciler.plan.plan import DatabaseTarget, PartnerPlan, Plan, Selection
from reconciler.secrets.stores.env import variable as variable_prefix
from reconciler.settings import DEFAULT_DATABASE
from tests.support.servers import SQLITE
from tests.support.servers.databases import Databases, sqlite_template

PARTNER = "acme"
FILE = "acme.yaml"
HOST = "mail.acme.example"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LIFETIME = timedelta(hours=24)
TODAY = date(2026, 11, 24)
BY_DEFAULT = Origins(*["default"] * 6)
UNGUARDED = Thresholds(most=10**6, least=10**6, percent=100)
OWN = "ACME_BOX"
"""The password of a mail server that says nothing else."""
Manifest = dict[str, Any]
Manifests = Mapping[str, Manifest]


def cnpj(order: int, root: int | str = 12345678) -> str:
    """The CNPJ of an establishment: of one root unless another is given."""
    base = f"{root:0>8}{order:04}"
    return base + check_digits(base)


def company(number: str, **fields: Any) -> Company:
    row = Company(number, "Acme", "fiscal@acme.example", (), False, "", FILE)
    return row._replace(**fields)


def profile(host: str = HOST, protocol: str = "smtp", **fields: Any) -> HostProfile:
    row = HostProfile(host, protocol, None, None, None, None, None, None, "", FILE)
    return row._replace(**fields)


def server(stable_id: str, **fields: Any) -> MailServer:
    row = MailServer(
        stable_id=stable_id,
        direction="outgoing",
        protocol="smtp",
        nickname="Envio",
        active=True,
        host=HOST,
        port=465,
        security="tls",
        verify_certificate=True,
        ca_file=None,
        timeout=30,
        ehlo_name=None,
        origins=BY_DEFAULT,
        auth="password",
        username=f"{stable_id}@acme.example",
        password_reference=f"env:ACME_{stable_id.upper()}",
        sender_name=None,
        sender_email=f"{stable_id}@acme.example",
        reply_to=None,
        folder=None,
        company=None,
        importable=True,
        ignore_changes=(),
        project="",
        file=FILE,
    )
    return row._replace(**fields)


def link(number: str, **fields: Any) -> Link:
    return Link(number, None, True, "", FILE)._replace(**fields)


def state(
    companies: Iterable[Company] = (),
    servers: Iterable[MailServer] = (),
    links: Mapping[str, Iterable[Link]] | None = None,
    hosts: Iterable[HostProfile] = (),
    head_offices: Iterable[str] = (),
    partner: Partner | None = Partner(PARTNER, ""),  # noqa: B008 - rows are frozen
) -> State:
    return State(
        partner=partner,
        companies={row.cnpj: row for row in companies},
        head_offices={number[:8]: HeadOffice(number[:8], number) for number in head_offices},
        hosts={(row.host, row.protocol): row for row in hosts},
        servers={row.stable_id: row for row in servers},
        links={name: sorted_links(rows) for name, rows in (links or {}).items()},
    )


def sorted_links(rows: Iterable[Link]) -> Links:
    return tuple(sorted(rows))


def covers(*files: str, project: str = "", whole: bool = True) -> Coverage:
    return Coverage(project, frozenset(files or (FILE,)), whole)


def plan_of(changes: Iterable[Change], **fields: Any) -> Plan:
    """A plan of these changes for every partner that they are of, refused nowhere."""
    by_name: dict[str, list[Change]] = {}
    for change in changes:
        by_name.setdefault(change.partner, []).append(change)
    parts = tuple(PartnerPlan(name, tuple(by_name[name])) for name in sorted(by_name))
    given: dict[str, Any] = {
        "id": f"plan-{next(_numbers)}",
        "created_at": NOW,
        "expires_at": NOW + LIFETIME,
        "project": "",
        "target": DatabaseTarget("some-id", "sqlite", "0001"),
        "manifest_digest": "sha256:0",
        "selection": Selection(),
        "partners": parts,
        "unchanged": 0,
        "left_alone": 0,
    }
    return Plan(**{**given, **fields})


_numbers = iter(range(10**9))


# Manifests


PASSWORD = {"env": "ACME_PASSWORD"}


def outgoing(name: str = "nfe-out", **keys: Any) -> Manifest:
    """A mail server that sends, as a manifest has it; a key that is None is left out."""
    entry = {
        "direction": "outgoing",
        "nickname": "Envio",
        "host": HOST,
        "username": f"{name}@acme.example",
        "password": PASSWORD,
        "sender": {"email": f"{name}@acme.example"},
        **keys,
    }
    return {key: value for key, value in entry.items() if value is not None}


def incoming(name: str = "nfe-in", **keys: Any) -> Manifest:
    """A mail server that is read; a key that is None is left out."""
    return outgoing(name, **{"direction": "incoming", "sender": None, **keys})


def companies(*numbers: str, **keys: Any) -> Manifest:
    """The companies section of these CNPJs."""
    entry = {"nickname": "Acme", "notification_email": "fiscal@acme.example", **keys}
    return {masked(number): entry for number in numbers}


def manifest(partner: str = PARTNER, **sections: Any) -> Manifest:
    """A manifest; mail servers of which nothing else is said have a password of the partner."""
    variable = f"{variable_prefix(partner)}_PASSWORD"
    servers = {
        name: {**entry, "password": {"env": variable}}
        if entry.get("password") is PASSWORD
        else entry
        for name, entry in sections.get("mail_servers", {}).items()
    }
    written = {**sections, "mail_servers": servers} if servers else sections
    return {"version": 1, "partner": partner, **written}


def acme(*linked: str, nickname: Any = "Envio", **servers: Any) -> Manifest:
    """Two companies, `nfe-out` linked to them or to those given, and more servers."""
    names = [masked(number) for number in linked or (cnpj(1), cnpj(2))]
    out = outgoing(nickname=nickname, companies=names)
    return manifest(companies=companies(cnpj(1), cnpj(2)), mail_servers={"nfe-out": out, **servers})


def boxes(*numbers: int) -> dict[str, Any]:
    return {f"box-{number}": outgoing(f"box-{number}") for number in numbers}


def as_bytes(content: Manifest | str | bytes) -> bytes:
    if isinstance(content, bytes):
        return content
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    return text.encode()


def read_one(
    content: Manifest | str | bytes, file: str = FILE, project: str = ""
) -> tuple[FileDeclaration | None, list[Problem]]:
    return parse(as_bytes(content), file, ReadLimits(), project)


def read_all(
    manifests: Mapping[str, Manifest | str], project: str = ""
) -> tuple[dict[str, PartnerDeclaration], list[Problem]]:
    """What manifests declare, by partner, and every problem that reading them finds."""
    files, problems = [], []
    for name, content in manifests.items():
        declaration, found = read_one(content, name, project)
        problems += found
        if declaration:
            files.append(declaration)
    declared, between = by_partner(files, {})
    return declared, [*problems, *between]


def declare(*contents: Manifest | str, project: str = "") -> PartnerDeclaration:
    """What manifests of one partner declare; they are `acme.yaml`, `acme-1.yaml`, …"""
    names = [FILE, *(f"acme-{number}.yaml" for number in range(1, len(contents)))]
    declared, problems = read_all(dict(zip(names, contents, strict=True)), project)
    assert not problems, problems
    (only,) = declared.values()
    return only


def write(folder: Path, manifests: Mapping[str, Manifest | str]) -> Path:
    """Write manifests below a folder, which is made where it is missing."""
    for name, content in manifests.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_bytes(content))
    return folder


def codes(problems: Iterable[Problem]) -> list[str]:
    return [problem.code for problem in problems]


def errors(problems: Iterable[Problem]) -> list[str]:
    return [code for code in codes(problems) if MESSAGES[code].severity is Severity.ERROR]


# Databases


@contextmanager
def memory_database() -> Iterator[Engine]:
    """A database in the memory of this process, with all tables."""
    name = f"file:estate-{next(_numbers)}?mode=memory&cache=shared"
    kept_alive = sqlite3.connect(name, uri=True)
    template = sqlite3.connect(":memory:")
    template.deserialize(_in_rollback_mode(sqlite_template()))
    template.backup(kept_alive)
    template.close()
    engine = engine_of(f"sqlite:///{name}&uri=true", writes=True)
    yield engine
    engine.dispose()
    kept_alive.close()


@contextmanager
def fresh(databases: Databases, kind: str) -> Iterator[Engine]:
    """A database with all tables, to write to; SQLite's is in memory."""
    if kind == SQLITE:
        with memory_database() as engine:
            yield engine
        return
    with databases.migrated(kind, Path()) as made, opened(made.url) as engine:
        # One connection for all transactions: to connect takes longer than what they do.
        engine.pool = QueuePool(engine.pool._creator, pool_size=1, _dispatch=engine.pool.dispatch)
        yield engine


def _in_rollback_mode(database: bytes) -> bytes:
    """The file format has a byte each for reading and writing; 2 is a write-ahead log."""
    return database[:18] + b"\x01\x01" + database[20:]


def database_file(folder: Path, name: str = "test.db") -> str:
    """A new database file with all tables; its URL is returned."""
    (folder / name).write_bytes(sqlite_template())
    return f"sqlite:///{folder / name}"


@contextmanager
def opened(url: str, *, writes: bool = True, wait: float | None = None) -> Iterator[Engine]:
    engine = engine_of(url, writes=writes, wait=wait)
    try:
        yield engine
    finally:
        engine.dispose()


class Program:
    """Another program at the same database: each of its statements is committed at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, **values: Any) -> CursorResult[Any]:
        """Run a statement; ANSI SQL is understood everywhere, and so are `char` and `:name`."""
        portable = statement if self.dialect == "sqlite" else statement.replace("char(", "chr(")
        return self._connection.execute(text(portable), values)

    def script(self, statements: str) -> None:
        """Run several statements."""
        for statement in statements.split(";"):
            if statement.strip():
                self.execute(statement)

    @property
    def dialect(self) -> str:
        return self._connection.dialect.name

    def tables(self) -> list[str]:
        return sorted(inspect(self._connection).get_table_names())


@contextmanager
def plain_sql(url: str) -> Iterator[Program]:
    """Another program, which waits for nobody."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in _AT_FIRST[connection.dialect.name]:
            connection.exec_driver_sql(statement)
        yield Program(connection)


_AT_FIRST = {
    "sqlite": ["PRAGMA foreign_keys = ON", "PRAGMA busy_timeout = 0"],
    "postgresql": ["SET lock_timeout = 10"],
    "mariadb": [
        "SET SESSION sql_mode = 'ANSI,STRICT_ALL_TABLES'",
        "SET SESSION innodb_lock_wait_timeout = 0",
    ],
}


_SHOUT = {
    "sqlite": """
        CREATE TRIGGER shout AFTER UPDATE ON mail_server BEGIN
        UPDATE mail_server SET nickname = upper(nickname) WHERE id = new.id; END
    """,
    "postgresql": """
        CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.nickname = upper(NEW.nickname); RETURN NEW; END';
        CREATE TRIGGER shout BEFORE UPDATE ON mail_server FOR EACH ROW EXECUTE FUNCTION shout()
    """,
    "mariadb": """
        CREATE TRIGGER shout BEFORE UPDATE ON mail_server FOR EACH ROW
        SET NEW.nickname = upper(NEW.nickname)
    """,
}


def shout(program: Program) -> None:
    """From now on the database writes the nickname of every server that changes in capitals."""
    program.execute(_SHOUT[program.dialect])


def dump(url: str) -> list[tuple[str, list[Any]]]:
    """Every table with its rows; but for locks, which come and go."""
    file = sqlite_file(make_url(url))
    if file and not file.exists():
        return []
    with plain_sql(url) as program:
        return [
            (name, sorted(program.execute(f'SELECT * FROM "{name}"'), key=repr))
            for name in program.tables()
            if name != "partner_lock"
        ]


def fetch(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with transaction(engine) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def put(engine: Engine, *changes: Change) -> None:
    """Make changes as an apply does."""
    with transaction(engine) as connection:
        transaction_.write(connection, Work(plan_of(changes)), "test", NOW)


def read_back(engine: Engine, partner: str = PARTNER) -> State:
    with transaction(engine) as connection:
        ((_, found),) = observe.read(connection, [partner])
    return found.state


def row_ids(engine: Engine, partner: str = PARTNER) -> dict[str, int]:
    with transaction(engine) as connection:
        ((_, found),) = observe.read(connection, [partner])
    return found.row_ids


@dataclass(frozen=True)
class Estate:
    """A database, and what is done to it with manifests."""

    engine: Engine
    project: str = ""

    def plan(
        self,
        manifests: Mapping[str, Manifest | str],
        *acceptances: Acceptance,
        whole: bool = True,
        thresholds: Thresholds = UNGUARDED,
    ) -> PlannedPartners:
        """Plan the manifests, which must be readable and make sense among themselves."""
        declared, problems = read_all(manifests, self.project)
        assert not errors(problems), problems
        request = Request(
            covers(*manifests, project=self.project, whole=whole),
            Selection(),
            "sha256:0",
            NOW,
            LIFETIME,
            thresholds,
            acceptances,
        )
        with transaction(self.engine) as connection:
            target = DatabaseTarget(schema.status_of(connection).database_id, "sqlite", "0001")
            return plan_partners(declared, connection, target, request)

    def plan_accepting(
        self, manifests: Mapping[str, Manifest | str], *, whole: bool = True
    ) -> PlannedPartners:
        """Plan the manifests with every guard accepted that they set off."""
        first = self.plan(manifests, whole=whole)
        offers = [
            Acceptance(refusal.alarm.guard, refusal.alarm.count, partner=refusal.partner)
            for refusal in first.plan.refusals
        ]
        return self.plan(manifests, *offers, whole=whole) if offers else first

    def apply(self, plan: Plan) -> int | None:
        """Apply what can be applied; the number of the revision is returned."""
        if not plan.applicable:
            return None
        with transaction(self.engine) as connection:
            return transaction_.write(connection, Work(plan), "test", NOW).revision

    def settle(self, manifests: Mapping[str, Manifest | str], *, whole: bool = True) -> Plan:
        """Plan with all guards accepted, and apply."""
        planned = self.plan_accepting(manifests, whole=whole)
        assert not errors(planned.problems), planned.problems
        self.apply(planned.plan)
        return planned.plan


class Ran(NamedTuple):
    """What a run of the command line ended with."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


def url() -> str:
    """The database of the command line."""
    return os.environ.get("RECONCILER_DATABASE_URL", DEFAULT_DATABASE)


def query(sql: str) -> list[tuple[Any, ...]]:
    with plain_sql(url()) as program:
        return [tuple(row) for row in program.execute(sql)]


def execute(sql: str) -> None:
    with plain_sql(url()) as program:
        program.script(sql)


@contextmanager
def nothing_written() -> Iterator[None]:
    """What happens inside leaves the database as it was; a SQLite file is not even made."""
    file = sqlite_file(make_url(url()))
    before, exists = dump(url()), file and file.exists()
    yield
    assert (dump(url()), file and file.exists()) == (before, exists)


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Ran:
    """Run the command line in this process."""
    capsys.readouterr()
    try:
        code = cli.run([str(argument) for argument in arguments])
    finally:
        gc.enable()  # commands turn it off, and this process lives on
    return Ran(code, *capsys.readouterr())
