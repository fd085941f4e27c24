"""``evalkit compare`` on what a run leaves: its folder and its exports give the run's own recoveries."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from support import textwork
from support.commands import evalkit, scored, write_lines
from support.workplaces import fitted_out

KINDS = ("parquet", "csv", "jsonl")
MODELS = ("--baseline-model", "base", "--candidate-model", "cand")
FIGURES = ("baseline", "candidate", "interval", "interval_method", "planned", "failed", "regressed", "improved")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of two vision tasks, MMLU, and HumanEval's ten attempts, with its exports."""
    workplace = fitted_out(tmp_path_factory.mktemp("exported"))
    textwork.write(workplace.folder)
    vision = ("--tasks-dir", "tasks", "--task", "pages", "--task", "charts", "--limit", "20")
    done = workplace.here(*textwork.words(*vision))
    assert done.returncode == 0, done.stderr
    (folder,) = workplace.runs()
    for kind in KINDS:
        assert evalkit("export", folder, "--format", kind).code == 0
    return folder


def own(run):
    """Row name to what the run itself says of the candidate."""
    found = json.loads((run / "results.json").read_text())
    rows = [(row["task"], row["recovery"]["cand"]) for row in found["tasks"]]
    return dict(rows), {row["category"]: row["recovery"]["cand"] for row in found["averages"]}


def same(row, told):
    assert row["recovery"] == pytest.approx(told["percent"])
    assert row["n"] == told["paired"]
    for name in FIGURES:
        assert row[name] == (pytest.approx(told[name]) if isinstance(told[name], float | list) else told[name]), name


def test_a_runs_folder_gives_its_own_recoveries_and_averages(run):
    tasks, means = own(run)
    ended = evalkit("compare", run, run, "--json")
    assert ended.code == 0, ended.err
    assert {row["task"] for row in ended.json["averages"]} == {*means}
    assert "Vision" in means
    for row in (*ended.json["tasks"], *ended.json["averages"]):
        same(row, {**tasks, **means}[row["task"]])
    # Attempts are averaged: what is paired are problems.
    (programs,) = (row for row in ended.json["tasks"] if row["task"] == "demo-humaneval")
    assert (programs["n"], programs["planned"]) == (textwork.PROBLEMS, textwork.PROBLEMS)


def test_a_part_of_the_tasks_has_no_average_of_the_runs(run):
    ended = evalkit("compare", run, run, "--task", "pages", "--task", "demo-mmlu", "--json")
    assert ended.json["averages"] == []
    assert "recovery" not in ended.json


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_gives_the_runs_own_recoveries(run, kind):
    tasks, _ = own(run)
    path = run / f"samples.{kind}"
    ended = evalkit("compare", path, path, *MODELS, "--json")
    assert ended.code == 0, ended.err
    found = {row["task"]: row for row in ended.json["tasks"]}
    assert found.keys() == tasks.keys()
    assert ended.json["averages"] == []
    for name, row in found.items():
        same(row, tasks[name])
    drawn = evalkit("compare", path, path, *MODELS, "--task", "pages").out
    assert "on 20 of 40 questions, drawn at random" in drawn


