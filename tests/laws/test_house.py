"""The house: which rooms the package has, how names are given, and how long anything may be."""

from __future__ import annotations

import ast
import os
import re
import statistics
from collections import Counter
from pathlib import Path

import pytest

from reconciler.operations.context import Context
from reconciler.operations.plan import plan
from tests.laws.test_guards_of_guards import PACKAGE, nodes, sources, text_of, tree, where
from tests.support.estates import companies, manifest, outgoing, write
from tests.support.servers.databases import Database

ROOMS = {
    *("cli", "render", "operations", "export", "probes", "ledger", "desired", "database"),
    *("manifests", "plan", "secrets", "model", "diagnostics"),
}
MODULES = {"__init__.py", "__main__.py", "settings.py", "mailboxes.py", "py.typed"}
LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
LARGEST_MEDIAN = 6
_MIGRATIONS = PACKAGE / "database" / "migrations"
"""Written once and never changed: how long they are is the schema's business."""
_NOUNS = {"keyring", "last_applied", "listing", "reporting", "unchanged"}
"""Those end as participles do, and so do the steps of a probe, by which messages are kept."""
_PARTICIPLE = re.compile(r"^.+(ing|ed)$")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = [
    (file, node)
    for file in sources()
    for node in nodes(file)
    if isinstance(node, _Function) and _MIGRATIONS not in file.parents
]


def length(node: _Function) -> int:
    assert node.end_lineno
    return node.end_lineno - node.lineno + 1


def test_the_top_of_the_package_has_these_entries_and_no_others() -> None:
    entries = {entry.name for entry in PACKAGE.iterdir() if entry.name != "__pycache__"}
    assert entries == ROOMS | MODULES


def test_the_tests_mirror_the_rooms() -> None:
    tests = Path(__file__).parents[1]
    folders = {folder.name for folder in tests.iterdir() if folder.is_dir()} - {"__pycache__"}
    assert folders <= ROOMS - {"export"} | {"laws", "stories", "systems", "support", "benchmarks"}


def test_no_public_class_name_stands_twice() -> None:
    classes = [
        node.name
        for file in sources()
        for node in tree(file).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert [name for name, times in Counter(classes).items() if times > 1] == []


def test_modules_are_named_by_nouns_and_verbs() -> None:
    names = {file.stem for file in sources() if file.parent.name != "messages"} - _NOUNS
    assert [name for name in sorted(names) if _PARTICIPLE.match(name)] == []


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_fits_in_a_head(file: Path) -> None:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_MODULE or _MIGRATIONS in file.parents


def test_functions_are_short() -> None:
    long = [where(file, node) for file, node in FUNCTIONS if length(node) > LONGEST_FUNCTION]
    assert long == []
    assert statistics.median(length(node) for _file, node in FUNCTIONS) <= LARGEST_MEDIAN


@pytest.mark.databases("sqlite")
def test_a_program_plans_in_the_three_lines_of_the_docs(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [lines] = re.findall(r"```python\n(.*?)```", text_of("docs/architecture.md"), re.DOTALL)
    assert len(lines.splitlines()) == 3
    monkeypatch.chdir(tmp_path)
    Path(database.url.removeprefix("sqlite:///")).rename("mailboxes.db")
    own = "12345678000195"
    servers = {"out": outgoing("acme", companies=[own])}
    declared = manifest("acme", companies=companies(own), mail_servers=servers)
    write(tmp_path / "partners", {"acme.yaml": declared})
    names = {"Context": Context, "Path": Path, "os": os, "plan": plan}
    exec(lines, names)
    kinds = [type(change.after).__name__ for change in names["changes"]]  # type: ignore[attr-defined]
    assert sorted(kinds) == ["Company", "Link", "MailServer", "Partner"]


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_the_modules_that_the_docs_name_are_there(page: str) -> None:
    root = PACKAGE.parent
    names = re.findall(r"`([a-z_]+/[a-z_/0-9]+\.(?:py|toml))`", text_of(page))
    gone = [name for name in names if not any((top / name).exists() for top in (PACKAGE, root))]
    assert (names != [], gone) == (True, [])
