import pytest

from evalkit import answers
from evalkit.answers import MetricChoice
from evalkit.base.errors import DataError
from support.commands import scored, write_json, write_lines

DATE = "2026-01-02T03-04-05.678901"


def run(folder, candidates=("org/cand",), tasks=("charts", "pages")):
    write_json(
        folder / "results.json",
        {"baseline": "org/base", "candidates": list(candidates), "tasks": [{"task": task} for task in tasks]},
    )
    for label in ("org/base", *candidates):
        for task in tasks:
            write_lines(folder / "samples" / label.replace("/", "--") / f"{task}.jsonl", scored([1, 0]))
    return folder


def labels(found):
    return {side.label for side in found.tasks.values()}


def test_a_run_holds_its_baseline_and_its_candidate(tmp_path):
    run(tmp_path)
    assert labels(answers.read(tmp_path, MetricChoice("baseline"))) == {"org/base"}
    found = answers.read(tmp_path, MetricChoice("candidate"))
    assert labels(found) == {"org/cand"}
    assert list(found.tasks) == ["charts", "pages"]


def test_of_several_candidates_one_has_to_be_named(tmp_path):
    run(tmp_path, candidates=("org/w8a8", "org/w4a16"))
    with pytest.raises(DataError, match="has several candidates") as caught:
        answers.read(tmp_path, MetricChoice("candidate"))
    assert "samples/org--w4a16" in caught.value.fix
    found = answers.read(tmp_path / "samples" / "org--w4a16", MetricChoice("candidate"))
    assert labels(found) == {"org/w4a16"}


def test_an_unfinished_run_does_not_say_who_is_who(tmp_path):
    run(tmp_path)
    (tmp_path / "results.json").unlink()
    with pytest.raises(DataError, match="does not say which model is the baseline"):
        answers.read(tmp_path, MetricChoice("baseline"))


def test_a_folder_of_lm_eval_samples_holds_a_task_for_each_file(tmp_path):
    for task in ("mmlu_astronomy", "mmlu_anatomy"):
        write_lines(tmp_path / f"samples_{task}_{DATE}.jsonl", [{"doc_id": 0, "acc": 1.0}])
    found = answers.read(tmp_path, MetricChoice("baseline"))
    assert found.format == "lm-eval"
    assert set(found.tasks) == {"mmlu_astronomy", "mmlu_anatomy"}


def test_a_task_that_was_run_twice_is_averaged_within_each_sample(tmp_path):
    for day, value in (("01", 1.0), ("02", 0.0)):
        write_lines(tmp_path / f"samples_mmlu_2026-01-{day}T03-04-05.6.jsonl", [{"doc_id": 0, "acc": value}])
    (side,) = answers.read(tmp_path, MetricChoice("baseline")).tasks.values()
    assert (side.scores["0"].value, side.scores["0"].attempts) == (0.5, 2)


def test_the_only_file_of_a_folder_is_meant(tmp_path):
    write_lines(tmp_path / "any.jsonl", scored([1, 0]))
    assert list(answers.read(tmp_path, MetricChoice("baseline")).tasks) == [""]
    write_lines(tmp_path / "other.jsonl", scored([1, 0]))
    with pytest.raises(DataError, match="several files could be meant"):
        answers.read(tmp_path, MetricChoice("baseline"))


def test_an_evalplus_folder(tmp_path):
    write_json(tmp_path / "eval_results.json", {"eval": {"HumanEval/0": [{"base_status": "pass"}]}})
    assert answers.read(tmp_path, MetricChoice("baseline")).format == "evalplus"


def test_a_folder_without_scores(tmp_path):
    with pytest.raises(DataError, match="no file with scores"):
        answers.read(tmp_path, MetricChoice("baseline"))


def test_a_damaged_results_file_leaves_the_lines_readable(tmp_path):
    run(tmp_path)
    (tmp_path / "results.json").write_text("{")
    found = answers.read(tmp_path / "samples" / "org--base", MetricChoice("baseline"))
    assert labels(found) == {"org--base"}
    assert len(found.tasks["pages"].scores) == 2


def test_the_folder_of_lm_evals_output_path_and_one_task_of_it(tmp_path):
    place = tmp_path / "model"
    line = {"doc_id": 0, "filter": "none", "metrics": ["acc"], "acc": 1.0}
    write_lines(place / "samples_good_2026-11-26T18-03-22.333549.jsonl", [line])
    (place / "samples_bad_2026-11-26T18-03-22.333549.jsonl").write_text("no JSON")
    found = answers.read(tmp_path, MetricChoice("baseline", tasks=("good",)))
    assert list(found.tasks) == ["good"]
    write_lines(tmp_path / "other" / "samples_good_2026-11-26T18-03-22.333549.jsonl", [line])
    with pytest.raises(DataError, match="several models"):
        answers.read(tmp_path, MetricChoice("baseline"))
