"""``evalkit view``: which run it opens, and a real run from its table to one sample."""

import os
import re
import signal

import pytest
from click.testing import CliRunner

from evalkit.base.errors import UsageError
from evalkit.cli.view import command
from support.pastruns import sample, write_run
from support.viewers import started

IDS = ("20260101-000000-aaaaaa", "20260102-000000-bbbbbb")


@pytest.fixture
def runs(tmp_path):
    line = sample(0, "one", 1.0)
    for name in IDS:
        write_run(tmp_path / "runs", name, lines={"base": {"pages": [line]}, "cand": {"pages": [line]}})
    return tmp_path / "runs"


@pytest.mark.parametrize(("word", "at"), [(IDS[0], 0), ("20260102", 1), ("latest", 1)])
def test_a_run_is_opened_by_id_beginning_or_the_word_latest(runs, tmp_path, word, at):
    with started(runs, tmp_path / "cache", word) as visit:
        assert f"/runs/{IDS[at]}?token=" in visit.address
        assert f"url=/runs/{IDS[at]}" in visit.session.get(visit.address).text
    assert (runs / IDS[at] / "view.sqlite3").is_file()


def test_a_folder_of_a_run_will_do(runs, tmp_path):
    with started(tmp_path / "nothing here", tmp_path / "cache", str(runs / IDS[0])) as visit:
        assert f"/runs/{IDS[0]}?token=" in visit.address


@pytest.mark.parametrize(("word", "says"), [("2026", "could be"), ("30260101-000000-aaaaaa", "no run")])
def test_no_run_or_several(runs, word, says):
    found = CliRunner().invoke(command, [word, "-o", str(runs)])
    assert isinstance(found.exception, UsageError)
    assert says in found.exception.message


def test_a_port_that_is_taken(runs, tmp_path):
    with started(runs, tmp_path / "cache") as visit:
        port = visit.base.rpartition(":")[2]
        found = CliRunner().invoke(command, ["--port", port, "-o", str(runs)])
    assert isinstance(found.exception, UsageError)
    assert f"port {port}" in found.exception.message


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order(runs, tmp_path, sign):
    with started(runs, tmp_path / "cache") as visit:
        visit.enter()
        os.kill(visit.process.pid, sign)
        assert visit.process.wait(20) == 0
        assert "Traceback" not in visit.process.stderr.read()


def test_a_real_run_from_the_list_to_one_sample(workplace):
    workplace.here(*workplace.comparison(), check=0)
    (folder,) = workplace.runs()
    with started(workplace.folder / "runs", workplace.folder / "cache") as visit:
        visit.enter()
        run = f"/runs/{folder.name}"
        assert run in visit.get("/").text
        assert "Average Score (Vision)" in visit.get(run).text
        listed = visit.get(f"{run}/samples").text
        assert "<strong>70</strong> samples" in listed
        (first, *_) = re.findall(rf'href="({run}/samples/\d+)"', listed)
        page = visit.get(first).text
        assert "What is number 0?" in page
        assert page.count("Because of") >= 2
        (address,) = set(re.findall(r'<img src="([^"]+)"', page))
        assert visit.get(address).headers["content-type"] == "image/jpeg"
        assert visit.get("/history").text.count('class="dot"') >= 1
