import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import stats
from evalkit.base.scores import SampleScore
from evalkit.base.verdicts import Verdict
from evalkit.comparison import averages, pairs, verdict
from evalkit.comparison.losses import Attempts
from evalkit.comparison.pairs import Side
from evalkit.config.policy import Rule


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


def told(comparison, threshold=99.0):
    """What the sentence says after the counts."""
    return verdict.sentence(judged(comparison, threshold)).rpartition("; ")[2].rstrip(")")


def test_undecided_names_with_what_chance_more_samples_would_decide():
    one = compared(4000, 2400, 100, 100)
    assert judged(one).verdict is Verdict.UNDECIDED
    text = verdict.sentence(judged(one))
    found = re.search(r"about ([\d,]+) more samples would decide in 50 of 100 such cases, ([\d,]+) in 80", text)
    even, often = (int(word.replace(",", "")) for word in found.groups())
    assert 0 < even < often
    assert text.endswith("; whether there are so many is not known)")
    # That many more samples like these do decide.
    factor = (4000 + even) // 4000 + 1
    grown = compared(4000 * factor, 2400 * factor, 100 * factor, 100 * factor)
    assert judged(grown).verdict is not Verdict.UNDECIDED


def test_a_task_that_is_asked_whole_cannot_decide_however_near_it_is():
    for counts in ((900, 500, 20, 10), (400, 300, 12, 4), (3, 2), (100, 60, 6, 2)):
        n = counts[0]
        assert told(compared(*counts, available=n)) == f"this task cannot decide at 99 %: all {n:,} samples are asked"
        assert "cannot decide" not in verdict.sentence(judged(compared(*counts)))
    lost = compared(900, 500, 20, 10, failed=6, available=900)
    assert "all 900 samples are asked" in verdict.sentence(judged(lost))


def test_a_task_that_misses_by_a_hair_is_not_told_to_ask_what_it_has_not():
    found = judged(compared(200, 184, available=200), 98.0)
    assert "this task cannot decide at 98 %: all 200 samples are asked" in verdict.sentence(found)


