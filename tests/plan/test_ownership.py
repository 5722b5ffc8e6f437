"""Who owns a row: what the tool did not make stays, whatever the manifests are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from reconciler.database.engine import transaction
from reconciler.model.cnpj import masked
from tests.support.estates import (
    HOST,
    Cli,
    Estate,
    Manifest,
    Manifests,
    cnpj,
    companies,
    fetch,
    incoming,
    manifest,
    opened,
    outgoing,
    plain_sql,
    write,
)
from tests.support.servers import MAIN
from tests.support.servers.databases import Database

pytestmark = pytest.mark.slow("postgres18")

ONE, TWO, THREE = cnpj(1), cnpj(2), cnpj(3)
THEIRS = cnpj(4)
FILE = "acme.yaml"


def ours(**sections: Any) -> Manifest:
    """What the tool has made before anybody else writes."""
    return manifest(
        **{
            "hosts": {HOST: {"smtp": {"port": 465}}},
            "companies": companies(ONE, head_office=True) | companies(TWO),
            "mail_servers": {
                "nfe-out": outgoing(companies=[masked(ONE), masked(TWO)]),
                "nfe-in": incoming(),
            },
            **sections,
        }
    )


@pytest.fixture(params=["", "invoicing"], ids=["no project", "a project"])
def estate(request: pytest.FixtureRequest, engine: Engine) -> Estate:
    made = Estate(engine, request.param)
    made.settle({FILE: ours()})
    return made


# Rows of others. A row of another project even names a file that the run reads.

OWNERS = {"another program": "NULL, NULL", "another project": "'other', 'acme.yaml'"}
KINDS = {
    "company": ["company"],
    "host": ["host"],
    "server": ["server"],
    "server with an id": ["named server"],
    "link of their server": ["server", "link of their server"],
    "link of our server": ["company", "link of our server"],
    "link of our unlinked server": ["link of our unlinked server"],
}


def statements(owner: str) -> dict[str, str]:
    server = (
        "INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host,"
        " username, project, file) VALUES ('acme', {}, 'outgoing', 'smtp', 'Theirs',"
        f" 'MAIL.acme.example', 'theirs@acme.example', {owner})"
    )
    link = (
        "INSERT INTO link (mail_server_id, cnpj, sender_name, project, file)"
        f" SELECT id, '{{}}', 'Theirs', {owner} FROM mail_server WHERE"
    )
    return {
        "company": "INSERT INTO company (cnpj, partner, nickname, project, file)"
        f" VALUES ('{THEIRS}', 'acme', 'T', {owner})",
        "host": "INSERT INTO host_profile (partner, host, protocol, port, timeout, project, file)"
        f" VALUES ('acme', '{HOST}', 'pop3', 995, 30, {owner})",
        "server": server.format("NULL"),
        "named server": server.format("'theirs'"),
        "link of their server": f"{link.format(ONE)} nickname = 'Theirs'",
        "link of our server": f"{link.format(THEIRS)} stable_id = 'nfe-out'",
        "link of our unlinked server": f"{link.format(TWO)} stable_id = 'nfe-in'",
    }


KEYS = {
    "company": ("cnpj",),
    "host_profile": ("partner", "host", "protocol"),
    "mail_server": ("id",),
    "link": ("mail_server_id", "cnpj"),
}
Key = tuple[str, tuple[Any, ...]]
"""A table, and what tells its rows apart."""


def execute(estate: Estate, *texts: str) -> None:
    with transaction(estate.engine) as connection:
        for text in texts:
            connection.exec_driver_sql(text)


def write_theirs(estate: Estate, row_kind: str, owner: str) -> None:
    texts = statements(OWNERS[owner])
    execute(estate, *(texts[name] for name in KINDS[row_kind]))


def rows_of_others(estate: Estate) -> dict[Key, tuple[Any, ...]]:
    """The rows that somebody else made, by table and key."""
    return {
        (table, row[: len(columns)]): row[len(columns) :]
        for table, columns in KEYS.items()
        for row in fetch(
            estate.engine,
            f"SELECT {', '.join(columns)}, {table}.* FROM {table}"
            " WHERE project = 'other' OR (project IS NULL AND file IS NULL)",
        )
    }


def all_keys(estate: Estate) -> set[Key]:
    return {
        (table, row)
        for table, columns in KEYS.items()
        for row in fetch(estate.engine, f"SELECT {', '.join(columns)} FROM {table}")
    }


SERVERS = {"nfe-out": outgoing(), "nfe-in": incoming()}
EVERYBODY = [{"all": True, "sender_name": "Acme"}]
STEPS: dict[str, list[Manifests]] = {
    "nothing changes": [{FILE: ours()}],
    "everything is taken out": [{FILE: manifest()}],
    "links, then servers, then all is taken out": [
        {FILE: ours(mail_servers=SERVERS)},
        {FILE: ours(mail_servers={})},
        {FILE: manifest()},
    ],
    "the file is gone": [{FILE: ours(mail_servers=SERVERS)}, {"beta.yaml": manifest("beta")}],
    "a rename and edits": [
        {
            FILE: ours(
                mail_servers={"nfe": outgoing("nfe-out", renamed_from="nfe-out", nickname="Outro")}
            )
        }
    ],
    "another head office": [
        {FILE: ours(companies=companies(ONE) | companies(TWO, head_office=True))}
    ],
    "other options": [{FILE: ours(hosts={HOST: {"smtp": {"port": 587}, "imap": {"port": 993}}})}],
    "a company's own file": [
        {
            FILE: ours(companies=companies(ONE, own_mailboxes=True) | companies(TWO)),
            "one.yaml": {
                "version": 1,
                "partner": "acme",
                "company": masked(ONE),
                "mail_servers": {"own": outgoing("own", linked=False)},
            },
        }
    ],
}


@pytest.mark.databases(*MAIN)
@pytest.mark.parametrize("whole", [True, False], ids=["whole root", "part of it"])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS.keys())
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("row_kind", KINDS)
def test_rows_of_others_stay_as_they_are(
    estate: Estate, row_kind: str, owner: str, steps: list[Manifests], *, whole: bool
) -> None:
    write_theirs(estate, row_kind, owner)
    before = rows_of_others(estate)
    assert len(before) == len(KINDS[row_kind])
    for manifests in steps:
        estate.settle(manifests, whole=whole)
        assert rows_of_others(estate) == before


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("row_kind", KINDS)
def test_rows_of_others_that_are_taken_over_stay_when_the_file_is_gone_again(
    estate: Estate, row_kind: str, owner: str
) -> None:
    """Once taken over they are the tool's: a company or a host is then released."""
    write_theirs(estate, row_kind, owner)
    keys = set(rows_of_others(estate))
    taken = ours(
        hosts={HOST: {"smtp": {"port": 465}, "pop3": {"port": 995}}},
        companies=companies(ONE, head_office=True) | companies(TWO) | companies(THEIRS),
        mail_servers={
            "nfe-out": outgoing(companies=[masked(ONE), masked(TWO), masked(THEIRS)]),
            "nfe-in": incoming(),
            "theirs": outgoing("theirs", companies=[masked(ONE)]),
        },
    )
    taken["companies"][masked(TWO)]["extensions"] = ["document_import"]
    taken["mail_servers"]["nfe-in"]["companies"] = [masked(TWO)]
    planned = estate.plan({FILE: taken})
    guards = {refusal.alarm.guard: refusal.alarm.count for refusal in planned.plan.refusals}
    assert guards == {"takeover": len(keys)}
    estate.settle({FILE: taken})
    assert rows_of_others(estate) == {}
    assert keys <= all_keys(estate)
    assert not estate.plan({FILE: taken}).plan.partners
    unlinked = SERVERS | {"theirs": outgoing("theirs")}
    for step in (ours(mail_servers=unlinked), ours(mail_servers={}), manifest()):
        estate.settle({FILE: step})
    kept = {(table, key) for table, key in keys if table in ("company", "host_profile")}
    assert keys & all_keys(estate) == kept


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize(
    ("row_kind", "count"),
    [
        ("company", 1),
        ("host", 1),
        ("server", 1),
        ("server with an id", 1),
        ("link of their server", 2),
        ("link of our server", 2),
        ("link of our unlinked server", 1),
    ],
)
def test_rows_of_others_are_counted(estate: Estate, row_kind: str, owner: str, count: int) -> None:
    write_theirs(estate, row_kind, owner)
    plan = estate.plan({FILE: ours()}).plan
    assert (plan.partners, plan.left_alone) == ((), count)


