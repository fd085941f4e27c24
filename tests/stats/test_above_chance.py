"""Averages of scores above chance: by hand, and how often their intervals hold the truth."""

import numpy as np
import pytest

from evalkit import stats
from evalkit.stats import ChancePart, Grouping, above_chance, recovery_above_chance


def part(name, first, second, chance, weight, answers=""):
    return ChancePart(name, list(first), list(second), Grouping(), chance, weight, answers)


def ones(right, n):
    return [1.0] * right + [0.0] * (n - right)


def test_a_score_is_stretched_between_chance_and_all_right():
    # The examples of the leaderboard's own page on normalisation, in shares.
    assert above_chance(0.6, 1 / 4) == pytest.approx(0.4667, abs=5e-5)
    assert [above_chance(*one) for one in [(0.7, 1 / 2), (0.4, 1 / 5), (0.6, 1 / 3)]] == pytest.approx([0.4, 0.25, 0.4])
    assert above_chance(0.2, 1 / 4) == 0.0


def test_the_average_and_its_recovery_are_those_made_by_hand():
    parts = [
        part("two options", ones(800, 1000), ones(780, 1000), 1 / 2, 0.5),
        part("free", ones(500, 1000), ones(490, 1000), 0.0, 0.5),
    ]
    # Of the baseline 0.6 and 0.5, of the candidate 0.56 and 0.49.
    found = recovery_above_chance(parts)
    assert found.percent == pytest.approx(100 * 0.525 / 0.55)
    assert found.low < found.percent < found.high < 100
    # A loss is worth twice as much where half is guessed: wider than the plain average's interval.
    plain = stats.average_recovery([stats.pair_totals(one.first, one.second) for one in parts])
    assert found.high - found.low > plain.high - plain.low


def test_where_a_score_may_be_clipped_there_is_no_interval_and_its_part_is_named():
    clear = part("clear", ones(80, 100), ones(78, 100), 0.25, 0.5)
    for name, base, cand in (("base", 30, 60), ("cand", 60, 30), ("below", 20, 22)):
        found = recovery_above_chance([clear, part(name, ones(base, 100), ones(cand, 100), 0.25, 0.5)])
        assert (found.low, found.high, found.method) == (None, None, None)
        assert found.reason.endswith(f"count as 0: {name}")
        assert found.percent is not None
    nothing = recovery_above_chance([part("below", ones(20, 100), ones(60, 100), 0.25, 1.0)])
    assert (nothing.percent, nothing.reason) == (None, "the baseline is not above chance")
    # Where nothing can be guessed nothing is clipped.
    assert recovery_above_chance([part("free", ones(2, 100), ones(3, 100), 0.0, 1.0)]).low is not None


def test_two_metrics_of_the_same_answers_are_no_two_parts():
    base, cand = ones(500, 1000), ones(470, 1000)
    once = recovery_above_chance([part("a", base, cand, 0.0, 1.0)])
    twice = recovery_above_chance([part(name, base, cand, 0.0, 0.5, "same") for name in "ab"])
    assert (twice.low, twice.high) == (pytest.approx(once.low), pytest.approx(once.high))
    apart = recovery_above_chance([part(name, base, cand, 0.0, 0.5) for name in "ab"])
    assert apart.high - apart.low == pytest.approx((once.high - once.low) / 2**0.5, rel=0.05)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(16)
    chances, rates, lost, n = (0.5, 0.1, 0.0), (0.75, 0.45, 0.3), (0.06, 0.04, 0.05), 300
    gained = (0.03, 0.03, 0.02)
    after = [rate * (1 - a) + (1 - rate) * b for rate, a, b in zip(rates, lost, gained, strict=True)]
    truth = 100 * sum(map(above_chance, after, chances)) / sum(map(above_chance, rates, chances))
    held = 0
    for _ in range(400):
        parts = []
        for chance, rate, a, b in zip(chances, rates, lost, gained, strict=True):
            base = rng.random(n) < rate
            cand = np.where(rng.random(n) < np.where(base, a, b), ~base, base)
            parts.append(part("p", base.astype(float), cand.astype(float), chance, 1 / 3))
        found = recovery_above_chance(parts)
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 400 <= 0.985
