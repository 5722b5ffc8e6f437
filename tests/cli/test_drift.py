"""Drift: what others changed in the database, told in plans and by `drift`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from reconciler.database import observe
from reconciler.database.engine import transaction
from reconciler.database.write import Writer
from reconciler.ledger import drift
from reconciler.model.state import EMPTY, HeadOffice, Link, MailServer, Origins, Row, State
from reconciler.operations.partners import PlannedPartners
from reconciler.plan.cause import Cause, Changed, compared
from reconciler.plan.diff import Change, diff
from reconciler.plan.plan import PartnerPlan, Selection
from tests.laws.test_laws import WITH_DATABASE
from tests.support.estates import (
    BY_DEFAULT,
    FILE,
    HOST,
    NOW,
    PARTNER,
    Cli,
    Estate,
    Manifest,
    Program,
    cnpj,
    companies,
    dump,
    fetch,
    manifest,
    memory_database,
    outgoing,
    plain_sql,
    put,
    read_back,
    row_ids,
    server,
    write,
)
from tests.support.servers import EVERY
from tests.support.servers.databases import Database
from tests.support.strategies import manifests, transitions

pytestmark = pytest.mark.databases("sqlite")
"""What differs between databases is below: how the ledger is asked, and how a report is kept."""
everywhere = pytest.mark.databases(*EVERY)
FIRST, SECOND, THIRD = cnpj(1), cnpj(2), cnpj(3)


# --- why a change is there


A = server("a")
B = server("a", nickname="B")
C = server("a", nickname="C")
LEAVING = server("a", ignore_changes=("active", "port"))


class Told(NamedTuple):
    """What was last applied, what the database has, what is wanted, and why that differs."""

    last: Row | None
    now: Row | None
    wanted: Row | None
    cause: Cause


CAUSES = {
    "edited in the manifests": Told(A, A, B, Cause("manifest")),
    "edited in the database": Told(A, B, A, Cause("database")),
    "the same field edited in both": Told(A, B, C, Cause("both")),
    "removed from the manifests": Told(A, A, None, Cause("manifest")),
    "removed from the manifests, edited in the database": Told(A, B, None, Cause("both")),
    "deleted in the database": Told(A, None, A, Cause("database")),
    "deleted in the database, edited in the manifests": Told(A, None, B, Cause("both")),
    "declared again after it was deleted": Told(None, None, A, Cause("manifest")),
    "made again in the database after it was deleted": Told(None, A, None, Cause("database")),
    "made again in both after it was deleted": Told(None, A, B, Cause("both")),
    "one field here, another there": Told(
        A,
        server("a", nickname="B"),
        server("a", reply_to="b@acme.example"),
        Cause("both", fields=(("nickname", "database"), ("reply_to", "manifest"))),
    ),
    "the same edit in both, and another in the manifests": Told(
        A, server("a", nickname="B"), server("a", nickname="B", folder="x"), Cause("manifest")
    ),
    "an ignored field edited in the database, another in the manifests": Told(
        LEAVING,
        LEAVING._replace(active=False, port=25),
        LEAVING._replace(active=False, port=25, nickname="B"),
        Cause("manifest"),
    ),
    "no longer ignored": Told(LEAVING, LEAVING._replace(active=False), A, Cause("manifest")),
    "ignored from now on": Told(A, B, B._replace(ignore_changes=("nickname",)), Cause("manifest")),
    "the list of ignored fields edited in the database": Told(
        A, A._replace(ignore_changes=("active",), active=False), A, Cause("database")
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_who_changed_a_row(name: str) -> None:
    last, now, wanted, cause = CAUSES[name]
    assert compared(Change(PARTNER, "a", now, wanted), last) == cause


def test_an_ignored_option_keeps_where_it_came_from() -> None:
    here = Origins("database", *["server"] * 5)
    now = server("a", port=25, origins=here)
    kept = server("a", ignore_changes=("port",)).keeping(("port",), now)
    assert (kept.port, kept.origins) == (25, BY_DEFAULT._replace(port="database"))


# --- what drift finds


def drifted(engine: Engine, project: str = "", selection: Selection = Selection()) -> PartnerPlan:  # noqa: B008 - it is frozen
    with transaction(engine) as connection:
        (found,) = drift.find(connection, project, selection)
    return found


@pytest.mark.slow
@settings(WITH_DATABASE, max_examples=50)
@given(st.data(), st.sampled_from(["", "other"]))
def test_drift_is_what_others_changed(data: st.DataObject, project: str) -> None:
    with memory_database() as engine:
        applied = EMPTY
        for _ in range(2):
            step = data.draw(transitions(applied))
            put(engine, *diff(PARTNER, applied.renamed(step.new_names), step.after))
            applied = step.after
        assert drifted(engine, project).changes == ()
        edits = data.draw(transitions(applied))
        made = diff(PARTNER, edits.renamed, edits.after)
        _write(engine, made)
        found = drifted(engine, project)
        expected = _expected(applied, edits.after, project)
        assert {(change.kind, change.name) for change in found.changes} == expected
        for change in found.changes:
            event(f"{change.action} {change.kind}")
            assert change.after == _row(edits.after, change)


def _write(engine: Engine, changes: tuple[Change, ...]) -> None:
    """Make changes as another program does: without the ledger."""
    with transaction(engine) as connection:
        writer = Writer(connection)
        for name, found in observe.read(connection, [PARTNER]):
            writer.know(name, found.row_ids)
        writer.write(changes)


def _row(wanted: State, change: Change) -> Row | None:
    rows = {(item.kind, item.name): item.row for item in diff(PARTNER, EMPTY, wanted)}
    return rows.get((change.kind, change.name))


def _expected(before: State, after: State, project: str) -> set[tuple[str, str]]:
    return {
        (change.kind, change.name)
        for change in diff(PARTNER, before, after)
        if _concerns(change, before, project) and not _is_ignored(change)
    }


def _concerns(change: Change, before: State, project: str) -> bool:
    """Whether a project hears of a change: rows that are its own before or after it."""
    if isinstance(change.row, HeadOffice):
        heads = [row.cnpj for row in (change.before, change.after) if isinstance(row, HeadOffice)]
        return any(
            cnpj_ in before.companies and before.companies[cnpj_].project == project
            for cnpj_ in heads
        )
    owners = {row.project for row in (change.before, change.after) if row is not None}  # type: ignore[union-attr]
    if project in owners:
        return True
    if not isinstance(change.row, Link):
        return False
    holder = before.servers.get(change.server)
    managed = getattr(change.before, "project", None)
    return holder is not None and holder.project == project and managed is None


def _is_ignored(change: Change) -> bool:
    before, after = change.before, change.after
    return (
        isinstance(before, MailServer)
        and isinstance(after, MailServer)
        and before.keeping(before.ignore_changes, after) == after
    )


# --- plans and drift agree


EDITS = (
    "UPDATE mail_server SET active = NOT active WHERE id % 3 = {}",
    "UPDATE mail_server SET nickname = 'Outro', reply_to = 'outro@acme.example' WHERE id % 3 = {}",
    "UPDATE mail_server SET port = 2525 WHERE id % 3 = {}",
    "UPDATE link SET active = NOT active WHERE mail_server_id % 3 = {}",
    "UPDATE link SET sender_name = 'Outro' WHERE mail_server_id % 3 = {}",
    "DELETE FROM link WHERE mail_server_id % 3 = {}",
    "UPDATE company SET nickname = 'Outra' WHERE CAST(substr(cnpj, 12, 1) AS INTEGER) % 3 = {}",
    "UPDATE company SET head_office = NOT head_office WHERE {} = 0",
    "DELETE FROM host_profile WHERE {} = 0",
    "UPDATE host_profile SET timeout = 7 WHERE {} = 0",
)
edits_of_others = st.lists(
    st.builds(str.format, st.sampled_from(EDITS), st.integers(0, 2)), min_size=1, max_size=4
)


@pytest.mark.slow
@settings(WITH_DATABASE, max_examples=60)
@given(manifests(), manifests(), edits_of_others)
def test_plans_say_of_drift_that_the_database_changed(
    first: dict[str, Manifest], second: dict[str, Manifest], edits: list[str]
) -> None:
    with memory_database() as engine:
        estate = Estate(engine)
        estate.settle(first)
        with transaction(engine) as connection:
            for edit in edits:
                connection.exec_driver_sql(edit)
        found = {key_of(change): change for change in _drift_of(engine)}
        back = explained(estate.plan_accepting(first))
        assert back.keys() == found.keys()
        for key, (change, cause) in back.items():
            assert cause.changed == "database"
            assert (change.before, change.after) == (found[key].after, found[key].before)
        for key, (_, cause) in explained(estate.plan_accepting(second)).items():
            event(cause.changed)
            assert cause.changed == "manifest" or key in found


def _drift_of(engine: Engine) -> tuple[Change, ...]:
    with transaction(engine) as connection:
        parts = [*drift.find(connection, "", Selection())]
    return tuple(change for part in parts for change in part.changes)


def key_of(change: Change) -> tuple[str, str]:
    return change.kind, change.name


def explained(planned: PlannedPartners) -> dict[tuple[str, str], tuple[Change, Cause]]:
    return {
        key_of(change): (change, cause)
        for part in planned.plan.partners
        for change, cause in part.explained
    }


# --- plans


SERVERS = {
    "a": outgoing("a", companies=[FIRST, SECOND], nickname="A"),
    "b": outgoing("b", companies=[FIRST]),
}
IGNORING = {"fields": ["active", "port"], "reason": "The help desk switches it"}


def manifest_of(**servers: Any) -> dict[str, Manifest]:
    """A manifest of these servers; one that is None is left out."""
    there = {name: entry for name, entry in (SERVERS | servers).items() if entry}
    return {FILE: manifest(companies=companies(FIRST, SECOND, THIRD), mail_servers=there)}


def causes(planned: PlannedPartners) -> dict[tuple[str, str], Cause]:
    return {key: cause for key, (_, cause) in explained(planned).items()}


@pytest.fixture
def estate(engine: Engine) -> Estate:
    """A database that the manifests of `SERVERS` were applied to."""
    made = Estate(engine)
    made.settle(manifest_of())
    return made


def edit(estate: Estate, *statements: str) -> None:
    """Another program changes the database."""
    with transaction(estate.engine) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def first_revision(estate: Estate) -> int:
    return int(fetch(estate.engine, "SELECT min(number) FROM revision")[0][0])


@everywhere
def test_a_plan_says_who_changed_and_since_when(estate: Estate) -> None:
    edit(
        estate,
        "UPDATE mail_server SET reply_to = 'x@acme.example' WHERE stable_id = 'a'",
        "UPDATE mail_server SET nickname = 'Outro' WHERE stable_id = 'b'",
    )
    planned = estate.plan_accepting(
        manifest_of(a={**SERVERS["a"], "nickname": "B"}, c=outgoing("c"))
    )
    number = first_revision(estate)
    fields: tuple[tuple[str, Changed], ...]
    fields = (("nickname", "manifest"), ("reply_to", "database"))
    assert causes(planned) == {
        ("server", "a"): Cause("both", number, NOW, fields=fields),
        ("server", "b"): Cause("database", number, NOW),
        ("server", "c"): Cause("manifest"),
    }


def test_a_row_that_went_is_told_from_one_that_is_new(estate: Estate) -> None:
    edit(estate, UNLINK.format("b"), "DELETE FROM mail_server WHERE stable_id = 'b'")
    found = causes(estate.plan_accepting(manifest_of()))
    assert {key: cause.changed for key, cause in found.items()} == {
        ("server", "b"): "database",
        ("link", f"b/{FIRST}"): "database",
    }


def test_a_row_of_another_program_has_no_revision(estate: Estate) -> None:
    edit(
        estate,
        "INSERT INTO mail_server (partner, direction, protocol, nickname, host, username) "
        f"VALUES ('{PARTNER}', 'outgoing', 'smtp', 'Outro', '{HOST}', 'c@acme.example')",
    )
    found = causes(estate.plan_accepting(manifest_of(c=outgoing("c"))))
    assert found == {("server", "c"): Cause("database")}


def test_a_renamed_server_and_its_links_are_known(estate: Estate) -> None:
    estate.settle(manifest_of(a=None, c={**SERVERS["a"], "renamed_from": "a"}))
    edit(estate, "UPDATE link SET active = NOT active")
    renamed = {**SERVERS["a"], "renamed_from": "c", "nickname": "D"}
    found = causes(estate.plan_accepting(manifest_of(a=None, d=renamed)))
    assert {key: cause.changed for key, cause in found.items()} == {
        ("server", "d"): "manifest",
        ("link", f"d/{FIRST}"): "database",
        ("link", f"d/{SECOND}"): "database",
        ("link", f"b/{FIRST}"): "database",
    }


def test_a_swap_is_not_swapped_back_by_the_lines_that_are_left(estate: Estate) -> None:
    swapped = {
        "a": {**SERVERS["b"], "renamed_from": "b"},
        "b": {**SERVERS["a"], "renamed_from": "a"},
    }
    estate.settle(manifest_of(**swapped))
    before = row_ids(estate.engine)
    edited = {name: {**entry, "username": f"{name}-new"} for name, entry in swapped.items()}
    estate.settle(manifest_of(**edited))
    assert row_ids(estate.engine) == before
    usernames = {name: row.username for name, row in read_back(estate.engine).servers.items()}
    assert usernames == {"a": "a-new", "b": "b-new"}


def test_a_swap_can_be_swapped_back(estate: Estate) -> None:
    swapped = {
        "a": {**SERVERS["b"], "renamed_from": "b"},
        "b": {**SERVERS["a"], "renamed_from": "a"},
    }
    before = row_ids(estate.engine)
    estate.settle(manifest_of(**swapped))
    again = {"a": {**SERVERS["a"], "renamed_from": "b"}, "b": {**SERVERS["b"], "renamed_from": "a"}}
    estate.settle(manifest_of(**again))
    assert row_ids(estate.engine) == before


# --- fields that are left to others


def test_an_ignored_field_begins_as_the_manifest_has_it(estate: Estate) -> None:
    new = {**outgoing("c"), "active": False, "port": 2525, "ignore_changes": IGNORING}
    estate.settle(manifest_of(c=new))
    row = read_back(estate.engine).servers["c"]
    assert (row.active, row.port, row.ignore_changes) == (False, 2525, ("active", "port"))


def test_an_ignored_field_stays_as_others_have_it(estate: Estate) -> None:
    wanted = manifest_of(a={**SERVERS["a"], "ignore_changes": IGNORING})
    estate.settle(wanted)
    edit(estate, "UPDATE mail_server SET active = NOT active, port = 2525, origins = NULL")
    edit(estate, "UPDATE mail_server SET nickname = 'Outro' WHERE stable_id = 'a'")
    change, cause = explained(estate.plan_accepting(wanted))["server", "a"]
    assert isinstance(change.after, MailServer)
    assert (change.after.active, change.after.port, change.after.nickname) == (False, 2525, "A")
    assert cause.changed == "database"


def test_a_field_that_is_ignored_no_more(estate: Estate) -> None:
    estate.settle(manifest_of(a={**SERVERS["a"], "ignore_changes": IGNORING}))
    edit(estate, "UPDATE mail_server SET active = NOT active WHERE stable_id = 'a'")
    assert estate.plan_accepting(manifest_of(a=SERVERS["a"])).plan.partners
    estate.settle(manifest_of())
    assert read_back(estate.engine).servers["a"].active


# --- the command


@pytest.fixture
def scene(cli: Cli, database: Database, tmp_path: Path) -> Iterator[Scene]:
    write(tmp_path / "manifests", manifest_of())
    with plain_sql(database.url) as program:
        made = Scene(cli, program)
        made.apply()
        yield made


class Scene:
    """Applied manifests, and another program at their database."""

    def __init__(self, cli: Cli, program: Program) -> None:
        self._cli = cli
        self._program = program

    def apply(self, *arguments: str) -> str:
        """What `apply` prints."""
        ran = self._cli("apply", *(arguments or ("manifests",)), "--auto-approve")
        assert ran.code == 0
        return ran.out

    def edit(self, *statements: str) -> None:
        for statement in statements:
            assert self._program.execute(statement).rowcount

    def drift(self, *arguments: str, code: int = 0) -> str:
        """What `drift` prints, without the time of the revision."""
        ran = self._cli("drift", *arguments)
        assert (ran.code, ran.err) == (code, "")
        return _SINCE.sub("since then", ran.out)

    def rows(self, *arguments: str) -> list[str]:
        """What `drift` tells of, row by row."""
        lines = self.drift(*arguments).splitlines()
        return [line.strip() for line in lines if line[:4] in ("  + ", "  - ", "  ~ ")]


_SINCE = re.compile(r"since revision \d+ of \d{4}-\d\d-\d\d \d\d:\d\d UTC")
NEW_NAME = "UPDATE mail_server SET nickname = 'Outro' WHERE stable_id = 'a'"
OLD_NAME = "UPDATE mail_server SET nickname = 'A' WHERE stable_id = 'a'"
UNLINK = (
    "DELETE FROM link WHERE mail_server_id = (SELECT id FROM mail_server WHERE stable_id = '{}')"
)
LINK = (
    f"INSERT INTO link (mail_server_id, cnpj) SELECT id, '{THIRD}' FROM mail_server "
    "WHERE stable_id = 'a'"
)
FOREIGN = (
    "INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host, username) "
    f"VALUES ('{PARTNER}', 'foreign', 'outgoing', 'smtp', 'Outro', '{HOST}', 'x')"
)


@everywhere
def test_drift_is_told_like_a_plan(scene: Scene) -> None:
    assert scene.drift("--detailed-exitcode") == "No drift. 9 rows are as applied.\n"
    delete = "DELETE FROM mail_server WHERE stable_id = 'b'"
    scene.edit(NEW_NAME, UNLINK.format("b"), delete, LINK, FOREIGN)
    assert scene.drift().splitlines() == [
        "acme",
        "  ~ mail server a  (since then)",
        "      nickname: A → Outro",
        "      (24 unchanged fields)",
        "  + link a ↔ 12.345.678/0003-57  (made by another program)",
        "  - mail server b  (since then)",
        "  - link b ↔ 12.345.678/0001-95  (since then)",
        "",
        "Drift: 0 created, 1 updated, 1 deleted, 1 linked, 1 unlinked. 6 rows are as applied.",
    ]
    assert scene.drift("--detailed-exitcode", code=2)


def test_an_apply_ends_drift(scene: Scene) -> None:
    scene.edit(NEW_NAME, UNLINK.format("b"))
    scene.apply()
    assert scene.rows() == []


AGREED = {"a": {**SERVERS["a"], "nickname": "Outro", "companies": [FIRST]}}
UNLINK_SECOND = f"DELETE FROM link WHERE cnpj = '{SECOND}'"


@everywhere
def test_what_the_manifests_say_by_now_is_no_drift(scene: Scene, tmp_path: Path) -> None:
    scene.edit(NEW_NAME, UNLINK_SECOND)
    write(tmp_path / "manifests", manifest_of(**AGREED))
    nothing, agreed = scene.apply().splitlines()
    assert nothing == "Nothing to change. 8 rows unchanged."
    assert agreed.endswith(
        " has what others changed as the manifests say now: "
        "0 created, 1 updated, 0 deleted, 0 linked, 1 unlinked."
    )
    assert scene.drift("--detailed-exitcode") == "No drift. 8 rows are as applied.\n"
    assert scene.apply() == "Nothing to change. 8 rows unchanged.\n"
    scene.edit(OLD_NAME)
    assert "nickname: Outro → A" in scene.drift()


def test_others_may_be_agreed_with_beside_changes(scene: Scene, tmp_path: Path) -> None:
    scene.edit(NEW_NAME, UNLINK.format("b"), LINK)
    agreed = {**AGREED["a"], "companies": [FIRST, SECOND]}
    write(tmp_path / "manifests", manifest_of(a=agreed))
    told = scene.apply()
    assert "Applied as revision 2: 0 created, 0 updated, 0 deleted, 1 linked" in told
    assert "Revision 2 has what others changed as the manifests say now" in told
    assert scene.rows() == ["+ link a ↔ 12.345.678/0003-57  (made by another program)"]


def test_what_a_file_says_that_was_not_read_is_not_agreed_with(
    scene: Scene, tmp_path: Path
) -> None:
    servers = manifest(mail_servers={"c": outgoing("c", companies=[FIRST])})
    write(tmp_path / "manifests", {**manifest_of(), "c.yaml": servers})
    scene.apply()
    scene.edit(NEW_NAME)
    for option in ("manifests/c.yaml", "manifests/c.yaml --partner acme"):
        assert scene.apply(*option.split(), "--root", "manifests")
        assert scene.rows() == ["~ mail server a  (since then)"]


def test_an_agreement_can_be_rolled_back(scene: Scene, tmp_path: Path, cli: Cli) -> None:
    scene.edit(NEW_NAME)
    write(tmp_path / "manifests", manifest_of(a={**SERVERS["a"], "nickname": "Outro"}))
    scene.apply()
    ran = cli("rollback", "2")
    assert ran.code == 0
    assert "nickname: Outro → A" in ran.out


def test_a_saved_plan_agrees_with_what_it_was_made_for_alone(
    scene: Scene, tmp_path: Path, cli: Cli
) -> None:
    scene.edit(NEW_NAME)
    write(tmp_path / "manifests", manifest_of(a={**SERVERS["a"], "nickname": "Outro"}))
    assert cli("plan", "manifests", "-o", "plan.json").code == 0
    scene.edit("UPDATE mail_server SET nickname = 'B2' WHERE stable_id = 'b'")
    assert "Revision" not in scene.apply("plan.json")
    assert len(scene.rows()) == 2
    scene.edit("UPDATE mail_server SET nickname = 'Envio' WHERE stable_id = 'b'")
    assert "Revision 2 has what others changed" in scene.apply("plan.json")
    assert scene.rows() == []


def test_a_plan_agrees_with_nobody(scene: Scene, tmp_path: Path, cli: Cli) -> None:
    scene.edit(NEW_NAME, UNLINK_SECOND)
    write(tmp_path / "manifests", manifest_of(**AGREED))
    assert cli("plan", "manifests").code == 0
    assert len(scene.rows()) == 2


def test_drift_as_data(scene: Scene) -> None:
    scene.edit(NEW_NAME)
    document = json.loads(scene.drift("--format", "json"))
    (found,) = document.pop("resource_drift")
    assert document == {
        "format_version": "1.0",
        "project": "",
        "since_last": False,
        "summary": {
            "create": 0,
            "update": 1,
            "delete": 0,
            "link": 0,
            "unlink": 0,
            "noop": 8,
            "reported_before": 0,
        },
    }
    assert (found["address"], found["cause"]["changed"]) == ("server.acme/a", "database")
    assert found["change"]["changed_paths"] == ["/nickname"]
    assert found["change"]["before"]["nickname"] == "A"
    assert found["change"]["after"]["nickname"] == "Outro"


def test_drift_of_what_is_selected(scene: Scene) -> None:
    scene.edit(NEW_NAME, UNLINK.format("b"))
    gone = "- link b ↔ 12.345.678/0001-95  (since then)"
    assert scene.rows("--server", "acme/b") == [gone]
    assert scene.rows("--partner", "acme") == ["~ mail server a  (since then)", gone]
    scene.edit("DELETE FROM mail_server WHERE stable_id = 'b'")
    for name in ("acme/b", "b"):
        assert scene.rows("--server", name) == ["- mail server b  (since then)", gone]


@pytest.mark.parametrize("option", ["--partner", "--server"])
def test_drift_of_what_never_was(cli: Cli, option: str) -> None:
    ran = cli("drift", option, "nobody")
    assert (ran.code, ran.out) == (1, "")
    assert "nobody" in ran.err


def test_drift_without_anything_applied(new_cli: Cli) -> None:
    ran = new_cli("drift", "--since-last", "--detailed-exitcode")
    assert ran == (0, "No drift. 0 rows are as applied.\n", "")
    assert not Path("reconciler.db").exists()


def test_what_is_left_to_others_is_no_drift(scene: Scene, tmp_path: Path) -> None:
    ignoring = {**SERVERS["a"], "ignore_changes": IGNORING}
    write(tmp_path / "manifests", manifest_of(a=ignoring))
    scene.apply()
    scene.edit("UPDATE mail_server SET active = NOT active, port = 2525 WHERE stable_id = 'a'")
    assert scene.rows() == []
    scene.edit("UPDATE mail_server SET ignore_changes = 'active port nickname', nickname = 'B'")
    assert scene.rows() == ["~ mail server a  (since then)", "~ mail server b  (since then)"]


def test_another_projects_drift_is_its_own(scene: Scene) -> None:
    scene.edit(NEW_NAME)
    Path("reconciler.toml").write_text('project = "billing"\n')
    assert scene.rows() == []


def test_what_is_released_is_no_drift(scene: Scene, tmp_path: Path) -> None:
    declared = manifest_of()
    declared[FILE]["companies"] = companies(FIRST, SECOND)
    write(tmp_path / "manifests", declared)
    scene.apply()
    scene.edit(f"UPDATE company SET nickname = 'Outra' WHERE cnpj = '{THIRD}'")
    assert scene.rows() == []


# --- what is new


@everywhere
def test_what_was_reported_is_not_reported_again(scene: Scene) -> None:
    report = ("--since-last", "--detailed-exitcode")
    scene.edit(NEW_NAME)
    assert scene.drift(*report, code=2).splitlines()[1:] == [
        "  ~ mail server a  (since then)",
        "      nickname: A → Outro",
        "      (24 unchanged fields)",
        "",
        "New drift: 0 created, 1 updated, 0 deleted, 0 linked, 0 unlinked. 8 rows are as applied.",
    ]
    known = "No new drift. 1 was reported before. 8 rows are as applied.\n"
    assert scene.drift(*report) == known
    scene.edit(LINK)
    assert scene.rows("--since-last") == [
        "+ link a ↔ 12.345.678/0003-57  (made by another program)"
    ]
    assert len(scene.rows()) == 2


def test_another_edit_of_a_reported_row_is_new(scene: Scene) -> None:
    scene.edit(NEW_NAME)
    assert len(scene.rows("--since-last")) == 1
    scene.edit("UPDATE mail_server SET reply_to = 'x@acme.example' WHERE stable_id = 'a'")
    assert len(scene.rows("--since-last")) == 1
    assert len(scene.rows("--since-last")) == 0


@everywhere
def test_a_row_that_went_back_and_drifted_again_is_new(scene: Scene) -> None:
    scene.edit(NEW_NAME)
    assert len(scene.rows("--since-last")) == 1
    scene.edit(OLD_NAME)
    assert len(scene.rows("--since-last")) == 0
    scene.edit(NEW_NAME)
    assert len(scene.rows("--since-last")) == 1


def test_a_row_that_was_put_right_and_drifted_again_is_new(scene: Scene) -> None:
    scene.edit(NEW_NAME)
    assert len(scene.rows("--since-last")) == 1
    scene.apply()
    scene.edit(NEW_NAME)
    assert len(scene.rows("--since-last")) == 1


def test_a_report_of_a_selection_forgets_nothing_of_the_rest(scene: Scene) -> None:
    scene.edit(NEW_NAME, UNLINK.format("b"))
    assert len(scene.rows("--since-last")) == 2
    assert scene.rows("--since-last", "--server", "acme/b") == []
    assert scene.rows("--since-last", "--partner", "acme") == []
    assert scene.rows("--since-last") == []


def test_only_such_a_report_writes(scene: Scene, database: Database) -> None:
    scene.edit(NEW_NAME)
    before = dump(database.url)
    for arguments in ([], ["--format", "json"], ["--detailed-exitcode"]):
        scene.drift(*arguments, code=2 if "--detailed-exitcode" in arguments else 0)
    assert dump(database.url) == before
    scene.drift("--since-last")
    assert [name for name, rows in dump(database.url) if (name, rows) not in before] == [
        "drift_report"
    ]
