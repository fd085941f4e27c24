"""Which rows of a split a limit asks: drawn with whole pictures where all can be read, else the first ones, told."""

import json
from base64 import b64encode
from dataclasses import replace
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evalkit.harnesses import chat
from evalkit.harnesses.chat import Chat
from evalkit.tasks import registry
from evalkit.tasks.benchmarks import BENCHMARKS
from evalkit.tasks.rows import Rows, local

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(number):
    """A PNG of one pixel."""
    written = BytesIO()
    Image.new("RGB", (1, 1), (number, 0, 0)).save(written, "png")
    return written.getvalue()


def rows(count, *, named=True):
    """Three questions to a picture, with the columns that VQAv2 has."""
    return [
        {
            "question_id": number,
            "question": f"What is {number}?",
            "image": {"bytes": picture(number // 3), "path": None},
            "answers": [str(number)] * 10,
            **({"image_id": number // 3} if named else {}),
        }
        for number in range(count)
    ]


def questions(path, told=None):
    task = replace(registry.tasks()["vqav2"], prompt="Answer.", images="original")
    return Chat().questions(task, path, [].append if told is None else told.append)


def write(path, found, group=4):
    schema = [("question_id", pa.int64()), ("question", pa.string()), ("image", PICTURE)]
    schema += [("answers", pa.list_(pa.string()))] + ([("image_id", pa.int64())] if "image_id" in found[0] else [])
    pq.write_table(pa.Table.from_pylist(found, pa.schema(schema)), path, row_group_size=group)
    return path


def ids(asked, limit):
    return [sample.id for sample, _ in asked.samples(limit)]


@pytest.mark.parametrize("named", [True, False])
def test_a_limit_draws_whole_pictures_nested_and_in_stored_order(tmp_path, named):
    asked = questions(write(tmp_path / "x.parquet", rows(30, named=named)))
    before: list[str] = []
    for limit in (1, 4, 9, 29, 30, 99):
        found = ids(asked, limit)
        assert len(found) == asked.planned(limit)
        assert min(limit, 30) <= len(found) <= limit + 2
        assert found == sorted(found, key=int)
        pictures = {int(name) // 3 for name in found}
        assert len(found) == 3 * len(pictures)
        assert set(before) <= set(found)
        assert asked.drawn(limit)
        before = found
    assert ids(asked, 9) != [str(number) for number in range(9)]
    assert not asked.drawn(None)


def test_a_part_is_drawn_once_however_often_it_is_asked_for(tmp_path, monkeypatch):
    asked = questions(write(tmp_path / "x.parquet", rows(30)))
    whole_units, drawn = chat.draw.whole_units, []
    monkeypatch.setattr(chat.draw, "whole_units", lambda units, limit: drawn.append(limit) or whole_units(units, limit))
    for limit in (4, 9, 4):
        assert len(ids(asked, limit)) == asked.planned(limit) == len(asked.rows(limit))
    assert drawn == [4, 9]


def test_a_drawn_sample_is_the_one_that_the_whole_split_has(tmp_path):
    asked = questions(write(tmp_path / "x.parquet", rows(30)))
    whole = {sample.id: (sample, request) for sample, request in asked.samples(None)}
    assert all(whole[sample.id] == (sample, request) for sample, request in asked.samples(7))


def test_a_batch_without_a_drawn_row_is_passed_over(tmp_path):
    asked = questions(write(tmp_path / "x.parquet", rows(90), group=90))
    assert len(ids(asked, 1)) == 3


def test_where_a_column_names_the_picture_no_picture_is_read_to_draw(tmp_path, monkeypatch):
    read = []
    image = local.cells.image
    monkeypatch.setattr(local.cells, "image", lambda *words: read.append(words) or image(*words))
    told = []
    asked = questions(write(tmp_path / "x.parquet", rows(30)), told)
    assert asked.planned(4) == 6
    assert (read, told) == ([], [])
    list(asked.samples(4))
    assert len(read) == 6
    asked = questions(write(tmp_path / "y.parquet", rows(30, named=False)), told)
    assert (asked.planned(4), len(read)) == (6, 36)
    assert "looking at 30 pictures" in told[0]


def test_json_lines_are_drawn_as_parquet_is(tmp_path):
    found = rows(30)
    path = write(tmp_path / "x.parquet", found)
    for row in found:
        row["image"]["bytes"] = b64encode(row["image"]["bytes"]).decode()
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    assert ids(questions(tmp_path / "x.jsonl"), 7) == ids(questions(path), 7)


def test_what_would_have_to_be_fetched_whole_is_taken_in_stored_order_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(chat, "_FETCHED_TO_DRAW", 1000)
    told: list[str] = []
    task = replace(registry.tasks()["vqav2"], prompt="Answer.", images="original")
    paths = [write(tmp_path / f"{number}.parquet", rows(12)[start:][:6]) for number, start in enumerate((0, 6))]
    parts = [local.part(path, BENCHMARKS["vqav2"]) for path in paths]
    parts[1] = replace(parts[1], missing=lambda: 2000)
    found = Rows("commit", 12, parts, [6, 6])
    asked = chat.ChatQuestions(task, found, "Answer.", chat.Portion(task, found, told.append))
    assert ids(asked, 4) == ["0", "1", "2", "3"]
    assert not asked.drawn(4)
    assert len(told) == 1
    assert "the first 4 rows in stored order" in told[0]
    # One decision for the whole run, whatever has come meanwhile: the same rows are read again and again.
    parts[1] = replace(parts[1], missing=int)
    assert ids(asked, 4) == ["0", "1", "2", "3"]


def test_a_run_that_reaches_every_file_anyway_draws(tmp_path):
    task = replace(registry.tasks()["vqav2"], prompt="Answer.", images="original")
    part = local.part(write(tmp_path / "x.parquet", rows(12)), BENCHMARKS["vqav2"])
    found = Rows("commit", 12, [replace(part, missing=lambda: 1 << 40)], [12])
    asked = chat.ChatQuestions(task, found, "Answer.", chat.Portion(task, found, print))
    assert asked.drawn(4)
