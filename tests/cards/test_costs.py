import pytest

from evalkit.cards import audit, card

HEAD = "Hardware | Model | Average Cost Reduction | a Latency (s) | a QPD | b Latency (s) | b QPD\n-|-|-|-|-|-|-\n"


def found(text):
    return audit(card(text))


def findings(text):
    return [(one.row, one.column, one.printed, one.right) for one in found(text).findings]


# At 2 dollars an hour a query of L seconds costs L / 1800: 1800 / L queries per dollar.
GOOD = "| L4 | base | | 5.7 | 316 | 4.8 | 375 |\n| L4 | int8 | {} | 3.7 | {} | 3.1 | 581 |\n"


def test_a_cost_reduction_is_the_mean_of_the_ratios():
    # 486 / 316 and 581 / 375.
    assert findings(HEAD + GOOD.format("1.60", 486)) == [("L4, int8", "average cost reduction", "1.60", "1.54")]


def test_a_printed_one_is_the_baseline_when_it_comes_first():
    assert findings(HEAD + GOOD.format("1.55", 486).replace("base | |", "base | 1.00 |")) == []


def test_the_one_row_without_a_cost_reduction_is_the_baseline_wherever_it_stands():
    base, int8 = GOOD.format("1.55", 486).splitlines()
    assert findings(HEAD + f"{int8}\n{base}\n") == []


def test_what_a_mean_of_ratios_overstates():
    one = found(HEAD + "| L4 | base | | 9.0 | 200 | 9.0 | 200 |\n| L4 | int4 | 3.00 | 9.0 | 200 | 1.8 | 1000 |\n")
    assert one.findings == ()
    (saving,) = one.savings
    # Two queries cost 2 / 200 before and 1 / 200 + 1 / 1000 now.
    assert (saving.mean_ratio, saving.pooled_ratio) == pytest.approx((3.0, 0.01 / 0.006))
    assert saving.cheaper_percent == pytest.approx(40.0)


def test_a_missing_figure_leaves_the_mean_unchecked():
    one = found(HEAD + "| L4 | base | | 5.7 | 316 | 4.8 | - |\n| L4 | int8 | 9.99 | 3.7 | 486 | 3.1 | 581 |\n")
    assert one.findings == ()
    assert [str(each) for each in one.unchecked] == [
        "table 1 (line 1), L4, int8, average cost reduction: queries per dollar are missing"
    ]
