from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.base.errors import DataError
from evalkit.base.types import Dataset
from evalkit.tasks.rows import local, open_rows
from support.hubs import DOCS, SHAPE, cells, expected, write

OWN = Dataset(id="", split="validation", files=("validation-*.parquet",))
HUB = Dataset(id="owner/docs", split="validation", files=("docs/validation-*.parquet",))
PICTURE = b"\x89PNG not looked at here"


def opened(data=None, base=Path("nowhere"), dataset=OWN):
    return open_rows(dataset, benchmark=DOCS, data=data, base=base)


def complaint(*args, **kwargs) -> str:
    with pytest.raises(DataError) as caught:
        list(opened(*args, **kwargs))
    return f"{caught.value}; {caught.value.fix}"


def lines(path, *rows) -> Path:
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def line(**changes) -> dict:
    return {"image": {"bytes": b64encode(PICTURE).decode()}, "question": "Q?", "answers": ["a"], **changes}


@pytest.fixture
def parquet(tmp_path):
    return write(tmp_path / "rows.parquet", cells(10))


def test_a_parquet_file_is_read_in_order_and_again(parquet):
    rows = opened(parquet)
    assert rows.planned == 10
    assert list(rows) == expected(10)
    assert list(rows) == expected(10)
    assert rows.revision == f"sha256:{sha256(parquet.read_bytes()).hexdigest()}"


def test_two_readers_do_not_disturb_each_other(parquet):
    rows = opened(parquet)
    assert list(zip(rows, rows, strict=True)) == [(row, row) for row in expected(10)]


def test_the_rows_are_those_of_the_datasets_library(parquet, monkeypatch, tmp_path):
    monkeypatch.setenv("USE_TORCH", "0")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    theirs = datasets.load_dataset("parquet", data_files=[str(parquet)], split="train", streaming=True)
    for column in DOCS.image_columns:
        theirs = theirs.cast_column(column, datasets.Image(decode=False))
    assert list(opened(parquet)) == list(theirs.remove_columns("thumbnail"))


def test_memory_holds_a_row_group_not_the_file(tmp_path):
    path = write(tmp_path / "big.parquet", cells(300, size=100_000), group=20)
    row_group, whole = 20 * 200_000, 300 * 200_000
    peak = 0
    for row in opened(path):
        assert len(row["image"]["bytes"]) == 200_000
        peak = max(peak, pa.total_allocated_bytes())
    assert peak < 3 * row_group < whole / 4


def test_a_mirror_of_the_repository_gives_the_split_alone(tmp_path):
    write(tmp_path / "docs" / "validation-00001.parquet", cells(2, 5))
    write(tmp_path / "docs" / "validation-00000.parquet", cells(3))
    write(tmp_path / "docs" / "test-00000.parquet", cells(9, 50))
    write(tmp_path / "other.parquet", cells(9, 90))
    assert list(opened(tmp_path, dataset=HUB)) == expected(3) + expected(2, 5)


def test_a_folder_of_other_names_gives_all_its_parquet_files_by_name(tmp_path):
    names = {"b": cells(2, 3), "a": cells(3)}
    paths = {name: write(tmp_path / f"{name}.parquet", rows) for name, rows in names.items()}
    (tmp_path / "notes.txt").write_text("not data")
    rows = opened(tmp_path, dataset=HUB)
    assert list(rows) == expected(5)
    listing = "".join(f"{sha256(paths[name].read_bytes()).hexdigest()}  {name}.parquet\n" for name in "ab")
    assert rows.revision == f"sha256:{sha256(listing.encode()).hexdigest()}"


def test_a_task_has_its_own_files_beside_it(tmp_path):
    write(tmp_path / "validation-0.parquet", cells(2))
    assert list(opened(base=tmp_path)) == expected(2)
    assert "no file matches validation-*.parquet" in complaint(base=tmp_path / "elsewhere")
    for nothing in (".", "./", ""):
        with pytest.raises(DataError, match="no file matches"):
            local.matching(tmp_path, [nothing])


