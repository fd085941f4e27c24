"""What n samples can see, checked by simulation, and how many more would decide."""

from __future__ import annotations

import math
import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import DataError
from evalkit.stats import (
    MoreSamples,
    average_recovery,
    chance_to_show,
    minimum_detectable_drop,
    pair_totals,
    recovery,
    samples_to_decide,
    samples_to_decide_average,
)


def test_the_formula_in_points():
    # 2.80 * sqrt(0.05 / 900) = 2.09 points: not 0.15, and not 22.
    assert 100 * minimum_detectable_drop(900, 0.05) == pytest.approx(2.088, abs=0.001)
    assert 100 * minimum_detectable_drop(14_042, 0.10) == pytest.approx(280.16 * math.sqrt(0.1 / 14_042), rel=1e-3)


def test_a_drop_of_that_size_is_seen_four_times_in_five():
    n, discordance = 900, 0.05
    drop = minimum_detectable_drop(n, discordance)
    rng = random.Random(20250711)
    worse, better = (discordance + drop) / 2, (discordance - drop) / 2
    seen = 0
    for _ in range(1500):
        draws = [rng.random() for _ in range(n)]
        lost = sum(u < worse for u in draws)
        won = sum(worse <= u < worse + better for u in draws)
        seen += (lost - won) / math.sqrt(max(lost + won - (lost - won) ** 2 / n, 1e-9)) > 1.96
    assert seen / 1500 == pytest.approx(0.8, abs=0.035)


def test_a_drop_cannot_exceed_the_share_that_changes():
    # With 2 % of 164 samples changing, 3.1 points would need more changes than there are.
    drop = minimum_detectable_drop(164, 0.02)
    assert drop == pytest.approx(2.8016**2 / 164, rel=1e-3)
    assert minimum_detectable_drop(3, 0.0) == 1.0


def test_clusters_cost_samples():
    assert minimum_detectable_drop(5349, 0.1, design_effect=4) == pytest.approx(2 * minimum_detectable_drop(5349, 0.1))


@given(n=st.integers(1, 10**6), discordance=st.floats(0, 1))
def test_more_samples_never_see_less(n, discordance):
    assert minimum_detectable_drop(n + 1, discordance) <= minimum_detectable_drop(n, discordance) + 1e-12


@pytest.mark.parametrize(("n", "discordance"), [(0, 0.1), (10, 1.5), (10, -0.1)])
def test_impossible_plans_are_refused(n, discordance):
    with pytest.raises(DataError):
        minimum_detectable_drop(n, discordance)


def scores(copies):
    """60 % right, one sample in 50 lost and one in 100 won: recovery 98.33 %."""
    baseline = [1.0] * 60 + [0.0] * 40
    candidate = [1.0] * 58 + [0.0] * 2 + [1.0] * 1 + [0.0] * 39
    return baseline * copies, candidate * copies


@pytest.mark.parametrize(("copies", "threshold"), [(3, 97.0), (3, 99.5), (60, 99.0), (60, 98.0)])
def test_that_many_more_samples_decide_and_fewer_do_not(copies, threshold):
    more = samples_to_decide(pair_totals(*scores(copies)), threshold, power=0.5).likely
    enough = copies + more / 100

    def decided(number):
        found = recovery(*scores(number))
        return found.low >= threshold or found.high < threshold

    assert more > 0
    assert not decided(copies)
    assert not decided(math.floor(enough * 0.93))
    assert decided(math.ceil(enough * 1.07))


def test_asking_for_certainty_costs_more():
    totals = pair_totals(*scores(9))
    sure, even = (samples_to_decide(totals, 99.0, power=power).likely for power in (0.9, 0.5))
    assert sure > even > 0


