"""What keeps the rest honest: docs, schemas, texts and layers are what the code says they are."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import click
import jsonschema
import pytest
import yaml
from alembic.script import ScriptDirectory
from babel.messages.pofile import read_po
from pydantic import BaseModel

from reconciler import settings
from reconciler.cli import run
from reconciler.cli.group import group
from reconciler.database import schema, tables
from reconciler.diagnostics.messages.failures import failures
from reconciler.manifests.schema import CompanyFile, PartnerFile
from reconciler.plan.guards import GUARDS
from reconciler.render.messages import MESSAGES
from reconciler.render.schemas import DRAFT, SCHEMAS
from scripts import generate

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "reconciler"
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
CODE = re.compile(r"MBX\d{3}")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def sources(*without: str) -> list[Path]:
    """The modules of the package, but for those in these folders."""
    skipped = {PACKAGE / folder for folder in without}
    return [file for file in sorted(PACKAGE.rglob("*.py")) if skipped.isdisjoint(file.parents)]


def nodes(file: Path) -> Iterator[ast.AST]:
    return ast.walk(tree(file))


def where(file: Path, node: ast.AST) -> str:
    return f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def dotted(node: ast.AST) -> str:
    """`a.b.c` as it is written; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


# --- generated files and schemas


@pytest.mark.parametrize("name", generate.FILES)
def test_generated_files_are_up_to_date(name: str) -> None:
    assert text_of(name) == generate.FILES[name](), "run: make generate"


def test_the_check_names_what_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "FILES", {"docs/a.md": lambda: "a", "docs/b.md": lambda: "b"})
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("a")
    assert generate.main(["--check"]) == 1
    assert "docs/b.md" in (said := capsys.readouterr().out)
    assert "docs/a.md" not in said
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid_draft_07(name: str) -> None:
    found = SCHEMAS[name]()
    assert found["$schema"] == DRAFT
    jsonschema.Draft7Validator.check_schema(found)
    later = {"$defs", "prefixItems", "unevaluatedProperties", "dependentRequired"}
    assert later.isdisjoint(keys_of(found))


def keys_of(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*map(keys_of, value.values()))


class Yaml12(yaml.SafeLoader):
    """What an editor makes of plain scalars: YAML 1.2's flags, nulls and decimal numbers."""


Yaml12.yaml_implicit_resolvers = {}
for kind, pattern, first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
):
    tag = f"tag:yaml.org,2002:{kind}"
    Yaml12.add_implicit_resolver(tag, re.compile(rf"(?:{pattern})\Z"), list(first))


def as_an_editor_reads(text: str) -> Any:
    return yaml.load(text, Loader=Yaml12)


def problems_of(text: str) -> list[str]:
    validator = jsonschema.Draft7Validator(SCHEMAS["manifest"]())
    return [error.message for error in validator.iter_errors(as_an_editor_reads(text))]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: str(path.name))
def test_examples_fit_the_schema_that_editors_use(example: Path) -> None:
    assert problems_of(example.read_text()) == []


def test_the_first_example_names_its_schema() -> None:
    first = text_of("examples/mailboxes.yaml").splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert (ROOT / "examples" / name).resolve() == ROOT / "schemas" / "manifest.schema.json"


@pytest.mark.parametrize(
    "wrong",
    [
        "version: 1",
        "version: 2\npartner: acme",
        "version: 1\npartner: acme\nmail_serverz: {}",
        'version: 1\npartner: acme\ncompany: "12.345.678/0001-95"\nhosts: {}',
    ],
)
def test_the_schema_refuses(wrong: str) -> None:
    assert problems_of(wrong)


# --- texts


def templates() -> Iterator[tuple[str, str]]:
    for code, message in MESSAGES.items():
        for template in (message.title, message.cause, message.repair):
            yield code, template


def test_the_catalogue_has_every_message() -> None:
    with (PACKAGE / "diagnostics" / "locale" / "reconciler.pot").open("rb") as file:
        known = {str(message.id) for message in read_po(file)}
    assert [code for code, template in templates() if template not in known] == []


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_placeholders_are_plain_names() -> None:
    for code, template in templates():
        for _, name, form, conversion in Formatter().parse(template):
            if name is not None:
                assert re.fullmatch(r"[a-z_]+", name), f"{code}: {name}"
                assert (form, conversion) == ("", None), f"{code}: {name}"


def codes_in(node: ast.AST) -> list[str]:
    """The codes that an argument may be: a literal, or one of a conditional's two."""
    if isinstance(node, ast.IfExp):
        return codes_in(node.body) + codes_in(node.orelse)
    if isinstance(node, ast.Constant) and CODE.fullmatch(str(node.value)):
        return [str(node.value)]
    return []


