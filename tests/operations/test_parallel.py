"""Planning by several processes says what one process says, in the same order."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifests import load
from reconciler.operations import parallel
from reconciler.operations.context import Context
from reconciler.operations.parallel import Team
from reconciler.operations.plan import plan
from tests.support.estates import (
    Cli,
    Manifest,
    cnpj,
    companies,
    incoming,
    manifest,
    outgoing,
    plain_sql,
    write,
)
from tests.support.servers import MAIN

pytestmark = [
    pytest.mark.databases(*MAIN),
    pytest.mark.filterwarnings("default::DeprecationWarning"),
]
SEVERAL = {0, 1, 2}
PARTNERS = range(10, 34)


def one(number: int, **keys: Any) -> Manifest:
    own, branch = cnpj(1, root=10_000_000 + number), cnpj(2, root=10_000_000 + number)
    servers = {
        "out": outgoing(f"p{number}", companies=[own, branch], **keys),
        "in": incoming(f"x{number}", companies=[{"all": True}]),
    }
    return manifest(f"p{number}", companies=companies(own, branch), mail_servers=servers)


def estate() -> None:
    write(Path("m"), {f"p{number}.yaml": one(number) for number in PARTNERS})


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Lets several processes plan what there is; whether they came to an end, run by run."""
    ended: list[bool] = []
    really = Team.plan

    def noted(self: Team, *arguments: Any) -> Any:
        ended.append(False)
        planned = really(self, *arguments)
        ended[-1] = True
        return planned

    monkeypatch.setattr(Team, "plan", noted)
    monkeypatch.setattr(parallel, "_LEAST", 2)
    for module in (parallel, load):
        monkeypatch.setattr(module, "MANY", 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: SEVERAL)
    return ended


_UNLIKE = re.compile(
    r'"plan_id":"[^"]*"|"(?:created|expires)_at":"[^"]*"|plan [0-9a-f-]{36}|\d\d:\d\d:\d\d'
)


def told(cli: Cli, *arguments: str) -> tuple[int, str, str]:
    code, out, err = cli(*arguments)
    return code, _UNLIKE.sub("", out), err


