"""Answers on their way to a checker and back, over a real store."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from evalkit.base.errors import SandboxError
from evalkit.base.types import Answer, Dataset, Decoding, Elsewhere, Sample, Task, Text
from evalkit.harnesses.evalplus.facts import JudgingFacts
from evalkit.harnesses.evalplus.harness import EvalPlus
from evalkit.records.judgements import READS_REASONING, judgement_key
from evalkit.records.plan import PlannedTask
from evalkit.records.store import Store
from evalkit.runs.checks import Checks

TASK = Task(
    name="programs",
    benchmark="humaneval",
    dataset=Dataset("", "test", ("x",)),
    decoding=Decoding(10, n=2),
    metrics=("pass@1",),
    headline="pass@1",
    category="Text",
    title="T",
)
PART = PlannedTask(TASK, "listing", 2, 2, "r", "checker 1")
SAMPLE = Sample("HumanEval/0#0", (Text("def f():"),), {"task_id": "HumanEval/0"}, "HumanEval/0")


class Judge:
    """Says of every text what it is; remembers what it was given."""

    def __init__(self):
        self.given, self.told, self.closed, self.error = [], [], False, None

    def submit(self, key, sample, text):
        self.given.append(text)
        self.told.append((key, {"base": text, "plus": text}))

    def ready(self, wait_s=0.0):
        if self.error:
            raise self.error
        told, self.told = self.told, []
        return told

    def facts(self, timeouts):
        return JudgingFacts(answers=len(self.given), timeouts=timeouts)

    def close(self):
        self.closed = True


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path) as opened:
        yield opened


def checks(store, judge):
    class Judged(EvalPlus):
        def checker(self, *_, **__):
            return judge

    return Checks([SimpleNamespace(part=PART, harness=Judged(), questions=None)], store, lambda _: None)


def answer(text):
    return Answer(text, "stop", 1, 1, 0.1)


def test_equal_answers_are_judged_once_and_every_one_gets_its_judgement(store):
    judge, got = Judge(), []
    with checks(store, judge) as found:
        for text in ("pass", "pass", "timeout"):
            found.judge(PART, SAMPLE, answer(text), got.append)
        assert got == []
        found.finish()
        assert sorted(one.judgement["base"] for one in got) == ["pass", "pass", "timeout"]
        assert judge.given == ["pass", "timeout"]
        assert found.facts["programs"].stored() == {"answers": 2, "timeouts": 1}
    assert judge.closed


def test_a_later_run_judges_nothing_again_and_still_knows_of_the_timeouts(store):
    with checks(store, Judge()) as found:
        found.judge(PART, SAMPLE, answer("timeout"), lambda _: None)
        found.finish()
    judge, got = Judge(), []
    with checks(store, judge) as found:
        for _ in range(2):
            found.judge(PART, SAMPLE, answer("timeout"), got.append)
        found.finish()
        assert found.facts["programs"].stored() == {"verdicts": "from the store", "timeouts": 2}
    assert [one.judgement for one in got] == [{"base": "timeout", "plus": "timeout"}] * 2
    assert judge.given == []


def test_a_checker_that_cannot_go_on_ends_the_run_and_is_closed(store):
    judge = Judge()
    judge.error = SandboxError("no sandbox", fix="x")
    with checks(store, judge) as found:
        found.judge(PART, SAMPLE, answer("pass"), lambda _: None)
        with pytest.raises(SandboxError, match="no sandbox"):
            found.finish()
    assert judge.closed


def test_a_checker_reads_the_reasoning_only_where_the_task_says_so(store):
    judge, told = Judge(), []
    answer = Answer("a", "stop", 1, 9, 0.1, elsewhere=Elsewhere("reasoning", "so"))
    reading = replace(PART, task=replace(TASK, score_reasoning=True), checker=PART.checker + READS_REASONING)
    with checks(store, judge) as found:
        for part in (PART, reading):
            found.judge(part, SAMPLE, answer, lambda one: told.append(one.judgement["base"]))
        found.finish()
    assert judge.given == told == ["a", "so\na"]
    # Another reasoning is another answer to a checker that reads it, and to no other one.
    other = replace(answer, elsewhere=Elsewhere("reasoning", "no"))
    keys = [{judgement_key(part.checker, SAMPLE, one) for one in (answer, other)} for part in (PART, reading)]
    assert list(map(len, keys)) == [1, 2]
