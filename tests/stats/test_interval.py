"""Both intervals against independent forms of the same test."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evalkit.stats import Grouping, pair_totals
from evalkit.stats.interval import (
    DIFFERENCE,
    RATIO,
    design_effect,
    fieller,
    interval,
    method,
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
    assert score_statistic(pair_totals(*expand(*table)), ratio, RATIO) == pytest.approx(expected, rel=1e-4)


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
    assert score_statistic(totals, difference, DIFFERENCE) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@given(table=counts)
def test_score_ends_are_where_the_statistic_reaches_the_quantile(table):
    assume(table[0] + table[1] > 0 and table[0] + table[2] > 0)
    totals = pair_totals(*expand(*table))
    found = interval(totals, RATIO)
    assert found.method == "score"
    assert score_statistic(totals, found.low, RATIO) == pytest.approx(two_sided(0.95), abs=1e-6)
    assert score_statistic(totals, found.high, RATIO) == pytest.approx(-two_sided(0.95), abs=1e-6)


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


def test_clusters_that_agree_within_widen_the_interval_by_the_design_effect():
    baseline, candidate = expand(300, 12, 8, 80)
    alone = pair_totals(baseline, candidate)
    fourfold = pair_totals(baseline * 4, candidate * 4, [str(i) for i in range(400)] * 4)
    assert design_effect(alone) == 1.0
    assert design_effect(fourfold) == pytest.approx(4 * 400 / 399)
    narrow, wide = interval(alone, RATIO), interval(fourfold, RATIO)
    assert wide.high - wide.low == pytest.approx(narrow.high - narrow.low, rel=0.06)  # t for the normal quantile


def test_where_nothing_changed_a_cluster_counts_as_one_sample():
    alone = interval(pair_totals([1.0] * 50, [1.0] * 50), RATIO)
    inside = interval(pair_totals([1.0] * 200, [1.0] * 200, [str(i // 4) for i in range(200)]), RATIO)
    assert inside.low == pytest.approx(alone.low, abs=0.005)


def test_a_lucky_few_clusters_cannot_make_the_interval_narrower_than_independence():
    baseline, candidate = expand(60, 9, 9, 21)
    mixed = pair_totals(baseline, candidate, [str(i % 4) for i in range(99)])
    assert mixed.covariance.of_difference(1.0) < 0.5 * mixed.plain_variance(1.0)
    assert design_effect(mixed) == 1.0
    alone = interval(pair_totals(baseline, candidate), RATIO)
    found = interval(mixed, RATIO)
    assert found.low < alone.low < alone.high < found.high


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