def same(cli: Cli, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    """What a plan tells, which is the same however many processes there are."""
    seen = {}
    for processes in ({0}, SEVERAL):
        monkeypatch.setattr("os.sched_getaffinity", lambda _pid, known=processes: known)
        options = [
            ["plan", "m", *arguments, *form] for form in ([], ["--full"], ["--format", "json"])
        ]
        seen[len(processes)] = [told(cli, *words) for words in options]
    assert seen[1] == seen[len(SEVERAL)]
    return seen[1][0]


def execute(statement: str) -> None:
    with plain_sql(os.environ["RECONCILER_DATABASE_URL"]) as program:
        program.execute(statement)


def test_a_new_database(new_cli: Cli, several: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    estate()
    assert same(new_cli, monkeypatch)[0] == 0
    assert several == [True] * 3
    assert new_cli("apply", "m", "--auto-approve").code == 0
    assert "Nothing to change" in same(new_cli, monkeypatch)[1]


def _changed(_cli: Cli) -> None:
    write(Path("m"), {"p12.yaml": one(12, nickname="Outro"), "sub/p99.yaml": one(99)})
    execute("UPDATE mail_server SET nickname = 'x' WHERE partner = 'p30' AND stable_id = 'out'")


def _removed(_cli: Cli) -> None:
    Path("m/p20.yaml").unlink()


def _in_flow_style(_cli: Cli) -> None:
    text = Path("m/p11.yaml").read_text().replace("partner: p11", '"partner"  :   "p11" # it is')
    Path("m/p11.yaml").write_text(text)
    Path("m/flow.yaml").write_text("{version: 1, partner: p98, companies: {}}\n")


def _two_files(_cli: Cli) -> None:
    more = {"more": outgoing("p13-more", companies=[cnpj(1, root=10_000_013)])}
    write(Path("m"), {"z/more.yaml": manifest("p13", mail_servers=more)})


def _other_settings(_cli: Cli) -> None:
    Path("m/reconciler.toml").write_text("limits.scalar_bytes = 65_537\n")


RIGHT: list[Callable[[Cli], None]] = [
    _changed,
    _removed,
    _in_flow_style,
    _two_files,
    _other_settings,
]


@pytest.mark.slow
@pytest.mark.parametrize("happens", RIGHT)
def test_what_is_right(
    cli: Cli, several: list[bool], monkeypatch: pytest.MonkeyPatch, happens: Callable[[Cli], None]
) -> None:
    estate()
    assert cli("apply", "m", "--auto-approve").code == 0
    happens(cli)
    _other_settings(cli)
    several.clear()
    same(cli, monkeypatch)
    assert several == [True] * 3


def test_what_is_accepted(cli: Cli, several: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    estate()
    assert cli("apply", "m", "--auto-approve").code == 0
    _removed(cli)
    _other_settings(cli)
    several.clear()
    accepted = ("--accept", "p20:lost-input=1", "--accept", "p21:takeover=3")
    code, _out, err = same(cli, monkeypatch, *accepted)
    assert (code, "p21" in err) == (3, True)
    assert several == [True] * 3


def _broken(_cli: Cli) -> None:
    Path("m/p14.yaml").write_text("version: 1\npartner: p14\nnonsense: 1\n")


def _no_yaml(_cli: Cli) -> None:
    Path("m/p14.yaml").write_text("version: 1\npartner: [\n")


def _company_of_another(_cli: Cli) -> None:
    servers = {"out": outgoing("p14", companies=[cnpj(1, root=10_000_033)])}
    write(Path("m"), {"p14.yaml": manifest("p14", mail_servers=servers)})


def _company_twice(_cli: Cli) -> None:
    write(Path("m"), {"p97.yaml": manifest("p97", companies=companies(cnpj(9), cnpj(8)))})
    write(Path("m"), {"p96.yaml": manifest("p96", companies=companies(cnpj(9)))})


def _unknown_company(_cli: Cli) -> None:
    servers = {"out": outgoing("p14", companies=[cnpj(7)])}
    write(Path("m"), {"p14.yaml": manifest("p14", mail_servers=servers)})


def _server_twice(_cli: Cli) -> None:
    write(Path("m"), {"z.yaml": manifest("p15", mail_servers={"out": outgoing("other")})})


def _secret_of_another(_cli: Cli) -> None:
    text = Path("m/p16.yaml").read_text().replace("P16_", "P17_")
    Path("m/p16.yaml").write_text(re.sub(r"env: \w+", "env: P17_SECRET", text))


WRONG: list[Callable[[Cli], None]] = [
    _broken,
    _no_yaml,
    _company_of_another,
    _company_twice,
    _unknown_company,
    _server_twice,
    _secret_of_another,
]


@pytest.mark.slow
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("happens", WRONG)
@pytest.mark.usefixtures("several")
def test_what_is_wrong(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Cli], None], *, new: bool
) -> None:
    estate()
    if not new:
        assert cli("apply", "m", "--auto-approve").code == 0
    happens(cli)
    code, _out, err = same(cli, monkeypatch)
    assert code == 1
    assert "MBX" in err


@pytest.mark.usefixtures("new_cli")
def test_a_file_that_changes_meanwhile_is_planned_by_one_process(
    several: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    estate()
    really = Team.plan

    def meanwhile(self: Team, *arguments: Any) -> Any:
        write(Path("m"), {"p14.yaml": one(14, nickname="Meanwhile")})
        return really(self, *arguments)

    monkeypatch.setattr(Team, "plan", meanwhile)
    planned = plan(Context.of(os.environ, paths=[Path("m")]))
    assert several == [False]
    assert any(
        getattr(change.after, "nickname", "") == "Meanwhile" for change in planned.plan.changes
    )


def test_a_worker_that_dies_is_done_without(
    new_cli: Cli, several: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    estate()
    monkeypatch.setattr(parallel, "_plan_share", _die)
    assert new_cli("plan", "m").code == 0
    assert several == [False]


def _die(_share: object, terms: bytes) -> None:  # noqa: ARG001 - as that which it stands for
    os._exit(1)


def test_the_url_is_in_no_process_arguments(
    cli: Cli, several: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    estate()
    monkeypatch.setattr(parallel, "_plan_share", _look)
    assert cli("plan", "m").code == 0
    assert several == [False]
    assert Path("seen").read_text() == "False"


def _look(_share: object, terms: bytes) -> None:
    url = os.environ["RECONCILER_DATABASE_URL"].encode()
    assert url in terms
    Path("seen").write_text(str(url in Path(f"/proc/{os.getpid()}/cmdline").read_bytes()))


@pytest.mark.databases("postgres18")
def test_workers_see_what_the_plan_began_with(
    cli: Cli, several: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    estate()
    assert cli("apply", "m", "--auto-approve").code == 0
    _other_settings(cli)
    really = Team._terms

    def meanwhile(self: Team, *arguments: Any) -> bytes:
        terms = really(self, *arguments)
        execute("UPDATE mail_server SET nickname = 'x'")
        return terms

    monkeypatch.setattr(Team, "_terms", meanwhile)
    several.clear()
    assert "Nothing to change" in cli("plan", "m").out
    assert several == [True]