def test_what_is_left_of_a_task_ends_what_is_said_of_more_samples():
    counts = (900, 500, 20, 10)
    hardly = "this task can hardly decide at 99 %: the 100 samples that are left would do so in fewer than 10 of 100"
    assert told(compared(*counts, available=1000)) == f"{hardly} such cases"
    likely = judged(compared(*counts)).more
    even, often = likely.samples(0.5), likely.samples(0.8)
    some = told(compared(*counts, available=900 + even // 2))
    share = re.fullmatch(rf"all {even // 2:,} more samples would decide in (\d+) of 100 such cases", some)
    assert 10 <= int(share[1]) < 50
    most = told(compared(*counts, available=900 + (even + often) // 2))
    assert re.fullmatch(
        rf"about [\d,]+ more samples would decide in 50 of 100 such cases, {(even + often) // 2:,} in (5|6|7)\d", most
    )
    assert "not known" not in told(compared(*counts, available=900 + 2 * often))


def test_of_few_samples_nothing_is_said_of_more():
    for counts in ((3, 2), (3, 3, 1), (29, 20)):
        assert told(compared(*counts)) == "too few to tell how many more samples would decide"
        assert judged(compared(*counts)).more is None


def test_a_recovery_on_the_threshold_has_chances_too():
    found = judged(compared(1000, 500, 50, 45), 99.0)
    assert found.verdict is Verdict.UNDECIDED
    assert found.more.errors == pytest.approx(0.0, abs=1e-6)
    assert 7 * 1000 < found.more.samples(0.5) < 10 * 1000


def test_a_zero_baseline_cannot_decide():
    found = judged(compared(100, 0))
    assert found.verdict is Verdict.UNDECIDED
    assert verdict.sentence(found) == (
        "RECOVERY undefined undecided at >= 99 % (n = 100; the task cannot decide: the baseline scored 0)"
    )


def test_what_a_row_cannot_decide_by_is_told_once():
    found = judged(averages.average("Vision", [compared(100, 0, improved=2), compared(100, 80)]))
    assert found.comparison.recovery.percent is not None
    told = [text for text in found.reasons if "the baseline scored 0" in text]
    assert told == ["the average cannot decide: the baseline scored 0 on a task"]


def test_incomplete_beyond_the_share_that_may_fail():
    assert judged(compared(1000, 900, failed=10)).verdict is Verdict.RECOVERED
    found = judged(compared(1000, 900, failed=11))
    assert found.verdict is Verdict.INCOMPLETE
    assert "11 of 1,000 planned samples have no pair (1.1 %; at most 1 % may lack one)" in found.reasons[0]
    assert judged(compared(1000, 900, failed=11), max_failed=0.02).verdict is Verdict.RECOVERED


def test_the_first_samples_in_stored_order_give_no_verdict_either_way():
    for found in (judged(compared(5000, 4000, smoke=True)), judged(compared(5000, 4000, 300, 0, smoke=True))):
        assert found.verdict is Verdict.UNDECIDED
        assert "smoke run: the first samples in stored order, no verdict either way" in verdict.sentence(found)
        assert verdict.together([found])[0].tested == 0


def test_the_verdict_of_a_part_that_was_drawn_stands_and_says_so():
    for lost, expected in ((0, Verdict.RECOVERED), (300, Verdict.DEGRADED)):
        found = judged(compared(5000, 4000, lost, 0, drawn=True, available=20_000))
        assert found.verdict is expected
        assert "on 5,000 of 20,000 questions, drawn at random" in verdict.sentence(found)


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
    assert "] undecided at >= 99 % (n = 894, 6 failed; " in text
    assert text.endswith(" in 80; whether there are so many is not known)")


def test_the_sentence_without_a_threshold_only_reports():
    text = verdict.sentence(verdict.judge(compared(900, 500, 20, 10), Rule()))
    assert text.startswith("RECOVERY 98.0 % [")
    assert text.endswith("] (n = 900)")


def test_an_incomplete_average_names_its_worst_task():
    row = averages.average("Vision", [compared(1000, 900), compared(10, 9, failed=1)])
    found = judged(row)
    assert found.verdict is Verdict.INCOMPLETE
    assert "1 of 1,010 planned samples has no pair (10 % of its worst task" in found.reasons[0]


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
    found = judged(averages.average("all", parts), 98.5)
    assert found.verdict is Verdict.UNDECIDED
    factor = found.more.samples(0.8) // found.comparison.n + 2
    grown = [compared(400 * factor, 300 * factor, 12 * factor, 4 * factor)]
    grown += [compared(900 * factor, 500 * factor, 20 * factor, 10 * factor)]
    assert judged(averages.average("all", grown), 98.5).verdict is not Verdict.UNDECIDED
    assert re.search(r"would decide in .*, spread over the tasks as now", verdict.sentence(found))


def test_an_average_whose_tasks_are_used_up_says_so():
    parts = [compared(400, 300, 12, 4, available=400), compared(900, 500, 20, 10, available=900)]
    text = verdict.sentence(judged(averages.average("all", parts), 98.5))
    assert "this average cannot decide at 98.5 %: all 1,300 samples are asked" in text
    parts = [compared(400, 300, 12, 4, available=500), compared(900, 500, 20, 10, available=9000)]
    hardly = "this average can hardly decide at 98.5 %: the 325 samples that are left"
    assert hardly in verdict.sentence(judged(averages.average("all", parts), 98.5))


# --- what is lost, and is no chance ---


def losing(n, right, lost_right, lost_wrong, **more):
    """Equal answers but that the candidate lost some; ``lost_right`` of those are ones that the baseline had right."""
    base = [1] * right + [0] * (n - right)
    cand = [None] * lost_right + base[lost_right : n - lost_wrong] + [None] * lost_wrong
    return pairs.compare("t", side(base), side(cand, **more))


def test_recovered_holds_only_if_it_still_does_with_every_lost_answer_wrong():
    assert judged(losing(10_000, 6000, 0, 0)).verdict is Verdict.RECOVERED
    few = judged(losing(10_000, 6000, 20, 0))
    assert few.verdict is Verdict.RECOVERED
    many = judged(losing(10_000, 6000, 90, 0))
    assert many.comparison.recovery.low > 99.0
    assert many.comparison.bounds[0] == pytest.approx(98.5)
    assert many.verdict is Verdict.UNDECIDED
    assert many.reasons[0] == "the 90 lost samples could decide: ask them again"
    assert "the 90 lost samples could decide" in verdict.sentence(many)
    # What the baseline had wrong cannot have cost the candidate anything.
    assert judged(losing(10_000, 6000, 0, 90)).verdict is Verdict.RECOVERED


def test_degraded_holds_only_if_it_still_does_with_every_lost_answer_right():
    base = [1] * 6000 + [0] * 4000
    cand = [0] * 130 + [1] * 5870 + [0] * 4000
    assert judged(pairs.compare("t", side(base), side(cand))).verdict is Verdict.DEGRADED
    lost = [0] * 130 + [1] * 5870 + [0] * 3910 + [None] * 90
    found = judged(pairs.compare("t", side(base), side(lost)))
    assert found.comparison.recovery.high < 99.0 < found.comparison.bounds[1]
    assert found.verdict is Verdict.UNDECIDED
    assert "could decide" in found.reasons[0]


@pytest.mark.parametrize("who", ["baseline", "candidate"])
def test_a_loss_on_either_side_counts(who):
    """The baseline lost 90 that the candidate has wrong: had it been right on them, recovery would be 98.5 %."""
    wrong = [0] * 6000 + [1] * 4000
    half = [None] * 90 + wrong[90:] if who == "baseline" else wrong
    other = wrong if who == "baseline" else [*wrong[:-90], *[None] * 90]
    found = judged(pairs.compare("t", side(half), side(other)))
    assert found.verdict is Verdict.UNDECIDED
    assert found.reasons[0].startswith("the 90 lost samples could decide")


@pytest.mark.parametrize(
    ("final", "words"),
    [
        (frozenset(), "the same command asks them again"),
        (frozenset("01"), "the same command asks again all but 2, which are refused or damaged for good"),
        (frozenset(map(str, range(90))), "but asking again brings none of them"),
    ],
)
def test_it_is_said_how_lost_samples_are_asked_again(final, words):
    base = side([1] * 6000 + [0] * 4000, final=frozenset())
    cand = side([None] * 90 + [1] * 5910 + [0] * 4000, final=final)
    assert words in judged(pairs.compare("t", base, cand)).reasons[0]


def attempted(passes, planned, answered=None):
    """Problems with so many passing attempts each; ``answered`` of ``planned`` attempts came back."""
    answered = answered or [planned] * len(passes)
    lost = sum(planned - count for count in answered)
    scores = {
        str(at): SampleScore(str(at), passed / count, attempts=count)
        for at, (passed, count) in enumerate(zip(passes, answered, strict=True))
    }
    total = planned * len(passes)
    return Side("m", scores, several=planned, attempts=Attempts("m", lost, total), final=frozenset())


def test_missing_attempts_are_inside_the_bounds():
    whole = attempted([40] * 400, 50)
    short = attempted([40] * 240 + [39] * 160, 50, [50] * 240 + [49] * 160)
    found = pairs.compare("t", whole, short)
    # 160 of 20,000 attempts are gone, of which 16,000 passed.
    assert found.ranges[1] == (pytest.approx(15_840 / 20_000), pytest.approx(16_000 / 20_000))
    assert found.bounds == (pytest.approx(99.0), pytest.approx(100.0))
    assert (found.losses.count, found.losses.unit, found.n) == (160, "attempts", 400)
    held = judged(found, 99.2)
    assert held.comparison.recovery.low > 99.2
    assert held.verdict is Verdict.UNDECIDED
    assert held.reasons[0] == "the 160 lost attempts could decide: the same command asks them again"
    # Every problem has a score, so nothing else in the row's sentence shows what is gone.
    assert "(n = 400, 160 attempts without an answer;" in verdict.sentence(held)
    one = attempted([40] * 399 + [39], 50, [50] * 399 + [49])
    told = verdict.sentence(judged(pairs.compare("t", whole, one), 99.2))
    assert "(n = 400, 1 attempt without an answer" in told


def test_an_average_counts_what_its_tasks_lost():
    row = averages.average("all", [losing(10_000, 6000, 90, 0), losing(10_000, 6000, 90, 0)])
    found = judged(row)
    assert row.recovery.low > 99.0
    assert found.verdict is Verdict.UNDECIDED
    assert found.reasons[0].startswith("the 180 lost samples could decide")


# --- attempts ---


def test_the_chance_of_the_attempts_alone_stands_beside_the_interval():
    rng = random.Random(3)
    chances = [rng.betavariate(1.4, 0.6) for _ in range(164)]
    one, two = (attempted([sum(rng.random() < p for _ in range(50)) for p in chances], 50) for _ in range(2))
    found = judged(pairs.compare("t", one, two))
    again, like_these = found.comparison.repeated, found.comparison.recovery
    assert (again.question, like_these.question) == ("if repeated", "for questions like these")
    assert again.low < again.percent < again.high
    assert again.percent == pytest.approx(like_these.percent)
    text = f"if repeated: the same problems attempted once more would give [{again.low:.1f}, {again.high:.1f}]"
    assert any(reason.startswith(text) for reason in found.reasons[1:])
    once = pairs.compare("t", side([1, 0]), side([1, 1])).repeated
    assert (once.low, once.question) == (None, "if repeated")
    assert once.reason.startswith("every sample was asked once")


# --- several rows ---


def below(p_like):
    """A row whose interval lies below 99 %: barely, or clearly."""
    return compared(5000, 4000, *{"barely": (75, 15), "clearly": (300, 50)}[p_like])


def test_of_many_rows_one_that_is_barely_below_is_not_called_degraded():
    alone = judged(below("barely"))
    assert (alone.verdict, alone.tested) == (Verdict.DEGRADED, 1)
    assert 0.0005 < alone.p < 0.025
    rows = [alone, *(judged(compared(5000, 4000, 20, 20)) for _ in range(6))]
    held = verdict.together(rows)
    assert held[0].verdict is Verdict.UNDECIDED
    assert held[0].tested == 7
    assert re.search(r"below 99 %, but 7 rows were tested.*\(p = 0\.\d+, Holm\)", held[0].reasons[0])
    assert "7 rows were tested" in verdict.sentence(held[0])
    assert [row.verdict for row in held[1:]] == [row.verdict for row in rows[1:]]
    assert held[0].comparison.recovery == alone.comparison.recovery
    assert verdict.family_sentence(held).startswith("7 rows were tested for a loss together (Holm)")
    assert verdict.family_sentence(verdict.together([alone])) is None


def test_a_row_that_is_clearly_below_stays_degraded_and_lets_the_next_one_in():
    clear, near = judged(below("clearly")), judged(below("barely"))
    held = verdict.together([clear, *[judged(compared(5000, 4000))] * 6])
    assert held[0].verdict is Verdict.DEGRADED
    # Of two rows the second has only to be below 0.025 once the first stands.
    assert [row.verdict for row in verdict.together([near, clear])] == [Verdict.DEGRADED, Verdict.DEGRADED]


def test_rows_that_cannot_come_out_degraded_are_not_counted():
    near = judged(below("barely"))
    others = [judged(compared(1000, 900, failed=40)), judged(compared(100, 0)), judged(compared(100, 50), None)]
    held = verdict.together([near, *others])
    assert (held[0].verdict, held[0].tested) == (Verdict.DEGRADED, 1)
    assert [row.verdict for row in held[1:]] == [Verdict.INCOMPLETE, Verdict.UNDECIDED, None]


def test_an_average_has_a_p_of_its_own():
    row = averages.average("all", [below("barely"), below("clearly"), compared(900, 500, 40, 2)])
    found = judged(row, 97.0)
    assert found.verdict is Verdict.DEGRADED
    again = stats.average_recovery(row.tasks, 1 - 2 * found.p)
    assert again.high == pytest.approx(97.0, abs=1e-4)
