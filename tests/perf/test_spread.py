"""Medians with intervals, the A/A spread, and ratios that are told or not."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.perf import spread
from evalkit.perf.cells import MeasuredCell, Timed, idle

latencies = st.lists(st.floats(min_value=1e-3, max_value=1e3), min_size=1, max_size=60)


def cell(stream="single-stream", values=(1.0,), rate=None):
    return MeasuredCell(
        *("base", "glance", stream, 1, "", 0, 1, len(values), 0, "", tuple(values), (), ()),
        *(rate, rate, 0.0, None, None, (), 1.0),
    )


@given(latencies)
def test_an_interval_of_the_median_holds_it_and_covers_what_it_says(values):
    low, high = spread.median_interval(values)
    ordered, count = sorted(values), len(values)
    assert low <= ordered[(count - 1) // 2] <= high
    assert low <= ordered[count // 2] <= high
    rank = ordered.index(low) + 1
    outside = 2 * sum(comb(count, k) for k in range(rank)) / 2**count
    # The narrowest that still covers 95 %; of few values not even all of them do.
    assert outside <= 0.05 or rank == 1 or ordered[rank - 2] == low


def test_intervals_of_the_median_of_known_sizes():
    """Ranks 6 and 15 of 20, 18 and 33 of 50: any table of the sign test has them."""
    assert spread.median_interval(range(1, 21)) == (6, 15)
    assert spread.median_interval(range(1, 51)) == (18, 33)
    assert spread.median_interval([3.0]) == (3.0, 3.0)


@given(st.lists(latencies, min_size=1, max_size=3))
def test_a_models_latency_lies_between_its_starts(starts):
    found = spread.combined([cell(values=values) for values in starts])
    assert found.low <= found.value <= found.high


def test_a_models_rate_is_the_mean_of_its_starts():
    found = spread.combined([cell("multi-stream", rate=rate) for rate in (4.0, 6.0)])
    assert (found.value, found.low, found.high) == (5.0, 4.0, 6.0)


located = st.lists(st.floats(min_value=0.01, max_value=100), min_size=3, max_size=3).map(
    lambda ends: spread.Located(sorted(ends)[1], min(ends), max(ends))
)


@given(st.sampled_from(["single-stream", "multi-stream"]), located, located)
def test_a_ratio_lies_between_what_pairs_of_starts_give_and_turns_over(stream, baseline, candidate):
    found = spread.beside(stream, baseline, candidate, 1.0)
    assert found.low <= found.ratio * (1 + 1e-12)
    assert found.ratio <= found.high * (1 + 1e-12)
    back = spread.beside(stream, candidate, baseline, 1.0)
    assert back.ratio == pytest.approx(1 / found.ratio)
    assert back.low == pytest.approx(1 / found.high)


@pytest.mark.parametrize(
    ("ratio", "widest", "resolved"),
    [(1.2, 1.1, True), (1.2, 1.2, False), (1 / 1.2, 1.1, True), (1 / 1.2, 1.3, False), (5.0, None, False)],
)
def test_a_ratio_inside_the_spread_is_not_resolved_whichever_way_it_points(ratio, widest, resolved):
    one = spread.Located(1.0, 1.0, 1.0)
    other = spread.Located(ratio, ratio, ratio)
    assert spread.beside("multi-stream", one, other, widest).resolved is resolved


def timed(start, latency):
    return Timed(start, latency, 1, 1)


def test_an_engine_that_sends_at_once_leaves_nothing_idle():
    assert idle([timed(at, 1.0) for at in range(5)], 1) == 0.0
    assert idle([timed(at // 2, 1.0) for at in range(6)], 2) == 0.0


def test_gaps_between_queries_are_the_engines():
    assert idle([timed(2 * at, 1.0) for at in range(5)], 1) == pytest.approx(4 / 9)
    # One of two places was empty for half of the two seconds.
    assert idle([timed(0, 1.0), timed(1, 1.0), timed(1, 1.0)], 2) == pytest.approx(1 / 4)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 10)), min_size=1, max_size=30), st.integers(1, 8))
def test_idle_is_a_share(queries, concurrency):
    assert 0.0 <= idle([timed(*one) for one in queries], concurrency) <= 1.0 + 1e-9


def test_of_nothing_nothing_is_known():
    assert idle([], 1) is None
    assert spread.combined([]) is None
