"""Calibration data: their forms, what is refused of them, and what a task asks of them."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from huggingface_hub import constants

from evalkit import quantize as face
from evalkit.base.types import Image, Sample, Text
from evalkit.cli import quantize as command
from evalkit.quantize import worker as its_file
from evalkit.records.calibration import Calibrated
from evalkit.serve import tools
from evalkit.tasks import registry
from support import checkpoints
from support.calibrations import parquet, picture
from support.commands import evalkit, write_lines
from support.hubs import COMMIT, hub
from support.workplaces import CHARTQA

__all__ = ["hub"]

SHOWN = "What does this image show?"


@pytest.fixture
def seen(quantize, workplace, monkeypatch):
    """A function: rows of calibration -> what the worker is given of them."""

    def run(rows, *words, **more):
        monkeypatch.setenv("FAKE_QUANTIZER_SEES", str(workplace / "state-job.json"))
        given = parquet(workplace / "rows.parquet", rows)
        ended = quantize("", *words, calibration=given, **more)
        assert ended.code == 0, ended.err
        return json.loads((workplace / "state-job.json").read_text())

    return run


def refused(quantize, workplace, rows, source="model"):
    ended = quantize(calibration=parquet(workplace / "rows.parquet", rows), source=source)
    assert ended.code == 2, ended.out
    return ended.err


def test_the_first_rows_as_the_published_recipe_asks_of_them(seen):
    job = seen([{"image": picture("red"), "caption": ["a", "b"]} for _ in range(3)], "--samples", "2", "--seed", "5")
    assert (job["longest"], job["seed"], job["loader"]) == (2048, 5, "AutoModelForImageTextToText")
    asked = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": SHOWN}]}
    chat = [asked, {"role": "assistant", "content": "a b"}]
    assert job["read"] == [{"messages": chat, "images": [f"{row}-0"]} for row in (0, 1)]


def test_chats_keep_their_messages_and_pictures_get_a_place(seen):
    said = [{"role": "system", "content": "be short"}, {"role": "user", "content": "what?"}]
    (one,) = seen([{"messages": said, "image_1": picture("red"), "image_2": picture("blue")}])["read"]
    assert one["messages"][0] == said[0]
    assert one["messages"][1]["content"] == [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "what?"}]
    assert one["images"] == ["0-0", "0-1"]


def test_plain_text_for_a_model_of_text(seen, workplace):
    checkpoints.plain(workplace / "words", model_type="llama")
    job = seen([{"text": "some words"}], source="words")
    assert job["read"] == [{"text": "some words"}]
    assert job["must"] == ["re:.*lm_head"]


def test_lines_of_json(quantize, workplace, monkeypatch):
    monkeypatch.setenv("FAKE_QUANTIZER_SEES", str(workplace / "state-job.json"))
    write_lines(workplace / "rows.jsonl", [{"messages": [{"role": "user", "content": "hello"}]}])
    ended = quantize(calibration="rows.jsonl")
    assert ended.code == 0
    assert "has no pictures, and the model sees" in ended.err
    assert "has 1 row, fewer than the 512 asked for" in ended.err


REFUSED = {
    "of no form": ([{"question": "q"}], "of no form that a model can be calibrated on"),
    "mixed": (
        [{"image": picture("red"), "caption": "a", "text": None}, {"image": None, "caption": None, "text": "t"}],
        "row 1 has no picture, while others have",
    ),
    "places": (
        [{"image": picture("red"), "messages": [{"role": "user", "content": [{"type": "image"}, {"type": "image"}]}]}],
        "its messages place 2 pictures, and it has 1",
    ),
    "no message": ([{"messages": [{"role": "user"}]}], "not a message"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_cannot_be_used_are_refused_by_place(quantize, workplace, name):
    rows, words = REFUSED[name]
    assert words in refused(quantize, workplace, rows)


def test_pictures_for_a_model_that_cannot_see_are_refused(quantize, workplace):
    checkpoints.plain(workplace / "words", model_type="llama")
    rows = [{"image": picture("red"), "caption": "a"}]
    assert "row 0 has a picture, and the model cannot see" in refused(quantize, workplace, rows, source="words")


def test_data_for_a_scheme_that_needs_none_are_refused(quantize):
    ended = quantize("", "--calibration", "calibration.parquet", scheme="fp8-dynamic")
    assert ended.code == 2
    assert "fp8-dynamic needs no calibration data" in ended.err


@pytest.mark.parametrize("given", ["./nowhere.parquet", "nowhere.parquet", "a/b/c"])
def test_data_that_are_not_there(quantize, given):
    ended = quantize(calibration=given)
    assert ended.code == 2
    assert f"--calibration {given}: there is no such file, and no data set is called so" in ended.err


def test_without_a_hub_a_local_file_is_asked_for(quantize, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ended = quantize(calibration="")
    assert ended.code == 5
    assert "lmms-lab/flickr30k" in ended.err
    assert "--calibration FILE.parquet" in ended.err


def test_a_data_set_of_the_hub_is_pinned_and_read_as_far_as_it_is_needed(quantize, workplace, hub):
    rows = [{"image": picture((at, 0, 0)), "caption": [f"{at}"]} for at in range(3)]
    names = [f"data/train-{at:05d}-of-00002.parquet" for at in range(2)]
    hub.files = {name: parquet(workplace / "state-rows.parquet", rows).read_bytes() for name in names}
    ended = quantize("", "--samples", "2", "--json", calibration="owner/docs")
    assert ended.code == 0, ended.err
    said = ended.json["calibration"]
    assert (said["data"], said["revision"], said["rows"]) == ("owner/docs (data/train-*.parquet)", COMMIT, 2)
    assert hub.fetched() == names[:1]
    assert quantize("", "-o", "other", calibration="owner/docs:data/test-*.parquet").code == 2


def test_a_model_in_the_hub_s_cache(quantize, workplace, monkeypatch):
    cache = workplace / "state" / "hub"
    folder = cache / "models--owner--tiny"
    checkpoints.plain(folder / "snapshots" / COMMIT)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    ended = quantize("", "--json", source="owner/tiny")
    assert ended.code == 0, ended.err
    assert ended.json["source"] == {"name": "owner/tiny", "digest": COMMIT}


# --- what is asked ---


def task(workplace, rows):
    parquet(workplace / "charts.parquet", rows)
    (workplace / "mine.toml").write_text(CHARTQA)


def test_a_picture_that_a_task_asks_is_refused_by_name(quantize, workplace):
    asked = [{"image": picture((at, 0, 0)), "question": "which?", "answer": "1", "type": "human"} for at in (9, 1)]
    task(workplace, asked)
    ended = quantize("", "--task", "mine.toml")
    assert ended.code == 2, ended.out
    told = re.search(
        r"calibration data are asked in a task: charts sample '[^']+' \(picture [0-9a-f]{12}, row 1 of", ended.err
    )
    assert told, ended.err
    assert not (workplace / "made").exists()


def test_what_the_data_were_held_against_is_recorded(quantize, workplace):
    task(workplace, [{"image": picture("white"), "question": "which?", "answer": "1", "type": "human"}])
    ended = quantize("", "--task", "mine.toml", "--json")
    assert ended.code == 0, ended.err
    said = ended.json["calibration"]
    assert said["checked"] == ["charts"]
    # Of the default suite nothing is here.
    assert {"docvqa", "vqav2", "mmlu"} <= set(said["unchecked"])
    assert "was not held against" in ended.err


def test_a_task_is_held_against_unasked_where_its_rows_are_at_hand(quantize, workplace, monkeypatch):
    """Those in the hub's cache, without a network, and those that are named with --data."""
    rows = [{"image": picture((1, 0, 0)), "question": "which?", "answer": "1", "type": "human_test"}]
    local = parquet(workplace / "state-rows.parquet", rows)
    ended = quantize("", "--data", f"chartqa={local}")
    assert ended.code == 2, ended.out
    assert "asked in a task: chartqa sample" in ended.err
    commit = registry.tasks()["chartqa"].dataset.revision
    folder = workplace / "state/hub/datasets--lmms-lab--ChartQA/snapshots" / commit / "data"
    folder.mkdir(parents=True)
    local.rename(folder / "test-00000-of-00001.parquet")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(workplace / "state/hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    ended = quantize()
    assert ended.code == 2, ended.out
    assert "asked in a task: chartqa sample" in ended.err


LONG = "How many legs does a spider have, and which of them are longest?"


def sample(name, *texts):
    return Sample(name, tuple(map(Text, texts)), None)


def test_a_question_of_text_is_found_in_a_prompt_whatever_its_case_and_blanks():
    content = Calibrated.of({}, [(f"Be short.\n\n{LONG.upper()}\n", 4)])
    (found,) = content.leaks("exam", [sample("a", f"Answer these.\n\n{LONG.replace(' ', '  ')}")])
    assert (found.task, found.sample, found.row) == ("exam", "a", 4)
    assert Calibrated.recorded({"calibration": content.stored()}).leaks("exam", [sample("a", LONG)])


def test_what_several_questions_share_is_no_question():
    content = Calibrated.of({}, [(LONG, 0)])
    assert content.leaks("exam", [sample(name, f"{LONG}\n\nquestion {name}") for name in "ab"]) == []


def test_short_texts_and_words_about_another_picture_are_no_leak():
    content = Calibrated.of({"abc": 0}, [("How many?", 0), (LONG, 1)])
    seen = Sample("p", (Image(b"", "other"), Text(LONG)), None)
    assert content.leaks("exam", [sample("a", "How many?"), seen]) == []
    assert content.leaks("exam", [Sample("p", (Image(b"", "abc"), Text("x")), None)])


@pytest.mark.parametrize("record", [{}, {"calibration": None}, {"calibration": {"pictures": "x"}}, {"calibration": 3}])
def test_a_record_without_digests_finds_nothing(record):
    assert Calibrated.recorded(record) == Calibrated()


# --- told in two places ---


def test_the_worker_s_own_pins_are_those_of_the_environment():
    header = re.search(r"# /// script\n((?:# .*\n)+?)# ///", Path(its_file.__file__).read_text())[1]
    said = tomllib.loads("".join(line.removeprefix("# ") for line in header.splitlines(keepends=True)))
    recipe = tools.recipe("llmcompressor", "cpu")
    assert said == {"requires-python": recipe.python, "dependencies": list(recipe.requirements)}


def test_the_command_offers_every_scheme():
    assert list(face.SCHEMES) == list(command._SCHEMES)
    assert all(name in evalkit("quantize", "--help").out for name in face.SCHEMES)
