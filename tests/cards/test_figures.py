from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cards.figures import Printed, Range, mean_range, read, same_units, speaks_commas


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
    ["", "-", "n/a", "64/128", "1680W x 2240H", "70.07 70.09", "1e5", "nan", "9" * 17, "MMLU 5", "48.00 (96 %)"],
)
def test_what_is_not_one_figure_is_refused(text):
    with pytest.raises(ValueError, match="not one number"):
        Printed.parse(text)


@pytest.mark.parametrize(
    ("text", "figure", "beside"),
    [
        ("42.00 (-0.2)", "42.00", ["-0.2"]),
        ("85.29 (100.09%)", "85.29", ["100.09%"]),
        ("85.29 / 100.09%", "85.29", ["100.09%"]),
        ("42,00 %", "42.00", []),
        ("42.00 ↓", "42.00", []),
        ("🔻 42.00", "42.00", []),
        ("79.0 (↓1.0)", "79.0", ["-1.0"]),
        ("79.0 (1.0 ↑)", "79.0", ["1.0"]),
        ("70.07[^1]", "70.07", []),
        ("70.07 [2]", "70.07", []),
        ("70.07†", "70.07", []),
        ("70.07¹", "70.07", []),
        ("70.1 ± 0.4", "70.1", []),
        ("70.1 (± 0.4)", "70.1", []),
        ("70.1±0.4%", "70.1", []),
        ("25.8 (25.1 / 26.5)", "25.8", ["25.1", "26.5"]),
        ("99.52% [97.3, 101.4]", "99.52", ["97.3", "101.4"]),
        ("71.4 (5-shot)", "71.4", []),
        ("71.4 (ours)", "71.4", []),
        ("0.5 pp", "0.5", []),
        ("1.234,5", None, []),
        ("64/128", None, []),
        ("79.0 → 78.0", None, []),
        ("70.07 70.09", None, []),
        ("8B", None, []),
    ],
)
def test_a_cell_has_a_figure_and_what_stands_beside_it(text, figure, beside):
    found = read(text)
    assert (found.figure and f"{float(found.figure.value):.{found.figure.decimals}f}") == figure
    assert [f"{float(one.value):.{one.decimals}f}{'%' if one.percent else ''}" for one in found.beside] == beside


def test_figures_among_words_are_unread_and_words_are_not():
    assert read("79.0 → 78.0").unread
    assert read("64/128").unread
    assert not read("A100x1").unread
    assert not read("n/a").unread


def test_a_comma_parts_thousands_or_decimals_as_the_table_does():
    assert read("79,905").figure.value == 79905
    assert read("79,905", commas=True).figure.value == Fraction("79.905")
    assert read("0,963").figure.value == Fraction("0.963")
    assert speaks_commas(["80,10", "79,905"])
    assert not speaks_commas(["80.1", "79,905"])
    assert not speaks_commas(["12,345"])


@given(st.integers(0, 10**7), st.integers(1, 4))
def test_the_number_that_was_rounded_is_in_the_range(units, decimals):
    exact = Fraction(units, 10**5)
    printed = Printed.parse(f"{units / 10**5:.{decimals}f}")
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


def test_a_figure_with_a_unit_and_an_arrow():
    found = read("\N{DOWNWARDS BLACK ARROW} 5.7 GB")
    assert (found.unit, float(found.figure.value), float(found.directed.value)) == ("GB", 5.7, -5.7)
    assert read("+0.4 \N{DOWNWARDS ARROW}").directed.value > 0  # it has a sign of its own


def test_times_and_sizes_of_one_table_get_one_unit():
    cells = [read(text) for text in ("950 ms", "1.2 s", "512 MB", "1.5 GB", "70.1")]
    alike = same_units(cells)
    found = [(float(alike(cell).figure.value), alike(cell).figure.decimals) for cell in cells]
    assert found == [(0.95, 3), (1.2, 1), (0.512, 3), (1.5, 1), (70.1, 1)]
    alone = same_units(cells[:1])
    assert alone(cells[0]) == cells[0]


def test_a_ratio_behind_a_difference():
    found = read("+0.41 [-0.20, +1.02]; × 1.02 [0.99, 1.05]")
    assert (found.figure.text, found.ratio.text, len(found.beside)) == ("+0.41", "1.02", 4)
