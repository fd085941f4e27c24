import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import pairs, verdict
from evalkit.errors import ExitCode
from evalkit.pairs import Attempts, Side
from evalkit.policy import Rule
from evalkit.types import SampleScore
from evalkit.verdict import Judgement, Verdict


def side(values, **more):
    return Side(
        "m",
        {str(at): SampleScore(str(at), float(value)) for at, value in enumerate(values) if value is not None},
        frozenset(str(at) for at, value in enumerate(values) if value is None),
        **more,
    )


def compared(n, right, regressed=0, improved=0, failed=0, **more):
    """A baseline with ``right`` of ``n`` right; a candidate that flips some of them and fails some wrong ones."""
    base = [1] * right + [0] * (n - right)
    cand = base[:]
    cand[:regressed] = [0] * regressed
    cand[right : right + improved] = [1] * improved
    if failed:
        cand[-failed:] = [None] * failed
    return pairs.compare("t", side(base, **more), side(cand))


def judged(comparison, threshold=99.0, **more):
    return verdict.judge(comparison, Rule(threshold, "critical"), **more)


def test_recovered_when_the_whole_interval_is_above():
    found = judged(compared(5000, 4000, 5, 5))
    assert found.verdict is Verdict.RECOVERED
    assert found.comparison.recovery.low >= 99.0


def test_degraded_when_the_whole_interval_is_below():
    found = judged(compared(5000, 4000, 300, 50))
    assert found.verdict is Verdict.DEGRADED
    assert found.comparison.recovery.high < 99.0


def test_undecided_names_how_many_more_samples_would_decide():
    found = judged(compared(900, 500, 20, 10))
    assert found.verdict is Verdict.UNDECIDED
    assert found.more > 0
    # That many more samples like these do decide.
    factor = (900 + found.more) // 900 + 1
    assert judged(compared(900 * factor, 500 * factor, 20 * factor, 10 * factor)).verdict is not Verdict.UNDECIDED


def test_a_task_that_is_too_small_is_said_to_be():
    found = judged(compared(900, 500, 20, 10, available=900))
    assert "but the task has only 900" in verdict.sentence(found)
    assert "task has only" not in verdict.sentence(judged(compared(900, 500, 20, 10)))


def test_a_recovery_on_the_threshold_is_never_decided():
    found = judged(compared(1000, 500, 50, 45), 99.0)
    assert found.verdict is Verdict.UNDECIDED
    assert found.more is None
    assert "more samples would not decide" in verdict.sentence(found)


def test_a_zero_baseline_cannot_decide():
    found = judged(compared(100, 0))
    assert found.verdict is Verdict.UNDECIDED
    assert verdict.sentence(found) == (
        "RECOVERY undefined undecided at >= 99 % (n = 100; the task cannot decide: the baseline scored 0)"
    )


def test_what_a_row_cannot_decide_by_is_told_once():
    found = judged(pairs.average("Vision", [compared(100, 0, improved=2), compared(100, 80)]))
    assert found.comparison.recovery.percent is not None
    told = [text for text in found.reasons if "the baseline scored 0" in text]
    assert told == ["the task cannot decide: the baseline scored 0 on a task"]


def test_incomplete_beyond_the_share_that_may_fail():
    assert judged(compared(1000, 900, failed=10)).verdict is Verdict.RECOVERED
    found = judged(compared(1000, 900, failed=11))
    assert found.verdict is Verdict.INCOMPLETE
    assert "11 of 1,000 planned samples have no pair (1.1 %; at most 1 % may lack one)" in found.reasons[0]
    assert judged(compared(1000, 900, failed=11), max_failed=0.02).verdict is Verdict.RECOVERED


def test_a_smoke_run_never_recovers_but_may_degrade():
    found = judged(compared(5000, 4000, smoke=True))
    assert found.verdict is Verdict.UNDECIDED
    assert "smoke run" in verdict.sentence(found)
    assert judged(compared(5000, 4000, 300, 0, smoke=True)).verdict is Verdict.DEGRADED


def test_not_comparable_goes_before_everything():
    one, other = side([1, None], settings={"metric": "a"}), side([1, None], settings={"metric": "b"})
    found = judged(pairs.compare("t", one, other))
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "not comparable" in verdict.sentence(found)
    assert "metric" in verdict.sentence(found)


def test_nothing_scored_on_both_sides_is_incomplete():
    assert judged(pairs.compare("t", side([1, None]), side([None, 1]))).verdict is Verdict.INCOMPLETE


def test_without_a_threshold_nothing_is_judged_but_obstacles_are_told():
    found = verdict.judge(compared(100, 50), Rule())
    assert found.verdict is None
    assert "not judged" in found.reasons[0]
    assert verdict.judge(compared(100, 50, failed=40), Rule()).verdict is Verdict.INCOMPLETE


def test_the_worst_case_of_what_failed_is_a_reason():
    found = judged(compared(1000, 900, failed=10))
    assert any("between 100.0 % and 101.1 %" in reason for reason in found.reasons)


def test_the_sentence_leads_with_the_answer():
    text = verdict.sentence(judged(compared(900, 500, 20, 10, failed=6)))
    assert text.startswith("RECOVERY 98.0 % [")
    assert "] undecided at >= 99 % (n = 894, 6 failed; about " in text
    assert text.endswith(" more samples would decide)")


