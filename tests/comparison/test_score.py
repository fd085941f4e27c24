import dataclasses

import pytest

from evalkit.base.types import (
    Answer,
    Dataset,
    Decoding,
    Elsewhere,
    Failure,
    FailureKind,
    Record,
    Sample,
    Score,
    Task,
    Text,
)
from evalkit.comparison.pairs import Side, compare
from evalkit.comparison.score import Tally, grouped, parts_of, scored, scored_alike, tally
from evalkit.harnesses import harness
from evalkit.harnesses.scoring import ByMetrics

TASK = Task(
    name="docvqa",
    benchmark="docvqa",
    dataset=Dataset("d", "test"),
    prompt="p",
    decoding=Decoding(10),
    metrics=("anls", "anls@official"),
    headline="anls",
    dialect="neuralmagic",
    category="Vision",
    title="T",
)


def sample(key, reference="right"):
    return Sample(key, (Text("q"),), [reference], cluster="page")


def answer(text, finish="stop", tokens=4):
    return Answer(text, finish, 10, tokens, 0.1)


def test_a_metric_may_name_a_dialect_of_its_own():
    found = harness(TASK).score(TASK, sample("1", "sitting"), answer("kitt"))
    assert found["anls"].value == pytest.approx(3 / 7)
    assert found["anls@official"].value == 0.0  # below the official threshold of 0.5


def test_planned_is_scored_and_failed():
    total = Tally(TASK, "m", harness(TASK))
    total.add(sample("1"), answer("right"))
    total.add(sample("2"), answer("#####"))
    total.add(sample("3"), Failure(FailureKind.DEADLINE, "slow"))
    found = total.task_score()
    assert (found.planned, found.scored, found.failed) == (3, 2, 1)
    assert found.score == 0.5
    assert found.failures == {"deadline": 1}
    assert found.bounds == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_what_was_said_is_known_apart_from_what_it_is_worth():
    def said(*texts, task=TASK):
        total = Tally(task, "m", harness(task))
        for at, text in texts:
            total.add(sample(f"p#{at}", "right"), answer(text))
        return {score.said for score in total.paired.values()}

    assert said((1, "#####")) == said((1, "#####")) != said((1, "####"))
    attempts = dataclasses.replace(TASK, decoding=Decoding(10, n=2))
    both = said((1, "right"), (2, "wrong"), task=attempts)
    # In whatever order they come; of one problem, all of its attempts.
    assert both == said((2, "wrong"), (1, "right"), task=attempts) != said((1, "wrong"), (2, "right"), task=attempts)
    assert len(both) == 1


def test_a_failure_is_not_a_wrong_answer():
    total = Tally(TASK, "m", harness(TASK))
    total.add(sample("1"), answer("right"))
    total.add(sample("2"), Failure(FailureKind.SERVER_ERROR, "500"))
    assert total.task_score().score == 1.0
    assert list(total.paired) == ["1"]


def test_nothing_scored_is_no_score():
    total = Tally(TASK, "m", harness(TASK))
    total.add(sample("1"), Failure(FailureKind.DEADLINE, "slow"))
    found = total.task_score()
    assert (found.score, found.bounds, found.metrics["anls"], found.mean_completion_tokens) == (None, None, None, None)
    assert total.running is None


def test_null_content_is_scored_zero_and_noted():
    total = Tally(TASK, "m", harness(TASK))
    total.add(sample("1"), answer(None))
    found = total.task_score()
    assert (found.score, found.empty, found.notes) == (0.0, 1, {"no content": 1})


def test_behaviour_is_counted():
    total = Tally(TASK, "m", harness(TASK))
    total.add(sample("1"), answer("right", "length", 10))
    total.add(sample("2"), answer("  ", "stop", 2))
    found = total.task_score()
    assert (found.truncated, found.empty, found.mean_completion_tokens) == (1, 1, 6.0)


def test_unparsed_counts_answers_without_a_final_answer():
    task = dataclasses.replace(
        TASK,
        metrics=("explicit_prompt_relaxed_correctness",),
        headline="explicit_prompt_relaxed_correctness",
    )
    total = Tally(task, "m", harness(task))
    total.add(sample("1", "42"), answer("Final Answer: 42"))
    total.add(sample("2", "42"), answer("I would say 42"))
    found = total.task_score()
    assert (found.score, found.unparsed) == (0.5, 1)


def test_records_without_an_outcome_are_left_out():
    records = [Record(sample("1"), answer("right")), Record(sample("2"), None)]
    assert tally(TASK, "m", records, harness(TASK)).task_score().planned == 1


def test_the_mean_is_rounded_once():
    total = Tally(TASK, "m", harness(TASK))
    for number in range(10):
        total.add(sample(str(number), "a" * 10), answer("a"))
    # Added one after the other in floating point, ten equal values do not give their own mean.
    assert total.task_score().score == harness(TASK).score(TASK, sample("0", "a" * 10), answer("a"))["anls"].value


# --- what groups of samples are ---


