"""Counting changes and testing their direction."""

from __future__ import annotations

import pytest

from evalkit.base.errors import DataError
from evalkit.stats import flips


def test_counts_and_exact_p():
    found = flips([1, 1, 1, 1, 1, 1, 0, 0, 1], [0, 0, 0, 0, 0, 1, 0, 0, 1])
    assert (found.regressed, found.improved, found.unchanged) == (5, 0, 4)
    assert found.mcnemar_p == pytest.approx(2 / 32)
    assert found.discordance == pytest.approx(5 / 9)


def test_p_as_printed():
    # Fagerland, Lydersen and Laake 2013: 1 against 7 of 21 discordant, exact conditional p = 0.070.
    found = flips([0] * 1 + [1] * 7 + [1] * 13, [1] * 1 + [0] * 7 + [1] * 13)
    assert round(found.mcnemar_p, 3) == 0.070


def test_no_change_says_nothing_against_equality():
    assert flips([1, 0], [1, 0]).mcnemar_p == 1.0
    assert flips([], []).discordance is None


def test_fractional_scores_have_directions_but_no_mcnemar_p():
    found = flips([0.9, 0.5, 1.0, 0.3], [0.8, 0.6, 1.0, 0.1 + 0.2])
    assert (found.regressed, found.improved, found.unchanged) == (1, 1, 2)
    assert found.mcnemar_p is None


def test_order_and_side():
    there, back = flips([1, 1, 0, 1], [0, 1, 1, 0]), flips([0, 1, 1, 0], [1, 1, 0, 1])
    assert (there.regressed, there.improved) == (back.improved, back.regressed) == (2, 1)
    assert there.mcnemar_p == back.mcnemar_p


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="candidate: score number 1 is 100"):
        flips([1], [100])
    with pytest.raises(DataError, match="cannot be paired"):
        flips([1], [1, 1])
