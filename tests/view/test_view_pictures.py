"""The image of a sample, found again in the data of the run."""

import json
from base64 import b64encode
from hashlib import sha256
from io import BytesIO

import pytest
from huggingface_hub import constants
from PIL import Image

from evalkit.base.errors import DataError
from evalkit.records import history
from evalkit.view.pictures import Pictures
from support.pastruns import write_run
from support.reports import kept
from support.workplaces import pages, picture, write_parquet


def part(source="tasks/pages.toml", **dataset):
    own = {"id": "", "split": "validation", "config": None, "files": ["pages.parquet"], **dataset}
    task = {**kept("pages", source=source), "dataset": own}
    return {"task": task, "revision": "c" * 40}


def pictures(root, found=None, **changed):
    write_run(root / "runs", plan_tasks=[found or part()], **changed)
    (run,) = history.past_runs(root / "runs")
    return Pictures(run)


def load(found, position, data):
    return found.load(found.spot("pages", position), sha256(data).hexdigest())


@pytest.fixture
def place(tmp_path):
    (tmp_path / "tasks").mkdir()
    write_parquet(tmp_path / "tasks" / "pages.parquet", pages(40))
    return tmp_path


@pytest.mark.parametrize("position", [0, 15, 16, 17, 31, 39])
def test_an_image_of_a_tasks_own_file(place, position):
    data = picture(position // 2)
    found = load(pictures(place), position, data)
    assert (found.data, found.kind) == (data, "jpeg")


@pytest.mark.parametrize(("position", "row"), [(0, 4), (1, 19), (2, 38)])
def test_an_image_of_a_row_that_was_drawn(place, position, row):
    found = pictures(place, rows={"pages": [4, 19, 38]})
    assert load(found, position, picture(row // 2)).data == picture(row // 2)


def test_a_damaged_list_of_drawn_rows_shows_no_other_picture(place):
    with pytest.raises(DataError, match=r"run\.json does not say where the data of pages are"):
        load(pictures(place, rows={"pages": ["x"]}), 0, picture(7))
    (run,) = history.past_runs(place / "runs")
    assert run.problem.startswith('cannot be read: run.json: rows.pages[0]: is "x" (text); must be a whole number')


def test_data_that_the_user_named_come_first(place):
    write_parquet(place / "mine.parquet", pages(8)[::-1])
    found = pictures(place, data={"pages": str(place / "mine.parquet")})
    assert load(found, 0, picture(3)).data == picture(3)


def test_relative_paths_count_from_where_the_run_was_started(place, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load(pictures(place), 3, picture(1)).data == picture(1)


def test_data_that_changed_since_are_told_apart(place):
    found = pictures(place)
    with pytest.raises(DataError, match="another image at this row"):
        load(found, 0, b"what was there once")


def test_data_that_are_gone_are_said_to_be(place):
    (place / "tasks" / "pages.parquet").unlink()
    with pytest.raises(DataError, match="no file matches"):
        pictures(place).spot("pages", 0)


def test_a_row_behind_the_end(place):
    with pytest.raises(DataError, match="end before row 40"):
        pictures(place).spot("pages", 40)


def test_a_task_that_the_run_does_not_describe(place):
    with pytest.raises(DataError, match="does not say"):
        pictures(place).spot("charts", 0)


@pytest.mark.parametrize(
    ("kind", "shown"), [("PNG", "png"), ("GIF", "gif"), ("WEBP", "webp"), ("BMP", "png"), ("TIFF", "png")]
)
def test_a_browser_gets_only_kinds_that_it_knows(place, kind, shown):
    data = picture(5, kind)
    write_parquet(place / "tasks" / "pages.parquet", [{**pages(1)[0], "image": {"bytes": data, "path": None}}])
    found = load(pictures(place), 0, data)
    assert found.kind == shown
    with Image.open(BytesIO(found.data)) as image, Image.open(BytesIO(data)) as stored:
        assert image.format == shown.upper()
        assert image.convert("RGB").tobytes() == stored.convert("RGB").tobytes()


@pytest.mark.parametrize("data", [b"<svg onload=alert(1)>", b"<!doctype html><script>1</script>", b"%!PS-Adobe", b"BM"])
def test_what_is_no_image_is_refused(place, data):
    write_parquet(place / "tasks" / "pages.parquet", [{**pages(1)[0], "image": {"bytes": data, "path": None}}])
    with pytest.raises(DataError):
        load(pictures(place), 0, data)


def test_lines_of_json_with_paths_and_with_bytes(place):
    folder = place / "lines"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(picture(1))
    rows = [
        {"image": "one.jpg"},
        {"image": {"bytes": b64encode(picture(2)).decode()}},
        {"image": "../tasks/pages.toml"},
    ]
    (folder / "rows.jsonl").write_text("\n\n".join(map(json.dumps, rows)) + "\n")
    (place / "tasks" / "pages.toml").write_text("secret")
    found = pictures(place, data={"pages": str(folder / "rows.jsonl")})
    assert load(found, 0, picture(1)).data == picture(1)
    assert load(found, 1, picture(2)).data == picture(2)
    with pytest.raises(DataError, match="outside the folder"):
        load(found, 2, b"secret")


def hub(place, monkeypatch, names):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "hub"))
    folder = place / "hub" / "datasets--owner--set" / "snapshots" / ("c" * 40) / "data"
    folder.mkdir(parents=True)
    for at, name in names.items():
        write_parquet(folder / name, pages(40)[at * 10 : at * 10 + 10])
    return pictures(place, part("builtin.toml", id="owner/set", files=["data/validation-*.parquet"]))


def test_the_hubs_cache_is_looked_at_without_a_network(place, monkeypatch):
    found = hub(place, monkeypatch, {n: f"validation-{n:05d}-of-00006.parquet" for n in range(2)})
    assert load(found, 13, picture(6)).data == picture(6)


def test_a_gap_between_the_files_is_not_counted_over(place, monkeypatch):
    found = hub(place, monkeypatch, {n: f"validation-{n:05d}-of-00006.parquet" for n in (0, 2)})
    with pytest.raises(DataError, match="end before row 13"):
        found.spot("pages", 13)


def test_data_that_were_never_fetched(place, monkeypatch):
    with pytest.raises(DataError, match="not in the hub's cache"):
        hub(place, monkeypatch, {}).spot("pages", 0)
