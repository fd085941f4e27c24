from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cards.figures import Printed, Range, mean_range, read


@pytest.mark.parametrize(
    ("text", "value", "decimals", "percent"),
    [
        ("48.00", "48", 2, False),
        ("96.29%", "96.29", 2, True),
        ("100 %", "100", 0, True),
        ("2,632", "2632", 0, False),
        ("12,345.6", "12345.6", 1, False),
        ("$0.80", "0.8", 2, False),
        ("1.55x", "1.55", 2, False),
        ("3.7 s", "3.7", 1, False),
        ("70.1 ± 0.4", "70.1", 1, False),
        ("70.07*", "70.07", 2, False),
        ("\N{MINUS SIGN}0.5", "-0.5", 1, False),
    ],
)
def test_one_figure_is_read_with_its_decimals(text, value, decimals, percent):
    found = Printed.parse(text)
    assert (found.value, found.decimals, found.percent) == (Fraction(value), decimals, percent)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "n/a",
        "64/128",
        "1680W x 2240H",
        "70.07 70.09",
        "12,34",
        "1e5",
        "nan",
        "9" * 17,
        "MMLU 5",
        "48.00 (96 %)",
    ],
)
def test_what_is_not_one_figure_is_none(text):
    assert read(text) is None


@given(st.integers(0, 10**7), st.integers(1, 4))
def test_the_number_that_was_rounded_is_in_the_range(units, decimals):
    exact = Fraction(units, 10**5)
    printed = read(f"{units / 10**5:.{decimals}f}")
    assert printed.range.low <= exact <= printed.range.high
    assert printed.range.high - printed.range.low == Fraction(1, 10**decimals)


@given(st.lists(st.tuples(st.floats(1, 9), st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=4))
def test_arithmetic_on_ranges_holds_the_arithmetic_on_their_members(members):
    members = [tuple(map(Fraction, member)) for member in members]
    ranges = [Range(low, low + width) for low, width, _ in members]
    inside = [low + width * share for low, width, share in members]
    quotient = ranges[0].over(ranges[1])
    assert quotient.low <= inside[0] / inside[1] <= quotient.high
    average = mean_range(ranges)
    assert average.low <= sum(inside) / len(inside) <= average.high


def test_a_divisor_that_may_be_zero_has_no_quotient():
    assert Printed.parse("48.0").range.over(Printed.parse("0.0").range) is None


def test_narrowing_by_a_range_that_lies_elsewhere_changes_nothing():
    here = Range(Fraction(1), Fraction(2))
    assert here.within(Range(Fraction(3), Fraction(4))) == here
    assert here.within(Range(Fraction(0), Fraction(3, 2))) == Range(Fraction(1), Fraction(3, 2))
