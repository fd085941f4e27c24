"""Answers that are mathematics: judged as math-verify judges them, apart from the run and within bounds."""

import contextlib
import json

import pytest
from math_verify import parse, verify

from evalkit.base.errors import InfrastructureError
from evalkit.base.types import Answer, Sample, Text
from evalkit.harnesses import harness
from evalkit.harnesses.mathematics import checker as mathematics
from evalkit.tasks import registry
from support.commands import evalkit, write_lines

CASES = [
    ("\\frac{1}{2}", "so \\boxed{0.5}"),
    ("\\frac{1}{2}", "so \\boxed{\\dfrac{2}{4}}"),
    ("\\frac{1}{2}", "so \\boxed{0.51}"),
    ("204", "The answer is \\boxed{204}."),
    ("073", "\\boxed{73}"),
    ("2", "it is 3, no: 2"),
    ("(3, \\frac{\\pi}{2})", "$\\left(3, \\frac{\\pi}{2}\\right)$"),
    ("\\text{Evelyn}", "\\boxed{\\text{Evelyn}}"),
    ("x^2+1", "\\boxed{1 + x^2}"),
    ("5", ""),
    ("5", "I do not know."),
]


def judged(cases, deadline_s=60.0):
    checker = mathematics.MathChecker(deadline_s)
    with contextlib.closing(checker):
        for at, (gold, text) in enumerate(cases):
            checker.submit(str(at), Sample(str(at), (Text("?"),), [gold]), text)
        found = {}
        while len(found) < len(cases):
            found.update(checker.ready(120.0))
        return [found[str(at)] for at in range(len(cases))], checker.facts(0)


def test_every_judgement_is_math_verify_s():
    found, facts = judged(CASES)
    assert [one["math"] == "pass" for one in found] == [verify(parse(f"${gold}$"), parse(text)) for gold, text in CASES]
    assert {"pass", "fail"} == {one["math"] for one in found}
    assert facts.words() == ("11 different answers compared by math-verify",)


def test_a_comparison_that_does_not_end_is_ended_and_the_next_one_works():
    found, _ = judged([("2", "\\boxed{2}"), ("1", f"\\boxed{{{'9^' * 40}9}}" * 400), ("2", "\\boxed{2}")], 15.0)
    assert [found[0]["math"], found[2]["math"]] == ["pass", "pass"]
    assert found[1]["math"] in {"fail", "timeout"}


def test_a_reference_that_is_no_mathematics_is_left_out():
    (task,) = registry.find(["math-500"])
    chat = harness(task)
    sample = Sample("x", (Text("?"),), [""])
    (said,), _ = judged([("", "\\boxed{2}")])
    found = chat.score(task, sample, Answer("\\boxed{2}", "stop", 1, 1, 0.0, judgement=said))["math"]
    assert (found.left_out, found.note) == (True, "reference cannot be read")
    assert chat.score(task, sample, Answer(None, "stop", 1, 1, 0.0))["math"].note == "no content"


def test_without_math_verify_the_command_that_installs_it_is_named(monkeypatch):
    def absent(name):
        raise mathematics.PackageNotFoundError(name)

    monkeypatch.setattr(mathematics, "version", absent)
    with pytest.raises(InfrastructureError) as caught:
        mathematics.identity()
    assert caught.value.fix == "install it: pip install 'evalkit[math]'"


@pytest.mark.parametrize(
    ("name", "row", "shown"),
    [
        ("aime24", {"id": 60, "problem": "How many?", "answer": "204"}, "How many?"),
        ("aime25", {"id": "0", "problem": "How many?", "answer": 70}, "How many?"),
        (
            "math-500",
            {"problem": "Half?", "answer": "\\frac{1}{2}", "subject": "Algebra", "unique_id": "test/a/1.json"},
            "Half?",
        ),
        (
            "gpqa-diamond",
            {
                "Record ID": "r1",
                "Question": "Which?",
                "High-level domain": "Physics",
                "Correct Answer": "red",
                **{f"Incorrect Answer {at}": word for at, word in enumerate(("blue", "green", "grey"), 1)},
            },
            "Which?\n  | A. ",
        ),
    ],
)
def test_the_reasoning_tasks_read_rows_in_the_columns_of_their_data(tmp_path, name, row, shown):
    data = write_lines(tmp_path / "rows.jsonl", [row])
    done = evalkit("tasks", "check", name, "--data", data)
    assert f"{name}: 1 row, all can be asked" in done.out
    assert shown in done.out


def test_options_are_shuffled_alike_everywhere(tmp_path):
    base = {"Record ID": "r", "Question": "Which?", "High-level domain": "Physics"}
    rows = [
        base
        | {"Record ID": f"r{at}", "Correct Answer": f"right{at}"}
        | {f"Incorrect Answer {number}": f"wrong{at}-{number}" for number in (1, 2, 3)}
        for at in range(40)
    ]
    (task,) = registry.find(["gpqa-diamond"])

    def references(lines):
        data = write_lines(tmp_path / "rows.jsonl", lines)
        asked = harness(task).questions(task, data, lambda _: None)
        return {sample.id: sample.references for sample, _ in asked.samples(None)}

    found = references(rows)
    assert found == references(rows[::-1])
    places = [one["right"][0] for one in found.values()]
    assert {0, 1, 2, 3} == set(places)
    assert json.dumps(found)
