import pytest

from evalkit.cards import audit, card

HEAD = "Kind | Task | A | B | Recovery\n-|-|-|-|-\n"


def findings(text):
    return [(one.row, one.column, one.printed, one.right) for one in audit(card(text)).findings]


def test_a_recovery_that_rounding_cannot_give():
    assert findings(HEAD + "V | MMMU | 48.00 | 46.22 | 96.29%\n") == []
    assert findings(HEAD + "V | MMMU | 48.00 | 46.22 | 96.40%\n") == [("V: MMMU", "recovery of B", "96.40%", "96.29%")]


def test_the_tolerance_is_what_rounding_of_all_three_figures_can_do():
    (one,) = audit(card(HEAD + "V | MMMU | 48.0 | 46.2 | 97.0\n")).findings
    # 46.15 / 48.05 to 46.25 / 47.95, and 97.0 may stand for 96.95.
    assert (one.low, one.high) == pytest.approx((100 * 46.15 / 48.05, 100 * 46.25 / 47.95))
    assert one.tolerance == pytest.approx(100 * 46.25 / 47.95 - 96.25 + 0.05)


@pytest.mark.parametrize(("printed", "count"), [("96.4", 0), ("96.5", 0), ("96.0", 0), ("95.9", 1), ("96.6", 1)])
def test_few_printed_decimals_allow_more(printed, count):
    # 46.15 / 48.05 is 96.05, 46.25 / 47.95 is 96.45; the figure itself may be off by 0.05.
    assert len(findings(HEAD + f"V | MMMU | 48.0 | 46.2 | {printed}\n")) == count


def test_an_average_row_that_is_not_the_mean_of_its_rows():
    rows = "V | a | 48.00 | 46.22 | 96.29\nV | b | 78.71 | 78.00 | 99.10\n"
    # Means 63.355 and 62.11: 98.03 %.
    assert findings(HEAD + rows + "V | Average Score | 63.36 | 62.11 | 98.03\n") == []
    assert findings(HEAD + rows + "V | Average Score | 64.36 | 62.11 | 96.50\n") == [
        ("V: Average Score", "A", "64.36", "63.35"),
        ("V: Average Score", "recovery of B", "96.50", "98.03"),
    ]


def test_a_recovery_of_wrong_averages_says_where_it_is_from():
    rows = "V | a | 48.00 | 46.22 | 96.29\nV | b | 78.71 | 78.00 | 99.10\n"
    found = audit(card(HEAD + rows + "V | Average Score | 64.36 | 62.11 | 96.50\n")).findings
    assert "follows from the printed averages 62.11 / 64.36" in found[1].because


def test_the_mean_of_the_recoveries_is_a_recovery_in_use():
    rows = "V | a | 20.00 | 10.00 | 50.00\nV | b | 80.00 | 80.00 | 100.00\n"
    assert findings(HEAD + rows + "V | Average | 50.00 | 45.00 | 75.00\n") == []
    assert findings(HEAD + rows + "V | Average | 50.00 | 45.00 | 90.00\n") == []
    assert len(findings(HEAD + rows + "V | Average | 50.00 | 45.00 | 80.00\n")) == 1


def test_an_average_is_of_its_own_category():
    rows = "V | a | 40.0 | 40.0 | 100.0\nV | Average | 40.0 | 40.0 | 100.0\nT | b | 80.0 | 80.0 | 100.0\n"
    assert findings(HEAD + rows + "T | Average | 80.0 | 80.0 | 100.0\n") == []
    assert len(findings(HEAD + rows + "T | Average | 60.0 | 80.0 | 100.0\n")) == 1
    assert findings(HEAD + rows + "T | Overall average | 60.0 | 60.0 | 100.0\n") == []


def test_an_overall_average_may_be_of_the_averages():
    rows = "V|a|40.0|40.0|100\nV|Average|40.0|40.0|100\nT|b|80.0|80.0|100\nT|c|90.0|90.0|100\nT|Average|85.0|85.0|100\n"
    assert findings(HEAD + rows + "| |Overall average|62.5|62.5|100\n") == []
    assert findings(HEAD + rows + "| |Overall average|70.0|70.0|100\n") == []
    assert len(findings(HEAD + rows + "| |Overall average|65.0|65.0|100\n")) == 2


def test_a_second_average_in_a_group_may_be_of_all_rows():
    rows = "V|a|40.0|40.0|100\nV|Average|40.0|40.0|100\nT|b|80.0|80.0|100\nT|Average|80.0|80.0|100\n"
    assert findings(HEAD + rows + "T|Average of both|60.0|60.0|100\n") == []
    assert len(findings(HEAD + rows + "T|Average of both|70.0|60.0|100\n")) == 1


def test_a_missing_score_leaves_the_average_unchecked_and_says_so():
    found = audit(card(HEAD + "V | a | 40.0 | - | -\nV | b | 50.0 | 50.0 | 100\nV | Average | 99.0 | 45.0 | 45.5\n"))
    assert [one.column for one in found.findings] == ["A"]
    assert "table 1 (line 1), V: Average, B: a row of the average has no score" in map(str, found.unchecked)


def test_an_average_of_the_scores_that_are_there_follows():
    assert findings(HEAD + "V | a | 40.0 | - | -\nV | b | 50.0 | 50.0 | 100\nV | Average | 45.0 | 50.0 | \n") == []


def test_without_the_rows_an_average_recovery_is_checked_against_its_averages():
    found = findings(HEAD + "V | a | 40.0 | - | -\nV | Average | 50.0 | 50.0 | 90.0\n")
    assert found == [("V: Average", "recovery of B", "90.0", "100.0")]  # an average over one row is none


def test_a_zero_baseline_has_no_recovery_to_check():
    found = audit(card(HEAD + "V | a | 0.0 | 5.0 | 100.0\n"))
    assert [(one.column, one.reason) for one in found.unchecked] == [
        ("recovery of B", "a score is missing, or the baseline rounds to 0"),
        ("A", "no other figure of the card rests on it"),
        ("B", "no other figure of the card rests on it"),
    ]
    assert found.checked == 0


def test_recoveries_may_be_plain_ratios():
    assert findings(HEAD + "V | a | 0.480 | 0.462 | 0.963\n") == []
    assert findings(HEAD + "V | a | 0.480 | 0.462 | 0.983\n") == [("V: a", "recovery of B", "0.983", "0.963")]


def test_where_lower_is_better_the_ratio_may_be_turned():
    assert findings(HEAD + "V | perplexity | 8.00 | 8.40 | 95.24\n") == []
    assert len(findings(HEAD + "V | score | 8.00 | 8.40 | 95.24\n")) == 1


def test_a_recovery_row_under_the_average():
    text = (
        "Task | base | c1 | c2\n-|-|-|-\nMMLU | 60.0 | 57.0 | 30.0\n"
        "Average | 60.0 | 57.0 | 30.0\nRecovery | - | 95.0% | {}\n"
    )
    assert findings(text.format("50.0%")) == []
    assert findings(text.format("60.0%")) == [("Recovery", "recovery of c2", "60.0%", "50.0%")]


def test_an_average_that_is_printed_finer_than_its_rows_narrows_its_recovery():
    # By the row alone 45.5 / 48.5 to 46.5 / 47.5, 93.8 to 97.9; by the printed averages 95.83.
    assert findings(HEAD + "V | a | 48 | 46 | 95.8\nV | Average | 48.00 | 46.00 | 95.83\n") == []
    assert len(findings(HEAD + "V | a | 48 | 46 | 95.8\nV | Average | 48.00 | 46.00 | 96.50\n")) == 1
