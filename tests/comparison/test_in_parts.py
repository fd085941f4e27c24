"""Tasks whose score is the mean of their parts' scores: recovery, interval and bounds are of that mean."""

from dataclasses import replace

import pytest

from evalkit import stats
from evalkit.base.scores import SampleScore
from evalkit.comparison import in_parts, pairs
from evalkit.comparison.pairs import Side

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