def test_the_range_holds_the_number_that_the_true_recovery_needs_at_least_four_times_in_five():
    """900 samples of which 6 % change, at a true recovery of 98 %: against 99 % some 6,000 are needed."""
    baseline, discordance, lost, n = 0.6, 0.06, 0.02, 900
    variance = discordance / baseline**2
    needed = (1.96 + 0.842) ** 2 * variance / (lost - 0.01) ** 2 - n
    worse, better = (discordance + lost * baseline) / 2, (discordance - lost * baseline) / 2
    rng = np.random.default_rng(5)
    held = unbounded = 0
    for both, down, up, _ in rng.multinomial(
        n, [baseline - worse, worse, better, 1 - baseline - better], size=400
    ).tolist():
        right = [1.0] * both
        base = [*right, *[1.0] * down, *[0.0] * (n - both - down)]
        cand = [*right, *[0.0] * down, *[1.0] * up, *[0.0] * (n - both - down - up)]
        more = samples_to_decide(pair_totals(base, cand), 99.0)
        held += more.fewest <= needed and (more.most is None or needed <= more.most) and more.likely != 0
        unbounded += more.most is None
    assert held / 400 >= 0.8 - 0.06
    assert unbounded > 200  # one number would mostly have been noise


def test_decided_already():
    assert samples_to_decide(pair_totals(*scores(9)), 80.0) == MoreSamples(0, 0, 0)


def test_no_number_decides_at_the_threshold_itself():
    more = samples_to_decide(pair_totals([1.0] * 50, [1.0] * 50), 100.0)
    assert (more.likely, more.most) == (None, None)
    # Were the truth as far away as it may be: (2.80 / 1.28)^2 times as many samples.
    assert more.fewest == pytest.approx(50 * (2.8016 / 1.2816) ** 2 - 50, abs=1)


def test_identical_answers_decide_below_100_in_the_end():
    more = samples_to_decide(pair_totals([1.0] * 50, [1.0] * 50), 99.0, power=0.5).likely
    assert recovery([1.0] * (50 + more), [1.0] * (50 + more)).low == pytest.approx(99.0, abs=0.01)


@pytest.mark.parametrize("clusters", [None, ["a", "a"]])
def test_no_number_decides_without_a_baseline_or_a_second_cluster(clusters):
    baseline = [0.0, 0.0] if clusters is None else [1.0, 0.0]
    assert samples_to_decide(pair_totals(baseline, [1.0, 0.0], clusters), 99.0) is None


@cache
def half_lost(n, lost):
    """``n`` samples that the baseline has right; the candidate loses ``lost`` of them."""
    return pair_totals([1.0] * n, [0.0] * lost + [1.0] * (n - lost))


def test_growing_every_task_alike_decides_an_average_four_times_in_five():
    tasks, threshold = [half_lost(4000, 160), half_lost(9000, 90)], 97.2
    factor = 1 + samples_to_decide_average(tasks, threshold).likely / 13_000
    rng = np.random.default_rng(7)
    decided = 0
    for _ in range(300):
        sizes = [(round(n * factor), share) for n, share in ((4000, 0.04), (9000, 0.01))]
        drawn = [half_lost(n, int(rng.binomial(n, share))) for n, share in sizes]
        decided += average_recovery(drawn).low >= threshold
    assert decided / 300 == pytest.approx(0.8, abs=0.07)


def test_an_average_of_one_task_needs_about_what_the_task_needs():
    one = half_lost(900, 30)
    likely = samples_to_decide_average([one], 96.0).likely
    assert likely == pytest.approx(samples_to_decide(one, 96.0).likely, rel=0.25)


def test_an_average_that_is_decided_needs_no_more_and_one_on_the_threshold_never_has_enough():
    tasks = [half_lost(400, 16), half_lost(900, 9)]
    assert samples_to_decide_average(tasks, 90.0) == MoreSamples(0, 0, 0)
    assert samples_to_decide_average(tasks, average_recovery(tasks).percent).likely is None
    assert samples_to_decide_average([pair_totals([0.0] * 9, [0.0] * 9)], 99.0) is None


@pytest.mark.parametrize("distance", [0.0, 0.01, 0.02])
def test_the_chance_to_show_a_recovery_is_how_often_it_is_shown(distance):
    """1,000 comparisons of 2,000 samples at a threshold below the true recovery of 100 %."""
    chance, n, changed = np.random.default_rng(7), 2000, 0.04
    worse = chance.binomial(n, changed / 2, 1000)
    better = chance.binomial(n, changed / 2, 1000)
    means = 0.8 + (better - worse) / n
    errors = np.sqrt((worse + better) / n / n)
    shown = np.mean(means - (1 - distance) * 0.8 >= 1.96 * errors)
    assert chance_to_show(n, changed**0.5, 0.8, distance) == pytest.approx(shown, abs=0.05)
