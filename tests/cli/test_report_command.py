"""evalkit report: every file of a run once more, from the store alone."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from support import wants
from support.commands import evalkit
from support.earlierstores import reseal
from support.workplaces import fitted_out

FILES = ["annotations.txt", "junit.xml", "model_card.md", "report.html", "report.md", "results.json", "summary.md"]
RECORDS = [f"every_eval_ever/{model}/{task}.json" for model in ("base", "cand") for task in ("charts", "pages")]
"""Rows of one's own are no data set of the Hub: there is no entry for its `.eval_results`."""

DELETE_THREE = (
    "DELETE FROM response WHERE fingerprint IN (SELECT fingerprint FROM response ORDER BY fingerprint LIMIT 3)"
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder of runs with one in it; the models, the data and the tasks are gone."""
    workplace = fitted_out(tmp_path_factory.mktemp("kept"))
    workplace.here(*workplace.comparison("--limit", "5", "--min-recovery", "50", "--noise-floor", "2"), check=3)
    for name in ("base", "cand", "tasks", "cache"):
        shutil.rmtree(workplace.folder / name, ignore_errors=True)
    return workplace.folder / "runs"


@pytest.fixture
def runs(kept, tmp_path):
    """That folder, for one test alone."""
    return shutil.copytree(kept, tmp_path / "runs")


def the_run(runs):
    (found,) = [path for path in runs.iterdir() if path.is_dir()]
    return found


def written(done):
    assert done.code == 0, done.err
    return done.out.split()


def test_a_report_rendered_again_is_the_runs_own_to_the_last_byte(runs, tmp_path):
    run = the_run(runs)
    assert {path.name for path in run.iterdir() if path.is_file()} == {*FILES, "run.json"}
    files = sorted([*RECORDS, *FILES])
    ways = {"id": run.name, "beginning": run.name[:15], "latest": "latest", "folder": run}
    for way, name in ways.items():
        done = evalkit("report", name, "--runs", runs, "-o", tmp_path / way)
        assert sorted(written(done)) == [str(tmp_path / way / file) for file in files]
        for file in files:
            assert (tmp_path / way / file).read_bytes() == (run / file).read_bytes(), file
    before = {file: (run / file).read_bytes() for file in files}
    assert len(written(evalkit("report", run))) == len(files)
    assert {file: (run / file).read_bytes() for file in files} == before


def test_only_the_formats_that_are_asked_for(runs, tmp_path):
    done = evalkit("report", "latest", "--runs", runs, "--format", "junit, card", "-o", tmp_path / "some")
    assert {path.rsplit("/", 1)[1] for path in written(done)} == {"junit.xml", "model_card.md"}
    wrong = evalkit("report", "latest", "--runs", runs, "--format", "junitt")
    assert wrong.code == 2
    assert "did you mean 'junit'?" in wrong.err
    assert evalkit("report", "latest", "--runs", runs, "--format", ",").code == 2


def test_a_baseline_alone_has_every_file_but_a_model_card(workplace):
    words = ("--baseline", "base", "--tasks-dir", "tasks", "--task", "pages", "--limit", "3", "--json")
    workplace.here("run", *words, check=0)
    (run,) = workplace.runs()
    done = evalkit("report", run, "-o", workplace.folder / "again")
    assert {path.rsplit("/", 1)[1] for path in written(done)} == {*FILES, "pages.json"} - {"model_card.md"}
    assert "no model card" in done.err
    assert evalkit("report", run, "--format", "md").err == ""


def test_a_run_that_is_not_there_is_one_line_with_the_near_miss(runs, tmp_path):
    run = the_run(runs)
    wrong = run.name[:-1] + ("0" if run.name[-1] != "0" else "1")
    for command in (["report"], ["export", "--format", "csv"]):
        done = evalkit(*command, wrong, "--runs", runs)
        assert done.code == 2
        assert f"no run '{wrong}'; did you mean '{run.name}'?" in done.err
        assert done.err.count("\n") == 1
    assert run.name in evalkit("report", "", "--runs", runs).err
    empty = evalkit("report", "latest", "--runs", tmp_path / "nowhere")
    assert empty.code == 5
    assert "no store here" in empty.err
    assert not (tmp_path / "nowhere").exists()


def test_a_store_that_lacks_answers_is_one_line(runs, tmp_path):
    with sqlite3.connect(runs / "store.sqlite3") as connection:
        connection.execute(DELETE_THREE)
    done = evalkit("report", "latest", "--runs", runs, "-o", tmp_path / "out")
    assert done.code == 2
    assert re.search(r"run \S+: [34] of 26 outcomes are not in ", done.err)
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_damaged_store_is_one_line(runs, tmp_path):
    body = (runs / "store.sqlite3").read_bytes()
    for damaged in (b"", body[: len(body) // 2], body[:8192] + b"\xff" * (len(body) - 8192)):
        (runs / "store.sqlite3").write_bytes(damaged)
        for command in (["report"], ["export", "--format", "csv"]):
            done = evalkit(*command, "latest", "--runs", runs, "-o", tmp_path / "out")
            assert done.code == 5
            assert re.match(r"error: .*store\.sqlite3: .*--runs$", done.err)
            assert done.err.count("\n") == 1


def test_a_store_in_a_folder_that_cannot_be_written_is_read(runs, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    walls = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--bind", str(out), str(out)]
    if os.geteuid() == 0 and shutil.which("bwrap") is None:
        wants.missing("bubblewrap", "root may write anywhere, and only it forbids that: apt-get install bubblewrap")
    runs.chmod(0o555)
    for command in (["report", "latest", "-o", out], ["export", "latest", "--format", "csv", "-o", out / "a.csv"]):
        words = [sys.executable, "-m", "evalkit", *map(str, command), "--runs", str(runs)]
        done = subprocess.run(
            [*(walls if os.geteuid() == 0 else []), *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    runs.chmod(0o755)
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, "a.csv", "every_eval_ever"])
    for name in FILES:
        assert (out / name).read_bytes() == (the_run(runs) / name).read_bytes()


def test_a_run_that_was_kept_by_an_older_evalkit_says_what_to_do(runs):
    with sqlite3.connect(runs / "store.sqlite3") as connection:
        (body,) = connection.execute("SELECT body FROM run").fetchone()
        kept = {key: value for key, value in json.loads(body).items() if key != "plan"}
        connection.execute("UPDATE run SET body = ?", (json.dumps(kept),))
        reseal(connection)
    done = evalkit("report", "latest", "--runs", runs)
    assert done.code == 5
    assert "run the same command again" in done.err


def test_a_run_that_stops_leaves_files_that_say_so(workplace):
    done = workplace.here(*workplace.comparison("--limit", "2", "--serve-arg", "part=status:404"))
    assert done.returncode in {4, 5}
    (run,) = workplace.runs()
    cases = ET.fromstring((run / "junit.xml").read_text(encoding="utf-8")).iter("testcase")
    found = [(case.get("name"), case[0].tag, case[0].get("type")) for case in cases]
    assert found == [(name, "error", "infrastructure") for name in ("Pages", "Charts", "Average Score")]
    assert (run / "summary.md").read_text(encoding="utf-8").startswith("## No report")
    before = (run / "junit.xml").read_bytes()
    again = evalkit("report", run)
    assert again.code == 4
    assert "no sample was answered" in again.err
    assert (run / "junit.xml").read_bytes() == before
