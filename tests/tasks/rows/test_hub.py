from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from evalkit.base.errors import DataError, EvalkitError, InfrastructureError
from evalkit.base.types import Dataset
from evalkit.tasks.rows import open_rows
from support.hubs import COMMIT, DOCS, LATER, cells, expected, write

NAMES = [f"docs/validation-{number:05d}-of-00003.parquet" for number in range(3)]


def dataset(**changes) -> Dataset:
    said = {"id": "owner/docs", "split": "validation", "revision": COMMIT, "files": ("docs/validation-*.parquet",)}
    return Dataset(**said | changes)


def opened(tell=None, **changes):
    return open_rows(dataset(**changes), benchmark=DOCS, base=Path("nowhere"), tell=tell)


def complaint(kind=DataError, **changes) -> str:
    with pytest.raises(EvalkitError) as caught:
        list(opened(**changes))
    assert type(caught.value) is kind
    return f"{caught.value}; {caught.value.fix}"


def test_the_files_of_the_split_are_read_in_order(hub):
    rows = opened()
    assert (rows.revision, rows.planned) == (COMMIT, 12)
    assert list(rows) == expected(12)
    assert hub.fetched() == NAMES


def test_rows_are_counted_without_fetching_a_file(hub):
    assert opened().planned == 12
    assert hub.asked == [f"PART {name}" for name in NAMES]


def test_a_long_footer_is_asked_for_again(hub, tmp_path):
    import pyarrow as pa

    wide = pa.schema([pa.field(f"column_{number}", pa.string()) for number in range(1200)])
    row = cells(1)[0] | dict.fromkeys(wide.names, "x" * 40)
    shape = pa.unify_schemas([pa.Table.from_pylist(cells(1)).schema, wide])
    hub.files = {NAMES[0].replace("00003", "00001"): write(tmp_path / "wide.parquet", [row] * 9, 2, shape).read_bytes()}
    assert opened().planned == 9
    assert len(hub.asked) == 2


def test_a_hub_that_sends_no_parts_is_asked_for_whole_files(hub):
    hub.parts_of_files = False
    assert opened().planned == 12


def test_only_as_many_files_are_fetched_as_rows_are_taken(hub):
    told = []
    assert list(islice(opened(told.append), 7)) == expected(7)
    assert hub.fetched() == NAMES[:2]
    assert [words.split(" (")[0] for words in told] == [f"fetching owner/docs/{name}" for name in NAMES[:2]]


def test_a_branch_is_resolved_and_the_commit_is_kept(hub):
    assert opened(revision="main").revision == COMMIT
    hub.branches["main"] = LATER
    assert opened(revision="main").revision == LATER


def test_a_data_set_that_moved_is_followed(hub):
    hub.moved_from = "former/docs"
    rows = opened(id="former/docs")
    assert (rows.planned, list(rows)) == (12, expected(12))


def test_a_whole_cache_needs_no_network(hub, unplugged):
    list(opened())
    list(opened(revision="main"))
    asked = len(hub.asked)
    unplugged()
    assert list(opened()) == expected(12)
    assert opened(revision="main").revision == COMMIT
    assert len(hub.asked) == asked


def test_a_pinned_and_cached_split_is_not_asked_for_even_with_a_network(hub):
    list(opened())
    hub.branches.clear()
    assert opened().planned == 12


def test_half_a_cache_without_a_network_is_not_taken_for_the_whole(hub, unplugged):
    list(islice(opened(), 7))
    unplugged()
    assert "the hub cannot be reached and the cache lacks this split" in complaint(InfrastructureError)


def test_no_cache_and_no_network_names_both_ways_out(hub, unplugged):
    unplugged()
    said = complaint(InfrastructureError, revision="main")
    assert "evalkit fetch" in said
    assert "--data TASK=FILE" in said


def test_a_transfer_that_breaks_off_is_continued(hub):
    rows = opened()
    hub.breaks_off = NAMES[1]
    assert list(rows) == expected(12)
    assert hub.fetched() == [NAMES[0], NAMES[1], NAMES[1], NAMES[2]]


def test_an_unknown_data_set_or_revision_is_told(hub):
    assert "owner/none at " in complaint(id="owner/none")
    assert f"owner/docs at {LATER}: no such data set or revision" in complaint(revision=LATER)
    assert "owner/docs at branch: no such data set or revision" in complaint(revision="branch")


def test_a_gated_data_set_says_what_to_do(hub):
    hub.gated = True
    assert "accept the conditions on the hub and set HF_TOKEN" in complaint()


def test_a_pattern_without_a_match_lists_the_data_files(hub):
    said = complaint(files=("data/validation-*.parquet",))
    assert f"owner/docs at {COMMIT}: no file matches data/validation-*.parquet" in said
    assert NAMES[0] in said
    assert "docs.py" not in said


def test_a_program_in_place_of_data_is_refused(hub):
    assert "docs.py: unknown kind of file; use one of .parquet, .jsonl" in complaint(files=("docs.py",))


def test_a_missing_column_is_told_before_a_file_is_fetched(hub, tmp_path):
    rows = [{key: value for key, value in row.items() if key != "answers"} for row in cells(2)]
    hub.files = {"docs/validation-00000-of-00001.parquet": write(tmp_path / "x.parquet", rows, shape=None).read_bytes()}
    said = complaint()
    assert "owner/docs/docs/validation-00000-of-00001.parquet: column answers is missing" in said
    assert "questionId, image, image_2, question, thumbnail" in said
    assert hub.fetched() == []


def test_lines_on_the_hub_are_read(hub):
    hub.files = {"lines.jsonl": b'{"image": {"bytes": "AAAA"}, "question": "q", "answers": ["a"]}\n'}
    rows = opened(files=("lines.jsonl",))
    assert list(rows) == [{"image": {"bytes": b"\0\0\0", "path": None}, "question": "q", "answers": ["a"]}]
