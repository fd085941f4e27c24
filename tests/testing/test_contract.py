"""The contract of harnesses: what keeps it passes, and every rule that is broken is told by its name."""

import pytest

from evalkit.tasks import extensions, registry
from evalkit.testing import ModelServer, broken_rules, check
from support.workplaces import DOCVQA, pages, write_parquet

HEAD = """
import itertools
from dataclasses import replace
from evalkit.base.types import Sample, Score
from evalkit.harnesses.chat import Chat, ChatQuestions, ChatSession
from evalkit.tasks.benchmarks.docvqa import DOCVQA
COUNT = itertools.count()
"""
BENCHMARK = """{head}
def sample(cells, prompt, position):
    made = DOCVQA.sample(cells, prompt, position)
    return {made}

BENCHMARKS = {{'mine': replace(DOCVQA, sample=sample)}}
"""
HARNESS = "{head}{code}\nHARNESSES = {{'mine': Mine()}}\n"


def task(folder, code, metric="anls"):
    text = DOCVQA.replace('"docvqa"', '"mine"').replace('"anls"', f'"{metric}"')
    (folder / "pages.toml").write_text(text)
    (folder / "mine.py").write_text(code)
    write_parquet(folder / "pages.parquet", pages(8))
    with extensions.allowing():
        (found,) = registry.find(["pages"], [folder])
    return found


def benchmark(folder, made, metric="anls"):
    return task(folder, BENCHMARK.format(head=HEAD, made=made), metric)


def harness(folder, code):
    """A harness that holds tasks as chat, but for what ``code`` says of questions or session."""
    return task(folder, HARNESS.format(head=HEAD, code=code))


def test_what_keeps_the_contract_passes(tmp_path):
    check(benchmark(tmp_path, "made"))
    asked = []

    def server():
        asked.append(ModelServer())
        return asked[0]

    assert broken_rules(benchmark(tmp_path, "made"), limit=4, server=server) == []
    assert asked[0].asked.total() == 4


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        ("replace(made, id=f'{next(COUNT)}')", "same order: read again, sample 0 is '8' instead of '0'"),
        ("replace(made, id='one')", "unique ids: 8 samples have the id 'one'"),
        (
            "replace(made, content=made.content[:1] * (1 + next(COUNT) // 8))",
            "same content, stable digests: read again",
        ),
        ("replace(made, references=[f'{next(COUNT)}'])", "same references: read again, sample '0' is another"),
        ("replace(made, cluster=f'{next(COUNT) // 16}')", "same groups: opened and read again, sample '0' is another"),
    ],
)
def test_a_benchmark_that_is_not_repeatable_is_told_by_rule(tmp_path, made, rule):
    found = broken_rules(benchmark(tmp_path, made))
    assert any(text.startswith(rule) for text in found), found


SESSION = """
class Lossy(ChatSession):
    def requests(self, pending):
        {requests}

class Mine(Chat):
    def questions(self, task, data, tell, models=()):
        return Chat().questions(replace(task, benchmark="docvqa", extensions=()), data, tell)

    def session(self, task, served, tell):
        return Lossy(task, served.name)
"""
QUESTIONS = """
class Asked(ChatQuestions):
    {code}

class Mine(Chat):
    def questions(self, task, data, tell, models=()):
        whole = Chat().questions(replace(task, benchmark="docvqa", extensions=()), data, tell)
        return Asked(whole.task, whole.data, whole.prompt, whole.portion)
"""
SCORING = """
class Mine(Chat):
    def questions(self, task, data, tell, models=()):
        return Chat().questions(replace(task, benchmark="docvqa", extensions=()), data, tell)

    def session(self, task, served, tell):
        return ChatSession(task, served.name)

    def score(self, task, sample, answer):
        return {said}
"""


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        (
            SESSION.format(requests="return itertools.islice(super().requests(pending), 7)"),
            "every request accounted for: 1 samples were not asked, as '7'",
        ),
        (
            SESSION.format(requests="return itertools.chain(*([one, one] for one in super().requests(pending)))"),
            "every request accounted for: requests() asks for '0' twice",
        ),
        (
            SESSION.format(requests="return (replace(one, key='x') for one in super().requests(pending))"),
            "every request accounted for: requests() asks for 'x', which is not owed",
        ),
        (QUESTIONS.format(code="available = 9"), "counts: planned(None) is 8, and available is 9"),
        (
            QUESTIONS.format(code="def planned(self, limit):\n        return 7"),
            "counts: planned(None) is 7, and there are 8 samples",
        ),
        (
            QUESTIONS.format(
                code="def samples(self, limit):\n"
                "        return ((one, 'same') for one, _ in ChatQuestions.samples(self, limit))"
            ),
            "stable digests: '0' and '1' are other questions with one digest",
        ),
    ],
)
def test_a_harness_that_loses_or_confuses_is_told_by_rule(tmp_path, code, rule):
    found = broken_rules(harness(tmp_path, code))
    assert any(text.startswith(rule) for text in found), found


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("{'f1': Score(1.0)}", "scores: sample '0' has f1 instead of anls"),
        ("{'anls': Score(float(next(COUNT) % 2))}", "scores: the same answer to '0' is scored otherwise the second"),
        ("{'anls': Score(float('nan'))}", "scores within 0 to 1: anls of '0' is nan"),
    ],
)
def test_scores_that_do_not_hold_are_told_by_rule(tmp_path, said, rule):
    found = broken_rules(harness(tmp_path, SCORING.format(said=said)))
    assert any(text.startswith(rule) for text in found), found


def test_a_task_that_has_fewer_samples_the_second_time_is_told_by_rule(tmp_path):
    fewer = "return itertools.islice(ChatQuestions.samples(self, limit), 8 - next(COUNT))"
    found = broken_rules(harness(tmp_path, QUESTIONS.format(code=f"def samples(self, limit):\n        {fewer}")))
    assert "same samples: read again, there are 7 instead of 8" in found


def test_scores_beyond_one_are_told(tmp_path):
    code = BENCHMARK.format(head=HEAD, made="made") + "METRICS = {'far': lambda answer, references, dialect: 2.0}\n"
    with pytest.raises(AssertionError, match="scores within 0 to 1: metric 'far'") as caught:
        check(task(tmp_path, code, "far"))
    assert "pages breaks the contract of harnesses:" in str(caught.value)


def test_an_answer_that_does_not_come_is_told(tmp_path):
    (told,) = broken_rules(benchmark(tmp_path, "made"), server=lambda: ModelServer(part="status:400"))
    assert told.startswith("every request accounted for: '0' failed: ")
