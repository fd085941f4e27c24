import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.harnesses.lm_eval_canary import STEP, judge
from evalkit.harnesses.lm_eval_requests import Likelihoods

NEAR = STEP / 4


def said(*values):
    return Likelihoods(tuple(map(float, values)), (False,) * len(values))


CLEAR = said(-1, -2, -3, -4)


def test_passes_that_are_equal_to_the_bit_agree():
    canary = judge([CLEAR] * 3, [CLEAR] * 3, [CLEAR] * 3)
    assert canary.objection is None
    assert (canary.questions, canary.noise, canary.difference, canary.flips, canary.own_flips) == (3, 0, 0, 0, 0)


def test_another_answer_is_an_objection_however_near():
    exact, fast = said(-1, -1 - NEAR, -3, -4), said(-1 - NEAR, -1, -3, -4)
    canary = judge([CLEAR, exact], [CLEAR, exact], [CLEAR, fast])
    assert canary.difference < canary.tolerance
    assert canary.objection == "1 of 2 questions got another answer"


def test_where_the_exact_way_contradicts_itself_the_fast_one_may_take_either_side():
    one, two = said(-1, -1 - NEAR, -3, -4), said(-1 - NEAR, -1, -3, -4)
    for fast in (one, two):
        canary = judge([one], [two], [fast])
        assert canary.objection is None
        assert (canary.own_flips, canary.flips) == (1, 0)


def test_rounding_is_accepted_and_more_is_not():
    assert judge([CLEAR], [CLEAR], [said(-1 - STEP, -2, -3, -4)]).objection is None
    canary = judge([CLEAR], [CLEAR], [said(-1 - 2 * STEP, -2, -3, -4)])
    assert canary.objection == "a log-probability differs by 0.125, against 0.000 between two exact passes"


def test_a_spread_of_the_exact_way_is_granted_to_the_fast_one():
    wide = said(-1 - 8 * STEP, -2, -3, -4)
    assert judge([CLEAR], [wide], [said(-1 - 4 * STEP, -2, -3, -4)]).objection is None
    assert judge([CLEAR], [wide], [said(-1 - 12 * STEP, -2, -3, -4)]).objection is None
    assert judge([CLEAR], [wide], [said(-1 - 18 * STEP, -2, -3, -4)]).objection is not None


def test_figures_for_the_report():
    canary = judge([CLEAR], [said(-1.25, -2, -3, -4)], [said(-1.125, -2, -3, -4)])
    assert canary.facts == {
        "canary questions": 1,
        "largest difference of a log-probability": 0.125,
        "largest difference of the exact way from itself": 0.25,
        "accepted difference": 0.25,
        "answers that differ": 0,
        "answers of the exact way that differ from itself": 0,
    }


ANSWER = st.builds(said, *[st.floats(-30, 0)] * 4)


@given(st.lists(st.tuples(ANSWER, ANSWER), min_size=1, max_size=5))
def test_the_exact_way_itself_is_never_refused(pairs):
    first, second = zip(*pairs, strict=True)
    assert judge(first, second, first).objection is None
    assert judge(first, second, second).objection is None
    assert judge(first, second, second).difference == 0


def test_passes_over_different_questions_are_a_mistake():
    with pytest.raises(ValueError, match="zip"):
        judge([CLEAR], [CLEAR, CLEAR], [CLEAR])
