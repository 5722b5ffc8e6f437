"""References in manifests: every form of every store, whose they are, and what never is one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reconciler.manifests.load import parse
from reconciler.manifests.read import ReadLimits
from tests.support.estates import Cli, Manifest, manifest, outgoing, plain_sql, write
from tests.support.servers import SQLITE
from tests.support.servers.databases import Database

EVERY_FORM: list[tuple[Any, str]] = [
    ({"env": "ACME_NFE"}, "env:ACME_NFE"),
    ("ref+env://ACME_NFE", "env:ACME_NFE"),
    ({"file": "acme-nfe"}, "file:acme-nfe"),
    ("ref+file://acme-nfe", "file:acme-nfe"),
    ({"vault": {"path": "smtp/acme", "key": "nfe"}}, "vault:smtp/acme#/nfe"),
    ("ref+vault://smtp/acme#/nfe", "vault:smtp/acme#/nfe"),
    ({"vault": {"path": "acme/08", "key": "1e3", "version": 7}}, "vault:acme/08?version=7#/1e3"),
    ("ref+vault://acme/08?version=7#/1e3", "vault:acme/08?version=7#/1e3"),
    ("ref+vault://acme/08#/1e3?version=7", "vault:acme/08?version=7#/1e3"),
    ({"aws": {"name": "mail/acme"}}, "aws:mail/acme"),
    ("ref+awssecrets://mail/acme", "aws:mail/acme"),
    ({"aws": {"name": "/mail/acme", "key": "true"}}, "aws:/mail/acme#/true"),
    ("ref+awssecrets:///mail/acme#/true", "aws:/mail/acme#/true"),
]


def with_password(password: Any, **keys: Any) -> Manifest:
    return manifest(mail_servers={"nfe-out": outgoing(password=password, **keys)})


def stored(database: Database) -> list[str]:
    with plain_sql(database.url) as program:
        query = "SELECT password_reference FROM mail_server"
        return [str(text) for (text,) in program.execute(query)]


@pytest.mark.slow
@pytest.mark.databases(SQLITE, "postgres18")
@pytest.mark.parametrize(("password", "text"), EVERY_FORM)
@pytest.mark.parametrize("auth", ["password", "oauth2"])
def test_every_reference_goes_to_the_database_and_comes_back(
    cli: Cli, database: Database, password: Any, text: str, auth: str
) -> None:
    write(Path("m"), {"acme.yaml": with_password(password, auth=auth)})
    assert cli("validate", "m").code == 0
    assert f"      password_reference: {text}\n" in cli("plan", "m").out
    assert cli("apply", "m", "--auto-approve").code == 0
    assert stored(database) == [text]
    assert cli("plan", "m", "--detailed-exitcode").code == 0

    assert cli("export", "--out", "exported").code == 0
    assert cli("validate", "exported").code == 0
    written = yaml.safe_load(Path("exported/acme.yaml").read_text())
    store = text.partition(":")[0]
    assert written["mail_servers"]["nfe-out"]["password"].keys() == {store}
    again = cli("plan", "exported", "--detailed-exitcode")
    assert (again.code, again.err) == (0, "")


@pytest.mark.databases(SQLITE)
def test_another_spelling_of_a_reference_is_no_change(cli: Cli) -> None:
    write(Path("m"), {"acme.yaml": with_password(EVERY_FORM[6][0])})
    assert cli("apply", "m", "--auto-approve").code == 0
    for password, _text in EVERY_FORM[7:9]:
        write(Path("m"), {"acme.yaml": with_password(password)})
        assert cli("plan", "m", "--detailed-exitcode").code == 0


@pytest.mark.databases(SQLITE)
def test_out_of_bounds_nothing_is_applied_and_all_problems_are_told_at_once(
    cli: Cli, database: Database
) -> None:
    servers = {
        "a": outgoing("a", password={"env": "BETA_NFE"}),
        "b": outgoing("b", password={"vault": {"path": "smtp/beta", "key": "nfe"}}),
        "c": outgoing("c", port="x"),
    }
    write(Path("m"), {"acme.yaml": manifest(mail_servers=servers)})
    for words in (["plan", "m"], ["apply", "m", "--auto-approve"], ["validate", "m"]):
        done = cli(*words)
        assert done.code == 1
        assert re.findall(r"error (MBX\d+)", done.out + done.err) == ["MBX660", "MBX660", "MBX208"]
    assert stored(database) == []
    found = json.loads(cli("validate", "m", "--format", "json").out)["diagnostics"]
    lines = Path("m/acme.yaml").read_text().splitlines()
    at = [lines[item["range"]["start"]["line"] - 1].strip() for item in found[:2]]
    assert at == ['"env": "BETA_NFE"', '"path": "smtp/beta",']


# What never is shown


passwords = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=5
).map(lambda text: f"Zq{text}")
"""Passwords that no output has by chance."""
WAYS = ["{0}", "[{0}]", "{{env: {0}}}", "{{file: {0}}}", "{{vault: {0}}}", "{{aws: {0}}}"]
BELOW = ["{{vault: {{path: {0}, key: x}}}}", "{{vault: {{path: smtp/acme, key: {0}}}}}"]
INSIDE = [
    "{{vault: {{path: smtp/acme, key: x, version: {0}}}}}",
    "{{aws: {{name: {0}}}}}",
    "{{{0}}}",
    "{{vault: {{{0}}}}}",
    "{{client_secret: {0}}}",
    "{{client_id: x, refresh_token: {0}}}",
]


@pytest.mark.databases(SQLITE)
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(passwords, st.sampled_from([*WAYS, *BELOW, *INSIDE]), st.booleans())
def test_a_password_is_never_shown(new_cli: Cli, text: str, way: str, short: bool) -> None:
    secret = f"ref+{text}" if short else text
    quoted = json.dumps(secret, ensure_ascii=False)
    content = Path("m/acme.yaml")
    content.parent.mkdir(exist_ok=True)
    lines = yaml.safe_dump(with_password(None), sort_keys=False).splitlines()
    lines.append(f"    password: {way.format(quoted)}")
    content.write_text("\n".join(lines) + "\n")
    declared, _ = parse(content.read_bytes(), "acme.yaml", ReadLimits(), "")
    assume(not (declared and declared.servers))
    for words in (["validate", "m"], ["plan", "m"]):
        for form in ("text", "json"):
            done = new_cli(*words, "--format", form)
            assert done.code == 1
            said = done.out + done.err
            for spelling in (text, json.dumps(text)[1:-1], text.encode("unicode_escape").decode()):
                assert spelling not in said
