"""Which mistake a wrong figure is said to be, where more than one formula is in use."""

import pytest

from evalkit.cards import audit, card

HEAD = "| Task | base | base-FP8 | Recovery |\n|---|---|---|---|\n"
BY_RATIO = "| Read WER | 4.00 | 4.10 | 97.56 |\n| Told WER | 6.00 | 6.30 | 95.24 |\n"
"""Baseline over candidate, as is usual where lower is better."""
BY_WHAT_IS_RIGHT = "| Read WER | 4.00 | 4.10 | 99.90 |\n| Told WER | 6.00 | 6.30 | 99.68 |\n"
"""(100 - candidate) / (100 - baseline)."""


@pytest.mark.parametrize(
    ("rows", "planted", "cause"),
    [
        (BY_RATIO, "110.00", "it is the inverse ratio"),  # 5.50 / 5.00
        (BY_RATIO, "99.47", ""),  # 94.50 / 95.00: another formula, and no inverse
        (BY_WHAT_IS_RIGHT, "90.91", ""),  # 5.00 / 5.50: likewise
    ],
)
def test_only_the_inverse_of_the_formula_in_use_is_called_so(rows, planted, cause):
    (finding,) = audit(card(f"{HEAD}{rows}| Sung WER | 5.00 | 5.50 | {planted} |\n")).findings
    assert (finding.printed, finding.cause) == (planted, cause)


def test_stale_is_what_follows_without_a_row_whatever_its_name_says():
    rows = "| One | 50.00 | 49.00 | 98.00 |\n| {} | 60.00 | 59.00 | 98.33 |\n| Three | 70.00 | 69.00 | 98.57 |\n"
    average = "| Average | {} | {} | {} |\n"
    plain = rows.format("Two, without tools")
    stale = audit(card(HEAD + plain + "| Four | 40.00 | 39.00 | 97.50 |\n" + average.format("60.00", "59.00", "98.33")))
    kinds = {(one.column, one.cause.partition(":")[0]) for one in stale.findings if one.kind == "average"}
    assert kinds == {("base", "stale"), ("base-FP8", "stale")}
    (wrong,) = audit(card(HEAD + plain + average.format("60.00", "57.40", "95.67"))).findings[:1]
    assert (wrong.printed, wrong.cause.startswith("stale")) == ("57.40", False)