def test_a_path_with_signs_that_mean_something_to_a_pattern(tmp_path):
    path = write(tmp_path / "odd [a] * folder" / "ro?ws.PARQUET", cells(2))
    assert list(opened(path)) == expected(2)
    assert list(opened(write(path.parent / "x.parquet", cells(2)).parent)) == expected(2)


def test_images_may_be_plain_bytes_or_paths(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "p.png").write_bytes(PICTURE)
    texts = [("question", pa.string()), ("answers", pa.list_(pa.string()))]
    for name, kind, cell in [
        ("bytes", pa.binary(), PICTURE),
        ("text", pa.string(), "pictures/p.png"),
        ("both", pa.struct([("bytes", pa.binary()), ("path", pa.string())]), {"bytes": None, "path": "pictures/p.png"}),
    ]:
        shape = pa.schema([("image", kind), *texts])
        path = write(tmp_path / f"{name}.parquet", [{"image": cell, "question": "Q", "answers": []}] * 2, shape=shape)
        assert [row["image"]["bytes"] for row in opened(path)] == [PICTURE, PICTURE]


def test_text_that_was_kept_as_bytes_is_read_as_text(tmp_path):
    shape = pa.schema(
        [
            ("image", pa.binary()),
            ("question", pa.large_binary()),
            ("answers", pa.list_(pa.binary())),
            ("x", pa.binary()),
        ]
    )
    row = {"image": PICTURE, "question": "Wie groß?".encode(), "answers": [b"5 m"], "x": b"\xff"}
    path = write(tmp_path / "x.parquet", [row, {**row, "question": b"\xff\xfe"}], shape=shape)
    first, second = opened(path)
    assert (first["question"], first["answers"]) == ("Wie groß?", ["5 m"])
    # No text in any encoding that is known: the benchmark refuses this row, and no other.
    assert second["question"] == b"\xff\xfe"
    assert "x" not in first


@pytest.mark.parametrize("named", ["gone.png", "../outside.png", "", None])
def test_a_picture_without_bytes_and_without_a_file_costs_its_own_row_alone(tmp_path, named):
    (tmp_path / "outside.png").write_bytes(PICTURE)
    folder = tmp_path / "data"
    folder.mkdir()
    stored = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    shape = pa.schema([("image", stored), ("question", pa.string()), ("answers", pa.list_(pa.string()))])
    cells_ = [{"bytes": b"", "path": named}, {"bytes": PICTURE, "path": "gone.png"}]
    rows = [{"image": cell, "question": "Q", "answers": []} for cell in cells_]
    path = write(folder / "x.parquet", rows, shape=shape)
    assert [row["image"] and row["image"]["bytes"] for row in opened(path)] == [None, PICTURE]
    (folder / "gone.png").write_bytes(PICTURE)
    if named == "gone.png":
        assert [row["image"]["bytes"] for row in opened(path)] == [PICTURE, PICTURE]


def test_an_image_that_may_be_missing_is_none(tmp_path):
    rows = [{key: value for key, value in row.items() if key != "image_2"} for row in cells(2)]
    path = write(tmp_path / "x.parquet", rows, shape=SHAPE.remove(SHAPE.get_field_index("image_2")))
    assert [row.get("image_2") for row in opened(path)] == [None, None]


def test_json_lines_hold_images_as_base64_or_as_paths(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "1.png").write_bytes(PICTURE)
    path = lines(tmp_path / "rows.jsonl", line(), "\n", line(image="p/1.png", image_2=None, extra=[1, None, "x"]))
    rows = opened(path)
    assert rows.planned == 2
    assert list(rows) == [
        {"image": {"bytes": PICTURE, "path": None}, "question": "Q?", "answers": ["a"]},
        {
            "image": {"bytes": PICTURE, "path": "p/1.png"},
            "image_2": None,
            "question": "Q?",
            "answers": ["a"],
            "extra": [1, None, "x"],
        },
    ]
    assert rows.revision == f"sha256:{sha256(path.read_bytes()).hexdigest()}"


