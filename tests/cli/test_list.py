"""`list` and `show`: what is in the database, whoever wrote it, and only what was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.database import bulk, listing, observe
from reconciler.database.engine import engine_of, transaction
from reconciler.render.style import PLAIN
from reconciler.render.table import table
from tests.support.estates import Cli, dump, plain_sql
from tests.support.servers import MAIN
from tests.support.servers.databases import Database

HEAD, BRANCH, OTHER = "12345678000195", "12345678000276", "11222333000181"
ACME = """
version: 1
partner: acme
hosts:
  mail.acme.example:
    smtp: {port: 587, security: starttls, timeout: 20s}
companies:
  "12.345.678/0001-95":
    nickname: Acme São João
    head_office: true
    notification_email: fiscal@acme.example
    extensions: [document_import]
  "12.345.678/0002-76": {nickname: Acme Curitiba, own_mailboxes: true}
mail_servers:
  nfe-out:
    direction: outgoing
    nickname: Emissão de NF-e
    host: mail.acme.example
    username: nfe-login
    password: {env: ACME_NFE_PASSWORD}
    sender: {name: Acme Faturamento, email: nfe@acme.example}
    companies:
      - "12.345.678/0001-95"
      - {cnpj: "12.345.678/0002-76", sender_name: Acme Curitiba}
  nfe-in:
    direction: incoming
    nickname: Leitura de XML
    host: imap.acme.example
    username: xml@acme.example
    password: {file: acme-xml}
    companies: [{cnpj: "12.345.678/0001-95", active: false}]
  old-out:
    direction: outgoing
    nickname: Envio antigo
    active: false
    host: mail.acme.example
    username: old@acme.example
    password: {env: ACME_OLD_PASSWORD}
    sender: {email: old@acme.example}
    companies: ["12.345.678/0002-76"]
"""
OWN = """
version: 1
partner: acme
company: "12.345.678/0002-76"
mail_servers:
  curitiba-out:
    direction: outgoing
    nickname: Envio de Curitiba
    host: mail.acme.example
    username: curitiba@acme.example
    password: {env: ACME_CURITIBA_PASSWORD}
    sender: {email: curitiba@acme.example}
"""
BETA = """
version: 1
partner: beta
companies:
  "11.222.333/0001-81": {nickname: Beta Comércio, notification_email: fiscal@beta.example}
mail_servers:
  nfe-out:
    direction: outgoing
    nickname: Notas da Beta
    host: mail.beta.example
    username: nfe@beta.example
    password: {env: BETA_NFE_PASSWORD}
    sender: {email: nfe@beta.example}
    companies: ["11.222.333/0001-81"]
