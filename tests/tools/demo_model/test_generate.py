"""The demo's data sets on disk."""

import json
import sys

import pyarrow.parquet as pq
import pytest

from demo_model import generate


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    before, sys.argv = sys.argv, ["generate", str(folder)]
    try:
        generate.main()
    finally:
        sys.argv = before
    return folder


def test_every_vision_task_has_its_rows(folder):
    for task in ("mmmu", "vqav2", "docvqa", "chartqa", "mathvista"):
        assert pq.read_metadata(folder / f"{task}.parquet").num_rows == 240


def test_mmlu_is_laid_out_as_a_data_set_with_one_config_a_subject(folder):
    table = pq.read_table(folder / "mmlu" / "astronomy" / "test-00000-of-00001.parquet")
    assert table.column_names == ["question", "subject", "choices", "answer"]
    assert table.num_rows == 8
    assert pq.read_table(folder / "mmlu" / "virology" / "dev-00000-of-00001.parquet").num_rows == 5
    assert (folder / "mmlu" / "README.md").read_text().count("config_name:") == 57


def test_humaneval_has_the_fields_that_evalplus_reads(folder):
    problems = [json.loads(line) for line in (folder / "humaneval.jsonl").read_text().splitlines()]
    assert [problem["task_id"] for problem in problems] == [f"HumanEval/{number}" for number in range(40)]
    wanted = ["task_id", "prompt", "entry_point", "canonical_solution", "test"]
    wanted += ["contract", "base_input", "plus_input", "atol"]
    assert all(list(problem) == wanted for problem in problems)


def test_it_is_small(folder):
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 6 * 2**20
