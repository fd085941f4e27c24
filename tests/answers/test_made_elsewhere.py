"""What lighteval, every_eval_ever and inspect leave, and lm-eval with several seeds or a list for each sample."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit import answers
from evalkit.answers import MetricChoice
from evalkit.base.errors import DataError
from support.commands import evalkit, write_json, write_lines

DATES = ("2026-01-02T03-04-05.678901", "2026-01-02T05-00-00.000001", "2026-01-03T00-00-00.000002")


def read(path, metric=None):
    return answers.read(path, MetricChoice("baseline", metric))


def only(found):
    (side,) = found.tasks.values()
    return side


# --- lm-eval ---


def line(number, prompt="p", **metrics):
    own = {
        "doc_id": number,
        "filter": "none",
        "doc_hash": f"d{number}",
        "prompt_hash": prompt,
        "resps": [[str(metrics)]],
    }
    return own | metrics


def test_several_seeds_in_one_folder_are_repetitions(tmp_path):
    values = ([1, 0], [1, 1], [0, 1])
    for date, found in zip(DATES, values, strict=True):
        lines = [line(at, f"p{date}", exact_match=value) for at, value in enumerate(found)]
        write_lines(tmp_path / f"samples_gsm8k_{date}.jsonl", lines)
    side = only(read(tmp_path))
    assert [side.scores[key].value for key in ("0", "1")] == pytest.approx([2 / 3, 2 / 3])
    assert {score.attempts for score in side.scores.values()} == {3}
    assert (side.several, side.attempts.failed, side.attempts.planned) == (3, 0, 6)
    # Examples may be drawn by the seed: the prompts differ, the questions do not.
    assert side.content["0"] == {"question": "d0"}


def test_an_asking_that_lost_an_answer_counts_it_as_lost(tmp_path):
    write_lines(tmp_path / f"samples_t_{DATES[0]}.jsonl", [line(0, acc=1.0), line(1, acc=0.0)])
    write_lines(tmp_path / f"samples_t_{DATES[1]}.jsonl", [line(0, acc=0.0)])
    side = only(read(tmp_path))
    assert (side.scores["0"].value, side.scores["1"].value) == (0.5, 0.0)
    assert (side.attempts.failed, side.attempts.planned) == (1, 4)


def test_runs_that_were_asked_otherwise_are_no_repetitions(tmp_path):
    for date, shots in zip(DATES[:2], (5, 0), strict=True):
        write_lines(tmp_path / f"samples_t_{date}.jsonl", [line(0, acc=1.0)])
        write_json(tmp_path / f"results_{date}.json", {"n-shot": {"t": shots}})
    with pytest.raises(DataError, match="n-shot is 5 in one file and 0 in another"):
        read(tmp_path)


def test_a_list_for_each_sample_is_the_ratio_of_sums(tmp_path):
    metric = "inst_level_strict_acc"
    lines = [line(0, **{metric: [True, False, True]}), line(1, **{metric: [False]}), line(2, **{metric: [True, True]})]
    side = only(read(write_lines(tmp_path / "f.jsonl", lines), metric))
    values = [score.value for score in side.scores.values()]
    assert sum(values) / len(values) == 4 / 6
    assert [score.cluster for score in side.scores.values()] == ["0", "0", "0", "1", "2", "2"]
    (tmp_path / "other.jsonl").write_text((tmp_path / "f.jsonl").read_text())
    done = evalkit("compare", tmp_path / "f.jsonl", tmp_path / "other.jsonl", "--metric", metric)
    assert (done.code, "3 clusters" in done.out) == (0, True), done.out


# --- lighteval ---


def details(path, values, metric="extractive_match", ids=True):
    rows = [
        {
            "doc": {"query": f"q{at}", "choices": ["a"], "gold_index": 0, "id": str(at) if ids else "0"},
            "model_response": {"text": [f"said {value}"]},
            "metric": {metric: value},
        }
        for at, value in enumerate(values)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_lightevals_details_and_several_dates_of_one_task(tmp_path):
    name = "details_lighteval|aime25|0_{}.parquet"
    one = details(tmp_path / DATES[0] / name.format(DATES[0]), [1.0, 0.0])
    side = only(read(one))
    assert ([score.value for score in side.scores.values()], side.settings["task"]) == (
        [1.0, 0.0],
        "lighteval|aime25|0",
    )
    details(tmp_path / DATES[1] / name.format(DATES[1]), [0.0, 0.0])
    both = only(read(tmp_path))
    assert (both.scores["0"].value, both.several) == (0.5, 2)
    assert list(only(read(details(tmp_path / "x.parquet", [1, 0], ids=False))).scores) == ["0", "1"]
    with pytest.raises(DataError, match="no metric 'acc'"):
        read(one, "acc")


def test_lightevals_older_form(tmp_path):
    rows = [{"example": f"q{at}", "full_prompt": "p", "metrics": {"acc": at % 2, "loglik": -1.5}} for at in range(4)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="has acc, loglik"):
        read(tmp_path / "x.parquet")
    assert [one.value for one in only(read(tmp_path / "x.parquet", "acc")).scores.values()] == [0, 1, 0, 1]


# --- inspect ---


def log(**more):
    samples = [
        {
            "id": at, "epoch": epoch, "input": f"q{at}", "target": "x", "output": {"completion": f"a{epoch}"},
            "scores": {"match": {"value": "C" if (at + epoch) % 2 else "I"}},
        }
        for at in range(3)
        for epoch in (1, 2)
    ]  # fmt: skip
    return {"version": 2, "status": "success", "eval": {"task": "sums", "model": "org/m"}, "samples": samples, **more}


def test_inspects_epochs_are_repetitions(tmp_path):
    found = read(write_json(tmp_path / "log.json", log()))
    side = only(found)
    assert (found.format, list(found.tasks), side.model) == ("inspect", ["sums"], "org/m")
    assert [(one.value, one.attempts) for one in side.scores.values()] == [(0.5, 2)] * 3
    broken = log()
    broken["samples"][0] |= {"error": {"message": "x"}}
    lost = only(read(write_json(tmp_path / "lost.json", broken)))
    assert (lost.attempts.failed, lost.scores["0"].attempts) == (1, 1)


def test_an_inspect_score_with_several_values_has_to_be_chosen_from(tmp_path):
    several = log()
    for one in several["samples"]:
        one["scores"] = {"judge": {"value": {"style": 0.5, "truth": 1}}}
    path = write_json(tmp_path / "log.json", several)
    with pytest.raises(DataError, match="has judge,style, judge,truth"):
        read(path)
    assert only(read(path, "judge,truth")).scores["0"].value == 1.0
    with pytest.raises(DataError, match="no samples"):
        read(write_json(tmp_path / "head.json", log(samples=[])))


# --- every_eval_ever ---


def sample(number, value, version="0.2.2", **more):
    return {
        "schema_version": version, "evaluation_id": "e", "model_id": "org/m", "evaluation_name": "gsm8k",
        "sample_id": str(number), "interaction_type": "single_turn", "answer_attribution": [],
        "input": {"raw": f"q{number}", "reference": ["1"]}, "output": {"raw": [f"said {value}"]},
        "evaluation": {"score": value, "is_correct": bool(value)}, **more,
    }  # fmt: skip


@pytest.mark.parametrize("version", ["0.2.2", "0.2.3", "0.3.0"])
def test_samples_of_every_eval_ever_and_the_record_beside_them(tmp_path, version):
    lines = [sample(at, float(at % 2), version, evaluation_result_id="r1") for at in range(4)]
    name = "01234567-89ab-4cde-8f01-23456789abcd"
    path = write_lines(tmp_path / f"{name}_samples.jsonl", lines)
    assert only(read(path)).label == "org/m"
    record = {
        "schema_version": version,
        "evaluation_results": [
            {"evaluation_name": "gsm8k", "evaluation_result_id": "r1", "metric_config": {"metric_name": "exact match"}}
        ],
        "detailed_evaluation_results": {"format": "jsonl", "file_path": f"data/gsm8k/org/m/{name}_samples.jsonl"},
    }
    written = write_json(tmp_path / f"{name}.json", record)
    side = only(read(written))
    assert side.settings == {"task": "gsm8k", "metric": "exact match"}
    assert [one.value for one in side.scores.values()] == [0, 1, 0, 1]
    assert only(read(tmp_path)).settings == side.settings
    path.unlink()
    with pytest.raises(DataError, match="scores of whole tasks only"):
        read(written)


def test_another_schema_is_refused(tmp_path):
    for version in ("0.2.1", "0.4.0", "new", 1):
        with pytest.raises(DataError, match="schema_version is") as caught:
            read(write_lines(tmp_path / "x.jsonl", [sample(0, 1.0, version)]))
        assert caught.value.fix == "0.2.2 to 0.3 can be read"


def test_two_of_them_are_compared(tmp_path):
    base = write_lines(tmp_path / "a.jsonl", [sample(at, 1.0) for at in range(40)])
    cand = write_lines(tmp_path / "b.jsonl", [sample(at, float(at > 1)) for at in range(40)])
    done = evalkit("compare", base, cand, "--json")
    assert done.code == 0, done.err
    assert done.json["regressed"] == 2
    assert json.dumps(done.json)