"""
ROW = """
INSERT INTO mail_server (id, partner, stable_id, direction, protocol, nickname, host, active)
VALUES (:id, :partner, :stable_id, 'outgoing', 'smtp', :nickname, 'mail.other.example', :active)
"""
pytestmark = pytest.mark.databases(*MAIN)
ALL = ["acme/curitiba-out", "acme/nfe-in", "acme/nfe-out", "acme/old-out", "beta/nfe-out"]


class Tool:
    """Runs commands on one database; what each said is in `out` and `err`."""

    def __init__(self, cli: Cli, database: Database) -> None:
        self._cli = cli
        self.database = database
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        code, self.out, self.err = self._cli(*arguments)
        return code

    def lines(self, *arguments: str) -> list[str]:
        assert self(*arguments) == 0, self.err
        return self.out.splitlines()

    def data(self, *arguments: str) -> Any:
        assert self(*arguments, "--format", "json") == 0, self.err
        return json.loads(self.out)

    def listed(self, *arguments: str) -> list[str]:
        return [server["address"] for server in self.data("list", *arguments)["mail_servers"]]

    def execute(self, statement: str, **values: object) -> None:
        """What another program does to the database."""
        with plain_sql(self.database.url) as program:
            program.execute(statement, **values)

    def add(
        self,
        row_id: int,
        partner: str,
        stable_id: str | None,
        nickname: str = "De outro programa",
        *,
        active: bool = True,
    ) -> None:
        """Another program adds a mail server."""
        self.execute(
            ROW, id=row_id, partner=partner, stable_id=stable_id, nickname=nickname, active=active
        )


@pytest.fixture
def new(new_cli: Cli, new_database: Database) -> Tool:
    """The tool on a database without tables."""
    return Tool(new_cli, new_database)


@pytest.fixture
def tool(cli: Cli, database: Database) -> Tool:
    """The tool on a database with all of the manifests applied."""
    Path("manifests").mkdir()
    for name, text in (("acme", ACME), ("curitiba", OWN), ("beta", BETA)):
        Path(f"manifests/{name}.yaml").write_text(text, encoding="utf-8")
    assert cli("apply", "manifests", "--auto-approve").code == 0
    return Tool(cli, database)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[Any, ...]]]:
    """The rows that each query of a listing brings, as they come in."""
    queries: list[list[tuple[Any, ...]]] = []

    def recorded(connection: Any, statement: Any) -> Iterator[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        queries.append(rows)
        for row in bulk.fetch(connection, statement):
            rows.append(row)
            yield row

    monkeypatch.setattr(listing, "fetch", recorded)
    return queries


# --- list


def test_list_is_an_aligned_table_with_the_count_last(tool: Tool) -> None:
    tool.add(12, "beta", None)
    assert tool.lines("list", "--partner", "beta") == [
        (
            "PARTNER/ID    DIRECTION  PROTOCOL  NICKNAME           HOST:PORT              "
            "USERNAME          ACTIVE  COMPANIES  MANAGED"
        ),
        (
            "beta/nfe-out  outgoing   smtp      Notas da Beta      mail.beta.example:465  "
            "nfe@beta.example  yes     1          yes"
        ),
        (
            "beta/#12      outgoing   smtp      De outro programa  mail.other.example     "
            "–                 yes     0          no"
        ),
        "2 mail servers",
    ]


def test_list_as_json_has_every_server_with_its_links_counted(tool: Tool) -> None:
    document = tool.data("list")
    assert document["format_version"] == "1.0"
    found = {server["address"]: server for server in document["mail_servers"]}
    assert {name: server["companies"] for name, server in found.items()} == {
        "acme/curitiba-out": 1,
        "acme/nfe-in": 1,
        "acme/nfe-out": 2,
        "acme/old-out": 1,
        "beta/nfe-out": 1,
    }
    row_id = found["acme/nfe-out"].pop("row_id")
    assert isinstance(row_id, int)
    assert found["acme/nfe-out"] == {
        "address": "acme/nfe-out",
        "partner": "acme",
        "stable_id": "nfe-out",
        "managed": True,
        "companies": 2,
        "last_test": None,
        "direction": "outgoing",
        "protocol": "smtp",
        "nickname": "Emissão de NF-e",
        "active": True,
        "host": "mail.acme.example",
        "port": 587,
        "security": "starttls",
        "username": "nfe-login",
        "sender_name": "Acme Faturamento",
        "sender_email": "nfe@acme.example",
        "company": None,
        "project": "",
        "file": "acme.yaml",
    }
    assert found["acme/old-out"]["active"] is False
    assert found["acme/curitiba-out"]["company"] == BRANCH


@pytest.mark.slow("postgres18")
@pytest.mark.parametrize(
    ("arguments", "addresses"),
    [
        ("", ALL),
        ("--partner beta", ["beta/nfe-out"]),
        ("--partner beta --partner acme", ALL),
        ("--partner bet", []),
        ("--direction incoming", ["acme/nfe-in"]),
        ("--inactive", ["acme/old-out"]),
        ("--active", [name for name in ALL if name != "acme/old-out"]),
        ("--cnpj 12.345.678/0001-95", ["acme/nfe-in", "acme/nfe-out"]),
        ("--cnpj 12345678000195", ["acme/nfe-in", "acme/nfe-out"]),
        ("--cnpj 33.000.167/0001-01", []),
        ("--company sao", ["acme/nfe-in", "acme/nfe-out"]),
        ("--company SÃO", ["acme/nfe-in", "acme/nfe-out"]),
        ("--company sáo --partner beta", []),
        ("--company e", ["acme/curitiba-out", *ALL[1:]]),
        ("--nickname EMISSAO", ["acme/nfe-out"]),
        ("--nickname envío", ["acme/curitiba-out", "acme/old-out"]),
        ("--email NFE-LOGIN", ["acme/nfe-out"]),
        ("--email nfe@", ["acme/nfe-out", "beta/nfe-out"]),
        ("--email fiscal", []),
        ("--company curitiba --inactive --nickname antigo", ["acme/old-out"]),
    ],
)
def test_list_shows_what_fits_all_filters(tool: Tool, arguments: str, addresses: list[str]) -> None:
    assert tool.listed(*arguments.split()) == addresses


def test_a_filter_does_not_change_how_many_companies_are_counted(tool: Tool) -> None:
    (server,) = tool.data("list", "--cnpj", BRANCH, "--nickname", "NF-e")["mail_servers"]
    assert server["companies"] == 2


def test_nothing_that_fits_is_said_without_a_table(tool: Tool) -> None:
    assert tool.lines("list", "--nickname", "no such") == ["0 mail servers"]


def test_a_company_filter_may_mean_more_companies_than_one_query_takes(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_BATCH", 1)
    assert tool.listed("--company", "e") == ALL


def test_partner_and_company_together_read_only_that_partner(
    tool: Tool, fetched: list[list[tuple[Any, ...]]]
) -> None:
    tool.listed("--partner", "beta", "--company", "beta")
    assert {len(rows) for rows in fetched} == {1}
    assert [row for rows in fetched for row in rows if "acme" in row or HEAD in row] == []


def test_the_number_of_queries_does_not_grow_with_the_rows(
    tool: Tool, fetched: list[list[tuple[Any, ...]]]
) -> None:
    tool.listed()
    assert [len(rows) for rows in fetched] == [5, 5, 5]


def test_partners_come_in_order_and_rows_without_id_last_by_number(tool: Tool) -> None:
    tool.add(110, "acme", None, "b")
    tool.add(20, "acme", None, "a")
    tool.add(30, "acme", "z", "c")
    assert tool.listed() == [*ALL[:4], "acme/z", "acme/#20", "acme/#110", "beta/nfe-out"]


@pytest.mark.parametrize("option", ["--cnpj", "--company-mailboxes"])
@pytest.mark.parametrize(
    ("text", "code", "words"),
    [("12", "MBX613", '"12" is no CNPJ'), ("12345678000196", "MBX614", "end in 95")],
)
def test_a_wrong_cnpj_is_explained(
    tool: Tool, option: str, text: str, code: str, words: str
) -> None:
    assert tool("list", option, text) == 1
    assert code in tool.err
    assert words in tool.err


# --- list --company-mailboxes


def test_a_company_sees_what_is_active_under_its_own_sender_name(tool: Tool) -> None:
    assert tool.lines("list", "--company-mailboxes", "12.345.678/0002-76") == [
        (
            "PARTNER/ID         DIRECTION  PROTOCOL  NICKNAME           HOST:PORT              "
            "USERNAME               SENDER                            MANAGED"
        ),
        (
            "acme/curitiba-out  outgoing   smtp      Envio de Curitiba  mail.acme.example:587  "
            "curitiba@acme.example  <curitiba@acme.example>           yes"
        ),
        (
            "acme/nfe-out       outgoing   smtp      Emissão de NF-e    mail.acme.example:587  "
            "nfe-login              Acme Curitiba <nfe@acme.example>  yes"
        ),
        "12.345.678/0002-76 sees 2 mail servers",
    ]


def test_an_inactive_link_is_not_seen_and_the_servers_name_stands_without_another(
    tool: Tool,
) -> None:
    (server,) = tool.data("list", "--company-mailboxes", HEAD)["mail_servers"]
    assert (server["address"], server["sender_name"]) == ("acme/nfe-out", "Acme Faturamento")
    assert server["companies"] == 2


def test_an_unknown_company_sees_nothing(tool: Tool) -> None:
    said = tool.lines("list", "--company-mailboxes", "33000167000101")
    assert said == ["33.000.167/0001-01 sees 0 mail servers"]


def test_what_a_company_sees_is_not_filtered(tool: Tool) -> None:
    assert tool("list", "--company-mailboxes", HEAD, "--inactive") == 64
    assert "--company-mailboxes" in tool.err


# --- show


def test_show_has_every_field_every_origin_and_every_link(tool: Tool) -> None:
    tool.execute(f"UPDATE link SET project = NULL, file = NULL WHERE cnpj = '{HEAD}'")
    tool.execute(f"UPDATE link SET project = 'billing', active = false WHERE cnpj = '{BRANCH}'")
    assert tool.lines("show", "acme/nfe-out") == [
        "acme/nfe-out",
        "  direction: outgoing",
        "  protocol: smtp",
        "  nickname: Emissão de NF-e",
        "  active: true",
        "  host: mail.acme.example",
        "  port: 587 (hosts)",
        "  security: starttls (hosts)",
        "  verify_certificate: true (default)",
        "  ca_file: – (default)",
        "  timeout: 20s (hosts)",
        "  ehlo_name: – (default)",
        "  auth: password",
        "  username: nfe-login",
        "  password_reference: env:ACME_NFE_PASSWORD",
        "  sender_name: Acme Faturamento",
        "  sender_email: nfe@acme.example",
        "  reply_to: –",
        "  folder: –",
        "  company: –",
        "  importable: true",
        "  ignore_changes: –",
        "  declared by: acme.yaml",
        "",
        "CNPJ                COMPANY        SENDER NAME    ACTIVE  EFFECTIVE  DECLARED BY",
        "12.345.678/0001-95  Acme São João  –              yes     yes        another program",
        (
            "12.345.678/0002-76  Acme Curitiba  Acme Curitiba  no      no         "
            "acme.yaml (project billing)"
        ),
        "2 links",
    ]


def test_a_companys_own_server_says_whose_it_is(tool: Tool) -> None:
    said = tool.lines("show", "curitiba-out")
    assert "  company: 12.345.678/0002-76" in said
    assert "  declared by: curitiba.yaml" in said


def test_a_link_of_an_inactive_server_is_not_effective(tool: Tool) -> None:
    document = tool.data("show", "acme/old-out")
    assert document["mail_server"]["active"] is False
    assert document["links"] == [
        {
            "cnpj": BRANCH,
            "sender_name": None,
            "active": True,
            "project": "",
            "file": "acme.yaml",
            "company_nickname": "Acme Curitiba",
            "effective": False,
            "managed": True,
        }
    ]
    assert "yes     no         acme.yaml" in tool.lines("show", "acme/old-out")[-2]


def test_show_as_json_has_the_origins_by_option(tool: Tool) -> None:
    document = tool.data("show", "nfe-in")
    server = document["mail_server"]
    assert document["format_version"] == "1.0"
    assert (server["address"], server["managed"], server["companies"]) == ("acme/nfe-in", True, 1)
    assert server["verify_certificate"] is True
    assert server["password_reference"] == "file:acme-xml"
    assert server["origins"]["port"] == "default"
    assert document["links"][0]["effective"] is False


def test_an_id_alone_must_be_one_partners(tool: Tool) -> None:
    assert tool("show", "nfe-out") == 1
    assert "MBX608" in tool.err
    assert "acme, beta" in tool.err


@pytest.mark.parametrize("address", ["acme/none", "none", "beta/nfe-in", "#99", "#" + "9" * 30])
def test_an_unknown_server_is_named(tool: Tool, address: str) -> None:
    assert tool("show", address) == 1
    assert "MBX615" in tool.err
    assert f'"{address}"' in tool.err


@pytest.mark.parametrize("address", ["acme/#12", "#12"])
def test_a_row_without_id_is_found_by_its_number(tool: Tool, address: str) -> None:
    tool.add(12, "acme", None, active=False)
    said = tool.lines("show", address)
    assert said[0] == "acme/#12"
    assert "  active: false" in said
    assert "  port: –" in said
    assert "  declared by: another program" in said
    assert said[-1] == "0 links"


def test_a_row_with_an_id_is_not_found_by_its_number(tool: Tool) -> None:
    row_id = tool.data("show", "nfe-in")["mail_server"]["row_id"]
    assert tool("show", f"#{row_id}") == 1


def test_an_id_is_not_taken_for_the_number_of_a_row(tool: Tool) -> None:
    tool.add(12, "acme", None)
    tool.add(13, "acme", "#12")
    tool.add(14, "acme", "##12")
    for name, row_id in {"#12": 12, "##12": 13, "###12": 14}.items():
        assert f"acme/{name}" in tool.listed()
        assert tool.data("show", f"acme/{name}")["mail_server"]["row_id"] == row_id
    with transaction(engine_of(tool.database.url, writes=False)) as connection:
        ((_, found),) = observe.read(connection, ["acme"])
    assert found.row_ids.items() >= {("#12", 12), ("##12", 13), ("###12", 14)}


@pytest.mark.parametrize("address", ["acme/a/b", "a/b"])
def test_ids_of_other_programs_may_have_slashes(tool: Tool, address: str) -> None:
    tool.add(12, "acme", "a/b")
    assert tool.lines("show", address)[0] == "acme/a/b"


# --- rows and databases that are not as they should be


def test_hostile_text_reaches_no_terminal(tool: Tool) -> None:
    tool.add(12, "acme", None, "\x1b[2Jlimpo\n\u202edois")
    name = "\x9b31mred\nnew"
    tool.execute("UPDATE link SET sender_name = :name WHERE cnpj = :cnpj", name=name, cnpj=BRANCH)
    tool.execute(
        "UPDATE company SET nickname = :name WHERE cnpj = :cnpj", name="\u2066x\r", cnpj=BRANCH
    )
    for arguments in (
        ("list",),
        ("list", "--company-mailboxes", BRANCH),
        ("show", "acme/#12"),
        ("show", "acme/nfe-out"),
    ):
        text = "".join(tool.lines(*arguments))
        assert text.isprintable(), arguments
    assert "\\u001b[2Jlimpo\\n\\u202edois" in "".join(tool.lines("list"))


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("value", [0, 1, 2, "yes", "true", "1x", " 3", "-0.0y", b"1", b"\xff", 0.5])
def test_a_strange_truth_value_counts_as_it_does_in_the_view(tool: Tool, value: Any) -> None:
    tool.execute("UPDATE link SET active = :value", value=value)
    tool.execute("UPDATE mail_server SET active = :value", value=value)
    engine = engine_of(tool.database.url, writes=False)
    with transaction(engine) as connection:
        view = connection.exec_driver_sql("SELECT count(*) FROM company_mailbox").scalar_one()
        ((_, found),) = observe.read(connection, ["acme"])
    links = [row.active for rows in found.state.links.values() for row in rows]
    servers = [row.active for row in found.state.servers.values()]
    assert {*links, *servers} == {view > 0}
    assert bool(tool.listed("--active")) is (view > 0)
    assert bool(tool.listed("--inactive")) is (view == 0)


@pytest.mark.databases("sqlite")
def test_strange_values_are_still_shown(tool: Tool) -> None:
    tool.execute(ROW, id=12, partner="acme", stable_id=None, nickname=b"b\xff", active=2)
    with plain_sql(tool.database.url) as program:
        program.script("""
            UPDATE mail_server SET port = 'x', origins = 'two words' WHERE id = 12;
            PRAGMA foreign_keys = OFF;
            INSERT INTO link (mail_server_id, cnpj) VALUES (12, 'gone')
        """)
    assert tool.listed("--nickname", "B\\XFF", "--active") == ["acme/#12"]
    document = tool.data("show", "acme/#12")
    assert document["mail_server"]["active"] is True
    assert document["mail_server"]["port"] == "x"
    assert document["mail_server"]["origins"] is None
    assert document["links"][0]["company_nickname"] is None
    assert "mail.other.example:x" in "".join(tool.lines("list"))
    assert "gone" in "".join(tool.lines("show", "acme/#12"))


@pytest.mark.databases("sqlite")
def test_a_name_that_list_prints_is_found_whatever_the_id_is_made_of(tool: Tool) -> None:
    for row_id, stable_id in ((12, b"a\xff"), (13, b"a\xfe"), (14, b"plain"), (15, b"#15")):
        tool.execute(ROW, id=row_id, partner="beta", stable_id=stable_id, nickname="b", active=1)
    names = ["beta/##15", "beta/plain", "beta/\ufffda\\xfe", "beta/\ufffda\\xff"]
    listed = tool.listed("--partner", "beta")
    assert listed == [names[0], "beta/nfe-out", *names[1:]]
    numbers = [tool.data("show", name)["mail_server"]["row_id"] for name in names]
    assert numbers == [15, 14, 13, 12]
    with transaction(engine_of(tool.database.url, writes=False)) as connection:
        ((_, observed),) = observe.read(connection, ["beta"])
        assert observe.partners_with(connection, "\ufffda\\xff") == {"beta"}
    assert {f"beta/{name}" for name in observed.row_ids} >= set(names)
    for name in names:  # no manifest can say these rows, which takes having found them
        assert tool("adopt", name, "manifests") == 1
        assert "MBX72" in tool.err
        assert "MBX615" not in tool.err


@pytest.mark.databases("sqlite")
def test_companies_with_strange_nicknames_can_be_filtered(tool: Tool) -> None:
    tool.execute(f"UPDATE company SET nickname = x'42657461' WHERE cnpj = '{OTHER}'")
    assert tool.listed("--company", "beta") == ["beta/nfe-out"]


def test_a_new_database_has_nothing_to_list(new: Tool) -> None:
    assert new.lines("list") == ["The database is new: there is no mail server yet."]
    assert new.lines("list", "--company-mailboxes", HEAD) == new.lines("list")
    assert new.data("list") == {"format_version": "1.0", "mail_servers": []}
    assert_nothing_is_there(new)


def test_a_new_database_has_nothing_to_show(new: Tool) -> None:
    assert new("show", "acme/nfe-out") == 1
    assert "MBX541" in new.err
    assert_nothing_is_there(new)


def assert_nothing_is_there(new: Tool) -> None:
    assert new.database.kind != "sqlite" or list(Path().iterdir()) == []
    assert dump(new.database.url) == []


COMMANDS = [("list",), ("list", "--company-mailboxes", HEAD), ("show", "acme/nfe-out")]


@pytest.mark.parametrize("arguments", COMMANDS)
@pytest.mark.parametrize(("revision", "code"), [("0000", "MBX532"), ("9999", "MBX533")])
def test_another_schema_is_refused(
    tool: Tool, arguments: tuple[str, ...], revision: str, code: str
) -> None:
    tool.execute(f"UPDATE alembic_version SET version_num = '{revision}'")
    assert tool(*arguments) == 1
    assert code in tool.err


@pytest.mark.parametrize("arguments", COMMANDS)
def test_another_database_than_the_settings_name_is_refused(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("RECONCILER_DATABASE_ID", "another")
    assert tool(*arguments) == 4
    assert "MBX534" in tool.err


@pytest.mark.parametrize("arguments", COMMANDS)
def test_there_is_no_default_database_in_a_pipeline(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv("RECONCILER_DATABASE_URL")
    assert tool(*arguments) == 1
    assert "MBX530" in tool.err


# --- tables


def test_columns_stand_below_each_other_however_wide_their_characters_are() -> None:
    rows = [("日本", "1"), ("Sa\u0303o", "2"), ("plain", "3")]
    assert list(table(("A", "B"), rows, PLAIN)) == [
        "A      B",
        "日本   1",
        "Sa\u0303o    2",
        "plain  3",
    ]
