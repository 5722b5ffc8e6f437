"""The difference of two texts, as Git and `patch` read it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.render.style import PLAIN, Style
from reconciler.render.text_diff import lines
from tests.laws.test_laws import LAWS

NAMES = ("a.yaml", "b.yaml")
texts = st.lists(st.sampled_from(["a", "b", "c", "  d: 1", ""]), max_size=14).map(
    lambda found: "".join(f"{line}\n" for line in found)
)


def patched(before: str, shown: list[str]) -> str:
    """What comes of a text by the difference that is shown."""
    old, new, position = before.splitlines(), [], 0
    for line in shown[2:]:
        if hunk := re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", line):
            start = int(hunk[1]) - (hunk[2] != "0")
            new += old[position:start]
            assert int(hunk[3]) - (hunk[4] != "0") == len(new)
            position = start
        elif line[0] == "+":
            new.append(line[1:])
        else:
            assert old[position] == line[1:]
            new += [old[position]] if line[0] == " " else []
            position += 1
    return "".join(f"{line}\n" for line in new + old[position:])


@settings(LAWS, max_examples=300)
@given(texts, texts, texts, texts)
def test_the_difference_leads_from_one_text_to_the_other(
    head: str, old: str, new: str, tail: str
) -> None:
    before, after = head + old + tail, head + new + tail
    shown = list(lines(before, after, NAMES, PLAIN))
    assert patched(before, shown) == after
    assert (before == after) is (shown[2:] == [])


def test_a_patch_of_it_can_be_applied(tmp_path: Path) -> None:
    before = "".join(f"line {number % 7}\n" for number in range(400))
    after = before.replace("line 3\n", "line x\n", 2).replace("line 0\nline 1\n", "", 1) + "end\n"
    (tmp_path / "f").write_text(before)
    patch = "\n".join(lines(before, after, ("f", "f"), PLAIN)) + "\n"
    subprocess.run(["git", "apply", "-"], input=patch, text=True, cwd=tmp_path, check=True)
    assert (tmp_path / "f").read_text() == after


def test_one_line_among_many_that_are_alike_is_one_line() -> None:
    entry = ["  a:", "    host: mail", "    nickname: x", "    port: 1"]
    before = "".join(f"{line}\n" for line in entry * 9000)
    middle = len(before) // 2
    after = before[:middle] + before[middle:].replace("nickname: x", "nickname: y", 1)
    shown = list(lines(before, after, NAMES, PLAIN))
    assert [line for line in shown[2:] if line[:1] in "+-"] == [
        "-    nickname: x",
        "+    nickname: y",
    ]
    assert shown[2] == "@@ -18000,7 +18000,7 @@"


def test_colours_and_harmless_text() -> None:
    shown = list(lines("a\x1b\n", "b\n", NAMES, Style(colour=True)))
    assert "\x1b[31m-a\\u001b\x1b[0m" in shown
