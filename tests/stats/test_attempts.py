"""Attempts averaged within a sample, and pass@k against enumeration."""

from __future__ import annotations

import math
import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import DataError
from evalkit.stats import (
    noise,
    pass_at_k,
    recovery,
    repeated_askings,
    repeated_attempts,
    repeated_average,
    within_sample,
)


def test_ragged_attempts_are_averaged_within_a_sample_first():
    attempts = [("b", 1.0), ("a", 1.0), ("a", 0.0), ("a", 0.0), ("a", 0.0)]
    assert within_sample(attempts) == {"b": 1.0, "a": 0.25}
    assert list(within_sample(attempts)) == ["b", "a"]
    assert within_sample([]) == {}


@given(data=st.data(), n=st.integers(1, 7))
def test_pass_at_k_is_the_share_of_choices_with_a_pass(data, n):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    choices = list(combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, choices)) / len(choices))


def test_pass_at_k_of_many_attempts_neither_overflows_nor_cancels():
    assert pass_at_k(200, 10, 1) == pytest.approx(0.05)
    assert pass_at_k(200, 0, 100) == 0.0
    assert pass_at_k(10_000, 1, 1) == pytest.approx(1e-4)
    assert pass_at_k(100_000, 50_000, 100) == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, -1, 1), (5, 2, 6), (5, 2, 0)])
def test_impossible_counts_are_refused(n, c, k):
    with pytest.raises(DataError):
        pass_at_k(n, c, k)


# --- the chance of the attempts alone ---


def shares(passes, attempts):
    return [(passed / attempts, attempts) for passed in passes]


def test_the_variance_is_that_of_drawing_attempts_at_the_same_problems():
    base, cand = [40, 25, 50, 3], [35, 30, 50, 0]
    found = repeated_attempts(shares(base, 50), shares(cand, 50))
    assert (found.percent, found.question, found.method) == (pytest.approx(11500 / 118), "if repeated", "attempts")
    ratio, width = 115 / 118, (found.high - found.low) / 200
    var = sum(c / 50 * (1 - c / 50) + ratio**2 * b / 50 * (1 - b / 50) for b, c in zip(base, cand, strict=True)) / 49
    assert width == pytest.approx(1.96 * math.sqrt(var) / 118 * 50, rel=0.03)


def test_it_holds_the_recovery_of_the_same_problems_95_times_in_100():
    rng = random.Random(2)
    chances = [rng.betavariate(1.4, 0.6) for _ in range(164)]
    held = 0
    for _ in range(300):
        sides = ([sum(rng.random() < p for _ in range(10)) for p in chances] for _ in range(2))
        found = repeated_attempts(*(shares(side, 10) for side in sides))
        held += found.low <= 100.0 <= found.high
    assert held / 300 == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize(
    ("base", "cand", "words"),
    [
        ([], [], "no problem was attempted by both"),
        ([(0.0, 9)], [(0.5, 9)], "the baseline scored 0"),
        ([(1.0, 1)], [(1.0, 9)], "one attempt says nothing"),
        ([(1.0, 9), (0.0, 9)], [(1.0, 9), (0.0, 9)], "came out alike"),
        ([(0.1, 5)], [(0.5, 5)], "any recovery is possible"),
    ],
)
def test_where_attempts_tell_nothing_there_is_a_reason_and_no_interval(base, cand, words):
    found = repeated_attempts(base, cand)
    assert (found.low, found.high, found.question) == (None, None, "if repeated")
    assert words in found.reason


def test_what_asking_again_changes_is_inside_the_noise_only_interval_in_95_of_100_runs():
    """2,000 samples whose answers waver: a second pair of askings gives a recovery within the first one's interval."""
    chance = np.random.default_rng(3)
    inside, n = 0, 2000
    base, cand = (np.where(chance.random(n) < 0.03, 0.5, chance.random(n) < 0.7).astype(float) for _ in range(2))
    truth = cand.mean() / base.mean() * 100
    for _ in range(600):
        first, again, other = (chance.random(n) < side for side in (base, base, cand))
        paired = recovery(first.astype(float).tolist(), other.astype(float).tolist())
        found = repeated_askings(paired, first.mean(), noise((again[:1000].astype(float) - first[:1000]).tolist()))
        assert found.question == "if repeated"
        inside += found.low <= truth <= found.high
    assert 0.91 < inside / 600 <= 0.99


def test_nothing_changed_when_few_were_asked_again_leaves_the_noise_that_they_could_not_show():
    paired = recovery([1.0, 0.0, 1.0] * 40, [1.0, 1.0, 0.0] * 40)
    few, many = (repeated_askings(paired, 2 / 3, noise([0.0] * count)) for count in (50, 5000))
    # Two flips are added to none of 50: 1.96 sqrt(2 * 0.04 / (2 * 120)) / (2 / 3).
    assert few.high - 100 == pytest.approx(100 * 1.959964 * (0.04 / 120) ** 0.5 * 1.5, rel=1e-6)
    assert many.high - many.low == pytest.approx((few.high - few.low) / 10)


def test_what_asking_an_average_again_changes_is_inside_its_interval_in_95_of_100_runs():
    """A task asked once beside one of ten attempts: both kinds of noise in one interval."""
    chance = np.random.default_rng(5)
    inside, n = 0, 1000
    base, cand = (np.where(chance.random(n) < 0.05, 0.5, chance.random(n) < 0.7).astype(float) for _ in range(2))
    tries = chance.random((2, 164))
    truth = (cand.mean() + tries[1].mean()) / (base.mean() + tries[0].mean()) * 100
    for _ in range(400):
        first, again, other = (chance.random(n) < side for side in (base, base, cand))
        paired = recovery(first.astype(float).tolist(), other.astype(float).tolist())
        once = repeated_askings(paired, first.mean(), noise((again.astype(float) - first).tolist()))
        shares = [[(float(one), 10) for one in chance.binomial(10, side) / 10] for side in tries]
        several = repeated_attempts(*shares)
        problems = math.fsum(share for share, _ in shares[0]) / 164
        found = repeated_average([(first.mean(), once), (problems, several)])
        assert (found.question, found.method) == ("if repeated", "combined")
        inside += found.low <= truth <= found.high
    assert 0.92 < inside / 400 < 0.98


def test_an_average_of_one_task_is_that_task_if_repeated():
    several = repeated_attempts([(0.5, 10)] * 40, [(0.4, 10)] * 40)
    found = repeated_average([(0.5, several)])
    assert (found.percent, found.low, found.high) == pytest.approx((several.percent, several.low, several.high))