def keys_given(node: ast.AST | None, local: dict[str, set[str] | None]) -> set[str] | None:
    """The keys of a dict that is written out, here or in the same function; None for others."""
    if node is None:
        return set()
    if isinstance(node, ast.Name):
        return local.get(node.id)
    if not isinstance(node, ast.Dict):
        return None
    keys: set[str] = set()
    for key, value in zip(node.keys, node.values, strict=True):
        found = {str(key.value)} if isinstance(key, ast.Constant) else keys_given(value, local)
        if found is None:
            return None
        keys |= found
    return keys


def values_given(call: ast.Call, local: dict[str, set[str] | None]) -> set[str] | None:
    """The values that a call gives to the message of its code; None where that is not to see."""
    name = dotted(call.func)
    if name == "Problem":
        return keys_given(call.args[2] if len(call.args) > 2 else None, local)
    if name.rpartition(".")[2] == "of":
        named = {word.arg for word in call.keywords if word.arg}
        return named if len(named) == len(call.keywords) else None
    if name == "PydanticCustomError":
        found = keys_given(call.args[2] if len(call.args) > 2 else None, local)
        return None if found is None else found | {"key"}
    return None


def calls_with_codes() -> Iterator[tuple[str, str, set[str] | None]]:
    """Every call that makes a problem of a code: where, the code, and the values it is given."""
    for file in sources("diagnostics/messages"):
        for function in nodes(file):
            if not isinstance(function, ast.FunctionDef):
                continue
            local: dict[str, set[str] | None] = {}
            for node in ast.walk(function):
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    local[node.targets[0].id] = keys_given(node.value, local)
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and node.args:
                    for code in codes_in(node.args[0]):
                        yield where(file, node), code, values_given(node, local)


def test_messages_get_the_values_they_need() -> None:
    seen = 0
    for place, code, given in calls_with_codes():
        if given is None:
            continue
        seen += 1
        message = MESSAGES[code]
        needed = set().union(*map(placeholders, (message.title, message.cause, message.repair)))
        assert needed <= given, f"{place}: {code} is not given {sorted(needed - given)}"
    assert seen > 60


