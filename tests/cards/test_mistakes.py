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
