"""Tasks whose score is the mean of their parts' scores: recovery, interval and bounds are of that mean."""

from dataclasses import replace

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


def test_recovery_is_of_the_mean_over_parts_with_their_intervals_combined():
    found = in_parts.compare("t", side("base", BASE), side("cand", CAND), parts=parts())
    # 5/6 and 8/12; 4/6 and 8/12.
    assert found.baseline == pytest.approx((5 / 6 + 8 / 12) / 2, abs=1e-15)
    assert found.candidate == pytest.approx((4 / 6 + 8 / 12) / 2, abs=1e-15)
    assert found.recovery.percent == pytest.approx(100 * (4 / 6 + 8 / 12) / (5 / 6 + 8 / 12))
    own = stats.average_recovery([stats.pair_totals(BASE[part], CAND[part]) for part in BASE])
    assert (found.recovery.low, found.recovery.high) == (own.low, own.high)
    assert (found.n, found.flips.regressed, found.flips.improved, found.parts) == (18, 2, 1, ())
    assert found.on_benchmark.low == found.on_benchmark.high == pytest.approx(found.recovery.percent)


def test_what_is_lost_of_a_small_part_weighs_more():
    base, cand = side("base", BASE), side("cand", CAND, failed=["a/0"])
    found = in_parts.compare("t", base, cand, parts=parts())
    low, high = found.ranges[1]
    assert (high - low) == pytest.approx(1 / 6 / 2)
    assert found.planned - found.n == 1


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
    # A part of the one weighs half as much as the other: as if that stood twice, but for its own chance.
    same = stats.average_recovery([*alike.tasks, plain.totals], weights=[1, 1, 2])
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
