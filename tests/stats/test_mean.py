"""Means, differences and shares with their intervals."""

from __future__ import annotations

import math
from statistics import NormalDist, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import DataError
from evalkit.stats import difference, mean, unbounded_difference

scores = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]), min_size=1, max_size=40)


def test_standard_error_and_interval_of_a_large_sample():
    values = [1.0, 0.0, 0.5, 1.0] * 200
    found = mean(values)
    assert found.value == pytest.approx(0.625)
    assert found.standard_error == pytest.approx(stdev(values) / math.sqrt(800))
    assert found.high - found.low == pytest.approx(2 * 1.9630 * found.standard_error, rel=1e-3)
    assert (found.n, found.clusters) == (800, 800)


def test_four_equal_answers_per_image_double_the_standard_error():
    values = [float(i % 2) for i in range(400) for _ in range(4)]
    images = [str(i) for i in range(400) for _ in range(4)]
    assert mean(values, images).standard_error == pytest.approx(2 * mean(values).standard_error, rel=2e-3)
    assert mean(values, images).clusters == 400


def wilson(count, n):
    """Wilson's (1927) interval of a share, by his own formula."""
    share, q = count / n, NormalDist().inv_cdf(0.975)
    half = q * math.sqrt(share * (1 - share) / n + q * q / (4 * n * n))
    return tuple((share + q * q / (2 * n) + end) / (1 + q * q / n) for end in (-half, half))


@pytest.mark.parametrize(("right", "n"), [(20, 20), (0, 20), (17, 20), (1, 1), (3, 900)])
def test_few_right_or_wrong_answers_get_wilsons_interval(right, n):
    found = mean([1.0] * right + [0.0] * (n - right))
    assert (found.low, found.high) == pytest.approx(wilson(right, n), abs=1e-8)


def test_wilson_as_printed():
    # Newcombe 1998, table 1: 81 of 263. What the means above are held against is his.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_a_score_of_exactly_1_is_not_certain():
    found = mean([1.0] * 164)
    assert (found.value, found.standard_error, found.high) == (1.0, 0.0, 1.0)
    assert 0.97 < found.low < 0.98


def test_a_score_of_exactly_0_is_not_certain():
    found = mean([0.0] * 164)
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0.02 < found.high < 0.03


def test_one_sample_has_an_interval_but_no_standard_error():
    found = mean([0.4])
    assert found.standard_error is None
    assert 0 < found.low < 0.4 < found.high < 1


def test_no_sample_has_no_mean():
    found = mean([])
    assert (found.value, found.low, found.high, found.n) == (None, None, None, 0)
    assert difference([], []).value is None


def test_one_cluster_has_neither():
    found = mean([1.0, 0.0, 1.0], ["page"] * 3)
    assert found.value == pytest.approx(2 / 3)
    assert (found.standard_error, found.low, found.high) == (None, None, None)


@given(values=scores)
def test_the_interval_holds_the_mean_and_stays_between_0_and_1(values):
    found = mean(values)
    assert 0 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1


@given(values=scores)
def test_wrong_answers_have_the_mirrored_interval(values):
    right, wrong = mean(values), mean([1 - value for value in values])
    assert wrong.low == pytest.approx(1 - right.high, abs=1e-7)
    assert wrong.high == pytest.approx(1 - right.low, abs=1e-7)


def test_a_share_that_grows_by_a_few_samples_is_uncertain():
    before, after = [0.0] * 200, [1.0] * 3 + [0.0] * 197
    found = difference(before, after)
    assert found.value == pytest.approx(0.015)
    assert found.low < 0 < found.high


def test_a_share_that_grows_in_many_samples_is_not():
    found = difference([0.0] * 200, [1.0] * 20 + [0.0] * 180)
    assert 0.06 < found.low < 0.1 < found.high < 0.16


def test_difference_is_second_minus_first_in_either_order():
    first, second = [0.2, 0.9, 1.0, 0.4], [0.1, 1.0, 0.6, 0.4]
    there, back = difference(first, second), difference(second, first)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high, abs=1e-7)


def test_answer_lengths_get_students_interval():
    found = unbounded_difference([10.0, 20.0, 30.0], [13.0, 21.0, 35.0])
    assert found.value == pytest.approx(3.0)
    assert found.high - 3.0 == pytest.approx(4.3027 * 2 / math.sqrt(3), rel=1e-4)
    assert unbounded_difference([10.0], [12.0]).low is None


@pytest.mark.parametrize("bad", [1.01, -0.1, math.nan, 87.5])
def test_scores_outside_0_to_1_are_refused(bad):
    with pytest.raises(DataError, match="score number 2 is") as caught:
        mean([0.5, bad])
    assert "divide percentages by 100" in caught.value.fix
