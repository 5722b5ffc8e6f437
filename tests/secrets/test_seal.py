"""Sealed text and fingerprints: bound to key, database, row and field; rotated in batches."""

from __future__ import annotations

import string
from base64 import b64encode
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.diagnostics.problem import Failure
from reconciler.secrets import keyring
from reconciler.secrets.keyring import Key, Keyring, generate, parse
from reconciler.secrets.read import Stores
from reconciler.secrets.redact import MASK, Redactor
from reconciler.secrets.seal import (
    KeyStatus,
    RotationProgress,
    fingerprint,
    is_same,
    key_id,
    rotate,
    seal,
    status,
    unseal,
)
from reconciler.secrets.secret import SealedField, SealedRow, Secret
from reconciler.secrets.settings import SecretSettings

NEW, OLD, LOST = (Key(bytes(range(start, start + 32))) for start in (0, 1, 2))
RING = Keyring((NEW, OLD))
HERE = SealedField("6f0c1f0e", "mail_server", "7", "password")
words = st.text(max_size=12)
places = st.builds(SealedField, words, words, words, words)
secrets = st.text(max_size=40).map(Secret)
ring_keys = st.sampled_from(RING.keys)


# --- sealing


@given(secrets, places, ring_keys)
def test_what_is_sealed_can_be_opened(secret: Secret, where: SealedField, key: Key) -> None:
    text = seal(secret, where, key)
    assert unseal(text, where, RING) == secret
    assert key_id(text) == key.id
    assert text.isascii()


@given(secrets, places, places, ring_keys)
def test_it_cannot_be_opened_anywhere_else(
    secret: Secret, where: SealedField, other: SealedField, key: Key
) -> None:
    """Neither in another row or field, nor in another database."""
    text = seal(secret, where, key)
    if other == where:
        return
    with pytest.raises(Failure, match="MBX694"):
        unseal(text, other, RING)
    assert is_same(secret, fingerprint(secret, where, key), other, RING) is False


@pytest.mark.parametrize("field", SealedField._fields)
def test_every_part_of_the_place_counts(field: str) -> None:
    text = seal(Secret("x"), HERE, NEW)
    with pytest.raises(Failure, match="MBX694"):
        unseal(text, HERE._replace(**{field: "other"}), RING)


def test_parts_of_the_place_do_not_run_together() -> None:
    text = seal(Secret("x"), SealedField("a", "b", 'c","d', "e"), NEW)
    with pytest.raises(Failure, match="MBX694"):
        unseal(text, SealedField("a", "b", "c", 'd","e'), RING)
    text = seal(Secret("x"), SealedField("a", "b", "c,d", "e"), NEW)
    with pytest.raises(Failure, match="MBX694"):
        unseal(text, SealedField("a", "b", "c", "d,e"), RING)


@given(st.data())
def test_it_cannot_be_altered(data: st.DataObject) -> None:
    text = seal(Secret("Tr0ub4dor&3"), HERE, NEW)
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_:=+/ \n"))
    altered = data.draw(
        st.sampled_from([text[:at], text[:at] + letter + text[at + 1 :], text[:at] + letter])
    )
    if altered == text:
        return
    with pytest.raises(Failure) as caught:
        unseal(altered, HERE, RING)
    assert caught.value.problems[0].code in ("MBX692", "MBX693", "MBX694")


def test_the_ciphertext_of_one_key_does_not_pass_for_anothers() -> None:
    text = seal(Secret("x"), HERE, NEW).replace(NEW.id, OLD.id)
    with pytest.raises(Failure, match="MBX694"):
        unseal(text, HERE, RING)


