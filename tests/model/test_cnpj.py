"""CNPJs: what is one, what it is kept as, and how it is shown."""

from __future__ import annotations

import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stdnum.br import cnpj as oracle

from reconciler.model.cnpj import CnpjError, check_digits, masked, parse, root

LAWS = settings(derandomize=True, deadline=None, database=None, max_examples=400)
CAPITALS = string.digits + string.ascii_uppercase
bases = st.text(CAPITALS, min_size=12, max_size=12)


def reason(text: str) -> str:
    with pytest.raises(CnpjError) as raised:
        parse(text)
    return raised.value.reason


@pytest.mark.parametrize(
    ("base", "digits"),
    [
        ("12ABC34501DE", "35"),
        ("ABCDEFGHIJKL", "80"),
        ("000000000001", "91"),
        ("A87HBZHB0001", "61"),
        ("12ABC3450001", "88"),
        ("112223330001", "81"),
        ("111111111111", "80"),
        ("123456780001", "95"),
        ("123456780002", "76"),
    ],
)
def test_the_check_digits_of_known_numbers(base: str, digits: str) -> None:
    assert check_digits(base) == digits
    assert parse(base + digits) == base + digits
    assert oracle.is_valid(base + digits)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        pytest.param("12.ABC.345/01DE-35", "12ABC34501DE35", id="mask with letters"),
        pytest.param("00.000.000/0001-91", "00000000000191", id="zeros in front"),
        pytest.param("12.345.678/0001-95", "12345678000195", id="mask"),
        pytest.param("12abc34501de35", "12ABC34501DE35", id="lower case"),
        pytest.param("12.abc.345/01De-35", "12ABC34501DE35", id="mixed case with mask"),
        pytest.param("11.111.111/1111-80", "11111111111180", id="repeated digits"),
        pytest.param("12E45678000106", "12E45678000106", id="a number in some YAML"),
        pytest.param("QIOUF000000160", "QIOUF000000160", id="letters that look like digits"),
    ],
)
def test_a_number_is_kept_bare_and_in_capitals(text: str, bare: str) -> None:
    assert parse(text) == bare


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("1", id="one character"),
        pytest.param("1234567800019", id="13 characters"),
        pytest.param("123456780001955", id="15 characters"),
        pytest.param("012345678000195", id="a zero too many"),
        pytest.param("00000000000000", id="all zeros"),
        pytest.param("00.000.000/0000-00", id="all zeros with mask"),
        pytest.param("12ABC34501DEA5", id="letter for the first digit"),
        pytest.param("12ABC34501DE3A", id="letter for the second digit"),
        pytest.param("12.345.678/000195", id="half a mask"),
        pytest.param("12345678/0001-95", id="other half of a mask"),
        pytest.param("12-345-678/0001.95", id="wrong mask"),
        pytest.param("12 345 678 0001 95", id="spaces for a mask"),
        pytest.param(" 12345678000195", id="space before"),
        pytest.param("12345678000195 ", id="space behind"),
        pytest.param("12345678000195\n", id="line end behind"),
        pytest.param("\n12345678000195", id="line end before"),
        pytest.param("12345678\x00000195", id="NUL"),
        pytest.param("\uff11\uff12345678000195", id="fullwidth digits"),
        pytest.param("\uff11\uff12ABC34501DE35", id="fullwidth digits and letters"),
        pytest.param("12\uff21\uff22\uff2334501DE35", id="fullwidth letters"),
        pytest.param("\u0661\u0662345678000195", id="Arabic-Indic digits"),
        pytest.param("\u0661\u0662ABC34501DE35", id="Arabic-Indic digits and letters"),
        pytest.param("123456780001\u096f\u096b", id="Devanagari check digits"),
        pytest.param("12345678000\u00b995", id="superscript digit"),
        pytest.param("12abc34501d\u013135", id="letter that is I in capitals"),
        pytest.param("12ABC34501\u017fE35", id="letter that is S in capitals"),
        pytest.param("12\u0410BC34501DE35", id="Cyrillic A"),
        pytest.param("1.2345678000195E13", id="as a spreadsheet writes it"),
        pytest.param("-2345678000195", id="sign"),
        pytest.param("12_345_678_0001_95", id="underscores"),
    ],
)
def test_anything_else_has_not_the_shape(text: str) -> None:
    assert reason(text) == "shape"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("12345678000194", "95", id="second digit"),
        pytest.param("12345678000185", "95", id="first digit"),
        pytest.param("12345678000159", "95", id="digits turned round"),
        pytest.param("12.345.678/0001-59", "95", id="with mask"),
        pytest.param("12abc34501de36", "35", id="with letters"),
        pytest.param("11111111111111", "80", id="repeated digits"),
    ],
)
def test_wrong_check_digits_are_told_with_the_right_ones(text: str, expected: str) -> None:
    with pytest.raises(CnpjError) as raised:
        parse(text)
    assert (raised.value.reason, raised.value.expected) == ("digits", expected)


@LAWS
@given(bases)
def test_the_check_digits_are_those_of_another_implementation(base: str) -> None:
    assert check_digits(base) == oracle.calc_check_digits(base)


@LAWS
@given(bases, st.text(string.digits, min_size=2, max_size=2))
def test_what_is_valid_is_valid_elsewhere(base: str, digits: str) -> None:
    number = base + digits
    assume(number != "0" * 14)
    if oracle.is_valid(number):
        assert parse(number) == number
    else:
        assert reason(number) == "digits"


@LAWS
@given(bases)
def test_no_number_of_another_ending_is_valid(base: str) -> None:
    assume(base != "0" * 12)
    endings = [f"{number:02}" for number in range(100)]
    right = [ending for ending in endings if ending == check_digits(base)]
    assert [ending for ending in endings if _is_valid(base + ending)] == right


def _is_valid(text: str) -> bool:
    try:
        parse(text)
    except CnpjError:
        return False
    return True


@LAWS
@given(bases)
def test_every_spelling_is_the_same_number(base: str) -> None:
    assume(base != "0" * 12)
    number = base + check_digits(base)
    for spelling in (masked(number), number.lower(), masked(number).lower(), parse(number)):
        assert parse(spelling) == number


@LAWS
@given(st.text(max_size=20))
def test_no_text_is_more_than_refused(text: str) -> None:
    if _is_valid(text):
        assert oracle.is_valid(text)
    else:
        assert reason(text) in ("shape", "digits")


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("12345678000195", "12.345.678/0001-95"),
        ("12ABC34501DE35", "12.ABC.345/01DE-35"),
        pytest.param("strange", "strange", id="no CNPJ is shown as it is"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_number_is_shown_with_its_mask(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_head_office_and_branches_have_one_root() -> None:
    assert root("12345678000195") == root("12345678000276") == "12345678"
    assert root("12ABC34501DE35") == "12ABC345"