def codes_used() -> set[str]:
    literals = {
        node.value
        for file in sources("diagnostics/messages", "render")
        for node in nodes(file)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    recognized = {code for code, failure in failures().items() if failure.symptoms}
    return {one for one in literals if CODE.fullmatch(one)} | recognized


def test_every_code_that_is_used_has_a_message() -> None:
    everywhere = {code for file in sources() for code in CODE.findall(file.read_text())}
    assert everywhere - MESSAGES.keys() == set()


def test_every_message_is_used() -> None:
    assert MESSAGES.keys() - codes_used() == set()


# --- docs


def commands(
    command: click.Command = group, name: str = "reconciler"
) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with what is typed to run it."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    if command.invoke_without_command:
        yield name, command
    context = click.Context(command)
    for word in command.list_commands(context):
        below = command.get_command(context, word)
        assert below is not None
        yield from commands(below, f"{name} {word}")


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_docs_have_every_command_with_every_option(name: str) -> None:
    sections = re.split(r"^## ", text_of("docs/commands.md"), flags=re.MULTILINE)
    section = next((text for text in sections if text.startswith(f"`{name}`\n")), "")
    assert section, f"docs/commands.md has no section `{name}`"
    for parameter in COMMANDS[name].params:
        words = (
            [parameter.name.upper()] if isinstance(parameter, click.Argument) else parameter.opts
        )
        for word in words:
            assert f"`{word}" in section or f", `{word}" in section, f"{name} {word}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_every_command(name: str) -> None:
    assert name.removeprefix("reconciler ") in re.findall(r"`([a-z ]+)`", text_of("README.md"))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_how_a_command_is_used(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*name.split()[1:], "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Usage: {name} ")
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"


def test_docs_have_every_code() -> None:
    assert set(re.findall(r"^### (MBX\d{3})$", text_of("docs/codes.md"), re.MULTILINE)) == set(
        MESSAGES
    )


def keys_of_model(model: type[BaseModel]) -> set[str]:
    """Every key that can be written in what `model` reads."""
    definitions = model.model_json_schema().get("$defs", {}).values()
    schemas = [model.model_json_schema(), *definitions]
    return {key for found in schemas for key in found.get("properties", {})}


@pytest.mark.parametrize("model", [PartnerFile, CompanyFile])
def test_docs_have_every_key_of_the_language(model: type[BaseModel]) -> None:
    text = text_of("docs/language.md")
    written = set(re.findall(r"`([$a-z_0-9]+)[`:]", text))
    assert keys_of_model(model) - written == set()


def test_docs_have_every_setting() -> None:
    text = text_of("README.md") + text_of("docs/secrets.md")
    names = keys_of_model(settings.Settings) | settings.ENVIRONMENT.keys()
    assert [name for name in names if name not in text] == []


def blocks(name: str, language: str) -> list[str]:
    """The examples of a document that are in `language`."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(name), re.DOTALL | re.MULTILINE)


def test_the_settings_of_the_readme_are_settings(tmp_path: Path) -> None:
    (block,) = blocks("README.md", "toml")
    (tmp_path / "reconciler.toml").write_text(block)
    written = settings.load(tmp_path / "reconciler.toml", {})
    default = settings.Settings()
    assert (written.project, written.limits) == (default.project, default.limits)
    assert written.database == settings.DEFAULT_DATABASE
    assert written.guards.model_copy(update={"accept": []}) == default.guards


def test_the_settings_of_the_page_about_secrets_are_settings(tmp_path: Path) -> None:
    (block,) = blocks("docs/secrets.md", "toml")
    (tmp_path / "reconciler.toml").write_text(block)
    found = settings.load(tmp_path / "reconciler.toml", {}).secrets
    sections = (found, found.env, found.file, found.vault, found.aws, found.keys)
    for section in (*sections, found.vault and found.vault.login):
        assert section
        alternatives = {"env", "file"} if section is found.keys else set()
        assert type(section).model_fields.keys() - section.model_fields_set <= alternatives
    assert found.deadline == settings.Settings().secrets.deadline


@pytest.mark.parametrize("name", ["README.md", "docs/language.md"])
def test_manifests_in_the_docs_fit_the_schema(name: str) -> None:
    found = [block for block in blocks(name, "yaml") if block.startswith("version: 1\n")]
    assert found
    assert [problem for block in found for problem in problems_of(block)] == []


def test_the_manifest_of_the_readme_is_valid(tmp_path: Path) -> None:
    block = next(text for text in blocks("README.md", "yaml") if text.startswith("version"))
    (tmp_path / "acme.yaml").write_text(block)
    assert run(["validate", str(tmp_path)]) == 0


def test_docs_have_every_guard() -> None:
    text = text_of("README.md")
    assert [guard for guard in GUARDS if f"`{guard}`" not in text] == []


def test_docs_have_every_table_and_column() -> None:
    text = text_of("docs/database.md")
    names = {
        name for table in tables.metadata.sorted_tables for name in (table.name, *table.c.keys())
    }
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_links_between_docs_lead_somewhere() -> None:
    for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.name}: {target}"


# --- layers


def test_only_cli_prints() -> None:
    forbidden = {"print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"}
    found = [
        where(file, node)
        for file in sources("cli")
        for node in nodes(file)
        if isinstance(node, ast.Call) and dotted(node.func) in forbidden
    ]
    assert found == []


def test_only_cli_reads_the_environment_and_exits() -> None:
    forbidden = {"environ", "getenv", "exit", "_exit"}
    found = []
    for file in sources("cli"):
        for node in nodes(file):
            name = dotted(node)
            if name.startswith(("os.", "sys.")) and name.split(".")[1] in forbidden:
                found.append(where(file, node))
            if isinstance(node, ast.ImportFrom) and node.module in ("os", "sys"):
                found += [where(file, node) for item in node.names if item.name in forbidden]
            if isinstance(node, ast.Raise) and "SystemExit" in ast.dump(node):
                found.append(where(file, node))
    assert found == []


def test_no_sql_is_put_together_from_pieces() -> None:
    found = []
    for file in [*sources(), *(ROOT / "scripts").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        for node in nodes(file):
            if isinstance(node, ast.Call) and node.args:
                function = dotted(node.func).rpartition(".")[2]
                pieces = isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
                if function in ("text", "exec_driver_sql") and pieces:
                    found.append(where(file, node))
    assert found == []


HEAVY = {
    "alembic",
    "boto3",
    "cryptography",
    "deepdiff",
    "email_validator",
    "hvac",
    "requests",
    "sqlalchemy",
}


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [(["--help"], HEAVY | {"pydantic", "yaml"}), (["validate", str(EXAMPLES[0])], HEAVY)],
    ids=["help", "validate"],
)
def test_nothing_heavy_is_imported(arguments: list[str], forbidden: set[str]) -> None:
    program = (
        "import sys; from reconciler.cli import run; code = run(sys.argv[1:]); "
        "print('\\n'.join(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    )
    assert forbidden & set(done.stderr.split()) == set()


# --- database


def test_the_schema_revision_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(schema.MIGRATIONS)).get_current_head() == tables.SCHEMA_REVISION


# --- the tests themselves


def test_the_network_is_out_of_reach() -> None:
    import socket

    with socket.socket() as one, pytest.raises(pytest.fail.Exception):
        one.connect(("192.0.2.1", 25))


def test_the_environment_is_quiet() -> None:
    assert [name for name in os.environ if name.startswith("RECONCILER_") or name == "CI"] == []


@pytest.mark.slow
def test_the_demo_ends_well_whatever_is_set(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "CI": "true",
        "RECONCILER_DATABASE_URL": "postgresql://nowhere.example/none",
        "RECONCILER_DATABASE_ID": "another",
        "RECONCILER_SETTINGS": "/nowhere/reconciler.toml",
        "RECONCILER_PROJECT": "another",
    }
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / "demo.sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MBX501" in done.stdout
    assert "1 mailbox ok, 0 failed" in done.stdout
    assert "MBX800" in done.stdout
    assert list(tmp_path.iterdir()) == []
