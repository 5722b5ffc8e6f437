"""`adopt`: what others did to a mail server in the database is written into its manifest."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher, unified_diff
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from reconciler.database.engine import transaction
from reconciler.database.observe import Observed
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.problem import Path as Steps
from reconciler.export.adopt.adopt import Adoption, adopt
from reconciler.export.adopt.sheets import PartnerManifests
from reconciler.export.read_back import Terms
from reconciler.manifests import atomic
from reconciler.manifests.atomic import Rewrite
from reconciler.manifests.load import parse
from reconciler.manifests.positions import locate
from reconciler.manifests.read import ReadLimits
from reconciler.model.coverage import Coverage
from reconciler.model.state import State
from reconciler.plan.ownership import differences
from reconciler.secrets.scope import Rules, Scopes
from tests.laws.test_laws import WITH_DATABASE
from tests.support.estates import (
    FILE,
    PARTNER,
    Cli,
    Estate,
    Manifest,
    Program,
    errors,
    manifest,
    memory_database,
    plain_sql,
    read_back,
    row_ids,
)
from tests.support.foreign import REFERENCES, insert, sayable_states, texts
from tests.support.servers import MAIN, SQLITE
from tests.support.servers.databases import Database
from tests.support.strategies import manifests

Texts = dict[str, str]


# Manifests as people write them


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - its name is PyYAML's
        return True


def as_yaml(manifest: Manifest, style: str) -> str:
    """A manifest in one of the styles that there are, with a comment on every line."""
    if style == "json":
        return json.dumps(manifest, indent=1, ensure_ascii=False)
    flow = None if style == "mixed" else False
    text = yaml.dump(
        manifest,
        Dumper=_NoAliases,
        default_flow_style=flow,
        sort_keys=False,
        allow_unicode=True,
        width=10**6,
        indent=4 if style == "wide" else 2,
    )
    lines = [f"{line}  # c{number}" for number, line in enumerate(text.splitlines())]
    return ("\r\n" if style == "crlf" else "\n").join([*lines, ""])


pytestmark = pytest.mark.databases(SQLITE)
STYLES = ["block", "mixed", "wide", "crlf", "json"]


# What others do


class Deed(NamedTuple):
    """One thing that another program does to a mail server, where it can be done."""

    kind: str
    value: Any
    number: int


_values: dict[str, st.SearchStrategy[Any]] = {
    "nickname": texts,
    "active": st.booleans(),
    "host": st.sampled_from(["other.example", "smtp.gmail.com", "mail.acme.example"]),
    "port": st.sampled_from([465, 587, 2525]),
    "security": st.sampled_from(["tls", "starttls"]),
    "verify_certificate": st.booleans(),
    "ca_file": st.just("other.pem"),
    "timeout": st.sampled_from([30, 20, 45]),
    "username": st.sampled_from(["somebody", "08", "no"]),
    "password_reference": st.sampled_from(REFERENCES),
    "sender_name": st.none() | texts,
    "sender_email": st.just("other@acme.example"),
    "reply_to": st.sampled_from([None, "reply@acme.example"]),
    "folder": texts,
    "importable": st.booleans(),
    "link": st.none() | texts,
    "link-active": st.booleans(),
    "unlink": st.none(),
}
_OUTGOING = {"sender_name", "sender_email", "reply_to"}
deeds = st.sampled_from(sorted(_values)).flatmap(
    lambda kind: st.builds(Deed, st.just(kind), _values[kind], st.integers(0, 4))
)


def do(engine: Engine, deed: Deed, state: State, name: str, number: int) -> None:
    """Change the row with this number, which is the server called `name`."""
    row = state.servers[name]
    if deed.kind in ("link", "link-active", "unlink"):
        if row.company is None:
            _link(engine, deed, state, name, number)
        return
    if deed.kind in _OUTGOING and row.direction != "outgoing":
        return
    if (deed.kind == "folder" and row.protocol != "imap") or (
        deed.kind == "importable" and row.company
    ):
        return
    _execute(engine, f"UPDATE mail_server SET {deed.kind} = ? WHERE id = ?", deed.value, number)


def _link(engine: Engine, deed: Deed, state: State, name: str, number: int) -> None:
    able = [
        cnpj
        for cnpj, company in sorted(state.companies.items())
        if row_reads(company.extensions, state.servers[name].direction)
    ]
    if not able:
        return
    cnpj = able[deed.number % len(able)]
    there = {link.cnpj for link in state.links.get(name, ())}
    if deed.kind == "unlink":
        _execute(engine, "DELETE FROM link WHERE mail_server_id = ? AND cnpj = ?", number, cnpj)
    elif cnpj not in there:
        _execute(
            engine,
            "INSERT OR IGNORE INTO link (mail_server_id, cnpj, sender_name) VALUES (?, ?, ?)",
            *(number, cnpj, deed.value if deed.kind == "link" else None),
        )
    else:
        column = "active" if deed.kind == "link-active" else "sender_name"
        _execute(
            engine,
            f"UPDATE link SET {column} = ? WHERE mail_server_id = ? AND cnpj = ?",
            *(deed.value, number, cnpj),
        )


def row_reads(extensions: tuple[str, ...], direction: str) -> bool:
    return direction == "outgoing" or "document_import" in extensions


def _execute(engine: Engine, statement: str, *values: Any) -> None:
    with transaction(engine) as connection:
        connection.exec_driver_sql(statement, tuple(values))


def adopted(
    engine: Engine, manifests_: Mapping[str, str], name: str, into: str | None = None
) -> Adoption:
    state = read_back(engine)
    found = Observed(state, row_ids(engine))
    files = {}
    for file, text in manifests_.items():
        declaration, problems = parse(text.encode(), file, ReadLimits(), "")
        assert declaration
        assert not errors(problems)
        files[file] = declaration
    coverage = Coverage("", frozenset(manifests_), whole=True)
    terms = Terms("", ReadLimits(), {}, Scopes(Rules(), {PARTNER}))
    read = {file: text.encode() for file, text in manifests_.items()}.__getitem__
    given_ = PartnerManifests(files, read, coverage, terms)
    return adopt(PARTNER, name, found, given_, into)


def after(manifests_: Mapping[str, str], adoption: Adoption) -> Texts:
    return {**manifests_, **{item.file: item.after.decode() for item in adoption.files}}


@pytest.mark.slow
@settings(WITH_DATABASE, max_examples=120)
@given(manifests(), st.sampled_from(STYLES), st.lists(deeds, min_size=1, max_size=4), st.data())
def test_what_others_changed_is_written_back_and_nothing_else(
    declared: dict[str, Manifest], style: str, done: list[Deed], data: st.DataObject
) -> None:
    names = [name for content in declared.values() for name in content.get("mail_servers", {})]
    assume(names)
    name = data.draw(st.sampled_from(names))
    before = {file: as_yaml(content, style) for file, content in declared.items()}
    with memory_database() as engine:
        estate = Estate(engine)
        estate.settle(before)
        number = row_ids(engine)[name]
        for deed in done:
            do(engine, deed, read_back(engine), name, number)
        others = _differences(estate, before, name, own=False)
        try:
            adoption = adopted(engine, before, name)
        except Failure as failure:
            event("cannot be said")
            gone = {str(item.values.get("address")) for item in failure.problems}
            # A link is gone that `all` or `branches_of` stands for: no edit says so.
            assert all(address.startswith(f"link.{PARTNER}/{name}/") for address in gone)
            return
        event("written back" if adoption.files else "nothing to write")
        now = after(before, adoption)
        assert _differences(estate, now, name, own=True) == set()
        assert _differences(estate, now, name, own=False) <= others
        for file, text in now.items():
            _only_its_lines(before[file], text, name)
        assert adopted(engine, now, name).files == ()


def _differences(estate: Estate, texts_: Texts, name: str, *, own: bool) -> set[tuple[str, str]]:
    planned = estate.plan(texts_)
    assert not errors(planned.problems)
    return {
        (item.change.address, item.field)
        for item in differences(planned.plan.changes, "")
        if (item.change.server == name) is own
    }


def _only_its_lines(before: str, now: str, name: str) -> None:
    """Lines of other servers stay, and what was a comment on a line that stays is still there."""
    old, new = before.splitlines(), now.splitlines()
    allowed = _lines_of(before, ("mail_servers", name)) | _lines_of(before, ("hosts",))
    allowed |= _lines_of(before, ("import_from",))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, first, last, new_first, new_last in matcher.get_opcodes():
        if tag != "equal":
            assert set(range(first, max(last, first + 1))) <= allowed, (before, now)
            comments = {_key(line): _comment(line) for line in old[first:last]}
            for line in new[new_first:new_last]:
                assert comments.get(_key(line), _comment(line)) == _comment(line)


def _lines_of(text: str, path: Steps) -> set[int]:
    """The lines of a key with its value, counted from 0, and the one behind them."""
    positions = locate(FILE, text.encode(), ReadLimits())
    if path not in positions.keys:
        return set()
    inside = [mark.line for at, mark in positions.values.items() if at[: len(path)] == path]
    inside += [mark.line for at, mark in positions.keys.items() if at[: len(path)] == path]
    # Braces may close lines below the last value.
    return set(range(min(inside) - 1, max(inside) + 3))


def _key(line: str) -> str:
    return line.partition(":")[0]


def _comment(line: str) -> str:
    found = re.search(r"  # c(\d+)$", line)
    return found.group() if found else ""


@settings(WITH_DATABASE, max_examples=40)
@given(sayable_states(), st.sampled_from(STYLES))
def test_every_server_of_another_program_gets_an_entry(state: State, style: str) -> None:
    manifests_: Texts = {"acme.yaml": as_yaml(manifest(), style)}
    with memory_database() as engine:
        insert(engine, state)
        estate = Estate(engine)
        for name, row in read_back(engine).servers.items():
            into = f"own/{row.company}.yaml" if row.company else None
            others = _differences(estate, manifests_, name, own=False)
            adoption = adopted(engine, manifests_, name, into)
            assert len(adoption.files) == 1
            manifests_ = after(manifests_, adoption)
            assert _differences(estate, manifests_, adoption.name, own=True) == set()
            assert _differences(estate, manifests_, adoption.name, own=False) <= others
            assert adopted(engine, manifests_, name).files == ()
        planned = estate.plan_accepting(manifests_)
        left = differences(planned.plan.changes, "")
        assert [item for item in left if item.change.server] == []


# The command


ACME = """\
version: 1
partner: acme   # the platform's oldest

