"""Labels and rows: what joins printed and measured results."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.contract import Missing, Seen, carry
from suite.errors import UserError
from suite.rows import Row, label, pack, select, unpack

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12).map(str.strip)
VALUES = st.floats(allow_nan=False, allow_infinity=False)


@given(number=st.decimals(-10_000, 10_000, places=4))
def test_a_number_has_one_label_however_it_is_written(number: Decimal) -> None:
    """Decimal, text with trailing zeros and float join."""
    wanted = label(number)
    assert wanted == label(str(number)) == label(f"{number}00") == label(float(number))
    assert Decimal(wanted) == number


@pytest.mark.parametrize("text", ["1_000", "nan", "inf", "0x10", "1e", "", "mnist", "5 %", "1e1000"])
def test_what_is_no_plain_number_stays_text(text: str) -> None:
    """Underscores, NaN, infinity, hexadecimal and names are kept as they are written."""
    assert label(text) == text


@given(
    rows=st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("abc"), TEXT | VALUES, max_size=3),
            st.dictionaries(st.sampled_from("xyz"), VALUES),
        ),
        max_size=5,
    )
)
def test_packed_rows_come_back(rows: list) -> None:
    """Labels stay text, values stay numbers, absent cells stay absent."""
    written = [Row("t", at, values, 3) for at, values in rows]
    found = unpack(pack(written), "t", 3)
    assert [(r.at, dict(r.values), r.seed) for r in found] == [(r.at, dict(r.values), 3) for r in written]


def test_a_label_and_a_metric_of_one_name_are_refused() -> None:
    """Their columns could not be told apart."""
    with pytest.raises(ValueError, match="both a label and a metric"):
        pack([Row("t", {"eps": 1}, {"eps": 2.0})])


def test_rows_are_found_by_any_spelling_of_their_labels() -> None:
    """0.2, 0.20 and Decimal("0.2") select the same row."""
    rows = [Row("t", {"eps": 0.2}, {"m": 1.0}), Row("t", {"eps": 0.3}, {"m": 2.0}), Row("u", {"eps": 0.2}, {"m": 3.0})]
    for eps in (0.2, "0.20", Decimal("0.2")):
        assert select(rows, "t", eps=eps) == rows[:1]


def test_seen_gives_the_one_value_or_a_missing_one_that_arithmetic_carries() -> None:
    """A claim over absent rows is missing as a whole and says which row it lacks."""
    seen = Seen([Row("t", {"m": "a"}, {"x": 4.0}), Row("t", {"m": "b"}, {"x": 1.0})])
    assert seen("t", "x", m="a") - seen("t", "x", m="b") == 3.0
    absent = seen("t", "x", m="c")
    for value in (absent - 1, 1 - absent, 2 * absent, absent / 3, -absent, abs(absent), absent**2, sum([absent, 1.0])):
        assert value == Missing("t[m=c] x")
    assert carry(max, 1.0, absent) == absent
    assert carry(max, 1.0, 2.0) == 2.0


def test_labels_that_fit_several_rows_are_an_error_that_names_them() -> None:
    """A claim must pick exactly one row."""
    seen = Seen([Row("t", {"m": "a"}, {"x": 4.0}), Row("t", {"m": "b"}, {"x": 1.0})])
    with pytest.raises(UserError, match=r"fit 2 rows \(t\[m=a\], t\[m=b\]\)"):
        seen("t", "x")


@pytest.mark.parametrize("use", [bool, float, int, lambda m: m < 1, lambda m: max([m, 1.0]), iter, len, list])
def test_any_other_use_of_a_missing_value_names_the_row(use) -> None:
    """A missing value never turns silently into a number or a truth value."""
    with pytest.raises(UserError, match=r"t\[m=c\] x is missing"):
        use(Missing("t[m=c] x"))
