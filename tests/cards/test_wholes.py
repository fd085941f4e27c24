"""A table has one unit: 0.98 beside 24.00 is in percent, whatever it is alone."""

import pytest

from evalkit.cards import audit, card

HEAD = "| Task | base | base-FP8 |{}\n|---|---|---|{}\n"


def read(rows, *, recovery=False):
    return audit(card((HEAD.format(" Recovery |", "---|") if recovery else HEAD.format("", "")) + rows))


@pytest.mark.parametrize(
    "rows",
    [
        "| GSM8K | 24.03 | 23.12 |\n| WinoGrande | 0.95 | 0.87 |\n",
        "| GSM8K | 0.2403 | 0.2312 |\n| WinoGrande | 0.0095 | 0.0087 |\n",
    ],
)
def test_the_counts_of_a_score_below_one_percent(rows):
    found = read(rows)
    assert [(one.least, one.most) for one in found.counts] == [(317, 317), (305, 305), (12, 12), (11, 11)]
    assert found.doubts == ()


def test_a_score_that_may_be_either_is_doubted_only_where_neither_can_be():
    # Of 1,267 items 0.95 is no count in percent, but 0.95 of them are; of 30 neither is.
    assert read("| WinoGrande | 0.98 | 0.81 |\n").doubts == ()
    rows = "| AIME 2025 (avg@1) | 0.95 | 0.90 |\n"
    assert [one.printed for one in read(rows).doubts] == ["0.95"]


@pytest.mark.parametrize("recovery", ["99.95", "99.90"])
def test_the_word_errors_beside_one_tell_its_unit(recovery):
    rows = f"| TED WER | 0.90 | 0.95 | {recovery} |\n"
    rows += "| Clean WER | 1.80 | 1.85 | 99.95 |\n| Other WER | 4.1 | 4.3 | 99.79 |\n"
    found = read(rows, recovery=True)
    wrong = [("99.90", "99.95")] if recovery == "99.90" else []
    assert [(one.printed, one.right) for one in found.findings] == wrong
    assert found.checked == 3


def test_scores_do_not_tell_the_unit_of_word_errors():
    rows = "| MMLU | 71.40 | 70.50 | 98.74 |\n| A WER | 0.05 | 0.06 | 98.95 |\n| B WER | 0.07 | 0.09 | 97.85 |\n"
    assert read(rows, recovery=True).findings == ()
    assert len(read(rows.replace("97.85", "95.85"), recovery=True).findings) == 1


def test_an_average_of_word_errors_below_one():
    rows = "| A WER | 0.80 | 0.95 | 99.85 |\n| B WER | 2.00 | 2.10 | 99.90 |\n| C WER | 1.90 | 2.10 | 99.80 |\n"
    average = "| Average WER | 1.57 | 1.72 | {} |\n"
    found = read(rows + average.format("99.85"), recovery=True)
    assert (found.findings, found.checked) == ((), 6)
    assert [one.printed for one in read(rows + average.format("99.25"), recovery=True).findings] == ["99.25"]