hosts:
  mail.acme.example:
    smtp: {port: 587, security: starttls, timeout: 20s}

companies:
  "12.345.678/0001-95":
    nickname: Acme Matriz
    notification_email: fiscal@acme.example
    own_mailboxes: true
  "12.345.678/0002-76": {nickname: Acme Curitiba, notification_email: fiscal@acme.example}

mail_servers:
  nfe-out:            # never shown to recipients
    direction: outgoing
    nickname: Envio   # of invoices
    host: mail.acme.example
    username: 'nfe@acme.example'
    password: {env: ACME_NFE}
    sender: {name: Acme, email: nfe@acme.example}
    companies:
      - "12.345.678/0001-95"   # head office
      # the branch has a name of its own
      - cnpj: "12.345.678/0002-76"
        sender_name: Acme Curitiba

  alerts:
    direction: outgoing
    nickname: Avisos
    host: mail.acme.example
    username: alerts@acme.example
    password: {env: ACME_ALERTS}
    sender: {email: alerts@acme.example}
    companies: [{all: true}]
"""


@pytest.fixture
def acme(cli: Cli, database: Database) -> Iterator[Program]:
    """The partner is applied; another program is at its database."""
    Path("acme.yaml").write_text(ACME)
    assert cli("apply", "--auto-approve").code == 0
    with plain_sql(database.url) as program:
        yield program


def change(program: Program, **fields: Any) -> None:
    """What another program writes into nfe-out."""
    names = ", ".join(f"{name} = :{name}" for name in fields)
    program.execute(f"UPDATE mail_server SET {names} WHERE stable_id = 'nfe-out'", **fields)


def diff_of(before: str, now: str) -> list[str]:
    """The lines that differ, with their signs."""
    lines = unified_diff(before.splitlines(), now.splitlines(), n=0)
    return [f"{line[0]} {line[1:]}" for line in lines if line[:1] in "+-"][2:]


@pytest.mark.databases(*MAIN)
def test_what_others_changed_is_shown_asked_for_and_written(cli: Cli, acme: Program) -> None:
    change(acme, nickname="no", username="it's", password_reference="file:acme-nfe", active=False)
    acme.execute("DELETE FROM link WHERE cnpj = '12345678000276'")
    unasked = cli("adopt", "acme/nfe-out")
    assert unasked.code == 1
    assert "MBX604" in unasked.err
    assert Path("acme.yaml").read_text() == ACME
    assert cli("adopt", "acme/nfe-out", "--auto-approve").code == 0
    assert diff_of(ACME, Path("acme.yaml").read_text()) == [
        "-     nickname: Envio   # of invoices",
        '+     nickname: "no"   # of invoices',
        "+     active: false",
        "-     username: 'nfe@acme.example'",
        "-     password: {env: ACME_NFE}",
        "+     username: 'it''s'",
        "+     password: {file: acme-nfe}",
        '-       - cnpj: "12.345.678/0002-76"',
        "-         sender_name: Acme Curitiba",
    ]
    assert [line for line in unasked.out.splitlines() if line[:1] in "+-"][2:] == [
        line[0] + line[2:] for line in diff_of(ACME, Path("acme.yaml").read_text())
    ]
    assert cli("plan", "--server", "acme/nfe-out", "--detailed-exitcode").code == 0
    again = cli("adopt", "nfe-out")
    assert (again.code, "nfe-out" in again.out) == (0, True)


def test_what_was_answered_counts(cli: Cli, acme: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    change(acme, nickname="Novo")
    for answer, code in (("no", 1), ("", 1), ("yes", 0)):
        terminal = io.StringIO(f"{answer}\n")
        terminal.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", terminal)
        done = cli("adopt", "nfe-out")
        assert done.code == code
        assert ("MBX727" in done.err) is (code == 1)
    assert "nickname: Novo   # of invoices" in Path("acme.yaml").read_text()


def test_an_option_of_the_host_is_changed_there_if_all_agree(cli: Cli, acme: Program) -> None:
    change(acme, timeout=25)
    assert cli("adopt", "nfe-out", "--auto-approve").code == 0
    alone = Path("acme.yaml").read_text()
    assert diff_of(ACME, alone) == ["+     timeout: 25s"]
    Path("acme.yaml").write_text(ACME)
    acme.execute("UPDATE mail_server SET timeout = 25, port = 2525")
    assert cli("adopt", "nfe-out", "--auto-approve").code == 0
    assert diff_of(ACME, Path("acme.yaml").read_text()) == [
        "-     smtp: {port: 587, security: starttls, timeout: 20s}",
        "+     smtp: {port: 2525, security: starttls, timeout: 25s}",
    ]
    planned = cli("plan")
    assert "mail server" not in planned.out


def test_an_option_of_the_host_stays_if_others_have_another_value(cli: Cli, acme: Program) -> None:
    acme.execute("UPDATE mail_server SET timeout = 40")
    change(acme, timeout=25)
    assert cli("adopt", "nfe-out", "--auto-approve").code == 0
    assert diff_of(ACME, Path("acme.yaml").read_text()) == ["+     timeout: 25s"]


def test_links_of_others_are_declared_and_what_no_link_can_say_is_told(
    cli: Cli, acme: Program
) -> None:
    acme.execute(
        "INSERT INTO company (cnpj, partner, nickname) VALUES ('12345678000357', 'acme', 'X')"
    )
    acme.execute(
        "INSERT INTO link (mail_server_id, cnpj, active) "
        "SELECT id, '12345678000357', false FROM mail_server WHERE stable_id = 'nfe-out'"
    )
    done = cli("adopt", "nfe-out", "--auto-approve")
    assert done.code == 0
    assert diff_of(ACME, Path("acme.yaml").read_text()) == [
        '+       - cnpj: "12.345.678/0003-57"',
        "+         active: false",
    ]
    command = done.out.splitlines()[-1]
    assert command == "reconciler apply --server acme/nfe-out --accept acme:takeover=1"
    assert cli(*command.split()[1:], "--auto-approve").code == 0
    acme.execute("DELETE FROM link WHERE mail_server_id IN (SELECT id FROM mail_server "
                 "WHERE stable_id = 'alerts')")  # fmt: skip
    told = cli("adopt", "alerts")
    assert told.code == 1
    assert "MBX729" in told.err
    assert "link.acme/alerts/12345678000195" in told.err


def test_a_link_that_a_company_imports_is_changed_in_its_file(cli: Cli, acme: Program) -> None:
    text = (
        'version: 1\npartner: acme\ncompany: "12.345.678/0002-76"\nimport_from:\n'
        "  - partner: alerts   # for them\n    sender_name: Curitiba\n"
    )
    Path("acme.yaml").write_text(ACME.replace("companies: [{all: true}]", "companies: []"))
    Path("curitiba.yaml").write_text(text)
    assert cli("apply", "--auto-approve").code == 0
    acme.execute("UPDATE link SET sender_name = NULL, active = false WHERE cnpj = '12345678000276' "
                 "AND sender_name = 'Curitiba'")  # fmt: skip
    assert cli("adopt", "alerts", "--auto-approve").code == 0
    assert diff_of(text, Path("curitiba.yaml").read_text()) == [
        "-     sender_name: Curitiba",
        "+     active: false",
    ]


OTHER = (
    "INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host, port, "
    "security, verify_certificate, timeout, username, sender_email, company) VALUES "
    "('acme', NULL, 'outgoing', 'smtp', 'Envio', 'mail.acme.example', 465, 'tls', true, 20, "
    "'other', 'other@acme.example', :company)"
)
ENTRY = """
  envio:
    direction: outgoing
    nickname: Envio
    host: mail.acme.example
    port: 465
    security: tls
    username: other
    password: {env: ACME_ENVIO_PASSWORD}  # TODO: put the password there
    sender: {email: other@acme.example}
    companies:
      - "12.345.678/0001-95"
