import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.harnesses.lm_eval.canary import CACHED, STEP, judge
from evalkit.harnesses.lm_eval.facts import LikelihoodFacts
from evalkit.harnesses.lm_eval.wire import Likelihoods

NEAR = STEP / 4


def said(*values):
    return Likelihoods(tuple(map(float, values)), (False,) * len(values))


CLEAR = said(-1, -2, -3, -4)


def compared(first, second, whole, cached=None):
    return judge((first, second), (whole, whole if cached is None else cached))


def test_passes_that_are_equal_to_the_bit_agree():
    canary = compared([CLEAR] * 3, [CLEAR] * 3, [CLEAR] * 3)
    assert canary.objection is None
    assert (canary.questions, canary.noise, canary.difference, canary.flips, canary.own_flips) == (3, 0, 0, 0, 0)


def test_another_answer_is_an_objection_however_near():
    exact, fast = said(-1, -1 - NEAR, -3, -4), said(-1 - NEAR, -1, -3, -4)
    canary = compared([CLEAR, exact], [CLEAR, exact], [CLEAR, fast])
    assert canary.difference < canary.tolerance
    assert canary.objection == "1 of 2 questions got another answer"


def test_where_the_exact_way_contradicts_itself_the_fast_one_may_take_either_side():
    one, two = said(-1, -1 - NEAR, -3, -4), said(-1 - NEAR, -1, -3, -4)
    for fast in (one, two):
        canary = compared([one], [two], [fast])
        assert canary.objection is None
        assert (canary.own_flips, canary.flips) == (1, 0)


def test_rounding_is_accepted_and_more_is_not():
    assert compared([CLEAR], [CLEAR], [said(-1 - STEP, -2, -3, -4)]).objection is None
    canary = compared([CLEAR], [CLEAR], [said(-1 - 2 * STEP, -2, -3, -4)])
    assert canary.objection == "a log-probability differs by 0.125, against 0.000 between two exact passes"


def test_a_spread_of_the_exact_way_is_granted_to_the_fast_one():
    wide = said(-1 - 8 * STEP, -2, -3, -4)
    assert compared([CLEAR], [wide], [said(-1 - 4 * STEP, -2, -3, -4)]).objection is None
    assert compared([CLEAR], [wide], [said(-1 - 12 * STEP, -2, -3, -4)]).objection is None
    assert compared([CLEAR], [wide], [said(-1 - 18 * STEP, -2, -3, -4)]).objection is not None


def test_the_prefix_cache_may_round_otherwise_and_no_more():
    assert compared([CLEAR], [CLEAR], [CLEAR], [said(-1 - CACHED, -2, -3, -4)]).objection is None
    canary = compared([CLEAR], [CLEAR], [CLEAR], [said(-1 - CACHED - STEP, -2, -3, -4)])
    assert canary.objection == "a log-probability differs by 0.562 when the prefix cache is read"
    # What is granted to the cache is not granted to the way of asking.
    assert compared([CLEAR], [CLEAR], [said(-1 - CACHED, -2, -3, -4)], [CLEAR]).objection is not None


def test_another_answer_in_either_pass_is_an_objection():
    other = said(-1 - NEAR, -1, -3, -4)
    exact = said(-1, -1 - NEAR, -3, -4)
    for passes, only_cached in (((exact, other), 1), ((other, exact), 0), ((other, other), 0)):
        canary = compared([exact], [exact], *([one] for one in passes))
        assert (canary.flips, canary.cached_flips) == (1, only_cached)
        assert ("when the prefix cache is read" in canary.objection) == bool(only_cached)


def test_the_figures_are_kept_with_the_run():
    canary = compared([CLEAR], [said(-1.25, -2, -3, -4)], [said(-1.125, -2, -3, -4)], [said(-1.625, -2, -3, -4)])
    assert LikelihoodFacts().compared(canary).stored() == {
        "canary questions": 1,
        "largest difference of a log-probability": 0.125,
        "largest difference with the prefix cache": 0.375,
        "largest difference of the exact way from itself": 0.25,
        "accepted difference": 0.25,
        "answers that differ": 0,
        "answers of the exact way that differ from itself": 0,
    }


ANSWER = st.builds(said, *[st.floats(-30, 0)] * 4)


@given(st.lists(st.tuples(ANSWER, ANSWER), min_size=1, max_size=5))
def test_the_exact_way_itself_is_never_refused(pairs):
    first, second = zip(*pairs, strict=True)
    assert compared(first, second, first).objection is None
    assert compared(first, second, second).objection is None
    assert compared(first, second, second).difference == 0


def test_passes_over_different_questions_are_a_mistake():
    with pytest.raises(ValueError, match="zip"):
        compared([CLEAR], [CLEAR, CLEAR], [CLEAR])
