"""What earlier states of evalkit have left of a run opens, and nothing of it is lost when it is written again."""

import json
import shutil
from pathlib import Path

import pytest

from evalkit.base import codec
from evalkit.records import history, results, run_record
from evalkit.view import table

EARLIER = Path(__file__).with_name("earlier")
NAMES = ["format_1", "verdicts", "draws"]


def lost(before, after, place=""):
    """Places whose value is not in what was written again."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [one for key in before for one in lost(before[key], after.get(key, "nothing"), f"{place}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [one for at, item in enumerate(before) for one in lost(item, after[at], f"{place}[{at}]")]
    return [] if before == after else [place]


@pytest.mark.parametrize("name", NAMES)
def test_results_are_read_and_nothing_is_lost(name):
    text = (EARLIER / name / "results.json").read_text(encoding="utf-8")
    found = results.read(text)
    assert found.labels == ("base", "cand")
    assert [row.task for row in found.tasks] == ["pages", "charts"]
    # What is always written now, and was null then, is left out.
    assert [place for place in lost(json.loads(text), codec.written(found)) if not place.endswith(".if_repeated")] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_a_run_kept_is_read_and_nothing_is_lost(name):
    text = (EARLIER / name / "run.json").read_text(encoding="utf-8")
    found = run_record.read_file(text)
    assert [one.model.label for one in found.planned().contenders] == ["base", "cand"]
    assert lost(json.loads(text), codec.written(found)) == []
    if name != "format_1":
        assert found.planned().key == json.loads(text)["plan"]["key"]
        assert found.judged_by().policy.min_recovery is None


def test_a_run_that_was_kept_without_terms_says_so():
    found = run_record.read_file((EARLIER / "format_1/run.json").read_text(encoding="utf-8"))
    with pytest.raises(codec.MisfitError, match="terms: missing"):
        found.judged_by()


def test_they_stand_in_one_history_and_in_the_viewer(tmp_path):
    for name in NAMES:
        shutil.copytree(EARLIER / name, tmp_path / name)
    runs = history.past_runs(tmp_path)
    assert [run.problem for run in runs] == ["", "", ""]
    pages, charts, average = history.lines(runs)
    assert [point.percent for point in pages.points] == [100.0, 100.0, 100.0]
    assert [point.question for point in pages.points] == [None, None, "for questions like these"]
    assert (charts.points[0].percent, average.points[0].paired) == (None, 8)
    for run in runs:
        assert [row.task for row in table.rows(run)] == ["pages", "charts", None]