def test_the_sentence_without_a_threshold_only_reports():
    text = verdict.sentence(verdict.judge(compared(900, 500, 20, 10), Rule()))
    assert text.startswith("RECOVERY 98.0 % [")
    assert text.endswith("] (n = 900)")


def test_an_incomplete_average_names_its_worst_task():
    row = pairs.average("Vision", [compared(1000, 900), compared(10, 9, failed=1)])
    found = judged(row)
    assert found.verdict is Verdict.INCOMPLETE
    assert "1 of 1,010 planned samples have no pair (10 % of its worst task" in found.reasons[0]


@given(
    st.integers(10, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))),
    st.integers(0, 30),
    st.integers(0, 30),
    st.floats(50, 110),
)
def test_the_printed_numbers_never_contradict_the_verdict(size, regressed, improved, threshold):
    n, right = size
    found = judged(compared(n, right, min(regressed, right), min(improved, n - right)), threshold)
    text = verdict.sentence(found)
    numbers = text.partition("[")[2].partition("]")[0].split(", ")
    low, high = map(float, numbers)
    if found.verdict is Verdict.RECOVERED:
        assert low >= threshold
    elif found.verdict is Verdict.DEGRADED:
        assert high < threshold
    else:
        assert low < threshold or found.comparison.smoke


# --- exit code ---


def row(found, tier="critical", threshold=99.0):
    return Judgement(compared(10, 5), Rule(threshold, tier), found, ())


def test_a_critical_row_decides():
    assert verdict.exit_code([row(Verdict.RECOVERED)]) is ExitCode.FINE
    assert verdict.exit_code([row(Verdict.DEGRADED)]) is ExitCode.GATE_FAILED
    assert verdict.exit_code([row(Verdict.UNDECIDED)]) is ExitCode.UNDECIDED
    assert verdict.exit_code([row(Verdict.INCOMPLETE)]) is ExitCode.INCOMPLETE
    assert verdict.exit_code([row(Verdict.NOT_COMPARABLE)]) is ExitCode.INCOMPLETE
    assert verdict.exit_code([]) is ExitCode.FINE


def test_a_supporting_row_blocks_unless_it_is_merely_undecided():
    assert verdict.exit_code([row(Verdict.UNDECIDED, "supporting")]) is ExitCode.FINE
    assert verdict.exit_code([row(Verdict.DEGRADED, "supporting")]) is ExitCode.GATE_FAILED
    assert verdict.exit_code([row(Verdict.INCOMPLETE, "supporting")]) is ExitCode.INCOMPLETE


@pytest.mark.parametrize("found", Verdict)
def test_an_advisory_row_or_one_without_a_threshold_never_blocks(found):
    assert verdict.exit_code([row(found, "advisory")]) is ExitCode.FINE
    assert verdict.exit_code([row(found, threshold=None)]) is ExitCode.FINE


def test_a_failed_gate_goes_before_what_is_open():
    rows = [row(Verdict.UNDECIDED), row(Verdict.DEGRADED), row(Verdict.INCOMPLETE), row(Verdict.RECOVERED)]
    assert verdict.exit_code(rows) is ExitCode.GATE_FAILED
    assert verdict.exit_code([rows[0], rows[2]]) is ExitCode.INCOMPLETE


# --- attempts and averages ---


@pytest.mark.parametrize(("failed", "verdict"), [(1, Verdict.RECOVERED), (2, Verdict.INCOMPLETE)])
def test_lost_attempts_make_a_row_incomplete_although_every_problem_has_a_score(failed, verdict):
    base = side([1] * 400)
    found = judged(pairs.compare("t", base, side([1] * 400, attempts=Attempts("cand", failed, 100))), 98.0)
    assert found.verdict is verdict
    if verdict is Verdict.INCOMPLETE:
        assert found.reasons[0] == "2 of 100 attempts of cand have no answer (2 %; at most 1 % may lack one)"


def test_an_average_is_decided_by_as_many_more_samples_as_it_says():
    parts = [compared(400, 300, 12, 4), compared(900, 500, 20, 10)]
    found = judged(pairs.average("all", parts), 98.5)
    assert found.verdict is Verdict.UNDECIDED
    factor = found.more // found.comparison.n + 2
    grown = [compared(400 * factor, 300 * factor, 12 * factor, 4 * factor)]
    grown += [compared(900 * factor, 500 * factor, 20 * factor, 10 * factor)]
    assert judged(pairs.average("all", grown), 98.5).verdict is not Verdict.UNDECIDED
    assert "more samples would decide, spread over the tasks as now" in verdict.sentence(found)


def test_an_average_whose_tasks_are_used_up_says_so():
    parts = [compared(400, 300, 12, 4, available=400), compared(900, 500, 20, 10, available=900)]
    assert "but the tasks have no more" in verdict.sentence(judged(pairs.average("all", parts), 98.5))
    parts = [compared(400, 300, 12, 4, available=500), compared(900, 500, 20, 10, available=9000)]
    assert "but the tasks have no more than 1,625" in verdict.sentence(judged(pairs.average("all", parts), 98.5))
