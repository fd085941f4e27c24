"""Both intervals against independent forms of the same test."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalkit.stats import Grouping, pair_totals
from evalkit.stats.interval import (
    DIFFERENCE,
    MEAN,
    RATIO,
    fieller,
    interval,
    method,
    p_below,
    quantile,
    score_statistic,
    statistic,
)
from evalkit.stats.quantiles import t_quantile, two_sided
from evalkit.stats.totals import Covariance

counts = st.tuples(st.integers(0, 40), st.integers(0, 8), st.integers(0, 8), st.integers(0, 40))


def expand(both, regressed, improved, neither):
    """0/1 scores of the baseline and of the candidate."""
    baseline = [1.0] * (both + regressed) + [0.0] * (improved + neither)
    candidate = [1.0] * both + [0.0] * regressed + [1.0] * improved + [0.0] * neither
    return baseline, candidate


def likeliest_variance(table, ratio):
    """Variance of candidate - ratio * baseline under the multinomial table that is likeliest given the ratio.

    A plain search over the two free probabilities, which shares nothing with the tilted weights of the package.
    """

    def cells(p11, p10):
        p01 = ratio * (p11 + p10) - p11
        return p11, p10, p01, 1 - p11 - p10 - p01

    def likelihood(p11, p10):
        parts = cells(p11, p10)
        if min(parts) < 0:
            return -math.inf
        return sum(n * math.log(max(p, 1e-300)) for n, p in zip(table, parts, strict=True) if n)

    def best(function, low, high):
        golden = (math.sqrt(5) - 1) / 2
        for _ in range(70):
            left, right = high - golden * (high - low), low + golden * (high - low)
            low, high = (low, right) if function(left) >= function(right) else (left, high)
        return (low + high) / 2

    def best_p10(p11):
        # p01 >= 0 and p00 >= 0 bound p10 from below and from above.
        return best(lambda p10: likelihood(p11, p10), max(0, p11 / ratio - p11), (1 - ratio * p11) / (1 + ratio))

    p11 = best(lambda p: likelihood(p, best_p10(p)), 0.0, min(1.0, ratio))
    p11, p10, p01, _ = cells(p11, best_p10(p11))
    return p11 * (1 - ratio) ** 2 + p10 * ratio**2 + p01


@pytest.mark.parametrize("table", [(100, 3, 2, 59), (50, 0, 0, 10), (30, 4, 0, 6), (20, 0, 3, 1), (7, 1, 1, 0)])
@pytest.mark.parametrize("ratio", [0.8, 0.97, 1.05, 1.6])
def test_for_right_or_wrong_scores_the_statistic_is_that_of_nam_and_blackwelder(table, ratio):
    n = sum(table)
    mean = (table[0] + table[2] - ratio * (table[0] + table[1])) / n
    expected = mean / math.sqrt(likeliest_variance(table, ratio) / n)
    assert score_statistic(pair_totals(*expand(*table)).cells, ratio, RATIO) == pytest.approx(expected, rel=1e-4)


@given(table=counts, difference=st.floats(-0.9, 0.9))
def test_for_a_paired_difference_the_statistic_is_tangos_closed_form(table, difference):
    both, b, c, neither = table
    n = both + b + c + neither
    assume(n > 0)
    # Tango 1998: the share that regressed minus the share that improved, tested at `drop`.
    drop = -difference
    assume(abs(b - c - n * drop) > 1e-6)
    a2, a1, a0 = 2 * n, -b - c + (2 * n - b + c) * drop, -c * drop * (1 - drop)
    q = (math.sqrt(max(a1 * a1 - 4 * a2 * a0, 0)) - a1) / (2 * a2)
    variance = n * (2 * q + drop * (1 - drop))
    assume(variance > 1e-9)
    expected = -(b - c - n * drop) / math.sqrt(variance)
    baseline, candidate = expand(*table)
    changes = [after - before for before, after in zip(baseline, candidate, strict=True)]
    totals = pair_totals([1.0] * n, changes)
    assert score_statistic(totals.cells, difference, DIFFERENCE) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@given(table=counts)
def test_score_ends_are_where_the_statistic_reaches_the_quantile(table):
    assume(table[0] + table[1] > 0 and table[0] + table[2] > 0)
    totals = pair_totals(*expand(*table))
    found = interval(totals, RATIO)
    assert found.method == "score"
    assert score_statistic(totals.cells, found.low, RATIO) == pytest.approx(two_sided(0.95), abs=1e-6)
    assert score_statistic(totals.cells, found.high, RATIO) == pytest.approx(-two_sided(0.95), abs=1e-6)


def test_fieller_ends_are_where_the_difference_is_q_standard_errors_from_0():
    totals = pair_totals(*expand(400, 80, 60, 300))
    found = interval(totals, RATIO)
    assert found.method == "fieller"
    q = quantile(totals, 0.95)
    assert statistic(totals, found.low, RATIO) == pytest.approx(q)
    assert statistic(totals, found.high, RATIO) == pytest.approx(-q)


def test_fieller_is_none_where_the_set_is_unbounded():
    assert fieller(0.01, 0.02, Covariance(x=0.0001, xy=0.0, y=0.0001), two_sided(0.95)) is None
    assert fieller(0.02, 0.02, Covariance(x=0.0001, xy=0.0, y=0.0001), two_sided(0.95)) is not None


def test_a_baseline_near_0_gets_the_bounded_score_interval():
    # 303 samples changed, but the three that the baseline had right carry the error of the ratio.
    totals = pair_totals(*expand(1, 2, 300, 3000))
    assert totals.carriers == pytest.approx(3, abs=0.2)
    assert fieller(totals.x, totals.y, totals.covariance, two_sided(0.95)) is None
    found = interval(totals, RATIO)
    assert found.method == "score"
    assert 1 < found.low < found.high < math.inf


@pytest.mark.parametrize(("changed", "expected"), [(40, "score"), (60, "fieller")])
def test_a_hundred_changed_samples_are_enough_for_fieller(changed, expected):
    assert method(pair_totals(*expand(900, changed, changed, 100))) == expected


def test_both_methods_agree_where_one_takes_over_from_the_other():
    below = interval(pair_totals(*expand(900, 49, 49, 900)), RATIO)
    above = interval(pair_totals(*expand(900, 51, 51, 900)), RATIO)
    assert (below.method, above.method) == ("score", "fieller")
    assert above.high - above.low == pytest.approx((below.high - below.low) * math.sqrt(102 / 98), rel=0.02)


def test_samples_in_one_cluster_give_no_interval():
    assert interval(pair_totals([1, 0, 1], [1, 1, 1], ["a"] * 3), RATIO) is None


def test_clusters_that_agree_within_count_as_one_sample_each():
    baseline, candidate = expand(300, 12, 8, 80)
    narrow = interval(pair_totals(baseline, candidate), RATIO)
    wide = interval(pair_totals(baseline * 4, candidate * 4, [str(i) for i in range(400)] * 4), RATIO)
    assert wide.high - wide.low == pytest.approx(narrow.high - narrow.low, rel=0.06)


def test_where_nothing_changed_a_cluster_counts_as_one_sample():
    alone = interval(pair_totals([1.0] * 50, [1.0] * 50), RATIO)
    inside = interval(pair_totals([1.0] * 200, [1.0] * 200, [str(i // 4) for i in range(200)]), RATIO)
    assert inside.low == pytest.approx(alone.low, abs=0.005)


@pytest.mark.parametrize("count", [4, 9])
def test_a_lucky_few_clusters_cannot_make_the_interval_narrower_than_independence(count):
    baseline, candidate = expand(60, 9, 9, 21)
    clusters = [str(i % count) for i in range(99)]
    mixed, alone = pair_totals(baseline, candidate, clusters), pair_totals(baseline, candidate)
    assert mixed.covariance.of_difference(1.0) < 0.7 * alone.covariance.of_difference(1.0)
    found, single = interval(mixed, RATIO), interval(alone, RATIO)
    assert found.low <= single.low < single.high <= found.high


# --- where nothing, or next to nothing, varies ---

SUBJECTS = [str(at % 57) for at in range(14_042)]


def nearly_identical(n, changed, groups):
    baseline = [float(at % 3 > 0) for at in range(n)]
    candidate = list(baseline)
    for at in range(1, 1 + 3 * changed, 3):
        candidate[at] = 0.0
    found = interval(pair_totals(baseline, candidate, groups), RATIO)
    return 100 * found.low, 100 * found.high


@pytest.mark.parametrize("changed", [0, 1])
def test_identical_answers_to_all_of_mmlu_are_within_a_tenth_of_100(changed):
    low, high = nearly_identical(14_042, changed, Grouping(strata=SUBJECTS))
    assert 99.9 <= low < 100.0 <= high <= 100.1


def test_456_questions_and_one_flip():
    low, high = nearly_identical(456, 1, Grouping(strata=SUBJECTS[:456]))
    assert (low, high) == (pytest.approx(98.2, abs=0.2), pytest.approx(100.9, abs=0.1))


@pytest.mark.parametrize("size", [4, 100, 1337])
@pytest.mark.parametrize("changed", [0, 1])
def test_where_at_most_one_cluster_changed_every_cluster_counts_as_one_sample(size, changed):
    """And one that holds half of all samples does not make one of a thousand others."""
    clusters = [str(at // 4) for at in range(5348)]
    even = nearly_identical(5348, changed, clusters)
    low, high = nearly_identical(5348, changed, ["big"] * size + clusters[size:])
    count = 1 + (5348 - size) // 4
    assert high - low == pytest.approx((even[1] - even[0]) * 1337 / count, rel=0.15)


def test_averages_of_many_attempts_are_fiellers_from_forty_carriers():
    base = [0.2, 0.5, 0.9, 0.7] * 15
    cand = [0.3, 0.4, 1.0, 0.6] * 15
    few, many = (pair_totals(base, cand, attempts=attempts) for attempts in (1, 50))
    assert 40 <= few.carriers < 100
    assert (method(few), method(many)) == ("score", "fieller")
    assert quantile(many, 0.95) == pytest.approx(t_quantile(0.975, 59))
    broken = pair_totals(base, [0.0, 0.0, *cand[2:]], attempts=50)
    assert method(broken) == "score"


# --- clusters: one loss more, one gain more ---

SCORES = st.sampled_from([0.0, 0.3, 0.9, 1.0])
SHAPES = st.lists(st.sampled_from([1, 1, 2, 3, 5, 12, 40]), min_size=2, max_size=40)


@st.composite
def one_more_change(draw, scores=SCORES):
    """Clusters of any shape with any changes, and the same with one sample lost or gained: old, new, lost."""
    clusters = [str(at) for at, size in enumerate(draw(SHAPES)) for _ in range(size)]
    n = len(clusters)
    share = draw(st.sampled_from([0.3, 0.9]))
    rng = draw(st.randoms(use_true_random=False))
    baseline = [1.0 if rng.random() < share else 0.0 for _ in range(n)]
    candidate = list(baseline)
    for at in draw(st.lists(st.integers(0, n - 1), max_size=25)):
        candidate[at] = draw(scores)
    if draw(st.booleans()):  # a cluster that breaks altogether
        broken = draw(st.sampled_from(clusters))
        candidate = [0.0 if own == broken else score for own, score in zip(clusters, candidate, strict=True)]
    at = draw(st.integers(0, n - 1))
    other = draw(scores.filter(lambda score: score != candidate[at]))
    changed = [*candidate[:at], other, *candidate[at + 1 :]]
    return (baseline, candidate, clusters), (baseline, changed, clusters), other < candidate[at]


@given(drawn=one_more_change())
@settings(max_examples=150)
def test_one_loss_more_never_raises_the_low_end_and_one_gain_more_never_lowers_the_high_end(drawn):
    old, new, lost = drawn
    assume(sum(old[0]) > 0)
    before, after = (interval(pair_totals(*one), RATIO) for one in (old, new))
    if lost:
        assert after.low <= before.low + 1e-7
    else:
        assert after.high >= before.high - 1e-7 * max(1.0, before.high)


@pytest.mark.parametrize("support", [MEAN, DIFFERENCE])
@given(drawn=one_more_change())
@settings(max_examples=50)
def test_the_same_holds_for_means_and_for_differences_of_shares(support, drawn):
    old, new, lost = drawn
    ends = []
    for baseline, candidate, clusters in (old, new):
        changes = [after - before for before, after in zip(baseline, candidate, strict=True)]
        values = candidate if support is MEAN else changes
        ends.append(interval(pair_totals([1.0] * len(values), values, clusters), support))
    assert ends[1].low <= ends[0].low + 1e-7 if lost else ends[1].high >= ends[0].high - 1e-7


def losing(count, size, n=4000):
    """The interval in percent where ``count`` clusters of ``size`` lose a sample each."""
    baseline = [float(at % 5 < 4) for at in range(n)]
    candidate = list(baseline)
    for at in range(count):
        first = at * 37 % (n // size) * size
        candidate[first + (first % 5 == 4)] = 0.0
    found = interval(pair_totals(baseline, candidate, [str(at // size) for at in range(n)]), RATIO)
    return 100 * found.low, 100 * found.high


def test_two_losses_do_not_make_four_hundred_pictures_of_ten_surer_than_none():
    none, one, two = (losing(count, 10) for count in range(3))
    assert none == (pytest.approx(98.81, abs=0.01), pytest.approx(101.20, abs=0.01))
    assert one == (pytest.approx(none[0]), pytest.approx(101.17, abs=0.01))
    assert two == (pytest.approx(none[0]), pytest.approx(101.14, abs=0.01))
    assert losing(10, 10) == (pytest.approx(none[0]), pytest.approx(100.89, abs=0.01))
    assert losing(100, 10) == (pytest.approx(96.21, abs=0.01), pytest.approx(98.29, abs=0.01))


@pytest.mark.parametrize("size", [2, 10, 100])
def test_losses_move_the_ends_step_by_step_and_not_at_once(size):
    found = [losing(count, size) for count in range(30)]
    width = found[0][1] - found[0][0]
    for before, after in itertools.pairwise(found):
        assert before[0] - 0.2 * width <= after[0] <= before[0] + 1e-7
        assert abs(after[1] - before[1]) <= 0.2 * width


def test_whole_clusters_that_break_count_as_lost_samples_would():
    """Ten of 400 pictures, all of their ten samples lost: as ten of 400 single samples."""
    baseline = [1.0] * 400
    candidate = [0.0] * 10 + [1.0] * 390
    alone = interval(pair_totals(baseline, candidate), RATIO)
    pictures = [str(at) for at in range(400) for _ in range(10)]
    tenfold = pair_totals(*([score for score in side for _ in range(10)] for side in (baseline, candidate)), pictures)
    found = interval(tenfold, RATIO)
    assert (found.low, found.high) == (pytest.approx(alone.low, abs=0.002), pytest.approx(alone.high, abs=0.006))


def test_identical_candidates_are_surer_the_more_clusters_there_are():
    by_count = [losing(0, 10, n=10 * count) for count in (3, 8, 30, 100, 1000)]
    by_size = [losing(0, size) for size in (1000, 500, 100, 10, 5, 2)]
    for found in (by_count, by_size):
        for (low, high), (surer_low, surer_high) in itertools.pairwise(found):
            assert low <= surer_low < 100 < surer_high <= high
    assert by_count[-1][1] - by_count[-1][0] < 0.01 * (by_count[0][1] - by_count[0][0])
    assert by_size[-1][1] - by_size[-1][0] < 0.01 * (by_size[0][1] - by_size[0][0])


def test_p_is_that_of_the_interval_where_samples_share_clusters():
    baseline, candidate = expand(300, 30, 8, 80)
    totals = pair_totals(baseline, candidate, [str(at // 4) for at in range(418)])
    for ratio in (0.92, 0.97, 0.99, 1.02):
        p = p_below(totals, ratio, RATIO)
        if p < 0.5:
            assert interval(totals, RATIO, 1.0 - 2.0 * p).high == pytest.approx(ratio, abs=1e-6)
    assert p_below(totals, interval(totals, RATIO).high, RATIO) == pytest.approx(0.025, abs=1e-6)