def test_without_its_key_it_stays_closed() -> None:
    with pytest.raises(Failure) as caught:
        unseal(seal(Secret("x"), HERE, LOST), HERE, RING)
    (problem,) = caught.value.problems
    assert (problem.code, problem.values) == ("MBX693", {"key": LOST.id})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "{SSHA}hunter2",
        "v1",
        "v1:",
        "v1:hunter2:AAAAAAAAAAAAAAAA:AAAA",
        f"v1:{NEW.id}",
        f"v1:{NEW.id}:",
        f"v1:{NEW.id}:AAAA:AAAA",
        f"v1:{NEW.id}:AAAAAAAAAAAAAAAA",
        f"v1:{NEW.id}:AAAAAAAAAAAAAAAA:AAAA:AAAA",
        f"v1:{NEW.id}:AAAAAAAAAAAAAAAA:A A A",
        f"v1:{NEW.id}:ÀAAAAAAAAAAAAAAA:AAAA",
        f"v2:{NEW.id}:AAAAAAAAAAAAAAAA:AAAA",
    ],
)
def test_what_other_programs_wrote_is_foreign(text: str) -> None:
    with pytest.raises(Failure, match="MBX692") as caught:
        unseal(text, HERE, RING)
    assert caught.value.problems[0].values == {}
    assert is_same(Secret("x"), text, HERE, RING) in (None, False)


def test_two_sealings_differ_and_say_nothing() -> None:
    one, other = (seal(Secret("Tr0ub4dor&3"), HERE, NEW) for _ in range(2))
    assert one != other
    assert "Tr0ub4dor" not in one
    assert b64encode(b"Tr0ub4dor&3").decode()[:12] not in one


# --- fingerprints


@given(secrets, secrets, places, ring_keys)
def test_fingerprints_tell_whether_a_secret_is_the_same(
    one: Secret, other: Secret, where: SealedField, key: Key
) -> None:
    known = fingerprint(one, where, key)
    assert is_same(one, known, where, RING) is True
    assert is_same(other, known, where, RING) is (one == other)
    assert is_same(one, known, where, Keyring((LOST,))) is None


def test_equal_passwords_of_two_rows_do_not_look_equal() -> None:
    there = HERE._replace(row="8")
    assert fingerprint(Secret("x"), HERE, NEW) != fingerprint(Secret("x"), there, NEW)
    assert fingerprint(Secret("x"), HERE, NEW) != fingerprint(Secret("x"), HERE, OLD)
    assert len(fingerprint(Secret("x"), HERE, NEW).rpartition(":")[2]) == 32


# --- keys


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=20))
def test_keys_are_derived_with_hkdf(material: bytes, purpose: bytes) -> None:
    made = HKDF(SHA256(), length=32, salt=None, info=b"reconciler " + purpose).derive(material)
    assert Key(material).derive(purpose) == made


def test_new_keys_differ() -> None:
    assert len({generate().id for _ in range(50)}) == 50


def test_a_key_ring_is_read_as_it_was_written() -> None:
    text = f"""
    # newest first
    {NEW.entry()}   # since November
    {OLD.entry()}
    """
    ring = parse(text)
    assert [key.id for key in ring.keys] == [NEW.id, OLD.id]
    assert ring.active.derive(b"x") == NEW.derive(b"x")
    assert ring.find(OLD.id) is ring.keys[1]
    assert ring.find(LOST.id) is None
    assert parse(f"{NEW.entry()} {OLD.entry()}").keys[1].id == OLD.id


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 1),
        ("# nothing", 1),
        (NEW.entry()[:-1], 1),
        (NEW.entry().replace(NEW.id, OLD.id), 1),
        (f"{NEW.entry()} hunter2", 2),
        (f"{NEW.entry()} {NEW.id}:", 2),
        (f"{NEW.entry()} {Key(b'short').entry()}", 2),
        (f"{NEW.entry()} {NEW.id}:éééé", 2),
        (NEW.entry().partition(":")[2], 1),
    ],
)
def test_a_damaged_key_is_named_by_its_number(text: str, number: int) -> None:
    with pytest.raises(Failure) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert (problem.code, problem.values) == ("MBX690", {"number": number})


def load(environment: dict[str, str], **section: Any) -> Keyring | None:
    found = SecretSettings.model_validate(section)
    with Stores(found, environment, redactor := Redactor()) as stores:
        ring = keyring.load(found, environment, stores, 5)
    for key in ring.keys if ring else ():
        assert redactor.redact(key.entry()) == f"{key.id}:{MASK}"
    return ring


