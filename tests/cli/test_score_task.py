"""``evalkit score --task`` on files of the project's own making, in the formats of evalplus and lm-eval."""

from pathlib import Path

import pytest

import evalkit as package
from support import textwork
from support.commands import evalkit, write_lines

TASKS = Path(package.__file__).parent.parent / "tasks"


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "problems.jsonl"
    rows = textwork.problems()
    write_lines(path, rows)
    return path, rows


def solution(row, *, right=True):
    return row["prompt"] + (row["canonical_solution"] if right else "    return 'wrong'\n")


def scored(file, data, *more, task="humaneval"):
    done = evalkit("score", file, "--task", task, "--data", data, "--json", *more)
    assert done.code == 0, done.err
    return done.json


def test_attempts_of_a_file_are_averaged_within_their_problem(problems, tmp_path):
    path, (one, two, _) = problems
    lines = [{"task_id": one["task_id"], "solution": solution(one, right=at < 1)} for at in range(4)]
    lines.append({"task_id": two["task_id"], "completion": two["canonical_solution"]})
    found = scored(write_lines(tmp_path / "samples.jsonl", lines), path)
    assert (found["n"], found["problems"]) == (5, 2)
    # A quarter of one problem and all of the other; not two of five.
    assert found["metrics"]["pass@1"] == pytest.approx((0.25 + 1) / 2)
    assert found["metrics"]["pass@10"] is None
    right = {"base": "pass", "plus": "pass", "note": ""}
    judged = {judgement.pop("id"): judgement for judgement in found["judgements"]}
    assert list(judged) == [*(f"{one['task_id']}#{at}" for at in range(4)), f"{two['task_id']}#0"]
    assert judged[f"{one['task_id']}#0"] == judged[f"{two['task_id']}#0"] == right
    assert {judged[f"{one['task_id']}#{at}"]["base"] for at in range(1, 4)} == {"fail"}
    assert judged[f"{one['task_id']}#1"]["note"].startswith("base: wrong output")


def test_a_task_that_asks_once_scores_files_with_many_attempts_alike(problems, tmp_path):
    path, (one, two, _) = problems
    text = (TASKS / "demo/humaneval.toml").read_text()
    assert "n = 10" in text
    (tmp_path / "mine.toml").write_text(text.replace("n = 10", "n = 1").replace("demo-humaneval", "mine"))
    lines = [{"task_id": one["task_id"], "solution": solution(one, right=at < 1)} for at in range(10)]
    lines += [{"task_id": two["task_id"], "solution": solution(two)} for _ in range(10)]
    found = scored(write_lines(tmp_path / "samples.jsonl", lines), path, task=tmp_path / "mine.toml")
    assert (found["n"], found["problems"]) == (20, 2)
    assert found["metrics"]["pass@1"] == pytest.approx(0.55)
    assert found["metrics"]["pass@10"] == 1.0


def test_a_folder_of_programs_and_answers_that_are_still_prose(problems, tmp_path):
    path, (one, two, _) = problems
    for row, name in ((one, "HumanEval_0"), (two, "HumanEval_1")):
        (tmp_path / "programs" / name).mkdir(parents=True)
        (tmp_path / "programs" / name / "0.py").write_text(f"This is it:\n\n{solution(row)}\nDone, I think.\n")
    assert scored(tmp_path / "programs", path)["metrics"]["pass@1"] == 0
    assert scored(tmp_path / "programs", path, "--sanitize")["metrics"]["pass@1"] == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "samples.jsonl:1: not JSON"),
        ("[]", "samples.jsonl:1: not a JSON object"),
        ('{"solution": "x"}', "samples.jsonl:1: task_id is null"),
        ('{"task_id": "HumanEval/0"}', "samples.jsonl:1: no text under solution or completion"),
        ('{"task_id": "HumanEval/9", "solution": "x"}', "samples.jsonl:1: no problem 'HumanEval/9'"),
        ("", "samples.jsonl: no attempts"),
    ],
)
def test_a_wrong_line_of_programs_is_named(problems, tmp_path, line, said):
    path, _ = problems
    (tmp_path / "samples.jsonl").write_text(line + "\n")
    done = evalkit("score", tmp_path / "samples.jsonl", "--task", "humaneval", "--data", path)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


