import dataclasses

import pytest

from evalkit.base.types import Answer, Dataset, Decoding, Failure, FailureKind, Record, Sample, Task, Text
from evalkit.comparison.score import Tally, grouped, tally
from evalkit.harnesses import harness

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
