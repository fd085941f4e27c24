import pytest

from evalkit.cards import audit, card

HEAD = "| Task | base | base-FP8 |\n|---|---|---|\n"


def doubts(row):
    return [(one.column, one.printed) for one in audit(card(HEAD + row)).doubts if one.kind == "count"]


def test_a_score_that_no_count_gives_is_named_with_the_nearest():
    (one,) = audit(card(HEAD + "| ARC-C (25-shot) | 65.59 | 65.96 |\n")).doubts
    assert (one.row, one.column, one.printed, one.severity) == ("ARC-C (25-shot)", "base", "65.59", "doubtful")
    assert "no count of 1,172 gives it; the nearest that do are 65.53 (768) and 65.61 (769)" in one.because
    assert "Clark" in one.because


def test_possible_counts_are_listed():
    found = audit(card(HEAD + "| ARC-C | 65.96 | 65.9 |\n| HellaSwag | 81.20 | 81.2 |\n")).counts
    assert [(one.n, one.least, one.most, one.runs) for one in found] == [
        (1172, 773, 773, 1),
        (1172, 772, 772, 1),
        (10042, 8154, 8154, 1),
        (10042, 8150, 8159, 1),
    ]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("| AIME 2025 | 73.33 | 70.83 |\n", []),  # 22 of 30, and 85 of 120: a mean of four runs
        ("| MATH-500 | 90.20 | 90.27 |\n", []),  # 1354 of 1500: of three
        ("| MMLU | 71.403 | 70.501 |\n", []),  # may be a mean over subjects
        ("| IFEval | 80.01 | 79.02 |\n", []),  # a mean of two accuracies
        ("| House questions | 80.01 | 79.02 |\n", []),  # of unknown size
        ("| GSM8K (Spanish) | 80.01 | 79.02 |\n", []),
        ("| WinoGrande | 0.7506 | 0.7561 |\n", []),  # shares: 951 and 958 of 1,267
        ("| WinoGrande | 0.7509 | 0.7561 |\n", [("base", "0.7509")]),
        ("| ARC-C | 65.59 | 65.58 |\n", [("all models", "65.59, 65.58")]),
    ],
)
def test_metrics_that_are_no_counts_and_means_over_runs_raise_nothing(row, found):
    assert doubts(row) == found


def test_the_number_of_samples_on_the_card_wins():
    text = "| Task | base | base-FP8 | n |\n|---|---|---|---|\n| ARC-C | 65.50 | 64.00 | 200 |\n"
    found = audit(card(text))
    assert (found.doubts, [one.n for one in found.counts]) == ((), [200, 200])
    assert found.noise[0].n == 200


def test_digits_that_were_cut_off_are_told():
    (one,) = audit(card(HEAD + "| GSM8K | 76.27 | 76.87 |\n")).doubts
    assert "1,014 gives it when digits are cut off instead of rounded" in one.because


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("| AIME 2025 (pass@1:64) | 64.11 | 65.26 |\n", []),  # 1,231 and 1,253 of 1,920
        ("| AIME 2025 (avg@2) | 73.33 | 70.83 |\n", [("base-FP8", "70.83")]),
        ("| HumanEval pass@1 | 67.07 | 66.95 |\n", []),  # 110 of 164, and a mean over five attempts
        ("| HumanEval pass@1 | 67.0731 | 66.9511 |\n", [("all models", "67.0731, 66.9511")]),
        ("| HumanEval pass@10 | 67.0731 | 66.9511 |\n", []),  # an estimate from all attempts of a problem
    ],
)
def test_runs_and_attempts_are_counted(row, found):
    assert doubts(row) == found


def test_runs_that_a_name_tells_are_named():
    (one,) = audit(card(HEAD + "| AIME 2025 (avg@2) | 73.33 | 70.83 |\n")).doubts
    assert "no count of 60 (30 in 2 runs) gives it; the nearest that do are 70.00 (42) and 71.67 (43)" in one.because
