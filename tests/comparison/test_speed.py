from evalkit.base.types import Answer, Dataset, Decoding, Failure, FailureKind, Sample, Task, Text
from evalkit.comparison import speed
from evalkit.comparison.score import Tally
from evalkit.harnesses import harness

TASK = Task("t", "docvqa", Dataset("", "v"), Decoding(9), ("anls",), "anls", "Vision", "T")


def tally(*outcomes):
    total = Tally(TASK, "m", harness(TASK))
    for at, outcome in enumerate(outcomes):
        total.add(Sample(str(at), (Text("q"),), ["x"]), outcome)
    return total


def test_latency_and_rate_come_from_answers_alone():
    answers = [Answer("x", "stop", 1, 10, float(at)) for at in range(1, 101)]
    found = speed.of(tally(*answers, Failure(FailureKind.DEADLINE, "slow", 600.0)))
    assert (found.answers, found.mean_s, found.median_s, found.p95_s) == (100, 50.5, 50.5, 95.0)
    assert found.tokens_per_s == 1000 / 5050


def test_one_answer_is_its_own_percentile():
    assert speed.of(tally(Answer("x", "stop", 1, None, 2.0))).p95_s == 2.0


def test_without_token_counts_there_is_no_rate_and_without_answers_no_speed():
    assert speed.of(tally(Answer("x", "stop", 1, None, 2.0))).tokens_per_s is None
    assert speed.of(tally(Failure(FailureKind.DEADLINE, "slow"))) is None
