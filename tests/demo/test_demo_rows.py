from __future__ import annotations

from importlib import import_module
from io import BytesIO
from itertools import groupby

import pyarrow.parquet as pq
import pytest
from PIL import Image

from evalkit.base.types import Text
from evalkit.client import chat
from evalkit.client.pictures import EncodedPictures
from evalkit.demo import rows
from evalkit.demo.questions import heldout
from evalkit.tasks import images, registry
from evalkit.tasks.benchmarks import BENCHMARKS
from evalkit.tasks.rows import open_rows

SAMPLES = 60
MODULES = {"mmmu": "exams", "vqav2": "vqa", "docvqa": "docs", "chartqa": "charts", "mathvista": "maths"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return rows.write(tmp_path_factory.mktemp("demo"), SAMPLES)


def task_of(name):
    return registry.tasks()[f"demo-{name}"]


def samples(written, name) -> list:
    task = task_of(name)
    found = open_rows(task.dataset, benchmark=BENCHMARKS[name], base=written[name].parent)
    assert found.planned == SAMPLES
    return [BENCHMARKS[name].sample(row, task.prompt, place) for place, row in enumerate(found)]


@pytest.mark.parametrize("name", rows.TASKS)
def test_every_row_becomes_a_question_that_can_be_sent(written, name):
    found, task = samples(written, name), task_of(name)
    assert len({sample.id for sample in found}) == SAMPLES
    for sample in found:
        assert isinstance(sample.content[-1], Text)
        assert sample.content[-1].text.endswith(task.prompt)
        assert chat.payload(sample, task, "model", EncodedPictures())


@pytest.mark.parametrize("name", rows.TASKS)
def test_a_task_asks_as_the_model_of_the_demo_is_taught(name):
    assert task_of(name).prompt == import_module(f"evalkit.demo.questions.{MODULES[name]}").PROMPT


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    return rows.write(tmp_path_factory.mktemp("again"), SAMPLES)


@pytest.mark.parametrize("name", rows.TASKS)
def test_the_same_file_is_written_every_time(written, again, name):
    assert again[name].read_bytes() == written[name].read_bytes()
    assert not list(again[name].parent.glob("*.part"))


def test_a_demo_task_has_the_settings_of_the_real_one():
    for name in rows.TASKS:
        real, demo = registry.tasks()[name], task_of(name)
        assert (demo.benchmark, demo.metrics, demo.headline) == (real.benchmark, real.metrics, real.headline)
        assert (demo.dialect, demo.images, demo.decoding.temperature) == (real.dialect, real.images, 0.0)
        assert "demo" in demo.title
    vision = [task.name for task in registry.chosen((), "demo") if task.category == "Vision"]
    assert vision == [f"demo-{name}" for name in rows.TASKS]


def test_the_whole_demonstration_is_the_real_suite():
    names = [task.name.removeprefix("demo-") for task in registry.chosen((), "demo")]
    assert names == [task.name for task in registry.chosen((), "pixtral-card")]


def test_every_vision_task_has_enough_questions():
    assert set(heldout.COUNTS) == set(rows.TASKS)
    assert min(heldout.COUNTS.values()) >= 200


def test_without_a_number_all_questions_are_written(written, tmp_path, monkeypatch):
    # Thirteen are enough to tell "all" from "the first ones".
    monkeypatch.setattr(heldout, "COUNTS", dict.fromkeys(rows.TASKS, 13))
    for path in rows.write(tmp_path).values():
        assert pq.read_metadata(path).num_rows == 13


def test_the_rules_of_the_real_tasks_are_all_needed(written):
    tables = {name: pq.read_table(path).to_pylist() for name, path in written.items()}
    assert {row["question_type"] for row in tables["mmmu"]} == {"multiple-choice", "open"}
    assert any(row["image_2"] for row in tables["mmmu"])
    assert any("<image 1>" in row["options"] for row in tables["mmmu"])
    assert all(len(row["answers"]) == 10 for row in tables["vqav2"])
    assert any(len({answer["answer"] for answer in row["answers"]}) > 1 for row in tables["vqav2"])
    assert {bool(row["choices"]) for row in tables["mathvista"]} == {True, False}
    assert {row["type"] for row in tables["chartqa"]} == {"human_test", "augmented_test"}


def test_questions_about_one_page_are_side_by_side_and_form_a_cluster(written):
    clusters = [sample.cluster for sample in samples(written, "docvqa")]
    runs = [len(list(group)) for _, group in groupby(clusters)]
    assert len(runs) == len(set(clusters))
    assert max(runs) > 1


def test_some_pictures_change_when_they_are_saved_again(written):
    found = pq.read_table(written["vqav2"]).to_pylist()[0]["image"]["bytes"]
    assert Image.open(BytesIO(found)).format == "JPEG"
    assert images.encoder(found, "reencode") != "stored"
    assert images.encoder(pq.read_table(written["docvqa"]).to_pylist()[0]["image"]["bytes"], "reencode") == "stored"
