import json

import pytest

from evalkit.base.errors import DataError
from evalkit.harnesses.lm_eval.answers import recorded
from evalkit.harnesses.lm_eval.harness import LmEval
from evalkit.harnesses.lm_eval.wire import parsed
from evalkit.tasks import metrics
from support.commands import write_lines
from support.lm_eval_oracle import lm_eval_results
from support.mmlu_folder import mmlu, task

DATE = "2026-01-02T03-04-05.678901"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder of samples as lm-eval itself saves them, with the questions, the answers and lm-eval's table."""
    from lm_eval.loggers import EvaluationTracker

    folder = tmp_path_factory.mktemp("saved")
    questions = LmEval().questions(task(), mmlu(tmp_path_factory.mktemp("mmlu")), print)
    answers = {
        sample.id: json.dumps(
            {"loglikelihoods": [-1.5 - (place * 7 + at * 3) % 5 for at in range(4)], "greedy": [place % 2 == 0] * 4}
        )
        for place, (sample, _) in enumerate(questions.samples(None))
    }
    found = lm_eval_results(questions, answers)
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.model_name_sanitized = "m"
    tracker.save_results_aggregated(results={"results": found["results"]}, samples=None)
    for name, lines in found["samples"].items():
        tracker.save_results_samples(task_name=name, samples=lines)
    return folder, questions, answers, found


def test_lm_evals_own_files_are_the_same_samples_and_scores(run):
    folder, questions, answers, found = run
    read = {sample.id: (sample, answer) for sample, answer in recorded(folder)}
    for sample, _ in questions.samples(None):
        again, answer = read.pop(sample.id)
        assert again == sample
        assert parsed(answer.text) == parsed(answers[sample.id])
    assert not read
    scored = [
        metrics.score("acc", answer.text, sample.references).value
        for sample, answer in recorded(next(folder.glob("**/samples_mmlu_astronomy_*.jsonl")))
    ]
    assert sum(scored) / len(scored) == found["results"]["mmlu_astronomy"]["acc,none"]


def test_a_file_of_another_name_tells_its_subject_by_its_rows(run, tmp_path):
    saved = next(run[0].glob("**/samples_mmlu_sociology_*.jsonl"))
    renamed = tmp_path / "mine.jsonl"
    renamed.write_text(saved.read_text())
    assert [sample.id for sample, _ in recorded(renamed)] == [f"sociology/{at}" for at in range(8)]


def line(**changes):
    return {
        "doc_id": 0,
        "doc": {"subject": "anatomy"},
        "target": "1",
        "arguments": {f"gen_args_{at}": {"arg_0": "prompt", "arg_1": f" {at}"} for at in range(2)},
        "filtered_resps": [["-1.0", "True"], ["-2.0", "False"]],
        "doc_hash": "d",
        "prompt_hash": "p",
        **changes,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"doc": {"subject": "astrology"}},
        {"doc": "text"},
        {"target": "2"},
        {"target": "B"},
        {"filtered_resps": ["text"]},
        {"filtered_resps": [["-1.0", "True"]]},
        {"arguments": None},
    ],
)
def test_what_is_no_mmlu_is_named_with_its_line(tmp_path, changes):
    path = write_lines(tmp_path / "f.jsonl", [line(), line(**{"doc_id": 1, **changes})])
    with pytest.raises(DataError, match=r"f\.jsonl:2: not a sample of MMLU"):
        list(recorded(path))


def test_two_runs_in_one_folder_are_told_apart(tmp_path):
    for date in (DATE, DATE.replace("2026", "2025")):
        write_lines(tmp_path / f"samples_mmlu_anatomy_{date}.jsonl", [line()])
    with pytest.raises(DataError, match="anatomy/0 occurs again"):
        list(recorded(tmp_path))


def test_a_folder_without_samples_is_named(tmp_path):
    with pytest.raises(DataError, match="no samples_mmlu_"):
        list(recorded(tmp_path))
