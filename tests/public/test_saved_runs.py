"""A run from Python: asked, read again, and as tables."""

import json
import shutil
import traceback

import pandas as pd
import pytest

import evalkit
from evalkit.base.events import Outset
from support.workplaces import DOCVQA, fitted_out


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    workplace = fitted_out(tmp_path_factory.mktemp("public"))
    workplace.here(*workplace.comparison("--min-recovery", "50"))
    return workplace


@pytest.fixture(scope="module")
def read(place):
    return evalkit.read_run(output=place.folder / "runs")


@pytest.fixture(scope="module")
def results(place):
    return json.loads(place.results())


def test_a_run_says_what_it_came_to(read, results):
    assert (read.baseline, read.candidates, read.tasks) == ("base", ("cand",), ("pages", "charts"))
    assert read.outcome.splitlines() == results["outcome"]["lines"]
    assert read.exit_code == results["outcome"]["exit_code"]
    assert (read.folder / "report.html").is_file()


@pytest.mark.parametrize("name", ["latest", "the beginning", "the folder"])
def test_a_run_is_found_by_its_name(place, read, name):
    said = {"latest": "latest", "the beginning": read.id[:12], "the folder": read.folder}[name]
    assert evalkit.read_run(said, output=place.folder / "runs").id == read.id


def test_rows_are_those_of_the_results(read, results):
    rows = read.rows().set_index("task")
    for row in results["tasks"]:
        told = row["recovery"]["cand"]
        assert rows.loc[row["task"], "recovery"] == told["percent"]
        assert rows.loc[row["task"], "regressed"] == told["regressed"]
    assert rows["title"].tolist() == ["Vision average", "Pages", "Charts"]


def test_scores_tell_every_metric_of_every_model(read):
    found = read.scores()
    assert len(found) == 2 * (1 + 2)
    assert (found["planned"] == found["scored"] + found["failed"] + found["left_out"]).all()


def test_samples_are_those_of_the_export(place, read, tmp_path):
    place.here("export", read.id, "--format", "parquet", "-o", tmp_path / "all.parquet", check=0)
    pd.testing.assert_frame_equal(
        read.samples(), pd.read_parquet(tmp_path / "all.parquet").astype(read.samples().dtypes)
    )
    assert len(read.samples()) == 2 * 70


def test_flips_are_those_that_the_report_counts(read):
    flips, rows = read.flips(), read.rows().set_index("task")
    for task in read.tasks:
        counts = flips[flips["task"] == task]["flip"].value_counts()
        assert [counts.get(one, 0) for one in ("regressed", "improved")] == [
            rows.loc[task, "regressed"],
            rows.loc[task, "improved"],
        ]
    assert len(flips)
    assert flips["baseline_answer"].ne(flips["candidate_answer"]).all()
    pd.testing.assert_frame_equal(read.flips(task="pages"), flips[flips["task"] == "pages"].reset_index(drop=True))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"task": "page"}, "has no task 'page'\ndid you mean 'pages'?"),
        ({"candidate": "base"}, "has no candidate 'base'\nknown: cand"),
    ],
)
def test_a_wrong_name_has_a_near_miss(read, wrong, said):
    with pytest.raises(evalkit.EvalkitError) as raised:
        read.flips(**wrong)
    # The last lines of a traceback, as a notebook shows it.
    assert "".join(traceback.format_exception_only(raised.value)).endswith(f"run {read.id} {said}\n")


def test_no_such_run_is_one_error(tmp_path):
    with pytest.raises(evalkit.EvalkitError) as raised:
        evalkit.read_run(output=tmp_path)
    assert raised.value.exit_code


def test_a_run_that_code_beside_a_task_file_scored_is_read_on_the_users_word(place, monkeypatch):
    own = place.folder / "own"
    own.mkdir()
    shutil.copy(place.folder / "tasks/pages.parquet", own)
    (own / "near.toml").write_text(DOCVQA.replace("pages", "near", 1).replace('"anls"', '"near"'))
    (own / "near.py").write_text(f"METRICS = {{'near': lambda answer, references, dialect: 1.0}}\n# {own}\n")
    words = ["run", "--baseline", "base", "--candidate", "cand", "--task", "own/near.toml", "-o", "own-runs"]
    # In a process of its own: what ran once in this one is known here.
    place.evalkit(*words, "--allow-task-code", check=0)
    monkeypatch.chdir(place.folder)
    with pytest.raises(evalkit.EvalkitError, match=r"'near' is of own/near\.py") as raised:
        evalkit.read_run(output="own-runs")
    assert raised.value.fix == "add --allow-task-code (in Python allow_task_code=True) to run it"
    found = evalkit.read_run(output="own-runs", allow_task_code=True)
    assert found.scores()["score"].tolist() == [1.0, 1.0]
    assert set(found.samples()["metric"]) == {"near"}


def test_a_run_is_carried_out_and_nothing_is_asked_twice(place, read, monkeypatch, capfd):
    for name, value in place.env.items():
        if name in {"PYTHONPATH", "XDG_CACHE_HOME", "HF_HUB_OFFLINE"}:
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(place.folder)
    events = []
    settings = {"baseline": "base", "candidates": ["cand"], "tasks_dir": ["tasks"], "tasks": ["pages", "charts"]}
    again = evalkit.run(progress=events.append, policy={"min_recovery": 50}, **settings)
    (outset,) = [event for event in events if isinstance(event, Outset)]
    assert set(outset.owed.values()) == {0}
    assert again.id == read.id
    pd.testing.assert_frame_equal(again.rows(), read.rows())
    assert capfd.readouterr() == ("", "")


def test_a_wrong_setting_is_named():
    with pytest.raises(evalkit.EvalkitError, match="limt"):
        evalkit.run(baseline="base", limt=3)