def test_where_the_keys_are(tmp_path: Any) -> None:
    (tmp_path / "keys").write_text(f"{OLD.entry()}\n")
    environment = {"RECONCILER_KEYS": NEW.entry(), "OTHER": LOST.entry()}
    for section, key in (
        ({}, NEW),
        ({"keys": {"env": "OTHER"}}, LOST),
        ({"keys": {"file": str(tmp_path / "keys")}}, OLD),
    ):
        ring = load(environment, **section)
        assert ring
        assert ring.active.id == key.id


def test_without_keys() -> None:
    assert load({}) is None
    assert load({}, secret_mode="reference") is None
    with pytest.raises(Failure, match="MBX695"):
        load({}, secret_mode="encrypted")
    with pytest.raises(Failure, match="MBX680"):
        load({"RECONCILER_KEYS": NEW.entry()}, keys={"env": "MISSING"})
    with pytest.raises(Failure, match="MBX680"):
        load({"RECONCILER_KEYS": ""})


# --- rotation


class Memory:
    """Rows of a database in memory; what `meddle` names is changed by somebody else in between."""

    def __init__(self, texts: dict[int, tuple[str, str | None]], meddle: set[int]) -> None:
        self.texts = texts
        self._meddle = meddle

    def after(self, number: int, count: int) -> Sequence[SealedRow]:
        numbers = islice((one for one in sorted(self.texts) if one > number), count)
        return [SealedRow(one, at(one), *self.texts[one]) for one in numbers]

    def replace(self, rows: Sequence[tuple[SealedRow, SealedRow]]) -> int:
        done = 0
        for old, new in rows:
            if old.number in self._meddle:
                self.texts[old.number] = ("changed", None)
            if self.texts[old.number] == (old.sealed, old.fingerprint):
                self.texts[old.number] = (new.sealed, new.fingerprint)
                done += 1
        return done


def at(number: int) -> SealedField:
    return HERE._replace(row=str(number))


def sealed(number: int, key: Key) -> tuple[str, str | None]:
    secret = Secret(f"password {number}")
    return seal(secret, at(number), key), fingerprint(secret, at(number), key)


def mixture(count: int, meddle: set[int]) -> Memory:
    texts = {number: sealed(number, [OLD, NEW, LOST][number % 3]) for number in range(count)}
    texts |= {count: ("hunter2", None), count + 1: (seal(Secret("x"), at(0), OLD), None)}
    return Memory(texts, meddle)


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(1, 7), st.integers(0, 9), st.sets(st.integers(0, 20)))
def test_a_rotation_can_be_cut_off_anywhere(
    count: int, batch: int, cut: int, meddle: set[int]
) -> None:
    rows = mixture(count, meddle)
    for _ in islice(rotate(rows, RING, batch), cut):
        check_readable(rows, count)
    (*_, last) = rotate(rows, RING, batch)
    check_readable(rows, count)
    assert sum(last) == len(rows.texts)
    left = [text for text, _ in rows.texts.values() if key_id(text) == OLD.id]
    assert len(left) == 1, "the one that was made for another row"


def check_readable(rows: Memory, count: int) -> None:
    for number in range(count):
        text, known = rows.texts[number]
        if text != "changed" and number % 3 != 2:
            secret = unseal(text, at(number), RING)
            assert secret.reveal() == f"password {number}"
            assert known
            assert key_id(known) == key_id(text)
            assert is_same(secret, known, at(number), RING)


def test_the_progress_of_a_rotation() -> None:
    rows = mixture(9, meddle={3})
    one, two, three = (
        RotationProgress(1, 2, 1, 1),
        RotationProgress(2, 3, 1, 4),
        RotationProgress(2, 3, 1, 5),
    )
    assert list(rotate(rows, RING, 5)) == [one, two, three]
    assert list(rotate(rows, RING, 100)) == [RotationProgress(0, 5, 0, 6)]
    assert list(rotate(Memory({}, set()), RING)) == []


def test_how_far_a_rotation_is() -> None:
    texts = [text for text, _ in mixture(9, set()).texts.values()]
    assert status(texts, RING) == KeyStatus({NEW.id: 3, OLD.id: 4}, {LOST.id: 3}, 1)
    assert status([], RING) == KeyStatus({NEW.id: 0, OLD.id: 0}, {}, 0)
