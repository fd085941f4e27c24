"""What a tally has counted is the same once it was kept as JSON and taken back."""

import json
from dataclasses import replace

import pytest

from evalkit.base.types import Answer, Dataset, Decoding, Elsewhere, Failure, FailureKind, Sample, Score, Task, Text
from evalkit.comparison import speed
from evalkit.comparison.score import Tally
from evalkit.comparison.tally_columns import Shared
from evalkit.harnesses import harness
from evalkit.harnesses.scoring import ByMetrics

TASK = Task(
    name="docvqa",
    benchmark="docvqa",
    dataset=Dataset("d", "test"),
    decoding=Decoding(10),
    metrics=("anls", "exact_match"),
    headline="anls",
    category="Vision",
    title="T",
)
OUTCOMES = [
    Answer("right", "stop", 10, 4, 0.1),
    Answer("rihgt", "length", 10, None, 1 / 3, 2),
    Answer("", "stop", None, 0, 0.2, elsewhere=Elsewhere("reasoning", "so")),
    Answer(None, None, None, None, 0.0),
    Answer("long " * 40 + "\ud800", "stop", 10, 400, 12.5),
    Failure(FailureKind.DEADLINE, "late", 600.0, 4),
]


class InParts(ByMetrics):
    """Words are parts, and the first letter of an id is a part of the task; what begins with x has no reference."""

    def score(self, task, sample, answer):
        parts = tuple(float(word == "y") for word in (answer.text or "n").split() or ["n"])
        left_out = sample.id.startswith("x")
        score = Score(sum(parts) / len(parts), answer.text, "noted", parts=parts, left_out=left_out)
        return dict.fromkeys(task.metrics, score)

    def parts(self, sample):
        return (sample.id[0], sample.id)

    def made_of(self, sample):
        return sample.id[0]


def counted(task, scoring, samples):
    total = Tally(task, "m", scoring)
    for place, sample in enumerate(samples):
        total.add(sample, OUTCOMES[place % len(OUTCOMES)])
    return total


def back(tally, scoring):
    """The tally once more, through JSON."""
    found = Tally(tally.task, "m", scoring)
    found.restore(Shared(iter(json.loads(json.dumps([*tally.kept()])))))
    return found


def told(tally):
    """All that a comparison asks of a tally, in its order; texts tell 1 from 1.0 and from True."""
    return repr(
        [
            [*tally.paired.items()],
            [*tally.behaviour.items()],
            [*tally.latencies_s],
            speed.of(tally),
            [[*tally.values_of(name).items()] for name in tally.task.metrics],
            [*tally.groups.items()],
            [*tally.made_of.items()],
            [*tally.failures.items()],
            sorted(tally.unanswered),
            sorted(tally.left_out),
            [tally.part_of(key) for key in tally.values_of(tally.task.headline)],
            tally.task_score(),
            (tally.running, tally.scored, tally.failed, tally.in_parts),
        ]
    )


@pytest.mark.parametrize("scoring", [harness(TASK), InParts()], ids=["whole", "in parts"])
@pytest.mark.parametrize("attempts", [1, 3])
def test_it_is_the_same_to_the_last_digit_and_counts_on(scoring, attempts):
    task = replace(TASK, decoding=Decoding(10, n=attempts))
    ids = [f"{letter}{number}" for letter in "abx" for number in range(5)]
    keys = ids if attempts == 1 else [f"{key}#{attempt}" for key in ids for attempt in range(attempts)]
    samples = [Sample(key, (Text("q"),), ["right"], cluster=f"page {place // 3}") for place, key in enumerate(keys)]
    whole = counted(task, scoring, samples)
    again = back(whole, scoring)
    assert told(again) == told(whole)
    for tally in (whole, again):
        tally.add(Sample("b9", (Text("q"),), ["right"], cluster="page 1"), OUTCOMES[1])
    assert told(again) == told(whole)


def test_answers_that_came_out_alike_share_what_is_kept_of_that_however_long_they_took():
    whole = Tally(TASK, "m", harness(TASK))
    for place in range(50):
        sample = Sample(f"a{place}", (Text("q"),), ["right"])
        whole.add(sample, Answer("right" if place else "wrong", "stop", 10, 4, 0.1 * place))
    for tally in (whole, back(whole, harness(TASK))):
        assert len({id(one) for one in tally.behaviour.values()}) == 1
        assert speed.of(tally).p95_s == 0.1 * 47


def test_of_nothing_counted_comes_nothing():
    assert told(back(Tally(TASK, "m", harness(TASK)), harness(TASK))) == told(Tally(TASK, "m", harness(TASK)))
