"""Rows to questions, on our own cases and, where they lie beside the checkout, on those of the protocol."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import DataError
from evalkit.base.types import Image, Sample, Text
from evalkit.tasks.benchmarks import BENCHMARKS

OURS = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))
PROTOCOL = Path(__file__).resolve().parents[4] / "shared" / "prompt_cases.json"
LENGTHS = {"chartqa": 803, "docvqa": 50, "mathvista": 775, "mmmu": 775, "vqav2": 378}
"""Characters of the published prompts, for stand-ins of the same length."""


def picture(words):
    """The stored form of an image cell; the pixels do not matter here."""
    return {"bytes": words.encode(), "path": None}


def cells(row):
    """A case's row, with an image cell for each text like ``<image side 1>``."""
    return {
        column: picture(cell) if "image" in column and isinstance(cell, str) else cell for column, cell in row.items()
    }


def test_every_benchmark_has_cases():
    assert {case["task"] for case in OURS} == set(BENCHMARKS)


def check_ours(case):
    make = BENCHMARKS[case["task"]].sample
    if "error" in case:
        with pytest.raises(DataError) as caught:
            make(cells(case["row"]), case["prompt"], 41)
        assert caught.value.message == f"row 41: {case['error']}"
        assert caught.value.fix
        return
    sample = make(cells(case["row"]), case["prompt"], 41)
    assert sample.references == case["references"]
    assert list(sample.content) == [
        Text(piece["text"]) if "text" in piece else Image.of(f"<image {piece['image']} bytes>".encode())
        for piece in case["content"]
    ]


def check_protocol(case):
    make, prompt = BENCHMARKS[case["task"]].sample, "p" * LENGTHS[case["task"]]
    if "error" in case["result"]:
        with pytest.raises(DataError):
            make(cells(case["row"]), prompt, 0)
        return
    sample = make(cells(case["row"]), prompt, 0)
    assert sample.references == case["result"]["reference"]
    for piece, expected in zip(sample.content, case["result"]["content"], strict=True):
        if isinstance(piece, Image):
            assert piece.data.decode() == f"<image side {expected['image_side']}>"
        else:
            assert len(piece.text) == expected["chars"]
            # Only the prompt's own chunk differs: its text is published elsewhere.
            if not piece.text.endswith(prompt):
                assert sha256(piece.text.encode()).hexdigest() == expected["sha256"]


def all_cases():
    for case in OURS:
        yield pytest.param(check_ours, case, id=f"{case['task']}-{case['id']}")
    cases = json.loads(PROTOCOL.read_text(encoding="utf-8"))["cases"] if PROTOCOL.exists() else []
    for case in cases:
        yield pytest.param(check_protocol, case, id=f"protocol-{case['task']}-{case['note']}")


@pytest.mark.parametrize(("check", "case"), list(all_cases()))
def test_rows_become_questions(check, case):
    check(case)


def row_of(task, **cells):
    """A row that makes a question, with some cells replaced."""
    rows = {
        "chartqa": {"image": picture("a"), "question": "q", "answer": "1"},
        "docvqa": {"image": picture("a"), "question": "q", "answers": ["1"], "questionId": "77"},
        "mathvista": {"decoded_image": picture("a"), "query": "q", "choices": None, "answer": "1", "pid": "8"},
        "mmmu": {
            "id": "validation_Art_1",
            "question": "<image 1>q",
            "options": "[]",
            "question_type": "open",
            "answer": "1",
            "image_1": picture("a"),
        },
        "vqav2": {"image": picture("a"), "question": "q", "answers": [{"answer": "1"}], "question_id": 9},
    }
    return rows[task] | cells


@pytest.mark.parametrize("task", BENCHMARKS)
def test_the_required_columns_are_enough(task):
    benchmark = BENCHMARKS[task]
    row = {column: cell for column, cell in row_of(task).items() if column in benchmark.columns}
    assert set(row) == set(benchmark.columns)
    sample = benchmark.sample(row, "p", 12)
    assert sample.id.startswith("000012-")


@pytest.mark.parametrize("task", BENCHMARKS)
def test_every_required_column_is_missed_by_name(task):
    for column in set(BENCHMARKS[task].columns) - {"choices"}:
        row = row_of(task, options="[]", question_type="multiple-choice") if task == "mmmu" else row_of(task)
        del row[column]
        with pytest.raises(DataError, match=column):
            BENCHMARKS[task].sample(row, "p", 0)


@pytest.mark.parametrize("task", BENCHMARKS)
def test_image_columns_hold_the_required_image(task):
    benchmark = BENCHMARKS[task]
    required = [column for column in benchmark.image_columns if column in benchmark.columns]
    assert len(required) == 1
    assert [part for part in benchmark.sample(row_of(task), "p", 0).content if isinstance(part, Image)] == [
        Image.of(b"a")
    ]


@pytest.mark.parametrize("cell", [None, {"bytes": None, "path": "a.png"}, {"bytes": b""}, {}, b"", "a.png", 5])
@pytest.mark.parametrize("task", BENCHMARKS)
def test_an_image_cell_without_bytes_is_refused(task, cell):
    column = BENCHMARKS[task].image_columns[0]
    with pytest.raises(DataError, match=f"row 3: {column}"):
        BENCHMARKS[task].sample(row_of(task, **{column: cell}), "p", 3)


@pytest.mark.parametrize("cell", [b"a", bytearray(b"a"), {"bytes": b"a"}, {"bytes": b"a", "path": "a.png"}])
def test_an_image_cell_may_be_raw_or_stored(cell):
    sample = BENCHMARKS["docvqa"].sample(row_of("docvqa", image=cell), "p", 0)
    assert sample.content[0] == Image.of(b"a")


