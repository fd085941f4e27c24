"""Tasks whose score is the mean of their parts' scores: recovery, interval and bounds are of that mean."""

from dataclasses import replace
from statistics import fmean

import pytest

from evalkit import stats
from evalkit.base.scores import SampleScore
from evalkit.comparison import averages, early, in_parts, pairs, verdict
from evalkit.comparison.pairs import Side
from evalkit.config.policy import Rule
from evalkit.records.early import KeptLook

BASE = {"a": [1, 1, 1, 1, 0, 1], "b": [1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1]}
CAND = {"a": [1, 1, 0, 1, 0, 1], "b": [1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1]}


def side(label, values, *, alike=True, failed=()):
    scores = {
        f"{part}/{at}": SampleScore(f"{part}/{at}", float(value), None, part)
        for part, listed in values.items()
        for at, value in enumerate(listed)
        if f"{part}/{at}" not in failed
    }
    known = sum(map(len, values.values()))
    settings = {in_parts.ALIKE: True} if alike else {}
    return Side(label, scores, failed=frozenset(failed), planned=known, available=known, settings=settings)


def parts():
    return {f"{part}/{at}": part for part, listed in BASE.items() for at in range(len(listed))}


def test_recovery_is_of_the_mean_over_parts():
    found = in_parts.compare("t", side("base", BASE), side("cand", CAND), parts=parts())
    # 5/6 and 8/12; 4/6 and 8/12.
    assert found.baseline == pytest.approx((5 / 6 + 8 / 12) / 2, abs=1e-15)
    assert found.candidate == pytest.approx((4 / 6 + 8 / 12) / 2, abs=1e-15)
    assert found.recovery.percent == pytest.approx(100 * (4 / 6 + 8 / 12) / (5 / 6 + 8 / 12))
    assert found.recovery.low < found.recovery.percent < found.recovery.high
    assert (found.n, found.flips.regressed, found.flips.improved, found.parts) == (18, 2, 1, ())
    assert found.on_benchmark.low == found.on_benchmark.high == pytest.approx(found.recovery.percent)


def spread(listed):
    mean = fmean(listed)
    return sum((one - mean) ** 2 for one in listed) / (len(listed) - 1) / len(listed)


def test_parts_of_one_size_have_the_interval_of_their_samples():
    values = {part: (BASE["b"][at:] + BASE["b"][:at], CAND["b"]) for at, part in enumerate("abcdefghij")}
    sides = [side(label, {part: both[at] for part, both in values.items()}) for at, label in enumerate(("b", "c"))]
    found, plain = in_parts.compare("t", *sides), pairs.compare("t", *sides)
    assert found.recovery == plain.recovery
    assert (found.baseline, found.candidate) == pytest.approx((plain.baseline, plain.candidate))


def test_each_part_adds_the_variance_of_its_own_mean_whatever_its_size():
    found = in_parts.compare("t", side("base", BASE), side("cand", CAND))
    (totals,), (weight,) = found.tasks, found.weights
    assert weight * totals.x == pytest.approx(found.baseline)
    for mine, values in ((totals.covariance.x, BASE), (totals.covariance.y, CAND)):
        assert weight**2 * mine == pytest.approx(sum(map(spread, values.values())) / len(values) ** 2)


def test_a_small_part_in_which_nothing_changed_does_not_hide_behind_the_changes_in_a_large_one():
    large = [1, 1, 0, 1] * 500
    changed = [value if at % 7 else 1 - value for at, value in enumerate(large)]
    small = [1, 0, 1, 1, 0, 1]
    found = in_parts.compare("t", side("base", {"a": small, "b": large}), side("cand", {"a": small, "b": changed}))
    apart = stats.average_recovery([stats.pair_totals(small, small), stats.pair_totals(large, changed)])
    assert (found.recovery.low, found.recovery.high) == pytest.approx((apart.low, apart.high))
    alone = stats.pair_totals(large, changed)
    # The large part alone would leave less than a tenth as much open.
    assert found.recovery.high - found.recovery.low > 3 * (stats.recovery_of(alone).high - stats.recovery_of(alone).low)


def test_what_is_lost_of_a_small_part_weighs_more():
    base, cand = side("base", BASE), side("cand", CAND, failed=["a/0"])
    found = in_parts.compare("t", base, cand, parts=parts())
    low, high = found.ranges[1]
    assert (high - low) == pytest.approx(1 / 6 / 2)
    assert found.planned - found.n == 1


def test_what_both_sides_lost_is_in_the_bounds_of_its_part():
    lost = ["a/0", "b/3"]
    sides = side("base", BASE, failed=lost), side("cand", CAND, failed=lost)
    found = in_parts.compare("t", *sides, parts=parts())
    # Five and eleven samples are left, of which 4 and 8 are right at the baseline's, 3 and 8 at the candidate's.
    assert found.ranges[0] == pytest.approx(((4 / 6 + 8 / 12) / 2, (5 / 6 + 9 / 12) / 2))
    assert found.ranges[1] == pytest.approx(((3 / 6 + 8 / 12) / 2, (4 / 6 + 9 / 12) / 2))
    # A file tells the strata of scores, and of what has none where its lines do.
    told = [replace(one, strata={key: key[0] for key in lost}) for one in sides]
    assert in_parts.compare("t", *told).ranges == found.ranges


