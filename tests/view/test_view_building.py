"""What a visitor sees while a run's samples are read, and when its files are gone."""

import shutil

import pytest

from evalkit.records.store import RunRow, Store
from support.pastruns import sample, write_run

RUN = "20260101-000000-aaaaaa"


def small(output, run=RUN):
    lines = [sample(n, f"answer {n}", 1.0) for n in range(60)]
    folder = write_run(output, run, lines={"base": {"pages": lines}, "cand": {"pages": lines}})
    with Store(output) as store:
        store.keep_run(RunRow(run, "plan", finished=True, body={}))
    return folder


def test_a_large_run_keeps_no_page_waiting(viewer, tmp_path):
    lines = [sample(n, " ".join(f"word{at}" for at in range(700)), 1.0) for n in range(800)]
    folder = write_run(tmp_path / "runs", lines={"base": {"pages": lines}, "cand": {"pages": lines}})
    assert sum(path.stat().st_size for path in folder.rglob("*.jsonl")) > 5_000_000
    visit = viewer(tmp_path / "runs").enter()
    first = visit.session.get(f"{visit.base}/runs/{RUN}/samples")
    assert first.status_code == 202
    assert "<progress" in first.text
    assert 'http-equiv="refresh"' in first.text
    # Other pages are there meanwhile, and this one is when everything has been read.
    assert visit.get("/").status_code == 200
    assert "<strong>800</strong> samples" in visit.get(f"/runs/{RUN}/samples").text


def test_a_small_run_is_there_at_once(viewer, tmp_path):
    small(tmp_path / "runs")
    visit = viewer(tmp_path / "runs").enter()
    assert visit.session.get(f"{visit.base}/runs/{RUN}/samples").status_code == 200


@pytest.mark.parametrize("opened_before", [True, False])
def test_a_run_that_moves_away_is_said(viewer, tmp_path, opened_before):
    folder, other = small(tmp_path / "runs"), "20260102-000000-bbbbbb"
    small(tmp_path / "runs", other)
    visit = viewer(tmp_path / "runs").enter()
    pages = ["", "/samples", "/samples?text=answer", "/samples/3", "/samples/3/answers/1", "/sample?task=pages&id=s3"]
    if opened_before:
        assert {visit.get(f"/runs/{RUN}{page}").status_code for page in pages} == {200}
    folder.rename(tmp_path / "elsewhere")
    for page in pages:
        reply = visit.get(f"/runs/{RUN}{page}")
        assert reply.status_code == 404
        assert f"the folder of {RUN} is not here any more" in reply.text
        assert "from the store" in reply.text
    for page in ("/", "/history"):
        reply = visit.get(page)
        assert reply.status_code == 200
        assert f"the folder of {RUN} is not here any more" in reply.text
        assert other in reply.text
    (tmp_path / "elsewhere").rename(folder)
    assert "any more" not in visit.get("/").text
    assert visit.get(f"/runs/{RUN}/samples/3").status_code == 200


def test_sample_files_that_are_deleted_are_said(viewer, tmp_path):
    folder = small(tmp_path / "runs")
    visit = viewer(tmp_path / "runs").enter()
    assert visit.get(f"/runs/{RUN}/samples").status_code == 200
    shutil.rmtree(folder / "samples")
    for page in ("/samples", "/samples/3"):
        reply = visit.get(f"/runs/{RUN}{page}")
        assert reply.status_code == 500
        assert "sample files are not there any more" in reply.text
    assert visit.get(f"/runs/{RUN}").status_code == 200


def test_an_output_folder_that_is_gone_is_said(viewer, tmp_path):
    small(tmp_path / "runs")
    visit = viewer(tmp_path / "runs").enter()
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    for page in ("/", "/history", f"/runs/{RUN}", f"/runs/{RUN}/samples"):
        reply = visit.get(page)
        assert reply.status_code == 500
        assert "no such folder" in reply.text