@pytest.mark.parametrize(
    ("task", "expected"),
    [("docvqa", "77"), ("mathvista", "8"), ("mmmu", "validation_Art_1"), ("vqav2", "9")],
)
def test_the_data_set_s_own_id(task, expected):
    assert BENCHMARKS[task].sample(row_of(task), "p", 0).id == expected


def test_ids_that_are_made_tell_the_place_and_the_question():
    make = BENCHMARKS["chartqa"].sample
    first = make(row_of("chartqa", question="How high?"), "p", 5)
    assert first.id == f"000005-{sha256(b'How high?').hexdigest()[:8]}"
    assert make(row_of("chartqa", question="How high?"), "p", 6).id != first.id
    assert make(row_of("chartqa", question="How wide?"), "p", 5).id != first.id


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_id_is_made_as_well(nothing):
    assert BENCHMARKS["docvqa"].sample(row_of("docvqa", questionId=nothing), "p", 5).id.startswith("000005-")


@pytest.mark.parametrize("wrong", [True, 1.5, ["a"]])
def test_an_id_of_another_kind_is_refused(wrong):
    with pytest.raises(DataError, match="questionId"):
        BENCHMARKS["docvqa"].sample(row_of("docvqa", questionId=wrong), "p", 5)


@pytest.mark.parametrize("task", ["chartqa", "docvqa", "mathvista", "vqav2"])
def test_questions_about_one_image_share_a_cluster(task):
    column = BENCHMARKS[task].image_columns[0]
    make = BENCHMARKS[task].sample
    same = {make(row_of(task), "p", 1).cluster, make(row_of(task), "p", 2).cluster}
    assert same == {sha256(b"a").hexdigest()}
    assert make(row_of(task, **{column: picture("b")}), "p", 3).cluster not in same


def test_exam_questions_are_independent():
    assert BENCHMARKS["mmmu"].sample(row_of("mmmu"), "p", 1).cluster is None


@pytest.mark.parametrize(
    ("task", "cells", "kinds"),
    [
        ("docvqa", {"question_types": ["form", "handwritten"]}, ("form", "handwritten")),
        ("docvqa", {"question_types": ["layout", None, "layout", ""]}, ("layout",)),
        ("docvqa", {"question_types": None}, ()),
        ("docvqa", {}, ()),
        ("chartqa", {"type": "human_test"}, ("human",)),
        ("chartqa", {"type": "augmented_test"}, ("augmented",)),
        ("chartqa", {"type": "bars"}, ("bars",)),
        ("chartqa", {"type": 3}, ()),
        ("chartqa", {}, ()),
        ("mmmu", {"id": "validation_Art_Theory_12", "subfield": "Gothic"}, ("Art Theory",)),
        ("mmmu", {"id": "demo_3", "subfield": "plants"}, ("plants",)),
        ("mmmu", {"id": "demo_3"}, ()),
    ],
)
def test_a_question_is_of_the_kinds_that_its_row_names_and_asked_alike_without_them(task, cells, kinds):
    benchmark = BENCHMARKS[task]
    row = row_of(task, **cells)
    sample = benchmark.sample(row, "p", 0)
    assert sample.kinds == kinds
    # The columns are read where they are there; neither the question nor what it is compared with hangs on them.
    assert set(cells) - {"id"} <= set(benchmark.more_columns)
    without = benchmark.sample({name: cell for name, cell in row.items() if name not in cells or name == "id"}, "p", 0)
    assert replace(sample, kinds=()) == replace(without, kinds=())


@pytest.mark.parametrize(("task", "column"), [("docvqa", "answers"), ("vqav2", "answers"), ("chartqa", "answer")])
@pytest.mark.parametrize("references", [None, 3, {"answer": "1"}])
def test_references_of_another_kind_are_refused(task, column, references):
    with pytest.raises(DataError, match=column):
        BENCHMARKS[task].sample(row_of(task, **{column: references}), "p", 0)


@pytest.mark.parametrize("written", ["-" * 50_000 + "[1]", "[" * 5_000 + "]" * 5_000, "['a\0']", "{[]: 1}", "[1e"])
@pytest.mark.parametrize("column", ["options", "answer"])
def test_a_list_that_python_cannot_read_is_refused(column, written):
    row = row_of("mmmu", question_type="multiple-choice", **{column: written})
    with pytest.raises(DataError, match=f"{column} is not a list") as caught:
        BENCHMARKS["mmmu"].sample(row, "p", 0)
    assert len(caught.value.message) < 100


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["bytes", "a"]), inner, max_size=2),
    max_leaves=6,
)
LITERALS = st.text(alphabet="[]()'\"\\,1a {}:<image>", max_size=30)


def made_or_refused(task, row):
    try:
        return BENCHMARKS[task].sample(row, "the prompt", 7)
    except DataError as error:
        return error


@given(st.sampled_from(sorted(BENCHMARKS)), st.data())
def test_any_row_is_a_sample_or_a_data_error(task, data):
    row = row_of(task)
    for column in data.draw(st.lists(st.sampled_from(sorted(row)), max_size=2)):
        row[column] = data.draw(JSON | LITERALS)
    if task == "mmmu" and data.draw(st.booleans()):
        row["question_type"] = "multiple-choice"
    found = made_or_refused(task, row)
    if isinstance(found, DataError):
        assert found.message.startswith("row 7: ")
    else:
        assert isinstance(found, Sample)
        assert found.id
        assert isinstance(found.content[-1], Text)
        assert found.content[-1].text.endswith("the prompt")