@pytest.mark.parametrize("owner", OWNERS)
def test_a_link_of_another_blocks_the_delete_of_our_server(estate: Estate, owner: str) -> None:
    write_theirs(estate, "link of our unlinked server", owner)
    planned = estate.plan({FILE: ours(mail_servers={"nfe-out": outgoing()})})
    refused = {refusal.alarm.guard: refusal.alarm for refusal in planned.plan.refusals}
    (concern,) = refused["linked-delete"].concerns
    assert (concern.name, concern.detail) == (f"nfe-in/{TWO}", "foreign")
    assert planned.plan.applicable == ()


@pytest.mark.parametrize("owner", OWNERS)
def test_exclusive_links_remove_the_links_of_others_from_that_server_only(
    estate: Estate, owner: str
) -> None:
    for row_kind in ("link of our server", "link of our unlinked server"):
        write_theirs(estate, row_kind, owner)
    exclusive = {
        "nfe-out": outgoing(companies=[masked(ONE), masked(TWO)], exclusive_links=True),
        "nfe-in": incoming(),
    }
    planned = estate.plan({FILE: ours(mail_servers=exclusive)})
    guards = {refusal.alarm.guard: refusal.alarm.count for refusal in planned.plan.refusals}
    assert guards == {"takeover": 1, "orphaned-company": 1}
    estate.settle({FILE: ours(mail_servers=exclusive)})
    left = {table for table, _ in rows_of_others(estate)}
    links = fetch(estate.engine, "SELECT cnpj FROM link WHERE sender_name = 'Theirs'")
    assert (left, links) == ({"company", "link"}, [(TWO,)])


