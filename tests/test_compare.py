import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.compare import average, ratio, recovery
from evalkit.score import Tally
from evalkit.types import Answer, Dataset, Decoding, Failure, FailureKind, Recovery, Sample, Task, Text

TASK = Task(
    name="t",
    benchmark="docvqa",
    dataset=Dataset("d", "test"),
    prompt="p",
    decoding=Decoding(10),
    metrics=("anls",),
    headline="anls",
    dialect="neuralmagic",
    category="Vision",
    title="T",
)


def tally(model, outcomes):
    """Outcomes: True (right), False (wrong), None (no answer)."""
    total = Tally(TASK, model)
    for number, right in enumerate(outcomes):
        sample = Sample(str(number), (Text("q"),), ["right"])
        if right is None:
            total.add(sample, Failure(FailureKind.DEADLINE, "slow"))
        else:
            total.add(sample, Answer("right" if right else "#####", "stop", 1, 1, 0.1))
    return total


def test_recovery_is_candidate_over_baseline_in_percent():
    found = recovery(tally("b", [True] * 8 + [False] * 2), tally("c", [True] * 6 + [False] * 4))
    assert (found.baseline, found.candidate, found.percent) == (0.8, 0.6, pytest.approx(75.0))
    assert (found.paired, found.planned, found.bounds, found.reason) == (10, 10, None, None)


def test_an_identical_candidate_that_lost_requests_still_recovers_everything():
    base = [True, False] * 50
    lost = [None if number < 3 else right for number, right in enumerate(base)]
    found = recovery(tally("b", base), tally("c", lost))
    assert found.percent == 100.0
    assert found.paired == 97
    low, high = found.bounds
    assert low == pytest.approx(48 / 50 * 100)
    assert high == pytest.approx(51 / 50 * 100)


def test_a_failure_of_the_baseline_widens_the_bounds_both_ways():
    found = recovery(tally("b", [True, True, None]), tally("c", [True, True, True]))
    assert found.percent == 100.0
    assert found.bounds == (pytest.approx(100.0), pytest.approx(150.0))


def test_a_baseline_of_zero_has_no_recovery_and_says_so():
    found = recovery(tally("b", [False, False]), tally("c", [True, False]))
    assert found.percent is None
    assert "scored 0" in found.reason


def test_nothing_in_common_is_no_recovery():
    found = recovery(tally("b", [True, None]), tally("c", [None, True]))
    assert (found.percent, found.paired, found.planned) == (None, 0, 2)
    assert "no sample" in found.reason


def test_the_average_is_of_scores_not_of_recoveries():
    parts = [Recovery(100, 0.8, 0.8, 10, 10), Recovery(50, 0.2, 0.1, 10, 10)]
    found = average(parts)
    assert (found.baseline, found.candidate) == (pytest.approx(0.5), pytest.approx(0.45))
    assert found.percent == pytest.approx(90.0)


def test_the_published_rows_give_the_average_that_follows_from_them():
    base = [0.4800, 0.7871, 0.8947, 0.8168, 0.5650]
    cand = [0.4622, 0.7800, 0.8935, 0.8160, 0.5730]
    found = average([Recovery(None, b, c, 1, 1) for b, c in zip(base, cand, strict=True)])
    assert round(found.baseline * 100, 2) == 70.87
    assert round(found.candidate * 100, 2) == 70.49
    assert round(found.percent, 2) == 99.47


def test_an_average_with_a_missing_task_is_undefined():
    found = average([Recovery(100, 0.8, 0.8, 10, 10), Recovery(None, None, None, 0, 10, None, "no sample")])
    assert found.percent is None
    assert found.reason
    assert average([]).percent is None


def test_ratio():
    assert ratio(0.5, 0.4) == (pytest.approx(80.0), None)
    assert ratio(0.0, 0.4)[0] is None


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=40), st.data())
def test_the_bounds_hold_the_recovery_of_the_pairs_and_of_any_truth(base, data):
    cand = data.draw(st.lists(st.sampled_from([True, False, None]), min_size=len(base), max_size=len(base)))
    found = recovery(tally("b", base), tally("c", cand))
    assert found.paired <= found.planned == len(base)
    if found.bounds is None:
        return
    low, high = found.bounds
    truth = [[bool(data.draw(st.booleans())) if right is None else right for right in side] for side in (base, cand)]
    if sum(truth[0]):
        assert low - 1e-9 <= sum(truth[1]) / sum(truth[0]) * 100 <= high + 1e-9
