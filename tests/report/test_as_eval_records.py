"""Records for others: every_eval_ever's own schema (0.3.0, beside this file with its licence), the Hub's own reader."""

import json
from pathlib import Path

import pytest
import yaml
from huggingface_hub import EvalResultEntry, parse_eval_result_entries
from jsonschema import Draft7Validator

from evalkit import report
from evalkit.base.types import Dataset
from support.reports import COMMIT, HOSTILE, MIXED, RIGHT, built, task, whole

SCHEMA = json.loads((Path(__file__).parent / "every_eval_ever" / "eval.schema.json").read_text(encoding="utf-8"))
TWO = (task(), task("own", "Own", dataset=Dataset("", "test")))


def records(one, label):
    found = {name: json.loads(text) for name, text in report.every_eval_ever(one, label, "run-1", 1700000000).items()}
    for record in found.values():
        assert [error.message for error in Draft7Validator(SCHEMA).iter_errors(record)] == []
    return found


def test_the_schema_is_the_one_that_is_written():
    assert (
        SCHEMA["version"]
        == json.loads(report.every_eval_ever(whole(), whole().baseline, "r", 1)[whole().rows[0].part.task.name])[
            "schema_version"
        ]
    )
    assert list(Draft7Validator(SCHEMA).iter_errors({"schema_version": "0.3.0"}))


def test_each_model_and_task_has_a_record_and_the_candidate_its_recovery():
    one = built({"org/base": [RIGHT, RIGHT], "org/cand": [MIXED, RIGHT]}, tasks=TWO)
    base, cand = records(one, "org/base"), records(one, "org/cand")
    assert set(base) == set(cand) == {"docvqa", "own"}
    result = next(found for found in cand["docvqa"]["evaluation_results"] if found["score_details"]["details"])
    details, row = result["score_details"]["details"], one.rows[0]
    assert result["score_details"]["score"] == row.scores["org/cand"].score
    assert float(details["recovery_percent"]) == row.judgements["org/cand"].comparison.recovery.percent
    assert details["baseline"] == "org/base"
    assert "recovery_percent" not in base["docvqa"]["evaluation_results"][0]["score_details"]["details"]
    assert cand["own"]["evaluation_results"][0]["source_data"]["source_type"] == "other"


@pytest.mark.parametrize("label", whole().plan.contenders)
def test_whatever_a_run_holds_its_records_fit_the_schema(label):
    assert records(whole(), label.model.label)


def test_names_of_any_kind_stay_texts():
    one = built({HOSTILE: [RIGHT], "cand": [MIXED]})
    assert records(one, HOSTILE)["docvqa"]["model_info"]["name"] == HOSTILE


def entries(one, label):
    found = report.eval_results(one, label, "2026-01-02T03:04:05+00:00")
    return {name: parse_eval_result_entries(yaml.safe_load(text)) for name, text in found.items()}


def test_the_hub_reads_the_entries_of_whole_tasks_on_its_data():
    one = built({"org/base": [RIGHT, RIGHT], "org/cand": [MIXED, RIGHT]}, tasks=TWO)
    found = entries(one, "org/cand")
    assert set(found) == {"docvqa"}
    ((entry,),) = found.values()
    assert isinstance(entry, EvalResultEntry)
    assert (entry.dataset_id, entry.dataset_revision) == (one.rows[0].part.task.dataset.id, COMMIT)
    assert entry.value == round(100 * one.rows[0].scores["org/cand"].score, 2)


def test_a_part_of_a_task_is_no_entry():
    assert entries(built({"org/base": [RIGHT], "org/cand": [MIXED]}, smoke=True), "org/cand") == {}