def test_what_nobody_knows_the_part_of_counts_where_it_moves_the_score_most():
    lost = ["a/0", "b/3"]
    sides = [side(label, values, failed=lost) for label, values in (("base", BASE), ("cand", CAND))]
    found = in_parts.compare("t", *sides)
    ways = [(6, 12), (7, 11), (5, 13)]  # how large the two parts can be
    right = {"base": (4, 8), "cand": (3, 8)}
    for (low, high), label in zip(found.ranges, ("base", "cand"), strict=True):
        a, b = right[label]
        assert low == pytest.approx(min((a / m + b / n) / 2 for m, n in ways))
        assert high == pytest.approx(max(((a + m - 5) / m + (b + n - 11) / n) / 2 for m, n in ways))


def test_bounds_hold_where_a_part_has_no_pair_at_all():
    lost = [f"a/{at}" for at in range(6)]
    found = in_parts.compare("t", side("base", BASE, failed=lost), side("cand", CAND, failed=lost), parts=parts())
    assert found.ranges == (
        pytest.approx((8 / 12 / 2, (1 + 8 / 12) / 2)),
        pytest.approx((8 / 12 / 2, (1 + 8 / 12) / 2)),
    )


def test_of_a_part_that_was_drawn_each_block_knows_how_many_samples_there_are():
    sides = [replace(side(label, values), available=180) for label, values in (("base", BASE), ("cand", CAND))]
    found = in_parts.compare("t", *sides)
    assert found.sizes == (180,)
    on_benchmark, like_these = found.on_benchmark, found.recovery
    assert on_benchmark.high - on_benchmark.low == pytest.approx(
        (like_these.high - like_these.low) * 0.9**0.5, rel=1e-6
    )


def test_parts_count_alike_only_where_both_sides_say_so():
    sides = side("base", BASE), side("cand", CAND)
    plain = pairs.compare("t", *(replace(one, settings={}) for one in sides))
    assert in_parts.compare("t", sides[0], replace(sides[1], settings={}), parts=parts()) == plain
    # A file of a run has no more than the strata.
    assert in_parts.compare("t", *sides).recovery == in_parts.compare("t", *sides, parts=parts()).recovery
    assert in_parts.compare("t", *sides).recovery != plain.recovery


def test_an_average_has_such_a_task_as_one_of_its_tasks():
    alike = in_parts.compare("t", side("base", BASE), side("cand", CAND), parts=parts())
    plain = pairs.compare("u", *(side(label, {"c": [1, 0, 1, 1] * 9}, alike=False) for label in ("base", "cand")))
    found = averages.average("all", [alike, plain])
    assert found.baseline == pytest.approx((alike.baseline + plain.baseline) / 2)
    assert found.recovery.percent == pytest.approx(100 * found.candidate / found.baseline)
    assert found.recovery.low < found.recovery.percent < found.recovery.high
    assert found.on_benchmark.percent == found.on_benchmark.low == pytest.approx(found.recovery.percent)
    # The score of the one is what its totals come to with their weights; that of the other stands beside it.
    assert sum(w * one.x for one, w in zip(alike.tasks, alike.weights, strict=True)) == pytest.approx(alike.baseline)
    same = stats.average_recovery([*alike.tasks, plain.totals], weights=[*alike.weights, 1])
    assert (found.recovery.low, found.recovery.high) == pytest.approx((same.low, same.high))
    judged = verdict.judge(replace(found, available=None, sizes=()), Rule(min_recovery=101 + found.recovery.high))
    assert judged.p == pytest.approx(stats.p_of_loss(found.tasks, judged.rule.min_recovery, found.weights))


def test_beside_a_task_that_was_stopped_at_a_look_their_average_has_no_look():
    alike = in_parts.compare("t", side("base", BASE), side("cand", CAND), parts=parts())
    plain = pairs.compare("u", *(side(label, {"c": [1, 0, 1, 1] * 9}, alike=False) for label in ("base", "cand")))
    stopped = early.at_look(plain, KeptLook(part=None, looks=5, number=1, units=144))
    assert stopped.look is not None
    parted = [alike, stopped]
    found = early.average_at_look(averages.average("all", parted), parted)
    assert (found.recovery.low, found.recovery.reason) == (None, "its tasks were stopped at looks of their own")


def test_without_a_pair_in_one_of_the_parts_that_is_said():
    lost = [f"a/{at}" for at in range(6)]
    found = in_parts.compare("t", side("base", BASE), side("cand", CAND, failed=lost), parts=parts())
    assert found.recovery.reason == "one of its parts has no pair of answers"


def test_what_asking_again_would_change_is_not_said_to_need_another_asking():
    found = in_parts.compare("t", side("base", BASE), side("cand", CAND), parts=parts())
    assert found.repeated.reason == "what asking again would change is not known of a mean of parts' scores"
