import dataclasses

import pytest

from evalkit.base.types import Dataset, Decoding, Engine, Model, Task
from evalkit.comparison import comparability
from evalkit.records.checkpoint import Checkpoint
from evalkit.records.plan import Contender, PlannedTask

TASK = Task(
    name="t",
    benchmark="docvqa",
    dataset=Dataset("d", "test"),
    decoding=Decoding(10),
    metrics=("anls",),
    headline="anls",
    category="Vision",
    title="T",
    prompt="p",
)
PART = PlannedTask(TASK, "listing", 4, 4, "rev")
FILES = Checkpoint("not quantized", quantized=False, weight_bytes=1, dtype="bfloat16", files={"chat_template": None})


def contender(name="vllm", version="0.32.0", **numerics):
    return Contender(Model("m", "m", "d"), Engine(name, version, "cpu", numerics))


@pytest.mark.parametrize("flag", sorted(comparability.BY_SCHEME))
def test_how_a_candidate_is_quantized_does_not_count(flag):
    assert flag not in comparability.of_model(contender(**{flag: "fp8"}), FILES)


@pytest.mark.parametrize("flag", ["max-model-len", "mm-processor-kwargs", "env:VLLM_ATTENTION_BACKEND"])
def test_other_numerics_count(flag):
    assert comparability.of_model(contender(**{flag: "x"}), FILES)[flag] == "x"


def test_the_type_of_the_activations_is_the_flag_s_or_the_config_s():
    assert comparability.of_model(contender(dtype="float16"), FILES)["dtype"] == "float16"
    assert comparability.of_model(contender(dtype="auto"), FILES)["dtype"] == "bfloat16"
    assert comparability.of_model(contender(), FILES)["dtype"] == "bfloat16"
    assert "dtype" not in comparability.of_model(contender(), None)


def test_a_template_of_the_user_s_own_takes_the_place_of_the_model_s():
    found = comparability.of_model(contender(**{"file:chat-template": "digest"}), FILES)
    assert found["chat_template"] == "digest"


def test_no_template_is_something_that_is_known():
    assert comparability.of_model(contender(), FILES)["chat_template"] is None


def test_a_server_that_was_not_started_here_tells_what_it_tells():
    found = comparability.of_model(contender("endpoint", "unknown", max_model_len=2048), None)
    assert found == {"max-model-len": 2048, "accelerator": "cpu"}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"prompt": "other"}, "prompt"),
        ({"decoding": Decoding(11)}, "decoding"),
        ({"settings": {"shots": 5}}, "decoding"),
        ({"images": "original"}, "images"),
        ({"headline": "x"}, "metric"),
        ({"dialect": "official"}, "dialect"),
    ],
)
def test_what_a_task_fixes(change, key):
    before = comparability.settings(PART, contender(), None)
    after = comparability.settings(
        dataclasses.replace(PART, task=dataclasses.replace(TASK, **change)), contender(), None
    )
    assert [name for name in before if before[name] != after[name]] == [key]


@pytest.mark.parametrize(("field", "key"), [("listing", "samples"), ("revision", "revision"), ("checker", "checker")])
def test_what_the_data_and_the_judge_fix(field, key):
    before = comparability.settings(PART, contender(), None)
    after = comparability.settings(dataclasses.replace(PART, **{field: "other"}), contender(), None)
    assert {name for name in after if before.get(name) != after[name]} == {key}


def test_a_release_of_vllm_is_one_difference_not_two():
    packages = {"torch": "2.13.0", "transformers": "5.19.0"}
    old = comparability.of_model(contender(version="0.31.0", packages={"vllm": "0.31.0", **packages}), FILES)
    new = comparability.of_model(contender(version="0.32.0", packages={"vllm": "0.32.0", **packages}), FILES)
    assert {key for key in old if old[key] != new[key]} == {"vllm"}
    other = contender(version="0.32.0", packages={"vllm": "0.32.0", **packages, "torch": "2.14.0"})
    assert comparability.of_model(other, FILES)["packages"] != new["packages"]