@pytest.mark.parametrize(
    ("benchmark", "stated", "kind"),
    [
        ("docvqa", None, "cluster"),
        ("vqav2", None, "cluster"),
        ("humaneval", None, "cluster"),
        ("mmlu", None, "stratum"),
        ("a benchmark of somebody's own", None, "stratum"),
        ("a benchmark of somebody's own", "sampled", "cluster"),
        ("docvqa", "fixed", "stratum"),
    ],
)
def test_groups_are_what_the_benchmark_or_its_task_says(benchmark, stated, kind):
    part = dataclasses.replace(TASK, benchmark=benchmark, groups=stated)
    total = Tally(part, "m", harness(part))
    total.add(sample("1"), answer("right"))
    one = total.paired["1"]
    assert {"cluster": one.cluster, "stratum": one.stratum} == {"cluster": None, "stratum": None, kind: "page"}
    assert grouped(sample("1"), part, harness(part)) == {"cluster": one.cluster, "stratum": one.stratum}


def test_attempts_are_counted_and_keep_the_group_of_their_problem():
    part = dataclasses.replace(TASK, decoding=Decoding(10, n=3))
    total = Tally(part, "m", harness(part))
    for number, text in enumerate(["right", "#####"]):
        total.add(dataclasses.replace(sample(f"p#{number}"), cluster="p"), answer(text))
        total.add(sample(f"q#{number}"), answer(text))
    total.add(sample("q#2"), Failure(FailureKind.REFUSED, "400"))
    assert [(one.attempts, one.cluster) for one in total.paired.values()] == [(2, None), (2, "page")]
    assert total.failures == {"q#2": FailureKind.REFUSED}


def test_a_fault_of_the_references_is_no_fault_of_the_answer():
    total = Tally(TASK, "m", harness(TASK))
    total.add(sample("1"), answer("right"))
    total.add(Sample("2", (Text("q"),), ["right", None]), answer("right"))
    total.add(Sample("3", (Text("q"),), [7]), answer("7"))
    total.add(sample("4"), Failure(FailureKind.DEADLINE, "slow"))
    found = total.task_score()
    assert (found.planned, found.scored, found.failed) == (4, 1, 1)
    assert found.left_out == {"reference is not text": ("2", "3")}
    assert found.planned == found.scored + found.failed + sum(map(len, found.left_out.values()))
    assert (found.score, found.metrics["anls"], found.bounds) == (1.0, 1.0, (0.5, 1.0))
    assert (total.left_out, total.unanswered) == ({"2", "3"}, {"4"})
    assert found.notes == {}


class InParts(ByMetrics):
    """Each word of an answer is a part, right where it is ``y``."""

    def score(self, task, sample, answer):
        del sample
        parts = tuple(float(word == "y") for word in answer.text.split())
        return {name: Score(sum(parts) / len(parts), answer.text, parts=parts) for name in task.metrics}


def test_parts_of_answers_count_one_by_one_and_are_clusters():
    task = dataclasses.replace(TASK, metrics=("acc",), headline="acc")
    sides = []
    for texts in (("y y y n", "n"), ("y y n n", "y")):
        total = Tally(task, "m", InParts())
        for key, text in zip("ab", texts, strict=True):
            total.add(Sample(key, (Text("q"),), None), answer(text))
        sides.append(total)
    base, cand = sides
    # Three of five instructions, not the mean of three quarters and nothing.
    assert base.task_score().score == cand.task_score().score == 3 / 5
    assert sorted(base.paired) == ["a[0]", "a[1]", "a[2]", "a[3]", "b[0]"]
    assert {one.cluster for one in base.paired.values()} == {"a", "b"}
    assert (base.in_parts, base.unanswered) == (True, frozenset())
    found = compare("t", Side("base", base.paired), Side("cand", cand.paired))
    assert (found.n, found.recovery.percent, found.recovery.clusters) == (5, 100.0, 2)


def test_an_answer_without_parts_is_one():
    assert parts_of("a", Score(0.5)) == {"a": 0.5}
    assert parts_of("a", Score(0.5, parts=(1.0, 0.0))) == {"a[0]": 1.0, "a[1]": 0.0}


def test_reasoning_is_counted_beside_texts_and_alone():
    total = Tally(TASK, "m", harness(TASK))
    beside = Elsewhere("reasoning", "so")
    total.add(sample("1"), dataclasses.replace(answer("right"), elsewhere=beside))
    total.add(sample("2"), dataclasses.replace(answer(None), elsewhere=beside))
    total.add(sample("3"), answer("right"))
    found = total.task_score()
    assert (found.reasoned, found.elsewhere, found.empty) == (2, {"reasoning": 1}, 1)


def test_answers_that_say_the_same_are_scored_once():
    asked = []

    class Counting(ByMetrics):
        def score(self, task, sample, answer):
            asked.append(answer)
            return super().score(task, sample, answer)

    part, one = TASK, sample("1")
    slow = dataclasses.replace(answer("right"), latency_s=9.0, tries=2)
    outcomes = [
        answer("right"),
        slow,
        answer("wrong"),
        answer("right", tokens=5),
        Failure(FailureKind.DEADLINE, "late"),
        Failure(FailureKind.DEADLINE, "late"),
    ]
    found = scored_alike(part, one, outcomes, Counting())
    assert asked == [answer("right"), answer("wrong"), answer("right", tokens=5)]
    assert found == [scored(part, one, outcome, ByMetrics()) for outcome in outcomes]
    assert found[1].outcome is slow
