from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from evalkit import stats
from evalkit.base.types import Answer, Dataset, Decoding, Failure, FailureKind, Record, Sample, Task, Text
from evalkit.comparison import flips
from evalkit.comparison.score import scored
from evalkit.harnesses import harness

TASK = Task(
    "charts", "chartqa", Dataset("", "test"), Decoding(9), ("anywhere_in_answer_relaxed_correctness",),
    "anywhere_in_answer_relaxed_correctness", "Vision", "Charts",
)  # fmt: skip
PAGES = replace(TASK, benchmark="docvqa", metrics=("anls",), headline="anls")
CODE = replace(TASK, benchmark="humaneval", metrics=("pass@1",), headline="pass@1", decoding=Decoding(9, n=3))


def choose(task, candidate, pairs, most=flips.MOST):
    choice = flips.FlipChoice(task, candidate, most)
    for records in pairs:
        found = [scored(task, one.sample, one.outcome or NOT_ASKED, harness(task)) for one in records]
        choice.add(*found)
    return choice.list()


def pair(key, one, two, references=("right",)):
    sample = Sample(str(key), (Text("q"),), list(references))
    return tuple(Record(sample, outcome if not isinstance(outcome, str) else said(outcome)) for outcome in (one, two))


def said(text, finish="stop", **more):
    return Answer(text, finish, 1, 1, 0.1, **more)


def ids(found):
    return [flip.sample.id for flip in found.chosen]


NOT_ASKED = Failure(FailureKind.NOT_ASKED, "given up before")
LOST = Failure(FailureKind.DEADLINE, "slow")


def test_only_samples_that_both_answered_and_not_equally_well_are_flips():
    found = choose(PAGES, "c", [
        pair(1, "right", "right"), pair(2, "right", "zzzzz"), pair(3, "zzzzz", "right"),
        pair(4, "right", LOST), pair(5, LOST, "right"), pair(6, None, "right"),
    ])  # fmt: skip
    assert [(flip.sample.id, flip.direction) for flip in found.chosen] == [("2", "regressed"), ("3", "improved")]
    assert (found.regressed, found.improved) == (1, 1)


def test_the_largest_change_comes_first():
    assert ids(choose(PAGES, "c", [pair(1, "right", "rightly"), pair(2, "right", "zzzzz")])) == ["2", "1"]


def test_cut_answers_come_after_those_that_ended_by_themselves():
    assert ids(choose(PAGES, "c", [pair(1, "right", said("zzzzz", "length")), pair(2, "right", "zzzzz")])) == [
        "2",
        "1",
    ]


def test_the_later_the_answers_part_the_earlier_they_come():
    found = choose(PAGES, "c", [pair(1, "right", "zzzzz"), pair(2, "right", "rigzz")])
    assert ids(found) == ["1", "2"], "the change of score goes first"
    task = replace(TASK, dialect="neuralmagic")
    early, late = ("Final Answer: 7", "No Answer: 8"), ("Final Answer: 7", "Final Answer: 8")
    assert ids(choose(task, "c", [pair(1, *early, ["7"]), pair(2, *late, ["7"])])) == ["2", "1"]


def test_directions_alternate_with_a_regression_first():
    found = choose(PAGES, "c", [pair(at, *(("right", "zzz") if at < 4 else ("zzz", "right"))) for at in range(6)])
    assert [flip.direction for flip in found.chosen] == [
        "regressed",
        "improved",
        "regressed",
        "improved",
        "regressed",
        "regressed",
    ]


scores = st.lists(st.tuples(st.sampled_from(["right", "righ", "zzz"]), st.sampled_from(["right", "righ", "zzz"])))


@given(scores, st.integers(1, 4), st.randoms())
def test_the_choice_depends_on_the_pairs_alone_and_counts_all(drawn, most, shuffled):
    pairs = [pair(at, *texts) for at, texts in enumerate(drawn)]
    other = list(pairs)
    shuffled.shuffle(other)
    found = choose(PAGES, "c", pairs, most)
    assert choose(PAGES, "c", other, most) == found
    assert len(found.chosen) == min(found.regressed, most) + min(found.improved, most)
    value = {"right": 1.0, "righ": 0.8, "zzz": 0.0}
    counted = stats.flips([value[one] for one, _ in drawn], [value[two] for _, two in drawn])
    assert (found.regressed, found.improved) == (counted.regressed, counted.improved)


def attempt(number, passed):
    sample = Sample(f"HumanEval/0#{number}", (Text("q"),), {})
    return Record(sample, said(f"code {number}", judgement={"base": "pass" if passed else "fail"}))


def test_attempts_at_one_problem_are_one_flip_that_shows_the_one_that_changed():
    base = [attempt(0, True), attempt(1, True), attempt(2, False)]
    cand = [attempt(0, True), attempt(1, False), attempt(2, False)]
    (flip,) = choose(CODE, "c", zip(base, cand, strict=True)).chosen
    assert (flip.sample.id, flip.attempts, flip.direction) == ("HumanEval/0#1", 3, "regressed")
    assert (flip.baseline.value, flip.candidate.value) == (2 / 3, 1 / 3)


def test_attempts_that_changed_both_ways_alike_are_no_flip():
    assert not choose(
        CODE, "c", zip([attempt(0, True), attempt(1, False)], [attempt(0, False), attempt(1, True)], strict=True)
    ).chosen


def test_all_lists_take_turns():
    one = choose(PAGES, "a", [pair(at, "right", "zzz") for at in range(3)])
    other = choose(PAGES, "b", [pair(9, "right", "zzz")])
    assert [(owner.candidate, flip.sample.id) for owner, flip in flips.in_turn([one, other])] == [
        ("a", "0"),
        ("b", "9"),
        ("a", "1"),
        ("a", "2"),
    ]
