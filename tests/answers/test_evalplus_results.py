import pytest

from evalkit import answers
from evalkit.answers import MetricChoice
from evalkit.base.errors import DataError
from support.commands import write_json


def attempt(base, plus=None):
    return {
        "task_id": "x",
        "solution": "pass",
        "base_status": base,
        "plus_status": plus,
        "base_fail_tests": [],
        "plus_fail_tests": [],
    }


def write(path, problems, **more):
    return write_json(path, {"date": "2026-01-02 03:04", "hash": "abc", "eval": problems, **more})


def read(path, metric=None):
    found = answers.read(path, MetricChoice("baseline", metric))
    assert found.format == "evalplus"
    return found.tasks[""]


def test_attempts_are_averaged_within_their_problem(tmp_path):
    problems = {
        "Mbpp/2": [attempt("pass"), attempt("fail"), attempt("pass"), attempt("fail")],
        "Mbpp/3": [attempt("pass")],
    }
    side = read(write(tmp_path / "s_eval_results.json", problems))
    assert {key: one.value for key, one in side.scores.items()} == {"Mbpp/2": 0.5, "Mbpp/3": 1.0}
    assert side.settings == {"metric": "base", "data hash": "abc"}
    assert (side.planned, side.available) == (0, None)


def test_humaneval_has_164_problems_whatever_the_file_has(tmp_path):
    side = read(write(tmp_path / "s.json", {"HumanEval/0": [attempt("pass")]}))
    assert (side.planned, side.available) == (164, 164)


def test_plus_asks_for_both(tmp_path):
    problems = {"Mbpp/2": [attempt("pass", "pass"), attempt("pass", "fail"), attempt("fail", "pass")]}
    path = write(tmp_path / "s.json", problems)
    assert read(path, "plus").scores["Mbpp/2"].value == pytest.approx(1 / 3)
    assert read(path).scores["Mbpp/2"].value == pytest.approx(2 / 3)


def test_timeouts_are_told(tmp_path):
    side = read(write(tmp_path / "s.json", {"Mbpp/2": [attempt("timeout"), attempt("pass")]}))
    assert side.scores["Mbpp/2"].value == 0.5
    assert "1 of 2 attempts ran into the time limit" in side.cautions[0]


@pytest.mark.parametrize(
    ("problems", "metric", "said"),
    [
        ({}, None, "'eval' holds no problem"),
        ({"Mbpp/2": []}, None, "eval.Mbpp/2: is []"),
        ({"Mbpp/2": {"nfiles": 1, "base": [["pass", []]]}}, None, "not a list of attempts"),
        ({"Mbpp/2": [["pass"]]}, None, "eval.Mbpp/2[0]"),
        ({"Mbpp/2": [attempt("pass"), attempt("success")]}, None, 'eval.Mbpp/2[1]: base_status is "success"'),
        ({"Mbpp/2": [attempt("pass")]}, "plus", "the plus tests were not run"),
        ({"Mbpp/2": [attempt("pass")]}, "pass@1", "no metric 'pass@1'"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, problems, metric, said):
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "s.json", problems), metric)
    assert said in caught.value.message
    assert caught.value.fix
