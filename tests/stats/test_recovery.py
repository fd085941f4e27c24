"""Recovery and its interval: known cases, the edges, and what must not change it."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evalkit.base.errors import DataError
from evalkit.stats import (
    PublishedScore,
    average_recovery,
    pair_totals,
    recovery,
    recovery_of,
    recovery_on_benchmark,
    unpaired_recovery,
    within_sample,
)

pairs = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 0.9, 1.0]), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from("abcdefg")),
    min_size=2,
    max_size=40,
)


def drawn(seed, n=1500, scale=1.0):
    """Scores with enough changes for Fieller."""
    rng = random.Random(seed)
    baseline = [rng.choice([0.0, 0.5, 0.8, 1.0]) for _ in range(n)]
    candidate = [rng.choice([0.0, 0.6, 1.0]) if rng.random() < 0.3 else score for score in baseline]
    return [score * scale for score in baseline], [score * scale for score in candidate]


def ends(found):
    return found.low, found.high


# --- known cases ---


def test_a_thousand_right_or_wrong_answers():
    # 500 right before; 60 lost, 50 won: 98 %. Standard error of the difference sqrt(110) / 1000 on a base of 0.5.
    baseline = [1.0] * 500 + [0.0] * 500
    candidate = [1.0] * 440 + [0.0] * 60 + [1.0] * 50 + [0.0] * 450
    found = recovery(baseline, candidate)
    assert found.percent == pytest.approx(98.0)
    assert found.method == "fieller"
    assert found.high - found.low == pytest.approx(2 * 1.965 * 100 * math.sqrt(0.110) / math.sqrt(1000) / 0.5, rel=0.01)
    assert (found.n, found.clusters, found.reason) == (1000, 1000, None)


def test_a_steady_drop_of_a_tenth_of_a_point_is_no_regression_where_one_point_is_allowed():
    # A fractional metric on which every answer is 0.1 points worse: certain, and harmless.
    baseline = [0.5 + 0.4 * (i % 7) / 7 for i in range(2000)]
    candidate = [score - 0.001 for score in baseline]
    found = recovery(baseline, candidate)
    assert found.high < 100
    assert found.low > 99


def test_a_ratio_is_never_rounded_before_it_is_compared():
    found = recovery([1.0] * 1000, [1.0] * 946 + [0.0] * 54)
    assert found.percent == pytest.approx(94.6, abs=1e-9)


# --- edges ---


def test_baseline_of_exactly_1():
    found = recovery([1.0] * 100, [1.0] * 97 + [0.0] * 3)
    # The baseline does not vary, so this is Wilson's interval of 97 of 100 where it lies below 1.
    assert found.percent == pytest.approx(97.0)
    assert 90 < found.low < 93
    assert 98.5 < found.high < 101


def test_candidate_of_exactly_0():
    found = recovery([1.0] * 30 + [0.0] * 10, [0.0] * 40)
    assert (found.percent, found.low) == (0.0, 0.0)
    assert 5 < found.high < 20


def test_candidate_and_baseline_of_exactly_1_are_not_certainly_equal():
    found = recovery([1.0] * 164, [1.0] * 164)
    assert found.percent == 100.0
    assert found.low == pytest.approx(100 / (1 + 1.96**2 / 164), abs=0.01)  # Wilson's for 164 of 164
    assert found.high > 101


def test_one_sample_says_next_to_nothing():
    found = recovery([1.0], [1.0])
    assert found.percent == 100.0
    assert found.low < 25
    assert found.high > 400


def test_all_pairs_equal_leave_room_for_what_was_not_seen():
    few, many = (recovery([1.0, 0.0] * n, [1.0, 0.0] * n) for n in (10, 1000))
    assert few.percent == many.percent == 100.0
    assert few.low < 80
    assert few.high > 120
    assert 99 < many.low < 100 < many.high < 101


def test_zero_baseline_has_no_recovery():
    found = recovery([0.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    assert (found.percent, found.low, found.high, found.method) == (None, None, None, None)
    assert found.reason == "the baseline scored 0"


def test_nearly_zero_baseline_has_a_wide_but_bounded_interval():
    found = recovery([1.0] * 2 + [0.0] * 998, [1.0] * 3 + [0.0] * 997)
    assert found.percent == pytest.approx(150)
    assert found.low < 60
    assert 200 < found.high < math.inf


def test_no_pair():
    found = recovery([], [])
    assert found.percent is None
    assert found.reason == "no sample was answered by both models"


def test_one_cluster_gives_the_recovery_without_an_interval():
    found = recovery([1.0, 1.0, 0.0], [1.0, 0.0, 0.0], ["page"] * 3)
    assert found.percent == pytest.approx(50.0)
    assert (found.low, found.high) == (None, None)
    assert "one cluster" in found.reason


def test_few_clusters_come_with_a_caution():
    baseline, candidate = drawn(1, n=300)
    assert "only 5 clusters" in recovery(baseline, candidate, [str(i % 5) for i in range(300)]).reason
    assert recovery(baseline, candidate, [str(i % 50) for i in range(300)]).reason is None


def test_ragged_attempts_count_as_one_sample_each():
    before = within_sample([("a", 1.0), ("a", 1.0), ("a", 0.0), ("b", 1.0)])
    after = within_sample([("a", 0.0), ("b", 1.0), ("b", 1.0)])
    found = recovery([before[key] for key in before], [after[key] for key in before])
    assert found.n == 2
    assert found.percent == pytest.approx(100 * 1.0 / (2 / 3 + 1.0))


@pytest.mark.parametrize(
    ("baseline", "candidate", "words"),
    [
        ([1.0], [1.0, 0.0], "cannot be paired"),
        ([1.0], [50.0], "candidate: score number 1"),
        ([-1.0], [0.0], "baseline"),
    ],
)
def test_bad_input_is_refused(baseline, candidate, words):
    with pytest.raises(DataError, match=words):
        recovery(baseline, candidate)


# --- what must hold for all data ---


@given(rows=pairs, clustered=st.booleans())
def test_the_interval_holds_the_estimate(rows, clustered):
    baseline, candidate, clusters = map(list, zip(*rows, strict=True))
    assume(sum(baseline) > 0)
    found = recovery(baseline, candidate, clusters if clustered else None)
    assume(found.low is not None)
    assert 0 <= found.low <= found.percent + 1e-6
    assert found.percent - 1e-6 <= found.high < math.inf


@given(rows=pairs, rng=st.randoms(use_true_random=False))
def test_order_does_not_matter(rows, rng):
    shuffled = rng.sample(rows, len(rows))
    one, other = (recovery(*map(list, zip(*order, strict=True))) for order in (rows, shuffled))
    assert one == other


@given(rows=pairs)
def test_clusters_of_one_are_no_clusters(rows):
    baseline, candidate, _ = map(list, zip(*rows, strict=True))
    alone = recovery(baseline, candidate)
    for clusters in ([str(i) for i in range(len(rows))], [None] * len(rows)):
        assert recovery(baseline, candidate, clusters) == alone


@pytest.mark.parametrize("n", [30, 100, 300, 3000])
@pytest.mark.parametrize("seed", range(5))
def test_doubling_every_sample_within_its_cluster_adds_nothing(n, seed):
    baseline, candidate = drawn(seed, n=n)
    # Four alike in a cluster: more than independent samples could leave open.
    once, twice = (recovery(baseline * k, candidate * k, [str(i) for i in range(n)] * k) for k in (4, 8))
    assert ends(twice) == pytest.approx(ends(once), rel=1e-6)


@given(rows=pairs)
def test_turning_the_pair_around_turns_the_interval_around(rows):
    baseline, candidate, _ = map(list, zip(*rows, strict=True))
    assume(sum(baseline) > 0 and sum(candidate) > 0)
    there, back = recovery(baseline, candidate), recovery(candidate, baseline)
    assert back.low == pytest.approx(10_000 / there.high, rel=1e-5)
    assert back.high == pytest.approx(10_000 / there.low, rel=1e-5)


@given(seed=st.integers(0, 10**6), scale=st.floats(0.05, 1.0))
def test_the_scale_of_a_metric_does_not_matter_to_fieller(seed, scale):
    whole, scaled = recovery(*drawn(seed)), recovery(*drawn(seed, scale=scale))
    assert whole.method == scaled.method == "fieller"
    assert ends(scaled) == pytest.approx(ends(whole), rel=1e-9)


@given(rows=pairs)
def test_more_confidence_is_wider(rows):
    baseline, candidate, _ = map(list, zip(*rows, strict=True))
    assume(sum(baseline) > 0 and sum(candidate) > 0)
    narrow, wide = (recovery(baseline, candidate, confidence=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low
    assert narrow.high < wide.high


# --- averages ---


def test_the_average_of_one_task_is_that_task():
    totals = pair_totals(*drawn(3))
    assert ends(average_recovery([totals])) == pytest.approx(ends(recovery_of(totals)))


def test_the_average_is_the_ratio_of_mean_task_scores_whatever_their_sizes():
    large = pair_totals([1.0] * 90 + [0.0] * 10, [1.0] * 81 + [0.0] * 19)
    small = pair_totals([1.0] * 5 + [0.0] * 5, [1.0] * 5 + [0.0] * 5)
    found = average_recovery([large, small])
    assert found.percent == pytest.approx(100 * (0.81 + 0.5) / (0.9 + 0.5))
    assert (found.n, found.method) == (110, "combined")
    assert found.low < found.percent < found.high


def test_five_alike_tasks_are_worth_five_times_the_samples():
    one = pair_totals(*drawn(4))
    wide, narrow = recovery_of(one), average_recovery([one] * 5)
    assert narrow.high - narrow.low == pytest.approx((wide.high - wide.low) / math.sqrt(5), rel=1e-6)


def test_tasks_with_unlike_recoveries_have_the_width_of_the_delta_method():
    kept = pair_totals([1.0] * 500 + [0.0] * 500, [1.0] * 440 + [0.0] * 60 + [1.0] * 60 + [0.0] * 440)
    lost = pair_totals([1.0] * 500 + [0.0] * 500, [1.0] * 150 + [0.0] * 850)
    found = average_recovery([kept, lost])
    ratio = found.percent / 100
    variance = sum(task.covariance.of_difference(ratio) for task in (kept, lost)) / (kept.x + lost.x) ** 2
    apart = sum(task.covariance.of_difference(task.y / task.x) for task in (kept, lost)) / (kept.x + lost.x) ** 2
    assert variance > 1.05 * apart
    assert found.high - found.low == pytest.approx(2 * 196.0 * math.sqrt(variance), rel=0.01)


def test_tasks_that_weigh_otherwise_have_the_width_of_the_delta_method():
    kept = pair_totals([1.0] * 500 + [0.0] * 500, [1.0] * 440 + [0.0] * 60 + [1.0] * 60 + [0.0] * 440)
    lost = pair_totals([1.0] * 500 + [0.0] * 500, [1.0] * 150 + [0.0] * 850)
    found = average_recovery([kept, lost], weights=(0.25, 0.75))
    base = 0.25 * kept.x + 0.75 * lost.x
    ratio = (0.25 * kept.y + 0.75 * lost.y) / base
    spread = 0.25**2 * kept.covariance.of_difference(ratio) + 0.75**2 * lost.covariance.of_difference(ratio)
    assert found.percent == pytest.approx(100 * ratio)
    assert found.high - found.low == pytest.approx(2 * 196.0 * math.sqrt(spread) / base, rel=0.01)
    assert ends(average_recovery([kept, lost], weights=(2.0, 2.0))) == ends(average_recovery([kept, lost]))
    whole = recovery_on_benchmark([kept, lost], [1000, 1000], weights=(0.25, 0.75))
    assert whole.low == whole.high == pytest.approx(found.percent)


def test_a_task_too_small_to_tell_keeps_the_average_uncertain():
    sure = pair_totals([1.0, 0.0] * 3000, [1.0, 0.0] * 3000)
    unsure = pair_totals([1.0] * 4, [1.0] * 4)
    found = average_recovery([sure, unsure])
    assert found.percent == 100.0
    assert found.low < 70


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ([], "no task"),
        ([pair_totals([0.0], [1.0])], "the baseline scored 0"),
        ([pair_totals([1.0], [1.0]), pair_totals([0.0], [1.0])], "scored 0 on a task"),
        ([pair_totals([1.0, 1.0], [1.0, 0.0], ["a", "a"])], "one cluster"),
    ],
)
def test_an_average_without_an_interval_says_why(tasks, reason):
    found = average_recovery(tasks)
    assert found.low is None
    assert reason in found.reason


# --- published scores ---


@pytest.mark.parametrize(
    ("n", "score", "half_width"),
    [(900, 0.5, 9.2), (1000, 0.57, 7.6), (2500, 0.81, 2.7), (5349, 0.895, 1.3), (214_354, 0.78, 0.3)],
)
def test_how_little_published_scores_alone_can_say(n, score, half_width):
    found = unpaired_recovery([PublishedScore(n, score, score)])
    assert (found.high - found.low) / 2 == pytest.approx(half_width, abs=0.07)
    assert found.method == "unpaired"


def test_published_average():
    rows = [PublishedScore(900, 0.5, 0.49), PublishedScore(5349, 0.9, 0.91)]
    found = unpaired_recovery(rows)
    assert found.percent == pytest.approx(100)
    assert found.low < 97
    assert found.high > 103


def test_published_scores_of_0_or_1_keep_a_width():
    found = unpaired_recovery([PublishedScore(50, 1.0, 1.0)])
    assert found.low < 97
    assert found.high > 103
    assert unpaired_recovery([PublishedScore(50, 0.0, 0.1)]).reason == "the baseline scored 0"
    assert "any recovery is possible" in unpaired_recovery([PublishedScore(5, 0.2, 0.2)]).reason
    assert unpaired_recovery([]).percent is None


@pytest.mark.parametrize("row", [PublishedScore(0, 0.5, 0.5), PublishedScore(10, 50.0, 49.0)])
def test_published_rows_are_checked(row):
    with pytest.raises(DataError):
        unpaired_recovery([row])


# --- on this benchmark ---


def test_once_all_are_asked_the_recovery_on_the_benchmark_is_the_number_itself():
    rng = random.Random(5)
    tasks = [pair_totals(*_flipping(rng, n)) for n in (300, 50)]
    for asked in ([tasks[0]], tasks):
        found = recovery_on_benchmark(asked, [task.n for task in asked])
        assert found.low == found.high == found.percent
        assert (found.question, found.method) == ("on this benchmark", "all asked")
        assert found.percent == pytest.approx(average_recovery(asked).percent)


def test_of_a_small_part_it_is_the_interval_for_questions_like_these():
    totals = pair_totals(*_flipping(random.Random(6), 400))
    found = recovery_on_benchmark([totals], [10**9])
    assert ends(found) == pytest.approx(ends(recovery_of(totals)), abs=1e-4)
    half = recovery_on_benchmark([totals], [800])
    assert half.high - half.low == pytest.approx((found.high - found.low) * 0.5**0.5, rel=1e-4)


def test_a_random_part_covers_what_the_whole_benchmark_gives():
    rng = random.Random(7)
    covered, wide, times = 0, 0, 1_000
    for time in range(times):
        if time % 25 == 0:
            base, cand = _flipping(rng, 1_000)
            truth = 100 * sum(cand) / sum(base)
        asked = rng.sample(range(1_000), 600)
        totals = pair_totals([base[at] for at in asked], [cand[at] for at in asked])
        found, others = recovery_on_benchmark([totals], [1_000]), recovery_of(totals)
        covered += found.low <= truth <= found.high
        wide += others.low <= truth <= others.high
    assert abs(covered / times - 0.95) < 3 * (0.95 * 0.05 / times) ** 0.5
    # The interval for questions like these is too wide for this one.
    assert wide / times > 0.985


def test_a_baseline_of_0_has_no_recovery_on_the_benchmark():
    found = recovery_on_benchmark([pair_totals([0.0] * 9, [1.0] * 9)], [9])
    assert (found.percent, found.low, found.method) == (None, None, None)


def _flipping(rng, n):
    base = [float(rng.random() < 0.7) for _ in range(n)]
    return base, [1.0 - one if rng.random() < 0.1 else one for one in base]