def test_what_the_tool_released_is_free_and_can_be_declared_again(estate: Estate) -> None:
    estate.settle({FILE: ours(companies=companies(ONE), hosts={})})
    released = fetch(estate.engine, "SELECT cnpj, project, file FROM company ORDER BY cnpj")
    assert released == [(ONE, estate.project, FILE), (TWO, None, FILE)]
    assert not estate.plan({FILE: ours(companies=companies(ONE), hosts={})}).plan.partners
    planned = estate.plan({FILE: ours()})
    assert planned.plan.refusals == ()
    estate.apply(planned.plan)
    assert fetch(estate.engine, "SELECT count(*) FROM company WHERE project IS NULL") == [(0,)]


def test_two_projects_do_not_see_each_other(estate: Estate) -> None:
    other = Estate(estate.engine, "other")
    theirs = manifest(mail_servers={"their-out": outgoing("their-out")})
    other.settle({FILE: theirs})
    assert not estate.plan({FILE: ours()}).plan.partners
    estate.settle({FILE: ours(mail_servers=SERVERS)})
    estate.settle({FILE: ours(mail_servers={})})
    assert fetch(estate.engine, "SELECT stable_id FROM mail_server") == [("their-out",)]
    assert not other.plan({FILE: theirs}).plan.partners
    other.settle({FILE: manifest()})
    assert fetch(estate.engine, "SELECT count(*) FROM mail_server") == [(0,)]


def test_a_partner_of_another_program_stays_theirs(engine: Engine) -> None:
    made = Estate(engine)
    execute(made, "INSERT INTO partner (id) VALUES ('acme')")
    made.settle({FILE: ours()})
    made.settle({FILE: manifest()})
    assert fetch(engine, "SELECT id, project FROM partner") == [("acme", None)]


# What a run covers


LINKED = {"nfe-out": outgoing(companies=[masked(ONE), masked(TWO)])}
FILES: dict[str, Manifest] = {
    "acme.yaml": ours(hosts={}, mail_servers=LINKED),
    "more/cte.yaml": manifest(mail_servers={"cte": outgoing("cte"), "mdf": outgoing("mdf")}),
    "more/branches.yaml": manifest(companies=companies(THREE)),
    "beta/beta.yaml": manifest("beta", mail_servers={"out": outgoing("beta")}),
}
EMPTIED = {name: manifest(content["partner"]) for name, content in FILES.items()}


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """The command line, in a folder where all of FILES is applied."""
    write(Path("m"), FILES)
    Path("m/reconciler.toml").touch()
    assert cli("apply", "m", "--auto-approve").code == 0
    return cli


