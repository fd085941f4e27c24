"""The index of a run's samples: what filters leave, and when it is made again."""

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.base.errors import DataError
from evalkit.records import history
from evalkit.view import index
from evalkit.view.samples import Filter
from support.pastruns import failed, sample, write_run
from support.viewers import indexed


@pytest.fixture
def samples(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    base = [sample(0, "alpha", 1.0), sample(1, "beta", 0.0), sample(2, "gamma", 0.5), failed(3, "deadline")]
    cand = [
        sample(0, "omega", 0.0),
        sample(1, "beta café", 1.0, finish_reason="length"),
        sample(2, "", 0.5, scores={"anls": {"value": 0.5, "parsed": None, "note": None}}),
        sample(3, "late", 1.0),
    ]
    more = [sample(10, "red", 1.0)]
    lines = {"base": {"pages": base, "charts": more}, "cand": {"pages": cand, "charts": [failed(10, "refused")]}}
    return indexed(write_run(tmp_path / "runs", lines=lines))


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Filter(1), ["s0", "s1", "s2", "s3", "s10"]),
        (Filter(1, task=1), ["s10"]),
        (Filter(1, flip="regressed"), ["s0"]),
        (Filter(1, flip="improved"), ["s1"]),
        (Filter(1, flip="unchanged"), ["s2"]),
        (Filter(1, outcome="right"), ["s1", "s3"]),
        (Filter(1, outcome="partial"), ["s2"]),
        (Filter(1, outcome="wrong"), ["s0"]),
        (Filter(1, outcome="failed"), ["s10"]),
        (Filter(1, outcome="truncated"), ["s1"]),
        (Filter(1, outcome="unparsed"), ["s2"]),
        (Filter(1, outcome="empty"), ["s2"]),
        (Filter(1, failure="refused"), ["s10"]),
        (Filter(0, failure="deadline"), ["s3"]),
        (Filter(0, outcome="right"), ["s0", "s10"]),
        (Filter(1, text="omega"), ["s0"]),
        (Filter(1, text="alph"), ["s0"]),
        (Filter(1, text="CAFE question"), ["s1"]),
        (Filter(1, text="word2"), ["s2"]),
        (Filter(1, text="s3"), ["s3"]),
        (Filter(1, text="HTTP"), ["s3", "s10"]),
        (Filter(1, text="alpha gamma"), []),
        (Filter(1, task=0, flip="regressed", outcome="wrong", text="omega"), ["s0"]),
    ],
)
def test_a_filter_leaves(samples, wanted, ids):
    found = samples.found(samples.numbers(wanted).tolist())
    assert [one.id for one in found] == ids


@settings(max_examples=60)
@given(text=st.text(max_size=30))
def test_no_search_is_an_error(searchable, text):
    samples = searchable
    assert len(samples.numbers(Filter(1, text=text))) in {0, 3}


@pytest.fixture(scope="module")
def searchable(tmp_path_factory):
    lines = [sample(0, "one", 1.0)] * 3
    return indexed(write_run(tmp_path_factory.mktemp("runs"), lines={"base": {"p": lines}, "cand": {"p": lines}}))


def test_neighbours_are_those_that_the_filter_leaves(samples):
    right = Filter(1, outcome="right")
    assert samples.neighbours(right, 1) == (None, 3)
    assert samples.neighbours(right, 3) == (1, None)
    assert samples.neighbours(right, 2) == (1, 3)


def test_a_line_is_found_again_as_it_was_written(samples):
    (found,) = samples.found([samples.find("pages", "s1")])
    assert samples.line(found, 1)["answer"] == "beta café"
    assert samples.line(found, 0)["answer"] == "beta"
    assert samples.find("pages", "nothing") is None
    assert samples.find("nothing", "s1") is None


def test_the_index_is_made_once_and_again_when_a_file_changes(tmp_path):
    lines = {"base": {"pages": [sample(0, "one", 1.0)]}, "cand": {"pages": [sample(0, "two", 1.0)]}}
    folder = write_run(tmp_path, lines=lines)
    indexed(folder)
    (run,) = history.past_runs(tmp_path)
    files = index.Files.of(run)
    assert index.ready(files) == folder / index.FILE
    lines["cand"]["pages"] = [sample(0, "three", 0.0)]
    write_run(tmp_path, lines=lines)
    assert index.ready(files) is None
    assert indexed(folder).numbers(Filter(1, flip="regressed")).tolist() == [0]


def test_a_model_whose_file_is_gone_has_no_entries(tmp_path):
    lines = {"base": {"pages": [sample(0, "one", 1.0)]}, "cand": {"pages": [sample(0, "two", 1.0)]}}
    folder = write_run(tmp_path, lines=lines)
    (folder / "samples" / "cand" / "pages.jsonl").unlink()
    samples = indexed(folder)
    (found,) = samples.found([0])
    assert list(found.entries) == [0]
    assert samples.line(found, 1) is None
    assert samples.numbers(Filter(0)).tolist() == [0]


def test_files_of_different_samples_are_not_paired(tmp_path):
    lines = {"base": {"pages": [sample(0, "one", 1.0)]}, "cand": {"pages": [sample(1, "two", 1.0)]}}
    with pytest.raises(DataError, match="base and cand do not hold the same samples"):
        indexed(write_run(tmp_path, lines=lines))


def test_a_shorter_file_is_not_paired(tmp_path):
    lines = {"base": {"pages": [sample(0, "one", 1.0), sample(1, "x", 1.0)]}, "cand": {"pages": [sample(0, "y", 1.0)]}}
    with pytest.raises(DataError, match="do not hold the same samples"):
        indexed(write_run(tmp_path, lines=lines))


@pytest.mark.parametrize("damage", ["{", "[]", '"text"', '{"id": 1}', "[" * 100_000])
def test_a_damaged_line_is_named(tmp_path, damage):
    folder = write_run(tmp_path, lines={"base": {"pages": [sample(0, "one", 1.0)]}, "cand": {}})
    path = folder / "samples" / "base" / "pages.jsonl"
    start = path.stat().st_size
    path.write_text(path.read_text() + damage + "\n")
    with pytest.raises(DataError, match=rf"pages.jsonl, byte {start}: not a line that a run writes"):
        indexed(folder)


def test_where_the_folder_cannot_be_written_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_run(tmp_path / "runs", lines={"base": {"pages": [sample(0, "one", 1.0)]}, "cand": {}})
    (folder / index.FILE).mkdir()
    assert indexed(folder).numbers(Filter(0)).tolist() == [0]
    (run,) = history.past_runs(folder.parent)
    assert index.ready(index.Files.of(run)).is_relative_to(tmp_path / "cache")


def test_lone_surrogates_are_harmless(tmp_path):
    line = sample(0, "half \ud83d", 1.0)
    folder = write_run(tmp_path, lines={"base": {"pages": [line]}, "cand": {"pages": [line]}})
    samples = indexed(folder)
    (found,) = samples.found(samples.numbers(Filter(1, text="half")).tolist())
    assert samples.line(found, 1)["answer"] == json.loads(json.dumps("half \ud83d"))


def test_sample_files_that_are_gone_are_said(tmp_path):
    line = sample(0, "one", 1.0)
    folder = write_run(tmp_path, lines={"base": {"pages": [line]}, "cand": {"pages": [line]}})
    samples = indexed(folder)
    (found,) = samples.found([0])
    shutil.rmtree(folder / "samples")
    with pytest.raises(DataError, match=r"pages\.jsonl: No such file"):
        samples.line(found, 1)
    with pytest.raises(DataError, match="sample files are not there any more"):
        indexed(folder)