def test_tables_of_both_kinds_are_compared_with_each_other(run):
    mixed = evalkit("compare", run / "samples.csv", run / "samples.jsonl", *MODELS, "--json")
    assert [row["recovery"] for row in mixed.json["tasks"]] == [
        row["recovery"]
        for row in evalkit("compare", run / "samples.parquet", run / "samples.csv", *MODELS, "--json").json["tasks"]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_several_models_in_one_file_are_named_and_not_taken_for_attempts(run, kind):
    path = run / f"samples.{kind}"
    ended = evalkit("compare", path, path)
    assert ended.code == 2
    assert f"{path}: holds 2 models (base, cand); choose one with --baseline-model" in ended.err
    wrong = evalkit("compare", path, path, "--baseline-model", "base", "--candidate-model", "candy")
    assert (wrong.code, "no model 'candy'; did you mean 'cand'?" in wrong.err) == (2, True)


def test_a_model_of_a_run_can_be_named(run):
    ended = evalkit("compare", run, run, *MODELS, "--json")
    assert (
        ended.json["averages"][0]["recovery"] == evalkit("compare", run, run, "--json").json["averages"][0]["recovery"]
    )
    swapped = evalkit("compare", run, run, "--baseline-model", "cand", "--candidate-model", "base", "--json")
    assert swapped.json["tasks"][0]["baseline"] == ended.json["tasks"][0]["candidate"]
    assert "no model 'cad'" in evalkit("compare", run, run, "--candidate-model", "cad").err


def test_a_file_that_names_no_model_cannot_be_asked_for_one(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", scored([1, 0]))
    ended = evalkit("compare", path, path, "--baseline-model", "x")
    assert ended.code == 2
    assert "does not say that it is of model 'x'; leave --baseline-model out" in ended.err


def test_tasks_are_told_apart_also_in_lines_made_by_hand(tmp_path):
    lines = [{"id": at, "score": at % 2, "task": task} for task in ("a", "b") for at in range(6)]
    path = write_lines(tmp_path / "a.jsonl", lines)
    found = evalkit("compare", path, path, "--json").json
    assert {row["task"]: row["n"] for row in found["tasks"]} == {"a": 6, "b": 6}
    lines[3].pop("task")
    ended = evalkit("compare", write_lines(path, lines), path)
    assert (ended.code, "some lines name a task, others do not" in ended.err) == (2, True)


def test_attempts_share_a_problem(tmp_path):
    lines = [{"id": f"p{at}#{no}", "problem": f"p{at}", "score": int(no < at)} for at in range(4) for no in range(4)]
    path = write_lines(tmp_path / "a.jsonl", lines)
    found = evalkit("compare", path, path, "--json").json
    assert (found["n"], found["baseline"]) == (4, 6 / 16)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,value\na,1\n", ":1: no column 'score'; its columns are id, value; it needs id and score"),
        ("id,score,score\na,1,1\n", ":1: two columns have one name"),
        ("id,score\na,1,2\n", ":2: 3 cells under 2 columns"),
        ("id,score\na,much\n", ':2: score is "much"; score is a number'),
        ('id,score\n"a,1\n', "not CSV"),
        ("id,score\n", "no lines"),
        ("id,score,model\na,1,\nb,1,x\n", "some lines name a model, others do not"),
        ("id,score,metric\na,1,anls\nb,1,acc\n", ":3: metric acc beside anls"),
    ],
)
def test_a_table_that_is_wrong_is_one_line(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_text(text)
    ended = evalkit("compare", path, path)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_a_damaged_parquet_file_is_one_line(run, tmp_path):
    whole = (run / "samples.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    ended = evalkit("compare", tmp_path / "cut.parquet", run)
    assert (ended.code, "damaged parquet" in ended.err, ended.err.count("\n")) == (2, True, 1)
    table = pq.read_table(run / "samples.parquet").drop_columns(["score"])
    pq.write_table(table, tmp_path / "less.parquet")
    assert "no column 'score'" in evalkit("compare", tmp_path / "less.parquet", run).err


def test_a_table_of_anybodys_in_csv(tmp_path):
    values = [("a", "true"), ("b", ""), ("c", "0.5"), ("'-d", "0")]
    for name in ("base.csv", "cand.csv"):
        with (tmp_path / name).open("w", newline="") as stream:
            csv.writer(stream).writerows([("id", "score", "note"), *((key, one, "x" * 200_000) for key, one in values)])
    found = evalkit("compare", tmp_path / "base.csv", tmp_path / "cand.csv", "--json").json
    assert (found["n"], found["planned"], found["failed"], found["baseline"]) == (3, 4, 1, 0.5)