def files_of_rows() -> dict[str, int]:
    """How many rows there are of each file."""
    union = " UNION ALL ".join(f"SELECT file FROM {table}" for table in KEYS)
    counted = f"SELECT file, count(*) FROM ({union}) AS every_row GROUP BY file"
    with plain_sql(os.environ["RECONCILER_DATABASE_URL"]) as program:
        return dict(list(map(tuple, program.execute(counted))))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "left", "code"),
    [
        ("acme.yaml", 5, 3),
        ("more/cte.yaml", 0, 0),
        ("more/branches.yaml", 1, 0),
        ("beta/beta.yaml", 0, 0),
    ],
)
def test_one_file_of_many_deletes_nothing_of_the_others(
    cli: Cli, name: str, left: int, code: int
) -> None:
    """Of its own rows, linked ones keep their partner as it was, and a company is released."""
    before = files_of_rows()
    write(Path("m"), EMPTIED)
    assert cli("apply", f"m/{name}", "--auto-approve").code == code
    after = files_of_rows()
    assert after.pop(name, 0) == left
    assert after == {file: count for file, count in before.items() if file != name}


@pytest.mark.parametrize("given", [["m/more/cte.yaml", "m/beta"], ["m/beta"]])
def test_a_part_of_the_root_may_lack_files(cli: Cli, given: list[str]) -> None:
    for name in ("more/branches.yaml", "acme.yaml"):
        (Path("m") / name).unlink()
    before = files_of_rows()
    said = cli("apply", *given, "--auto-approve")
    assert (said.code, said.out.splitlines()[-1].split(".")[0]) == (0, "Nothing to change")
    assert files_of_rows() == before


def test_a_folder_that_is_given_may_not(cli: Cli) -> None:
    (Path("m") / "more/cte.yaml").unlink()
    (Path("m") / "acme.yaml").unlink()
    before = files_of_rows()
    said = cli("apply", "m/more", "--auto-approve")
    assert said.code == 3
    assert "more/cte.yaml (2 rows)" in said.out
    assert "acme.yaml (" not in said.out.replace("more/", "")
    assert files_of_rows() == before


def test_the_whole_root_may_not(cli: Cli) -> None:
    (Path("m") / "more/cte.yaml").unlink()
    before = files_of_rows()
    said = cli("apply", "m", "--auto-approve")
    assert said.code == 3
    assert "lost-input" in said.out
    assert "more/cte.yaml (2 rows)" in said.out
    assert files_of_rows() == before
    assert cli("apply", "m", "--auto-approve", "--accept", "lost-input=1").code == 0
    assert "more/cte.yaml" not in files_of_rows()


def test_a_file_that_others_declare_is_not_lost(cli: Cli) -> None:
    (Path("m") / "more/cte.yaml").rename("m/more/other-name.yaml")
    assert cli("apply", "m", "--auto-approve").code == 0
    assert files_of_rows()["more/other-name.yaml"] == 2


def test_a_root_given_by_name_is_not_the_whole_of_it(cli: Cli) -> None:
    (Path("m") / "acme.yaml").unlink()
    said = cli("plan", "m/more", "m/beta", "--root", "m")
    assert (said.code, said.out.split(".")[0]) == (0, "Nothing to change")


# The last line of defence


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM mail_server WHERE stable_id = 'nfe-out'",
        "DELETE FROM mail_server",
        f"DELETE FROM company WHERE cnpj = '{ONE}'",
        "DELETE FROM partner",
        "UPDATE mail_server SET id = id + 100 WHERE stable_id = 'nfe-out'",
        f"UPDATE link SET cnpj = '{THREE}'",
    ],
)
def test_the_database_itself_keeps_what_is_linked(database: Database, statement: str) -> None:
    with opened(database.url) as engine:
        Estate(engine).settle({FILE: ours()})
        with plain_sql(database.url) as program, pytest.raises(IntegrityError):
            program.execute(statement)
        with pytest.raises(IntegrityError), engine.connect() as ours_, ours_.begin():
            ours_.exec_driver_sql(statement)
        assert fetch(engine, "SELECT count(*) FROM link") == [(2,)]


def test_an_unlinked_server_can_be_deleted_by_plain_sql(database: Database) -> None:
    with opened(database.url) as engine:
        Estate(engine).settle({FILE: ours()})
    with plain_sql(database.url) as program:
        deleted = program.execute("DELETE FROM mail_server WHERE stable_id = 'nfe-in'")
        assert deleted.rowcount == 1
