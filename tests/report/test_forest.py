from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from evalkit.config.policy import Rule
from evalkit.report.forest import axis


@dataclass
class Interval:
    percent: float | None
    low: float | None = None
    high: float | None = None


@dataclass
class Comparison:
    recovery: Interval


@dataclass
class Judgement:
    comparison: Comparison
    rule: Rule


@dataclass
class Report:
    judgements: list


def judged(percent, low=None, high=None, threshold=None):
    return Judgement(Comparison(Interval(percent, low, high)), Rule(threshold))


def share(place):
    return float(place.removesuffix("%"))


recoveries = st.tuples(*[st.floats(0, 300)] * 3).map(sorted)


@given(st.lists(recoveries, min_size=1, max_size=9), st.none() | st.floats(1, 120))
def test_every_mark_lies_in_the_drawing_in_its_order(found, threshold):
    rows = [judged(middle, low, high, threshold) for low, middle, high in found]
    drawn = axis(Report(rows))
    for row in rows:
        mark = drawn.mark(row)
        assert 0 <= share(mark.low) <= share(mark.x) <= share(mark.high) <= 100
        assert threshold is None or 0 < share(mark.threshold) < 100
        assert mark.low_beyond == (row.comparison.recovery.low < drawn.low)
        assert mark.high_beyond == (row.comparison.recovery.high > drawn.high)
    assert 0 < share(drawn.even) < 100


@given(st.lists(recoveries, min_size=1, max_size=9))
def test_the_axis_has_a_few_round_numbers(found):
    ticks = axis(Report([judged(middle, low, high) for low, middle, high in found])).ticks
    assert 1 <= len(ticks) <= 7
    places = [share(tick.x) for tick in ticks]
    assert places == sorted(set(places))


def test_one_hopeless_interval_does_not_flatten_the_others():
    drawn = axis(Report([judged(99, 98, 100), judged(90, 10, 400)]))
    assert drawn.high - drawn.low < 70
    assert drawn.mark(judged(90, 10, 400)).high_beyond


def test_nothing_defined_is_no_axis():
    assert axis(Report([judged(None)])) is None
    assert axis(Report([judged(None), judged(99)])).mark(judged(None)) is None
