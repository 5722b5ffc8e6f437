"""A secret is used and compared, and never shown, copied or stored."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import re
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, cast
from urllib.parse import quote, quote_plus

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.secrets.keyring import generate
from reconciler.secrets.redact import MASK, RedactingFilter, RedactingStream, Redactor
from reconciler.secrets.secret import Secret

VALUE = "Tr0ub4dor&3 'ção'"
HIDDEN = [Secret(VALUE), generate()]
texts = st.text(st.characters(codec="utf-8"), max_size=30)
long_texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=4)


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize(
    "way",
    [
        str,
        format,
        lambda hidden: f"{hidden}",
        lambda hidden: "%s" % hidden,  # noqa: UP031 - one of the ways
        "-".join,
        lambda hidden: json.dumps({"password": hidden}),
        lambda hidden: json.dumps({"password": hidden}, default=str),
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        lambda hidden: copy.deepcopy({"password": [hidden]}),
        vars,
        bytes,
        hash,
    ],
)
def test_a_secret_does_not_become_text(hidden: Any, way: Callable[[Any], object]) -> None:
    if way is hash and not isinstance(hidden, Secret):
        return
    with pytest.raises(TypeError) as caught:
        way(hidden)
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
def test_all_secrets_look_the_same(hidden: Any) -> None:
    assert repr(hidden) in ("<secret>", "<key>")
    assert f"{[hidden]!r}" in ("[<secret>]", "[<key>]")


@given(texts, texts)
def test_secrets_are_equal_when_their_values_are(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) == Secret(one)
    assert Secret(one) != one
    assert Secret(one).reveal() == one


# --- redaction

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": lambda text: json.dumps(text)[1:-1],
    "json unescaped": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "hex": lambda text: text.encode().hex(),
    "url": quote,
    "url with slashes": lambda text: quote(text, safe=""),
    "url in lower case": lambda text: re.sub("%..", lambda part: part[0].lower(), quote(text)),
    "form": quote_plus,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64url": lambda text: urlsafe_b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@given(value=long_texts, before=texts, after=texts)
@example(value="pass word", before="", after="")
@example(value="a+b/c=d?é", before="", after="")
def test_no_spelling_of_a_secret_gets_through(
    encode: Callable[[str], str], value: str, before: str, after: str
) -> None:
    redactor = Redactor()
    redactor.add(Secret(value))
    assert encode(value).rstrip("=") not in redactor.redact(before + encode(value) + after)


@given(value=st.text(min_size=6), before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_a_secret_inside_base64_does_not_get_through(
    value: str, before: bytes, after: bytes
) -> None:
    """Whatever stands in front of it, as in `AUTH PLAIN`, and shifts it by a byte or two."""
    data = value.encode("utf-8", "surrogatepass")
    redactor = Redactor()
    redactor.add(Secret(value))
    for encode in (b64encode, urlsafe_b64encode):
        written = encode(before + data + after).decode()
        said = redactor.redact(f"AUTH PLAIN {written}")
        assert MASK in said
        assert len(said) - len(MASK) <= len(f"AUTH PLAIN {written}") - len(data) * 4 // 3


@given(st.lists(long_texts, max_size=5), texts)
def test_what_is_no_secret_stays(secrets: list[str], text: str) -> None:
    redactor = Redactor()
    for secret in secrets:
        redactor.add(Secret(f"\N{SNOWMAN}\N{COMET}\N{UMBRELLA}\N{CLOUD}{secret}"))
    assert redactor.redact(text) == text


def test_secrets_that_overlap_are_masked_together() -> None:
    redactor = Redactor()
    for value in ("abcdef", "cdefghij", "cdef"):
        redactor.add(Secret(value))
    assert redactor.redact("-abcdefghij-abcdef-") == f"-{MASK}-{MASK}-"
    redactor.add(Secret("bcdefghijk"))
    assert redactor.redact("bcdefghijk") == MASK


def test_short_secrets_cannot_be_masked() -> None:
    redactor = Redactor()
    redactor.add(Secret("abc"))
    assert redactor.redact("abc") == "abc"


def test_every_line_of_a_long_secret_is_masked() -> None:
    redactor = Redactor()
    redactor.add(Secret("-----BEGIN KEY-----\nMIIEvQIBADAN\nkrx9\n-----END KEY-----"))
    assert redactor.redact("read MIIEvQIBADAN, krx9") == f"read {MASK}, {MASK}"


def logged(secret: str, write: Callable[[logging.Logger], None]) -> str:
    redactor = Redactor()
    redactor.add(Secret(secret))
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(redactor))
    handler.setFormatter(logging.Formatter("%(message)s %(extra)s", defaults={"extra": ""}))
    logger = logging.Logger("of a test")  # noqa: LOG001 - nobody else gets it
    logger.addHandler(handler)
    write(logger)
    return stream.getvalue()


def fail(logger: logging.Logger) -> None:
    try:
        int(f"login as {VALUE}")
    except ValueError:
        logger.exception("failed")


@pytest.mark.parametrize(
    ("write", "seen"),
    [
        (lambda logger: logger.error("send: %r", f"AUTH {VALUE}"), "send: "),
        (lambda logger: logger.error(VALUE), "***"),
        (lambda logger: logger.error("x", extra={"extra": VALUE}), "x ***"),
        (lambda logger: logger.error("at", stack_info=True), "Stack"),
        (fail, "login as ***"),
        (lambda logger: logger.error("%s", Secret(VALUE)), "%s"),
        (lambda logger: logger.error("%d", VALUE), "%d"),
    ],
)
def test_logs_are_without_secrets(write: Callable[[logging.Logger], None], seen: str) -> None:
    said = logged(VALUE, write)
    assert seen in said
    assert VALUE not in said
    assert repr(VALUE)[1:-1] not in said


def test_nothing_is_left_for_another_formatter() -> None:
    redactor = Redactor()
    redactor.add(Secret(VALUE))
    try:
        int(f"login as {VALUE}")
    except ValueError:
        record = logging.LogRecord("x", 40, "x.py", 1, "%s", (VALUE,), sys.exc_info())
    assert RedactingFilter(redactor).filter(record)
    assert repr(VALUE)[1:-1] not in str(vars(record))
    assert (record.msg, record.args, record.exc_info) == (MASK, None, None)


def test_streams_are_without_secrets() -> None:
    redactor = Redactor()
    redactor.add(Secret(VALUE))
    below = io.StringIO()
    stream = cast(TextIO, RedactingStream(below, redactor))
    stream.write(f"one {VALUE[:5]}")
    assert below.getvalue() == ""
    stream.write(f"{VALUE[5:]} two\n")
    assert below.getvalue() == "one *** two\n"
    click.echo(f"three {VALUE}", file=stream)
    print("four", VALUE, end="", file=stream)
    stream.flush()
    assert below.getvalue() == "one *** two\nthree ***\nfour ***"
    assert not stream.isatty()
    stream.close()


# --- the process


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_hardened_process_leaves_no_core_file(tmp_path: Path) -> None:
    program = """if True:
        import ctypes, os, resource
        from reconciler.secrets.secret import harden
        harden()
        print(resource.getrlimit(resource.RLIMIT_CORE))
        print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
        os.abort()
    """
    done = run(program, tmp_path)
    assert done.returncode < 0
    assert done.stdout.splitlines()[0] == "(0, 0)"
    if sys.platform == "linux":
        assert done.stdout.splitlines()[1] == "0"
    assert list(tmp_path.iterdir()) == []


def test_a_forgotten_secret_is_looked_for_as_long_as_another_one_is_the_same() -> None:
    redactor = Redactor()
    for value in ("correct horse", "correct horse", "battery staple"):
        redactor.add(Secret(value))
    text = "correct horse, battery staple"
    redactor.forget(Secret("correct horse"))
    assert redactor.redact(text) == f"{MASK}, {MASK}"
    redactor.forget(Secret("correct horse"))
    assert redactor.redact(text) == f"correct horse, {MASK}"
    redactor.forget(Secret("battery staple"))
    assert redactor.redact(text) == text