def test_problems_that_are_not_there_are_not_replaced_by_others(tmp_path):
    """A task that names a file of its own is not asked with HumanEval's problems when the file is missing."""
    text = (TASKS / "demo/humaneval.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace("demo-humaneval", "mine"))
    write_lines(tmp_path / "samples.jsonl", [{"task_id": "HumanEval/0", "solution": "x"}])
    done = evalkit("score", tmp_path / "samples.jsonl", "--task", tmp_path / "mine.toml")
    assert done.code == 2
    assert "no file matches humaneval.jsonl" in done.err


def likelihoods(doc_id, values, gold, subject="astronomy"):
    """A line as lm-eval 0.4.13 logs a sample."""
    return {
        "doc_id": doc_id,
        "doc": {"question": "q", "subject": subject, "choices": ["a", "b", "c", "d"], "answer": gold},
        "target": str(gold),
        "arguments": {f"gen_args_{at}": {"arg_0": f"Q{doc_id}", "arg_1": f" {'ABCD'[at]}"} for at in range(4)},
        "resps": [[[str(value), "False"]] for value in values],
        "filtered_resps": [[str(value), "False"] for value in values],
        "doc_hash": "d",
        "prompt_hash": "p",
        "target_hash": "t",
        "acc": 1.0,
    }


def test_likelihoods_of_lm_eval_are_scored_again(tmp_path):
    file = tmp_path / "samples_mmlu_astronomy_2026-01-02T03-04-05.678901.jsonl"
    # The best one is right, the best one is wrong, and of equal ones the first counts.
    lines = [
        likelihoods(0, (-1, -2, -3, -4), 0),
        likelihoods(1, (-1, -2, -3, -4), 2),
        likelihoods(2, (-5, -1, -1, -3), 1),
    ]
    write_lines(file, lines)
    for given in (file, tmp_path):
        done = evalkit("score", given, "--task", "mmlu", "--json")
        assert done.code == 0, done.err
        assert (done.json["n"], done.json["metrics"]) == (3, {"acc": pytest.approx(2 / 3)})
    shown = evalkit("score", file, "--task", "mmlu")
    assert "mmlu acc: 66.67 % (3 answers to 3 questions)" in shown.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"filtered_resps": []}, ":1: not a sample of MMLU as lm-eval writes it"),
        ({"target": "7"}, ":1: not a sample of MMLU as lm-eval writes it"),
        ({"doc": {"subject": "alchemy"}}, ":1: not a sample of MMLU as lm-eval writes it"),
    ],
)
def test_a_wrong_line_of_likelihoods_is_named(tmp_path, change, said):
    write_lines(tmp_path / "mine.jsonl", [likelihoods(0, (-1, -2, -3, -4), 0) | change])
    done = evalkit("score", tmp_path / "mine.jsonl", "--task", "mmlu")
    assert (done.code, done.out) == (2, "")
    assert f"mine.jsonl{said}" in done.err


def test_a_question_that_occurs_twice_and_an_empty_folder_are_refused(tmp_path):
    write_lines(tmp_path / "mine.jsonl", [likelihoods(0, (-1, -2, -3, -4), 0)] * 2)
    done = evalkit("score", tmp_path / "mine.jsonl", "--task", "mmlu")
    assert done.code == 2
    assert "mine.jsonl:2: astronomy/0 occurs again" in done.err
    (tmp_path / "empty").mkdir()
    done = evalkit("score", tmp_path / "empty", "--task", "mmlu")
    assert done.code == 2
    assert "no samples_mmlu_*.jsonl in this folder" in done.err


def test_a_task_whose_answers_no_other_tool_leaves_is_refused(tmp_path):
    write_lines(tmp_path / "x.jsonl", [{}])
    done = evalkit("score", tmp_path / "x.jsonl", "--task", "docvqa")
    assert done.code == 2
    assert "use --metric anls" in done.err
