"""What a query costs: the published card's arithmetic, forwards and back."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats import cost

STREAMS = ("single-stream", "multi-stream")
streams = st.sampled_from(STREAMS)
positive = st.fractions(min_value=Fraction(1, 10**6), max_value=10**6)


@given(streams, positive, positive)
def test_the_price_is_what_queries_per_dollar_were_made_with(stream, measured, price):
    assert cost.price(stream, measured, cost.per_dollar(stream, measured, price)) == price


@given(streams, positive, positive, positive)
def test_the_ratio_is_that_of_queries_per_dollar_at_any_price(stream, baseline, candidate, price):
    bought = [cost.per_dollar(stream, one, price) for one in (baseline, candidate)]
    assert cost.ratio(stream, baseline, candidate) == bought[1] / bought[0]


@given(streams, positive, positive)
def test_twice_the_price_buys_half_as_much(stream, measured, price):
    assert cost.per_dollar(stream, measured, 2 * price) * 2 == cost.per_dollar(stream, measured, price)


@given(positive, positive)
def test_latency_and_rate_of_one_query_at_a_time_buy_the_same(latency_s, price):
    assert cost.per_dollar(STREAMS[0], latency_s, price) == cost.per_dollar(STREAMS[1], 1 / latency_s, price)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=5))
def test_the_pooled_ratio_lies_among_the_ratios_and_says_what_is_spent(pairs):
    baseline, candidate = zip(*pairs, strict=True)
    ratios = [theirs / ours for ours, theirs in pairs]
    pooled = cost.pooled_ratio(baseline, candidate)
    assert min(ratios) <= pooled <= max(ratios)
    assert pooled * sum(1 / one for one in candidate) == sum(1 / one for one in baseline)


@given(st.lists(positive, min_size=1, max_size=5), positive)
def test_equal_ratios_are_their_own_mean_and_pool(bought, factor):
    more = [one * factor for one in bought]
    assert cost.mean_ratio([factor] * len(bought)) == cost.pooled_ratio(bought, more) == factor


@given(positive)
def test_cheaper_and_dearer_are_two_sides_of_nothing(found):
    assert (cost.cheaper_percent(found) > 0) == (found > 1)
    assert cost.cheaper_percent(Fraction(1)) == 0


def test_a_published_row():
    """A6000, w4a16, many at once: 1.41 on the card, 30 % less money for one query of each kind."""
    baseline, candidate = (2632, 4108, 4774), (2890, 5758, 8312)
    ratios = [theirs / ours for ours, theirs in zip(baseline, candidate, strict=True)]
    assert round(cost.mean_ratio(ratios), 2) == 1.41
    assert round(cost.pooled_ratio(baseline, candidate), 2) == 1.30
    assert round(cost.cheaper_percent(1.55)) == 35
    assert cost.per_dollar("single-stream", 5.65, 0.80) == pytest.approx(796, abs=1)
