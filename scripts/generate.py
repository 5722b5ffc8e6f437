"""Writes what is made from the code: schemas, codes, the catalogue of texts, the README's output.

`python -m scripts.generate` rewrites them. With `--check` nothing is written: the files that are
out of date are named, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from reconciler.diagnostics.messages.failures import failures
from reconciler.diagnostics.messages.message import Message, problems
from reconciler.plan.guards import GUARDS
from reconciler.render import schemas
from scripts import probe_page

ROOT = Path(__file__).resolve().parent.parent
KEYWORDS = {"_": 1, "n_": 2, "N_": 1}
"""The functions of `diagnostics.words`, and how many of their first arguments are texts."""

_HEADINGS = {
    "reading": "Reading a file",
    "fields": "Keys and values",
    "rules": "Rules between entries",
    "options": "Advanced options",
    "plans": "Guards, plans and databases",
    "rollbacks": "Rolling back",
    "export": "Export and adoption",
    "commands": "Settings and the command line",
    "secrets": "Secrets",
    "tests": "Tests of mailboxes",
}
_POT_HEADER = """\
# Every text of reconciler. Made by `make generate`; translations are made from it.
msgid ""
msgstr ""
"Project-Id-Version: reconciler\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` compare them; the exit code is returned."""
    parser = argparse.ArgumentParser(prog="python -m scripts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what is old")
    check = parser.parse_args(arguments).check
    old = dict(out_of_date())
    if check:
        sys.stdout.writelines(f"out of date: {name}; run: make generate\n" for name in old)
        return 1 if old else 0
    for name, text in old.items():
        _write(ROOT / name, text)
        sys.stdout.write(f"written: {name}\n")
    return 0


def out_of_date() -> Iterator[tuple[str, str]]:
    """The generated files that differ from what belongs in them, with what does."""
    for name, make in FILES.items():
        text = make()
        if _read(ROOT / name) != text:
            yield name, text


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def manifest_schema() -> str:
    """The JSON Schema of manifests."""
    return _json(schemas.manifest())


def plan_schema() -> str:
    """The JSON Schema of plans."""
    return _json(schemas.plan())


def codes() -> str:
    """Every code, for people: what it says, why, and how it is mended."""
    guards = {guard.code: guard.name for guard in GUARDS.values()}
    lines = [
        "# Codes",
        "",
        "Every problem has a code that never changes its meaning. Words in braces, as in `{name}`,",
        "stand for what the problem is about. This page is made from the code by `make generate`.",
    ]
    groups = {name: dict(group) for name, group in problems().items()}
    groups["plans"] |= {guard.code: guard.message for guard in GUARDS.values()}
    groups["tests"] |= {code: failure.message for code, failure in failures().items()}
    for name, group in groups.items():
        lines += ["", f"## {_HEADINGS[name]}"]
        for code in sorted(group):
            lines += ["", *_entry(code, group[code], guards.get(code))]
    return "\n".join(lines) + "\n"


def _entry(code: str, message: Message, guard: str | None) -> list[str]:
    kind = f"refusal of the guard `{guard}`" if guard else message.severity.value
    return [
        f"### {code}",
        "",
        f"{_markdown(message.title)} ({kind})",
        "",
        f"- Cause: {_markdown(message.cause)}",
        f"- Fix: {_markdown(message.repair)}",
    ]


def _markdown(template: str) -> str:
    """A template as Markdown shows it literally, doubled braces made single."""
    text = template.replace("{{", "{").replace("}}", "}")
    return re.sub(r"([*<`\\])", r"\\\1", text)


def catalogue() -> str:
    """Every text of the tool in the form that translators work from, without dates and lines."""
    catalog = Catalog(fuzzy=False)
    for file in sorted((ROOT / "reconciler").rglob("*.py")):
        for texts in _texts(file):
            where = (file.relative_to(ROOT).as_posix(), 1)
            catalog.add(texts if len(texts) > 1 else texts[0], locations=[where])
    for name, text in _texts_of_messages():
        catalog.add(text, locations=[(f"reconciler/diagnostics/messages/{name}", 1)])
    stream = BytesIO()
    write_po(stream, catalog, width=0, omit_header=True, sort_output=True, include_lineno=False)
    return _POT_HEADER + stream.getvalue().decode().lstrip("\n")


def _texts_of_messages() -> Iterator[tuple[str, str]]:
    """The texts of the files of messages, each with the name of its file."""
    for group in problems().values():
        for message in group.values():
            yield from (("problems.toml", text) for text in message[1:])
    for failure in failures().values():
        for text in (*failure.message[1:], *failure.repairs.values()):
            yield "failures.toml", text


def _texts(file: Path) -> Iterator[tuple[str, ...]]:
    """The texts of a module. Babel's own way misses those in f-strings before Python 3.12."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            texts = [
                argument.value
                for argument in node.args[: KEYWORDS.get(node.func.id, 0)]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
            if texts and len(texts) == KEYWORDS[node.func.id]:
                yield tuple(texts)


def readme() -> str:
    """The README with its table of guards, and with what its `$` commands print now, one after the
    other in one folder.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "examples" / "mailboxes.yaml", folder)
        (folder / "reconciler.toml").touch()
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        text = re.sub(
            r"(?<=^\| guard \|).*?(?=^$)", _guards(), text, flags=re.DOTALL | re.MULTILINE
        )
        block = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
        return block.sub(lambda found: _console(found[0], folder), text)


def _guards() -> str:
    """The rest of the table of guards, behind its first heading."""
    rows = [" stops | accepted |", "|---|---|---|"]
    for guard in GUARDS.values():
        accepted = ": ".join(filter(None, (guard.accepted.value, guard.instead)))
        rows.append(f"| `{guard.name}` | {guard.stops} | {accepted} |")
    return "\n".join(rows) + "\n"


def _console(block: str, folder: Path) -> str:
    said, code = "", 0
    for line in block.splitlines():
        if line.startswith("$ "):
            done = subprocess.run(  # noqa: S603 - the README's own commands
                ["bash", "-c", f"(exit {code}); {line[2:]}"],  # noqa: S607
                cwd=folder,
                env=_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            said += f"{line}\n{done.stdout}"
            code = done.returncode
    return said


def _environment() -> dict[str, str]:
    """One in which the command is found and nothing is set."""
    here = Path(sys.executable).parent
    return {
        "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
    }


def probes() -> str:
    """The page on tests of mailboxes, with every failure."""
    return probe_page.page((ROOT / "docs" / "probes.md").read_text(encoding="utf-8"))


FILES: dict[str, Callable[[], str]] = {
    "schemas/manifest.schema.json": manifest_schema,
    "schemas/plan.schema.json": plan_schema,
    "docs/codes.md": codes,
    "docs/probes.md": probes,
    "reconciler/diagnostics/locale/reconciler.pot": catalogue,
    "README.md": readme,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
