"""The text half of the demonstration: what both harnesses read, how much of it, and what training never saw."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from evalkit import harnesses
from evalkit.demo import texts
from evalkit.demo.questions import heldout, mmlu, programs
from evalkit.demo.questions.scenes import split_of, stream
from evalkit.tasks import registry

PROBLEMS, ATTEMPTS = 40, 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("texts")


@pytest.fixture(scope="module")
def quizzes(folder):
    """MMLU's questions, as the harness of the real task reads them from the demonstration's folder."""
    task = registry.tasks()["demo-mmlu"]
    return harnesses.harness(task).questions(task, texts.write_mmlu(folder / "mmlu"), print)


@pytest.fixture(scope="module")
def problems(folder):
    """HumanEval's problems, in the same way."""
    task = registry.tasks()["demo-humaneval"]
    return harnesses.harness(task).questions(task, texts.write_humaneval(folder / "humaneval.jsonl"), print)


def test_mmlu_has_enough_questions_of_all_subjects(quizzes):
    listed = [sample for sample, _ in quizzes.samples(None)]
    assert quizzes.available == len(listed) == len({sample.id for sample in listed}) >= 400
    assert set(Counter(sample.references["subject"] for sample in listed).values()) == {heldout.QUIZZES}
    categories = {sample.references["subject"]: sample.references["category"] for sample in listed}
    assert categories == {subject.name: subject.category for subject in mmlu.subjects()}


def test_every_letter_is_right_now_and_then(quizzes):
    right = Counter(sample.references["gold"] for sample, _ in quizzes.samples(None))
    assert len(right) == 4
    assert min(right.values()) > quizzes.available / 8


def test_an_mmlu_question_is_read_as_it_is_trained(quizzes):
    shots, asked = heldout.quizzes()["astronomy"]
    sample = next(sample for sample, _ in quizzes.samples(None) if sample.id == "astronomy/0")
    above = mmlu.heading("astronomy") + "".join(f"{shot.text(answered=True)}\n\n" for shot in shots)
    assert sample.content[0].text == above + asked[0].text(answered=False)
    assert sample.references["gold"] == asked[0].answer


def test_humaneval_has_forty_problems_and_ten_attempts_at_each(problems):
    listed = [sample for sample, _ in problems.samples(None)]
    assert problems.available == len(listed) == PROBLEMS * ATTEMPTS
    assert Counter(sample.cluster for sample in listed) == {f"HumanEval/{at}": ATTEMPTS for at in range(PROBLEMS)}
    for problem in problems.problems.values():
        assert len(problem.tests["base"]) >= 5
        assert len(problem.tests["plus"]) > len(problem.tests["base"])


def test_every_canonical_solution_passes_and_an_empty_one_does_not(problems):
    task = registry.tasks()["demo-humaneval"]
    first = {sample.cluster: sample for sample, _ in problems.samples(None) if sample.id.endswith("#0")}
    checker = harnesses.harness(task).checker(task, problems, unsafe=False)
    found = {}
    try:
        for name, sample in first.items():
            text = problems.problems[name].prompt + problems.problems[name].solution
            checker.submit(name, sample, f"{text}\n```\n")
        checker.submit("empty", first["HumanEval/0"], problems.problems["HumanEval/0"].prompt + "    return None\n")
        while len(found) <= PROBLEMS:
            found.update(checker.ready(60.0))
    finally:
        checker.close()
    assert {found.pop("empty")["base"]} == {"fail"}
    assert [name for name, verdict in found.items() if (verdict["base"], verdict["plus"]) != ("pass", "pass")] == []


def test_training_never_shows_a_heldout_mmlu_question(quizzes):
    rng = stream("training", "mmlu")
    shown = {mmlu.quiz(rng, subject, "train").key for subject in mmlu.subjects() for _ in range(300)}
    asked = {quiz.key for _, some in heldout.quizzes().values() for quiz in some}
    assert len(asked) == quizzes.available
    assert {split_of(key) for key in asked} == {"heldout"}
    assert not asked & shown


def test_training_never_shows_a_heldout_program(problems):
    rng = stream("training", "humaneval")
    drawn = (programs.program(rng, rng.randint(0, 3)) for _ in range(20_000))
    shown = {made.key for made in drawn if split_of(made.key) == "train"}
    asked = {made.key for made in heldout.problems()}
    assert len(asked) == len(problems.problems)
    assert {split_of(key) for key in asked} == {"heldout"}
    assert not asked & shown


@pytest.mark.parametrize("name", ["mmlu", "humaneval"])
def test_a_demo_task_has_the_settings_of_the_real_one(name):
    real, demo = registry.tasks()[name], registry.tasks()[f"demo-{name}"]
    assert (demo.benchmark, demo.headline, demo.category) == (real.benchmark, real.headline, real.category)
    assert set(real.metrics) <= set(demo.metrics)
    assert (demo.decoding.temperature, demo.decoding.top_p) == (real.decoding.temperature, real.decoding.top_p)
    assert (demo.decoding.n > 1) == (real.decoding.n > 1)
    own = {"max_length", "instruction", "response"}
    kept, wanted = ({key: value for key, value in task.settings.items() if key not in own} for task in (demo, real))
    assert kept == wanted
    assert "demo" in demo.title


def test_humaneval_is_asked_in_the_words_of_the_training():
    settings = registry.tasks()["demo-humaneval"].settings
    assert (settings["instruction"], settings["response"]) == (programs.INSTRUCTION, programs.RESPONSE)


def test_the_same_files_are_written_every_time(folder, quizzes, problems, tmp_path):
    texts.write_mmlu(tmp_path / "mmlu")
    texts.write_humaneval(tmp_path / "humaneval.jsonl")
    again = _bytes(tmp_path)
    assert len(again) == 2 * 57 + 1
    assert again == _bytes(folder)
    lines = [json.loads(line) for line in (folder / "humaneval.jsonl").read_text().splitlines()]
    assert [line["task_id"] for line in lines] == [f"HumanEval/{number}" for number in range(PROBLEMS)]


def _bytes(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