"""


@pytest.mark.databases(*MAIN)
def test_a_server_of_another_program_gets_an_entry(cli: Cli, acme: Program) -> None:
    acme.execute(OTHER, company=None)
    acme.execute("INSERT INTO link (mail_server_id, cnpj) SELECT max(id), '12345678000195' "
                 "FROM mail_server")  # fmt: skip
    name = f"acme/#{acme.execute('SELECT max(id) FROM mail_server').scalar()}"
    done = cli("adopt", name, "--auto-approve")
    assert done.code == 0, done.err
    assert Path("acme.yaml").read_text() == ACME + ENTRY
    assert cli("validate").code == 0
    command = done.out.splitlines()[-1]
    assert command == "reconciler apply --server acme/envio --accept acme:takeover=2"
    assert cli(*command.split()[1:], "--auto-approve").code == 0
    assert cli("plan", "--detailed-exitcode").code == 0


def test_a_server_of_a_company_goes_to_a_file_of_that_company(cli: Cli, acme: Program) -> None:
    acme.execute(OTHER, company="12345678000195")
    name = f"acme/#{acme.execute('SELECT max(id) FROM mail_server').scalar()}"
    nowhere = cli("adopt", name)
    assert nowhere.code == 1
    assert "MBX721" in nowhere.err
    assert "MBX722" in cli("adopt", name, "--into", "acme.yaml").err
    assert cli("adopt", name, "--into", "acme.txt").code == 64
    Path("reconciler.toml").touch()
    assert "MBX119" in cli("adopt", name, "--into", "../acme.yaml").err
    done = cli("adopt", name, "--into", "acme/own.yaml", "--auto-approve")
    assert done.code == 0
    text = Path("acme/own.yaml").read_text()
    assert text.startswith('version: 1\npartner: acme\ncompany: "12.345.678/0001-95"\n\nmail_s')
    assert "    linked: false\n" in text
    assert cli("validate").code == 0
    acme.execute(OTHER.replace("'other',", "'second',"), company="12345678000195")
    second = f"acme/#{acme.execute('SELECT max(id) FROM mail_server').scalar()}"
    assert cli("adopt", second, "--auto-approve").code == 0
    assert "  envio-2:\n" in Path("acme/own.yaml").read_text()


def test_a_manifest_of_another_partner_is_no_place(cli: Cli, acme: Program) -> None:
    acme.execute(OTHER, company=None)
    Path("beta.yaml").write_text("version: 1\npartner: beta\n")
    Path("more.yaml").write_text("version: 1\npartner: acme\n")
    assert "MBX721" in cli("adopt", "acme/#3").err
    assert "MBX728" in cli("adopt", "acme/#3", "--into", "beta.yaml").err
    assert cli("adopt", "acme/#3", "--into", "more.yaml", "--auto-approve").code == 0
    assert Path("more.yaml").read_text() == "version: 1\npartner: acme\n\nmail_servers:" + ENTRY[
        : ENTRY.index("    companies")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"nickname": "a\x1bb"}, "MBX720"),
        ({"nickname": ""}, "MBX720"),
        ({"sender_email": "none"}, "MBX720"),
        ({"password_reference": "hunter2"}, "MBX720"),
        ({"password_reference": "env:BETA_NFE"}, "MBX720"),
        ({"password_reference": "vault:smtp/beta#/nfe"}, "MBX720"),
        ({"host": "not a host"}, "MBX720"),
        ({"security": "none"}, "MBX720"),
        ({"timeout": None}, "MBX723"),
        ({"host": "Other.Example"}, "MBX723"),
        ({"company": "12345678000195"}, "MBX723"),
        ({"username": "alerts@acme.example"}, "MBX720"),
    ],
    ids=str,
)
def test_what_no_manifest_can_say_is_not_written(
    cli: Cli, acme: Program, fields: dict[str, Any], code: str
) -> None:
    change(acme, **fields)
    done = cli("adopt", "nfe-out", "--auto-approve")
    assert done.code == 1
    assert code in done.err
    assert next(iter(fields)) in done.err
    assert "\x1b" not in done.err
    assert "hunter2" not in done.err + done.out
    assert Path("acme.yaml").read_text() == ACME


def test_manifests_with_a_fault_are_not_edited(cli: Cli, acme: Program) -> None:
    change(acme, nickname="Novo")
    Path("more.yaml").write_text("version: 1\npartner: acme\nmail_serverz: {}\n")
    done = cli("adopt", "nfe-out", "--auto-approve")
    assert done.code == 1
    assert "MBX201" in done.err
    assert "more.yaml:3:1" in done.err


@pytest.mark.usefixtures("acme")
def test_a_server_of_a_manifest_that_was_not_given_stays_there(cli: Cli) -> None:
    Path("reconciler.toml").touch()
    Path("more.yaml").write_text("version: 1\npartner: acme\n")
    done = cli("adopt", "nfe-out", "more.yaml", "--auto-approve")
    assert done.code == 1
    assert "MBX725" in done.err
    assert "acme.yaml" in done.err


def test_a_file_keeps_its_mode_and_a_link_to_it_stays_one(cli: Cli, acme: Program) -> None:
    change(acme, nickname="Novo")
    Path("real").mkdir()
    Path("acme.yaml").rename("real/file.yml")
    Path("real/file.yml").chmod(0o640)
    Path("acme.yaml").symlink_to("real/file.yml")
    done = cli("adopt", "nfe-out", "acme.yaml", "--auto-approve")
    assert done.code == 0
    assert Path("acme.yaml").is_symlink()
    assert "nickname: Novo" in Path("real/file.yml").read_text()
    assert Path("real/file.yml").stat().st_mode & 0o777 == 0o640


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    one, other = tmp_path / "a.yaml", tmp_path / "b" / "c.yaml"
    one.write_text("mine")
    for before in (b"other", None):
        rewrites = [Rewrite("b/c.yaml", None, b"new"), Rewrite("a.yaml", before, b"new")]
        with pytest.raises(Failure, match="MBX726"):
            atomic.rewrite(tmp_path, rewrites)
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]
    assert one.read_text() == "mine"
    rewrites = [Rewrite("b/c.yaml", None, b"new"), Rewrite("a.yaml", b"mine", b"new")]
    atomic.rewrite(tmp_path, rewrites)
    assert other.read_bytes() == one.read_bytes() == b"new"
    assert len(list(tmp_path.rglob("*"))) == 3


def test_what_is_not_there_cannot_be_adopted(cli: Cli) -> None:
    Path("acme.yaml").write_text(ACME)
    assert "MBX615" in cli("adopt", "acme/nfe-out").err


def test_nothing_can_be_adopted_from_a_new_database(new_cli: Cli) -> None:
    Path("acme.yaml").write_text(ACME)
    assert "MBX541" in new_cli("adopt", "acme/nfe-out").err