def test_json_lines_may_begin_with_a_mark_and_end_without_a_newline(tmp_path):
    path = tmp_path / "rows.ndjson"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(line()).encode())
    assert opened(path).planned == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{broken\n", ":2: not JSON ("),
        ("[1]\n", ":2: not a JSON object but [1]; write one JSON object a line"),
        ("[" * 100_000 + "\n", ":2: not JSON ("),
        ({"image": None, "question": "Q"}, ":2: column answers is missing; the columns found are image, question"),
        (line(image=7), ":2: image: not an image: "),
        (line(image={"url": "http://x"}), ":2: image: not an image: "),
        (line(image={"bytes": "not base64!"}), ":2: image: not the Base64 of an image "),
        (line(image={"bytes": 3}), ":2: image: not an image: "),
        (line(image_2="gone.png"), ":2: image_2: image 'gone.png' is not there; put it into "),
        (line(image="../outside.png"), ":2: image: image '../outside.png' is outside the folder of the data"),
        (line(image="/etc/hostname"), ":2: image: image '/etc/hostname' is outside the folder of the data"),
        (line(image="link.png"), ":2: image: image 'link.png' is outside the folder of the data"),
    ],
)
def test_a_bad_line_is_told_by_its_number_before_any_row_is_given(tmp_path, row, said):
    (tmp_path / "outside.png").write_bytes(PICTURE)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    path = lines(folder / "rows.jsonl", line(), row)
    with pytest.raises(DataError) as caught:
        opened(path)
    assert f"{path}{said}" in f"{caught.value}; {caught.value.fix}"


def test_a_parquet_row_cannot_name_an_image_outside_either(tmp_path):
    (tmp_path / "outside.png").write_bytes(PICTURE)
    shape = pa.schema([("image", pa.string()), ("question", pa.string()), ("answers", pa.string())])
    path = write(
        tmp_path / "d" / "x.parquet", [{"image": "../outside.png", "question": "", "answers": ""}], shape=shape
    )
    assert "image '../outside.png' is outside the folder of the data" in complaint(path)


def test_a_missing_column_names_what_is_missing_and_what_was_found(tmp_path):
    path = write(tmp_path / "x.parquet", [{"image": None, "text": "a"}], shape=None)
    assert complaint(path) == f"{path}: column question, answers is missing; the columns found are image, text"


def test_no_rows_are_an_error(tmp_path):
    for path in (write(tmp_path / "x.parquet", []), lines(tmp_path / "x.jsonl"), lines(tmp_path / "y.jsonl", "\n\n")):
        assert complaint(path) == f"{path}: no rows; check that this is the right file"


def test_what_is_no_data_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.xls").write_text("a,b")
    (tmp_path / "text.parquet").write_text("not parquet at all")
    (tmp_path / "latin.jsonl").write_bytes(json.dumps(line()).encode() + b"\n\xff\n")
    assert "absent.parquet: no such file or folder; check the path" in complaint(tmp_path / "absent.parquet")
    assert "empty: no parquet file in this folder" in complaint(tmp_path / "empty")
    assert "x.xls: unknown kind of file; use one of .parquet, .jsonl, .ndjson, .csv" in complaint(tmp_path / "x.xls")
    assert "text.parquet: not a readable parquet file: " in complaint(tmp_path / "text.parquet")
    assert "latin.jsonl: not UTF-8 text after line " in complaint(tmp_path / "latin.jsonl")


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_parquet_file_gives_rows_or_one_error(tmp_path_factory, data):
    whole = bytearray(write(tmp_path_factory.mktemp("d") / "x.parquet", cells(6)).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        whole[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("d") / "x.parquet"
    path.write_bytes(bytes(whole[: data.draw(st.integers(len(whole) // 2, len(whole)))]))
    try:
        found = len(list(opened(path)))
    except DataError as error:
        found = len(error.message)
    assert found


def test_a_row_group_is_read_in_batches_that_keep_the_order(tmp_path):
    path = write(tmp_path / "x.parquet", cells(100), group=100)
    assert pq.read_metadata(path).num_row_groups == 1
    assert list(opened(path)) == expected(100)
