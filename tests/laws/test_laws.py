"""Laws that hold for everything: comparing, planning, applying, renaming, saving, reading."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from io import BytesIO
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from reconciler.desired.desire import desire
from reconciler.desired.match import name_rows
from reconciler.manifests.positions import locate
from reconciler.manifests.read import Quoted, ReadLimits, Suspect, read
from reconciler.model.coverage import Coverage
from reconciler.model.state import (
    EMPTY,
    Company,
    HeadOffice,
    HostProfile,
    Link,
    MailServer,
    Partner,
    State,
)
from reconciler.plan.alarm import Alarm, Concern
from reconciler.plan.diff import Change, diff
from reconciler.plan.file import read as reading
from reconciler.plan.file import write
from reconciler.plan.plan import Accepted, PartnerPlan, Plan, Refusal
from tests.support.estates import (
    FILE,
    PARTNER,
    Estate,
    Manifest,
    cnpj,
    codes,
    companies,
    errors,
    fetch,
    fresh,
    manifest,
    outgoing,
    plan_of,
    put,
    read_all,
    read_back,
    read_one,
    row_ids,
    server,
    state,
)
from tests.support.servers import MAIN, SQLITE
from tests.support.servers.databases import Databases
from tests.support.strategies import (
    Edit,
    Editor,
    Transition,
    edits,
    manifests,
    states,
    transitions,
    yaml_texts,
)

Law = Callable[..., None]
LAWS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    # Whole states are large to generate, and slow machines are no failure.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
WITH_DATABASE = settings(LAWS, phases=[Phase.explicit, Phase.generate])
"""Shrinking would apply for minutes."""


def on_databases(
    examples: int, *given_: st.SearchStrategy[Any], slow: bool = False
) -> Callable[[Law], Law]:
    """A law about what a database holds: each example gets an engine of its own.

    A server, which takes longer than SQLite in memory, sees a fourth of the examples.
    """

    def decorate(law: Law) -> Law:
        @pytest.mark.slow(*(MAIN if slow else ("postgres18",)))
        @pytest.mark.databases(*MAIN)
        def test(kind: str, databases: Databases) -> None:
            @settings(WITH_DATABASE, max_examples=examples if kind == SQLITE else examples // 4)
            @given(st.tuples(*given_))
            def holds(values: tuple[Any, ...]) -> None:
                with fresh(databases, kind) as engine:
                    law(engine, *values)

            holds()

        test.__name__ = law.__name__
        return test

    return decorate


# Comparing


class Interpreter:
    """Makes changes to a state one by one, and minds that each can be made when its turn comes."""

    def __init__(self, before: State) -> None:
        self.partner = before.partner
        self.companies = dict(before.companies)
        self.head_offices = dict(before.head_offices)
        self.hosts = dict(before.hosts)
        self.servers = dict(before.servers)
        self.links = {(name, row.cnpj): row for name, rows in before.links.items() for row in rows}

    def make(self, change: Change) -> None:
        match change.row:
            case Partner():
                assert self.partner == change.before
                assert change.after is None or isinstance(change.after, Partner)
                self.partner = change.after
            case Company(cnpj=number):
                if change.after is None:
                    assert not any(number == linked for _, linked in self.links)
                    assert all(head.cnpj != number for head in self.head_offices.values())
                _put(self.companies, number, change)
            case HeadOffice(root=base):
                assert change.after is None or change.row.cnpj in self.companies
                _put(self.head_offices, base, change)
            case HostProfile(host=host, protocol=protocol):
                _put(self.hosts, (host, protocol), change)
            case MailServer(company=owner):
                assert change.after is None or owner is None or owner in self.companies
                if change.after is None:
                    assert not any(name == change.name for name, _ in self.links)
                _put(self.servers, change.name, change)
            case Link(cnpj=number):
                assert number in self.companies
                assert change.server in self.servers
                _put(self.links, (change.server, number), change)

    def state(self) -> State:
        links: dict[str, list[Link]] = {}
        for (name, _), row in sorted(self.links.items()):
            links.setdefault(name, []).append(row)
        return State(
            self.partner,
            self.companies,
            self.head_offices,
            self.hosts,
            self.servers,
            {name: tuple(rows) for name, rows in links.items()},
        )


def _put(rows: Any, key: Any, change: Change) -> None:
    assert rows.get(key) == change.before
    if change.after is None:
        del rows[key]
    else:
        rows[key] = change.after


@settings(LAWS, max_examples=60)
@given(states())
def test_a_state_differs_from_itself_in_nothing(one: State) -> None:
    assert diff(PARTNER, one, deepcopy(one)) == ()


@settings(LAWS, max_examples=80)
@given(transitions())
def test_the_changes_lead_from_one_state_to_the_other(given_: Transition) -> None:
    interpreter = Interpreter(given_.renamed)
    for change in diff(PARTNER, given_.renamed, given_.after):
        interpreter.make(change)
    assert interpreter.state() == given_.after


@settings(LAWS, max_examples=60)
@given(states(), states())
def test_the_changes_back_are_the_changes_there_turned_round(one: State, other: State) -> None:
    there = {(item.address, item.before, item.after) for item in diff(PARTNER, one, other)}
    back = {(item.address, item.after, item.before) for item in diff(PARTNER, other, one)}
    assert there == back


@settings(LAWS, max_examples=40)
@given(states())
def test_a_state_can_be_built_from_nothing_and_taken_down(one: State) -> None:
    interpreter = Interpreter(EMPTY)
    for change in (*diff(PARTNER, EMPTY, one), *diff(PARTNER, one, EMPTY)):
        interpreter.make(change)
    assert interpreter.state() == EMPTY


@settings(LAWS, max_examples=60)
@given(states(), states())
def test_changes_come_in_one_order_whatever_the_order_of_the_rows(one: State, other: State) -> None:
    assert diff(PARTNER, one, other) == diff(PARTNER, _turned(one), _turned(other))


def _turned(one: State) -> State:
    return State(
        one.partner,
        *(
            dict(reversed(rows.items()))  # type: ignore[call-overload]
            for rows in (one.companies, one.head_offices, one.hosts, one.servers, one.links)
        ),
    )


# Applying


@on_databases(80, transitions(), slow=True)
def test_applying_leads_from_one_state_to_the_other(engine: Engine, given_: Transition) -> None:
    put(engine, *diff(PARTNER, EMPTY, given_.before))
    assert read_back(engine) == given_.before
    numbers = row_ids(engine)
    event(f"renames: {len(given_.new_names)}")
    put(engine, *diff(PARTNER, given_.renamed, given_.after))
    assert read_back(engine) == given_.after
    _same_rows(numbers, row_ids(engine), given_)
    assert diff(PARTNER, read_back(engine), given_.after) == ()


def _same_rows(before: dict[str, int], after: dict[str, int], given_: Transition) -> None:
    for name, number in before.items():
        new = given_.new_names.get(name, name)
        if new in after:
            assert after[new] == number


@on_databases(40, st.lists(manifests(), min_size=1, max_size=3), slow=True)
def test_after_every_apply_the_database_reads_as_desired(
    engine: Engine, commits: list[dict[str, Manifest]]
) -> None:
    estate = Estate(engine)
    for commit in commits:
        before = read_back(engine)
        wanted = _desired(before, commit)
        plan = estate.settle(commit)
        event("refused" if plan.refusals else "applied")
        assert read_back(engine) == (before if plan.refusals else wanted)
        assert bool(estate.plan(commit).plan.partners) == bool(plan.refusals)


def _desired(before: State, commit: dict[str, Manifest]) -> State:
    declared, problems = read_all(commit)
    assert not problems
    coverage = Coverage("", frozenset(commit), whole=True)
    return desire(declared[PARTNER], before, coverage).state


@on_databases(30, st.lists(manifests(), min_size=1, max_size=2))
def test_only_one_file_given_takes_nothing_away_from_the_others(
    engine: Engine, commits: list[dict[str, Manifest]]
) -> None:
    estate = Estate(engine)
    for commit in commits:
        estate.settle(commit)
    whole = read_back(engine)
    estate.settle({"empty.yaml": manifest()}, whole=False)
    assert read_back(engine) == whole


# Surviving

_commits = st.lists(
    st.tuples(st.lists(edits, min_size=1, max_size=4), st.sampled_from([True, True, False])),
    min_size=4,
    max_size=8,
)


@on_databases(120, _commits, slow=True)
def test_a_linked_server_survives_whatever_the_manifests_say(
    engine: Engine, commits: list[tuple[list[Edit], bool]]
) -> None:
    estate, editor = Estate(engine), Editor(engine)
    estate.settle(editor.manifests(whole=True))
    for made, whole in commits:
        kept = deepcopy(editor.files)
        for edit in made:
            editor.make(edit)
        given_ = editor.manifests(whole=whole)
        if not _makes_sense(estate, given_, whole=whole):
            editor.files = kept
            continue
        before = Rows.of(engine)
        plan = estate.settle(given_, whole=whole)
        _note(plan)
        _check_survivors(before, Rows.of(engine), editor.exclusive())
        _check_settled(estate, given_, plan, whole=whole)


def _makes_sense(estate: Estate, given_: dict[str, Manifest], *, whole: bool) -> bool:
    _, problems = read_all(given_)
    return not errors(problems) and not errors(estate.plan(given_, whole=whole).problems)


def _note(plan: Plan) -> None:
    for refusal in plan.refusals:
        event(f"refused: {refusal.alarm.guard}")
    for part in plan.applicable:
        for item in part.accepted:
            event(f"accepted: {item.guard}")
        for change in part.changes:
            event(f"{change.action} {change.kind}")


class Rows(NamedTuple):
    """Servers and links as another program sees them: numbers, names and CNPJs."""

    servers: dict[int, tuple[str, str | None, str | None]]
    links: dict[tuple[int, str], str | None]

    @classmethod
    def of(cls, engine: Engine) -> Rows:
        servers = fetch(engine, "SELECT id, partner, stable_id, project FROM mail_server")
        links = fetch(engine, "SELECT mail_server_id, cnpj, project FROM link")
        return cls(
            {number: (owner, name, project) for number, owner, name, project in servers},
            {(number, cnpj_): project for number, cnpj_, project in links},
        )


def _check_survivors(before: Rows, after: Rows, exclusive: set[tuple[str, str]]) -> None:
    assert {number for number, _ in before.links} <= after.servers.keys()
    for number, (_, _, project) in before.servers.items():
        assert project == "" or number in after.servers
    for (number, cnpj_), project in before.links.items():
        owner, name, _ = after.servers[number]
        if (owner, name) not in exclusive:
            assert project == "" or (number, cnpj_) in after.links


def _check_settled(estate: Estate, given_: dict[str, Manifest], plan: Plan, *, whole: bool) -> None:
    refused = {refusal.partner for refusal in plan.refusals}
    again = estate.plan(given_, whole=whole)
    assert {part.partner for part in again.plan.partners} <= refused
    assert not errors(again.problems)


# Renaming

_renames = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=2, unique=True)
_rename_cases = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.tuples(st.sampled_from(["one", "two", "three"]), _renames)
)
_rows = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.tuples(st.sampled_from(["one", "two", "three"]), st.sampled_from(["", None])),
)


@settings(LAWS, max_examples=400)
@given(_rename_cases, _rows)
def test_a_rename_never_gives_two_rows_one_name(
    declared: dict[str, tuple[str, list[str]]], rows: dict[str, tuple[str, str | None]]
) -> None:
    servers = {
        name: outgoing(username=username, renamed_from=old)
        for name, (username, old) in declared.items()
    }
    found, problems = read_all({FILE: manifest(mail_servers=servers)})
    assume(not problems)
    observed = state(
        servers=[
            server(name, username=username, project=project)
            for name, (username, project) in rows.items()
        ]
    )
    naming = name_rows(found[PARTNER], observed, "")
    assume(not errors(naming.problems))
    assert len(observed.renamed(naming.new_names).servers) == len(rows)


@on_databases(40, st.permutations(["a", "b", "c"]), st.lists(st.booleans(), min_size=6, max_size=6))
def test_servers_trade_their_names_and_keep_row_and_links(
    engine: Engine, new: list[str], flags: list[bool]
) -> None:
    old = ["a", "b", "c"]
    numbers = [cnpj(1), cnpj(2), cnpj(3)]
    first = {
        name: outgoing(name, companies=[number]) for name, number in zip(old, numbers, strict=True)
    }
    second = {
        after: {
            **first[before],
            "companies": [number] if flags[index] else [number, cnpj(4)],
            "nickname": "Envio" if flags[index + 3] else "Outro",
            **({} if after == before else {"renamed_from": before}),
        }
        for index, (before, after, number) in enumerate(zip(old, new, numbers, strict=True))
    }
    declared = companies(*numbers, cnpj(4))
    estate = Estate(engine)
    estate.settle({FILE: manifest(companies=declared, mail_servers=first)})
    before_ids = row_ids(engine)
    commit = {FILE: manifest(companies=declared, mail_servers=second)}
    estate.settle(commit)
    after_ids = row_ids(engine)
    assert [after_ids[name] for name in new] == [before_ids[name] for name in old]
    links = read_back(engine).links
    assert [links[name][0].cnpj for name in new] == numbers
    again = estate.plan(commit)
    assert again.plan.partners == ()
    assert set(codes(again.problems)) <= {"MBX317"}


# Saving


@settings(LAWS, max_examples=40)
@given(transitions(), st.booleans())
def test_a_plan_survives_its_file(given_: Transition, refused: bool) -> None:
    changes = diff(PARTNER, given_.renamed, given_.after)
    assume(changes)
    alarm = Alarm("mass-delete", 3, (Concern("a", "ü", None), Concern("b", "", "x.yaml")))
    part = PartnerPlan(
        PARTNER,
        changes,
        (Refusal(PARTNER, alarm, 2), Refusal(PARTNER, alarm)) if refused else (),
        (Accepted(PARTNER, "takeover", 2, "é meant", "2026-12-31"),),
    )
    plan = plan_of(())
    plan = replace(plan, partners=(part,), unchanged=7, left_alone=2, commit="0" * 40)
    assert _through_its_file(plan) == plan


@on_databases(25, st.lists(manifests(), min_size=1, max_size=2))
def test_a_plan_from_manifests_survives_its_file(
    engine: Engine, commits: list[dict[str, Manifest]]
) -> None:
    estate = Estate(engine)
    for commit in commits:
        for planned in (estate.plan(commit), estate.plan_accepting(commit)):
            assert _through_its_file(planned.plan) == planned.plan
        estate.settle(commit)


def _through_its_file(plan: Plan) -> Plan:
    return reading.read(BytesIO("".join(write.PlanFile(plan)).encode()), "plan.json").plan


# Reading

_SMALL = ReadLimits(file_bytes=80, scalar_bytes=6, depth=2)
_datas = yaml_texts.map(str.encode) | st.binary(max_size=40)
_limits = st.sampled_from([ReadLimits(), _SMALL])


@settings(LAWS, max_examples=1500)
@given(_datas, st.sampled_from([b"", b"\xef\xbb\xbf"]), _limits)
def test_both_readers_refuse_the_same_files(data: bytes, mark: bytes, limits: ReadLimits) -> None:
    problems = locate("x.yaml", mark + data, limits).problems
    if _is_suspect(mark + data, limits):
        assert problems
    else:
        assert problems == []
    for problem in problems:
        assert problem.place
        assert problem.place.mark
        assert problem.place.mark.line >= 1
        assert problem.place.mark.end > problem.place.mark.column >= 1


def _is_suspect(data: bytes, limits: ReadLimits) -> bool:
    try:
        read(data, limits)
    except Suspect:
        return True
    return False


@settings(LAWS, max_examples=300)
@given(yaml_texts | st.text(string.printable, max_size=40))
def test_whatever_a_file_holds_ends_in_problems_or_a_declaration(text: str) -> None:
    declared, problems = read_one(f"version: 1\npartner: acme\n{text}")
    assert declared or problems


_as_written = (
    st.from_regex(r"[0-9A-Z]{12}[0-9]{2}", fullmatch=True)
    | st.from_regex(r"0[0-7]{13}", fullmatch=True)
    | st.from_regex(r"[0-9]{2}[Ee][0-9]{11}", fullmatch=True)
    | st.from_regex(r"0[xob][0-9A-F]{12}", fullmatch=True)
    | st.from_regex(r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}", fullmatch=True)
    | st.from_regex(r"[+-]?[0-9][0-9_.:]{0,9}[0-9]", fullmatch=True)
    | st.sampled_from(
        [
            "no",
            "NO",
            "yes",
            "on",
            "off",
            "y",
            "n",
            "null",
            "~",
            ".inf",
            ".NaN",
            "2026-01-01",
            "08",
            "1_000",
            "1:30",
            "=",
        ]
    )
)


@settings(LAWS, max_examples=200)
@given(_as_written, st.sampled_from(["{}", "'{}'", '"{}"']))
def test_a_scalar_arrives_as_it_is_written(text: str, quotes: str) -> None:
    written = quotes.format(text)
    data = f"{written}: {written}\nlist: [{written}]\n".encode()
    found = read(data, ReadLimits())
    assert found == {text: text, "list": [text]}
    assert isinstance(found[text], Quoted) == (quotes != "{}" and len(text) <= 8)


@settings(LAWS, max_examples=200)
@given(
    st.text(
        st.characters(min_codepoint=32, exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Cn"))
    )
)
def test_a_quoted_text_arrives_as_it_is_written(text: str) -> None:
    double, single = json.dumps(text, ensure_ascii=False), text.replace("'", "''")
    assert read(f"- {double}\n- '{single}'\n".encode(), ReadLimits()) == [text, text]


@settings(LAWS, max_examples=40)
@given(manifests())
def test_a_manifest_means_the_same_in_every_way_of_writing_it(commit: dict[str, Manifest]) -> None:
    for name, content in commit.items():
        plain, problems = read_one(content, name)
        assert not problems
        for flow in (None, True, False):
            dumped = yaml.safe_dump(
                content, allow_unicode=True, default_flow_style=flow, sort_keys=False
            )
            assert read_one(dumped, name) == (plain, [])
