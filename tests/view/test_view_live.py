"""A run that goes on, in the viewer: how far it is, what can be said so far, and that it may have ended."""

import json
import re
import time

import pytest

from evalkit.base import codec
from evalkit.records import progress
from evalkit.records.progress import RunProgress, TaskProgress
from support.pastruns import write_run

RUN = "/runs/20260102-000000-bbbbbb"
EVIL = "<script>document.title='owned'</script>"


def going(output):
    """A finished run, and one that goes on; its folder."""
    write_run(output)
    folder = write_run(output, RUN.rpartition("/")[2], finished=False, with_results=False)
    tell(folder)
    return folder


def tell(folder, ago_s=0.0):
    """What a run told so long ago."""
    tasks = (
        TaskProgress(model="base", task="pages", planned=400, scored=400, failed=0, score=0.8),
        TaskProgress(
            model="cand", task="pages", planned=400, scored=97, failed=3, score=0.75, failures={"deadline": 3},
            paired=97, percent=98.25, low=93.5, high=102.125,
        ),
        TaskProgress(model=EVIL, task=EVIL, planned=200, scored=0, failed=0),
    )  # fmt: skip
    told = RunProgress(told=time.time() - ago_s, stage=EVIL, servers={"cand": "ready"}, tasks=tasks)
    (folder / progress.FILE).write_text(json.dumps(codec.written(told)))


@pytest.fixture
def visit(viewer, tmp_path):
    going(tmp_path)
    return viewer(tmp_path).enter()


def test_a_run_that_goes_on_stands_beside_finished_ones(visit):
    page = visit.get("/").text
    assert page.count('class="card"') == 2
    assert "going on" in page
    assert "500 of 1,000 answers" in page
    assert "3 failed" in page
    assert 'http-equiv="refresh"' in page


def test_its_page_says_how_far_each_model_is_and_that_nothing_is_decided(visit):
    page = visit.get(RUN).text
    for text in ("400 of 400", "100 of 400", "98.25", "93.50 to 102.12", "97 pairs", "3 deadline", "server:"):
        assert text in page.replace("<bdi>", "").replace("</bdi>", ""), text
    assert "So far; no verdict before the end." in page
    assert "recovered" not in page
    assert 'http-equiv="refresh"' in page
    assert EVIL not in page


def test_a_run_that_has_told_nothing_for_long_is_not_finished_and_soon_not_waited_for(viewer, tmp_path):
    folder, visit = going(tmp_path), viewer(tmp_path).enter()
    for ago_s, refresh, words in (
        (5, "15", ""),
        (-60, "15", ""),
        (600, "30", "told nothing for 10 minutes: a server may be loading"),
        (3500, "30", "told nothing for 58 minutes: a server may be loading"),
        (3700, "", "told nothing for 62 minutes: it has ended"),
        (7.1 * 3600, "", "told nothing for 7 hours: it has ended"),
        (3.1 * 86400, "", "told nothing for 3 days: it has ended"),
        (-590, "30", "dated 10 minutes ahead of this machine"),
        (-86300, "", "dated 23 hours ahead of this machine"),
    ):
        tell(folder, ago_s)
        for place in ("/", RUN):
            page = visit.get(place).text
            assert re.findall('http-equiv="refresh" content="([0-9]+)"', page) == [refresh] * bool(refresh), ago_s
            assert ("going on</span>" in page, "not finished</span>" in page) == (not words, bool(words)), ago_s
            assert words in page
            assert "500 of 1,000 answers" in page, "how far it came is worth knowing"


def test_a_run_that_was_continued_and_killed_has_its_former_table(viewer, tmp_path):
    folder, visit = write_run(tmp_path, RUN.rpartition("/")[2], finished=False), viewer(tmp_path).enter()
    for ago_s, shown in ((600, False), (7200, True)):
        tell(folder, ago_s)
        assert ("All samples" in visit.get(RUN).text) == shown


def test_a_finished_run_is_not_looked_at_again(viewer, tmp_path):
    write_run(tmp_path)
    visit = viewer(tmp_path).enter()
    assert 'http-equiv="refresh"' not in visit.get("/").text
    assert "going on" not in visit.get("/").text
