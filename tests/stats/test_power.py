"""What n samples can see, and how likely more would decide: both as often as in simulated data."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import numpy as np
import pytest

from evalkit.stats import (
    average_recovery,
    guessed,
    pair_totals,
    recovery,
    recovery_of,
    samples_to_decide,
    samples_to_decide_average,
    visible_drop,
)
from evalkit.stats.totals import Unit, counted_totals


def fixed():
    return np.random.default_rng(20250711)


@pytest.mark.parametrize(("n", "changed"), [(900, 0.05), (14_042, 0.1), (200_000, 0.02)])
def test_the_drop_in_points_where_much_changes(n, changed):
    # 2.80 * sqrt(0.05 / 900) = 2.09 points: not 0.15, and not 22.
    assert visible_drop(guessed(0.7, changed), n, fixed()) == pytest.approx(2.8016 * math.sqrt(changed / n), rel=0.05)


@pytest.mark.parametrize(("n", "changed"), [(12, 0.1), (40, 0.1), (164, 0.02), (900, 0.05)])
def test_a_drop_of_that_size_is_seen_four_times_in_five(n, changed):
    drop, right = visible_drop(guessed(0.7, changed), n, fixed()), 0.7
    worse = max(drop, (changed + drop) / 2)
    better = worse - drop
    rng, seen = np.random.default_rng(5), 0
    for both, down, up, _ in rng.multinomial(
        n, [max(0.0, right - worse), worse, better, 1 - max(right, worse) - better], size=600
    ).tolist():
        base = [1.0] * (both + down) + [0.0] * (n - both - down)
        cand = [1.0] * both + [0.0] * down + [1.0] * up + [0.0] * (n - both - down - up)
        high = recovery(base, cand).high
        seen += high is not None and high < 100.0
    assert seen / 600 == pytest.approx(0.8, abs=0.06)


def test_few_samples_that_change_seldom_need_more_than_the_formula_says():
    assert visible_drop(guessed(0.7, 0.02), 100, fixed()) > 1.3 * 2.8016 * math.sqrt(0.02 / 100)


@pytest.mark.parametrize(("n", "level"), [(1, 0.7), (3, 0.7), (900, 0.0)])
def test_where_the_loss_of_everything_would_not_show_there_is_no_drop(n, level):
    assert visible_drop(guessed(level, 0.1 if level else 0.0), n, fixed()) is None


def scores(copies):
    """60 % right, one sample in 50 lost and one in 100 won: recovery 98.33 %."""
    baseline = [1.0] * 60 + [0.0] * 40
    candidate = [1.0] * 58 + [0.0] * 2 + [1.0] * 1 + [0.0] * 39
    return baseline * copies, candidate * copies


def test_more_chance_needs_more_samples():
    more = samples_to_decide(pair_totals(*scores(9)), 99.0)
    assert more.samples(0.9) > more.samples(0.5) > 0
    assert more.chance(more.samples(0.5)) == pytest.approx(0.5, abs=0.01)
    assert more.chance(0) == 0.0


def test_as_often_as_it_says_so_many_more_samples_decide():
    """Tasks whose true recovery lies anywhere about the threshold, as far as 600 samples leave them undecided."""
    n, changed, level, threshold = 600, 0.06, 0.6, 98.0
    rng = np.random.default_rng(8)
    promised, decided, rows = [0.0] * 3, [0] * 3, 0
    for truth in rng.uniform(0.90, 1.06, 4000):
        lost = max(0.0, changed + (1 - truth) * level) / 2
        won = max(0.0, changed - (1 - truth) * level) / 2
        shares = [level - lost, lost, won, 1 - level - won]
        first = rng.multinomial(n, shares)
        if not holds(first, threshold):
            continue
        rows += 1
        more = samples_to_decide(flipped(first), threshold)
        for at, count in enumerate((more.samples(0.5), more.samples(0.8), 300)):
            promised[at] += more.chance(count)
            decided[at] += not holds(first + rng.multinomial(count, shares), threshold)
    assert rows > 1000
    for at in range(3):
        assert decided[at] / rows == pytest.approx(promised[at] / rows, abs=0.05)


def flipped(counts):
    """Totals of 0/1 scores: right on both sides, lost, won, wrong on both."""
    pairs = {(1.0, 1.0): counts[0], (1.0, 0.0): counts[1], (0.0, 1.0): counts[2], (0.0, 0.0): counts[3]}
    cells = Counter({pair: int(count) for pair, count in pairs.items() if count})
    return counted_totals([Counter({Unit(1, *pair): count for pair, count in cells.items()})], cells)


def holds(counts, threshold):
    found = recovery_of(flipped(counts))
    return found.low < threshold <= found.high


def test_decided_already():
    more = samples_to_decide(pair_totals(*scores(9)), 80.0)
    assert (more.samples(0.5), more.chance(0)) == (0, 1.0)


def test_at_the_threshold_itself_only_many_more_decide():
    more = samples_to_decide(pair_totals([1.0] * 50, [1.0] * 50), 100.0)
    # P(|N(0, f - 1)| > 1.96) = 0.5 at f = 1 + (1.96 / 0.6745)^2.
    assert more.samples(0.5) == pytest.approx(50 * (1.96 / 0.6745) ** 2, abs=2)


def test_identical_answers_decide_below_100_in_the_end():
    more = samples_to_decide(pair_totals([1.0] * 50, [1.0] * 50), 99.0).samples(0.9)
    assert recovery([1.0] * (50 + more), [1.0] * (50 + more)).low > 99.0


@pytest.mark.parametrize(
    ("clusters", "n"), [(None, 2), (["a", "a"], 2), (None, 29), ([str(at // 2) for at in range(58)], 58)]
)
def test_too_few_say_nothing_of_more(clusters, n):
    half = [1.0, 0.0] * n
    assert samples_to_decide(pair_totals(half[:n], [1.0] * n, clusters), 99.0) is None
    assert samples_to_decide(pair_totals([0.0] * 99, [0.0] * 99), 99.0) is None


@cache
def half_lost(n, lost):
    """``n`` samples that the baseline has right; the candidate loses ``lost`` of them."""
    return pair_totals([1.0] * n, [0.0] * lost + [1.0] * (n - lost))


def test_an_average_of_one_task_needs_about_what_the_task_needs():
    one = half_lost(900, 30)
    likely = samples_to_decide_average([one], 96.0).samples(0.8)
    assert likely == pytest.approx(samples_to_decide(one, 96.0).samples(0.8), rel=0.25)


def test_growing_every_task_alike_decides_an_average_as_often_as_it_says():
    """Two tasks whose shares that are lost lie anywhere about what the threshold allows."""
    threshold, rng, decided, rows = 97.5, np.random.default_rng(7), [0, 0], 0
    for lost in rng.uniform(0.005, 0.045, 1500):
        sizes = (300, 600)
        first = [int(rng.binomial(n, lost)) for n in sizes]
        row = [half_lost(n, count) for n, count in zip(sizes, first, strict=True)]
        found = average_recovery(row)
        if not found.low < threshold <= found.high:
            continue
        rows += 1
        more = samples_to_decide_average(row, threshold)
        for at, likely in enumerate((0.5, 0.8)):
            factor = 1 + more.samples(likely) / sum(sizes)
            grown = []
            for n, count in zip(sizes, first, strict=True):
                extra = round(n * factor) - n
                grown.append(lost_of(n + extra, count + int(rng.binomial(extra, lost))))
            late = average_recovery(grown)
            decided[at] += not late.low < threshold <= late.high
    assert rows > 400
    assert decided[0] / rows == pytest.approx(0.5, abs=0.07)
    assert decided[1] / rows == pytest.approx(0.8, abs=0.07)


def lost_of(n, lost):
    """``half_lost`` without lists."""
    return flipped((n - lost, lost, 0, 0))


def test_an_average_that_is_decided_needs_no_more():
    tasks = [half_lost(400, 16), half_lost(900, 9)]
    assert samples_to_decide_average(tasks, 90.0).samples(0.8) == 0
    assert samples_to_decide_average(tasks, average_recovery(tasks).percent).errors == pytest.approx(0.0, abs=1e-9)
    assert samples_to_decide_average([pair_totals([0.0] * 9, [0.0] * 9)], 99.0) is None
    assert samples_to_decide_average([half_lost(900, 9), half_lost(20, 2)], 97.0) is None
