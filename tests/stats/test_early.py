"""Looks at a growing part of a finite benchmark: their constants, their repeated intervals, and a cross-check."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats import Grouping, Look, Schedule, pair_totals
from evalkit.stats.early import (
    FEWEST_UNITS,
    LOOKS,
    LOOKS_AT_MANY,
    MANY_UNITS,
    boundary,
    chance_beyond,
    fractions,
    information,
    mean_of,
    part_of_benchmark,
    whole,
)
from evalkit.stats.interval import fieller
from evalkit.stats.quantiles import two_sided

FIVE, EIGHT = Schedule(5, information(LOOKS)), Schedule(8, information(LOOKS_AT_MANY))
SCORES = st.sampled_from([0.0, 0.3, 0.5, 1.0])
PAIRS = st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=60).filter(lambda found: any(x for x, _ in found))


def totals(pairs, clusters=None):
    x, y = zip(*pairs, strict=True)
    return pair_totals(x, y, Grouping(clusters=clusters))


def test_the_constants_are_those_of_the_literature():
    assert boundary(FIVE) == pytest.approx(2.512, abs=1e-3)
    assert boundary(EIGHT) == pytest.approx(2.656, abs=1e-3)
    # Equal steps: Pocock's own constants for 2, 3, 5 and 10 looks (Jennison and Turnbull 2000, table 2.1).
    for looks, constant in {1: 1.960, 2: 2.178, 3: 2.289, 5: 2.413, 10: 2.555}.items():
        assert boundary(Schedule(looks, tuple(map(float, range(1, looks + 1))))) == pytest.approx(constant, abs=1e-3)


def test_looks_of_unknown_information_cost_a_little_more_whatever_they_know():
    chance = np.random.default_rng(1)
    for _ in range(20):
        known = tuple(np.cumsum(chance.exponential(size=8) ** 3).tolist())
        assert two_sided(0.95) <= boundary(Schedule(8, known)) <= boundary(Schedule(8)) + 1e-3
    assert boundary(Schedule(8)) == pytest.approx(2.727, abs=1e-3)


def test_the_constant_falls_as_the_error_grows_and_the_chance_falls_as_the_constant_grows():
    for schedule in (FIVE, EIGHT, Schedule(5)):
        constants = [boundary(schedule, error) for error in (0.001, 0.01, 0.05, 0.1, 0.3)]
        assert constants == sorted(constants, reverse=True)
        assert [chance_beyond(schedule, one) for one in constants] == pytest.approx(
            [0.001, 0.01, 0.05, 0.1, 0.3], rel=1e-3
        )
        chances = [chance_beyond(schedule, one) for one in (0.01, 0.5, 1.0, 2.0, 4.0, 8.0, 40.0)]
        assert chances == sorted(chances, reverse=True)
        assert chances[0] == pytest.approx(1.0)
        assert 0.0 <= chances[-1] < 1e-9


def test_the_looks_of_a_benchmark_by_its_size():
    assert fractions(FEWEST_UNITS - 1) == ()
    assert fractions(FEWEST_UNITS) == LOOKS
    assert fractions(MANY_UNITS) == LOOKS_AT_MANY
    assert min(LOOKS) * FEWEST_UNITS > 60
    assert min(LOOKS_AT_MANY) * MANY_UNITS > 60


@given(PAIRS, st.integers(0, 500))
def test_nothing_is_left_to_chance_once_all_is_asked_and_less_the_more_is_asked(pairs, more):
    found = totals(pairs)
    part = part_of_benchmark(found, len(pairs) + more)
    further = part_of_benchmark(found, len(pairs) + more + 1)
    assert (part.x, part.y) == (found.x, found.y)
    for ratio in (0.0, 0.9, 1.0):
        assert 0.0 <= part.covariance.of_difference(ratio) <= further.covariance.of_difference(ratio) + 1e-15
    if more == 0:
        assert part == whole(found)
        look = Look(5, FIVE, part).recovery(found.n, found.clusters)
        assert look.low == pytest.approx(look.percent) == look.high


@given(PAIRS, st.floats(0.5, 1.2))
def test_the_interval_and_the_distance_decide_alike(pairs, ratio):
    """A threshold is outside of the repeated interval where y - T x is at least c standard errors from 0."""
    part = part_of_benchmark(totals(pairs), 4 * len(pairs))
    look = Look(1, FIVE, part)
    found = look.recovery(len(pairs), len(pairs))
    away, spread = part.y - ratio * part.x, math.sqrt(part.covariance.of_difference(ratio))
    if found.low is None:
        assert fieller(part.x, part.y, part.covariance, boundary(FIVE)) is None
        return
    if abs(abs(away) / spread - boundary(FIVE)) < 1e-6:
        return
    below, above = found.high < 100 * ratio, found.low > 100 * ratio
    assert below == (away <= -boundary(FIVE) * spread)
    if found.low > 0.0:
        assert above == (away >= boundary(FIVE) * spread)
    assert below == (look.p_of_loss(100 * ratio) < 0.025)


def test_pictures_count_as_wholes():
    """Questions of one picture that go together say less than as many of pictures of their own."""
    pairs = [(1.0, 0.0 if at % 10 == 0 else 1.0) for at in range(60) for _ in range(3)]
    together = part_of_benchmark(totals(pairs, [str(at) for at in range(60) for _ in range(3)]), 240)
    apart = part_of_benchmark(totals(pairs), 720)
    assert together.covariance.y > 2.0 * apart.covariance.y
    # Sizes that differ: the mean is over questions, and its variance over pictures.
    sizes = [1, 2, 7] * 30
    pairs = [(1.0, float(at % 5 > 0)) for at, size in enumerate(sizes) for _ in range(size)]
    clusters = [str(at) for at, size in enumerate(sizes) for _ in range(size)]
    part = part_of_benchmark(totals(pairs, clusters), 400)
    chance = np.random.default_rng(2)
    units = np.array([(size, float(at % 5 > 0) * size) for at, size in enumerate(sizes)])
    pages = np.tile(units, (5, 1))[:400]
    drawn = [pages[chance.permutation(400)[:90]].sum(axis=0) for _ in range(3000)]
    means = np.array([right / count for count, right in drawn])
    changes = 2.0 / 90**2 * (90 / sum(sizes)) ** 2 * (1 - 90 / 400)
    assert part.covariance.y - changes == pytest.approx(means.var(), rel=0.15)


def test_an_average_is_the_mean_of_its_tasks_and_small_ones_that_are_whole_add_no_chance():
    first, second = totals([(1.0, 1.0), (1.0, 0.0), (0.0, 0.0)] * 20), totals([(1.0, 1.0), (0.0, 1.0)] * 20)
    part = part_of_benchmark(first, 600)
    both = mean_of([part, whole(second)])
    assert (both.x, both.y) == pytest.approx(((first.x + second.x) / 2, (first.y + second.y) / 2))
    assert both.covariance.y == pytest.approx(part.covariance.y / 4)


def test_a_baseline_that_cannot_be_told_from_nothing_has_no_interval():
    found = Look(1, FIVE, part_of_benchmark(totals([(1.0, 1.0)] + [(0.0, 0.0)] * 9), 1000)).recovery(10, 10)
    assert (found.low, found.high) == (None, None)
    assert "within its error of 0" in found.reason


# --- a cross-check that knows nothing of normal limits ---


def bets(values, means, size):
    """Whether a betting test ever refuses each mean of a finite population, from values in 0 to 1 as they are drawn.

    The capital process without replacement of Waudby-Smith and Ramdas (2020), section 5: what is left to be drawn has
    the mean (N m - sum so far) / (N - drawn so far), if m is the mean of all. Two bets with half of the stake each, one
    that it is more and one that it is less; by Ville's inequality either wealth reaches 1 / error with a chance of at
    most ``error``, at any time whatever.
    """
    error, drawn = 0.05, values.shape[1]
    before = np.cumsum(values, axis=1) - values
    count = np.arange(drawn)
    left = (size * means[:, None] - before) / (size - count)
    seen = (0.5 + before) / (count + 1.0)
    spread = np.cumsum((values - seen) ** 2, axis=1) - (values - seen) ** 2
    variance = (0.25 + spread) / (count + 1.0)
    stake = np.sqrt(2.0 * math.log(2.0 / error) / (variance * drawn))
    up = 1.0 + np.minimum(stake, 0.5 / np.maximum(left, 1e-9)) * (values - left)
    down = 1.0 - np.minimum(stake, 0.5 / np.maximum(1.0 - left, 1e-9)) * (values - left)
    wealth = [np.cumsum(np.log(np.maximum(one, 1e-12)), axis=1) for one in (up, down)]
    impossible = ((left < -1e-9) | (left > 1.0 + 1e-9)).any(axis=1)
    reached = [(one >= math.log(2.0 / error)).any(axis=1) for one in wealth]
    return reached[0] | impossible, reached[1] | impossible


@pytest.mark.parametrize(("truth", "wins"), [(0.97, "up"), (0.90, "neither"), (0.80, "down")])
def test_a_betting_sequence_comes_to_the_same(truth, wins):
    """1,600 questions, 10 % of them changed, threshold 90: clear cases come out alike, and a truth at it in neither."""
    chance, size, threshold, times = np.random.default_rng(3), 1600, 0.9, 120
    right, changed = 0.8 * size, 0.1 * size
    lost = round((changed + (1.0 - truth) * right) / 2)
    won = round(lost - (1.0 - truth) * right)
    base = np.zeros(size)
    base[: int(right)] = 1.0
    cand = base.copy()
    cand[:lost], cand[int(right) : int(right) + won] = 0.0, 1.0
    order = np.array([chance.permutation(size) for _ in range(times)])
    change = (cand - threshold * base + 1.0) / 2.0
    drawn = int(0.75 * size)
    up, down = bets(change[order[:, :drawn]], np.full(times, 0.5), size)
    ours = {"up": 0, "down": 0}
    for one in order:
        for number, part in enumerate(LOOKS, 1):
            some = one[: int(part * size)]
            look = Look(number, FIVE, part_of_benchmark(totals(list(zip(base[some], cand[some], strict=True))), size))
            found = look.recovery(len(some), len(some))
            if not found.low < 100 * threshold <= found.high:
                ours["up" if found.low >= 100 * threshold else "down"] += 1
                break
    if wins == "neither":
        assert (up.sum() + down.sum()) / times <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / times)
        assert (ours["up"] + ours["down"]) / times <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / times)
    else:
        theirs = {"up": int(up.sum()), "down": int(down.sum())}
        other = "down" if wins == "up" else "up"
        # Made for bounded scores of any kind, it decides later; never the other way.
        assert ours[wins] >= theirs[wins] > 0.5 * times
        assert ours[wins] > 0.95 * times
        assert ours[other] == theirs[other] == 0
