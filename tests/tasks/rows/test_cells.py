"""One cell of an image column, whatever form it has, whichever file it is in."""

import io
import json
from base64 import b64encode, urlsafe_b64encode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from evalkit.base.errors import DataError
from evalkit.base.types import Dataset
from evalkit.tasks.benchmarks import BENCHMARKS
from evalkit.tasks.rows import cells, open_rows


def picture(kind="PNG"):
    stream = io.BytesIO()
    Image.effect_noise((40, 30), 90).convert("RGB").save(stream, kind)
    return stream.getvalue()


PICTURE = picture()
TEXT = b64encode(PICTURE).decode()
FORMS = {
    "base64": TEXT,
    "base64 of a JPEG, which begins as a path does": b64encode(picture("JPEG")).decode(),
    "base64 in lines": "\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76)),
    "base64 without padding": TEXT.rstrip("="),
    "base64 for URLs": urlsafe_b64encode(PICTURE).decode(),
    "data address": f"data:image/png;base64,{TEXT}",
    "path": "folder/x.png",
    "stored bytes as base64": {"bytes": TEXT, "path": None},
    "stored data address": {"bytes": f"data:image/png;base64,{TEXT}"},
    "stored path": {"path": "folder/x.png"},
    "stored path with null": {"bytes": None, "path": "folder/x.png"},
    "stored bytes with the name that they once had": {"bytes": TEXT, "path": "gone.png"},
    "values": list(PICTURE),
    "stored values": {"bytes": list(PICTURE), "path": None},
}


def asked(path):
    dataset = Dataset(id="", split="s", files=(path.name,))
    rows = open_rows(dataset, benchmark=BENCHMARKS["docvqa"], base=path.parent)
    return [BENCHMARKS["docvqa"].sample(row, "p", at) for at, row in enumerate(rows)]


def written(folder, kind, cell):
    row = {"image": cell, "question": "q", "answers": ["a"], "questionId": "1"}
    path = folder / f"rows.{kind}"
    if kind == "jsonl":
        path.write_text(json.dumps(row) + "\n")
    else:
        pq.write_table(pa.Table.from_pylist([row]), path)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize("form", FORMS)
def test_both_readers_take_every_form(tmp_path, kind, form):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.png").write_bytes(PICTURE)
    (sample,) = asked(written(tmp_path, kind, FORMS[form]))
    data = sample.content[0].data
    assert data == PICTURE or (data.startswith(b"\xff\xd8") and "JPEG" in form)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("A" * 100_000, "neither a path nor an image"),
        ("x\0y.png", "neither a path nor an image"),
        ("a" * 300 + ".png", "neither a path nor an image"),
        ("gone.png", "image 'gone.png' is not there"),
        ("../x.png", "outside the folder"),
        ("data:image/png;base64,not base64!", "not the Base64 of an image"),
        ({"bytes": "not base64!"}, "not the Base64 of an image"),
        ({"url": "http://x"}, "not an image"),
        (7, "not an image: 7"),
        ([1, 999], "not an image: [1, 999]"),
    ],
)
def test_both_readers_refuse_the_same_in_one_short_line(tmp_path, kind, cell, said):
    with pytest.raises(DataError, match=r"rows\.(jsonl:1|parquet: row 0): image") as caught:
        asked(written(tmp_path, kind, cell))
    assert said in caught.value.message
    assert len(caught.value.message) < 400 + len(str(tmp_path))


@given(
    st.one_of(
        st.text(max_size=400), st.binary(max_size=50), st.dictionaries(st.sampled_from(["bytes", "path"]), st.text())
    )
)
@example("")
@example({"bytes": "", "path": ""})
@example("\ud800")
@example("/9j/4AAQ")
def test_any_cell_is_an_image_or_one_error(tmp_path_factory, cell):
    try:
        found = cells.image(cell, tmp_path_factory.getbasetemp(), "here")
    except DataError:
        return
    assert found is None or isinstance(found["bytes"], bytes)


def test_a_fault_in_a_column_that_nobody_reads_is_no_fault(tmp_path):
    table = pa.Table.from_pylist([{"image": {"bytes": PICTURE, "path": None}, "question": "q", "answers": ["a"]}] * 3)
    broken = pa.Array.from_buffers(pa.string(), 3, [None, *pa.array([b"\xff", b"x", b"\xfe"]).buffers()[1:]])
    whens = pa.array([1, 2, 3], pa.timestamp("us", tz="Nowhere/Land"))
    path = tmp_path / "rows.parquet"
    pq.write_table(table.append_column("note", broken).append_column("ts", whens), path)
    assert [sample.text for sample in asked(path)] == ["q\np"] * 3


@pytest.mark.parametrize(("own", "expected"), [(7.0, "7"), (7, "7"), ("7.0", "7.0")])
def test_an_id_is_what_it_was_before_pandas(tmp_path, own, expected):
    rows = [{"image": {"bytes": PICTURE}, "question": "q", "answers": ["a"], "questionId": own}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert asked(tmp_path / "rows.parquet")[0].id == expected


@pytest.mark.parametrize("nothing", [float("nan"), None, ""])
def test_an_id_that_is_missing_is_made(tmp_path, nothing):
    path = tmp_path / "rows.jsonl"
    row = {"image": TEXT, "question": "q", "answers": ["a"], "questionId": nothing}
    path.write_text(json.dumps(row) + "\n")
    assert asked(path)[0].id.startswith("000000-")
