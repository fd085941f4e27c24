"""What tasks need of the server that they share, and how a model's own recommendation is drawn from."""

import json
from dataclasses import replace

import pytest

from evalkit.base.errors import UsageError
from evalkit.base.needs import ServingNeeds
from evalkit.base.types import Model
from evalkit.client.chat import sampling
from evalkit.config import run_config
from evalkit.records.plan import Contender
from evalkit.runs import needs, prepare
from support.reports import ENGINE, task


def config(**args):
    return run_config.from_mapping({"baseline": "org/base", "serve": {"args": args}}, "t")


def needing(name, **what):
    return task(name, serving=ServingNeeds(**what))


def test_needs_of_all_tasks_are_joined_for_the_one_server():
    tasks = [task("plain"), needing("aime", max_model_len=40000), needing("long", max_model_len=96000)]
    tasks.append(needing("thinks", reasoning_parser="qwen3"))
    flags = {"max-model-len": 96000, "reasoning-parser": "qwen3"}
    assert needs.joined(config(), tasks).serve.args == flags
    # What the profile or the user serves with is enough, or is what is needed.
    assert needs.joined(config(), [needing("short", max_model_len=900)]) == config()
    assert needs.joined(config(max_model_len=100000, reasoning_parser="qwen3"), tasks).serve.args == {
        "max_model_len": 100000,
        "reasoning_parser": "qwen3",
    }


@pytest.mark.parametrize(
    ("given", "tasks", "told"),
    [
        (
            {},
            [needing("one", reasoning_parser="qwen3"), needing("two", reasoning_parser="deepseek_r1")],
            "one needs --reasoning-parser qwen3, two needs deepseek_r1",
        ),
        (
            {"reasoning-parser": "glm45"},
            [needing("one", reasoning_parser="qwen3")],
            "one needs --reasoning-parser qwen3, and --serve-arg says glm45",
        ),
        (
            {"max-model-len": 4096},
            [needing("long", max_model_len=96000)],
            "long needs --max-model-len 96000, and --serve-arg says 4096",
        ),
    ],
)
def test_needs_that_contradict_are_refused_with_both_names(given, tasks, told):
    with pytest.raises(UsageError, match=told):
        needs.joined(config(**given), tasks)


def test_a_model_or_a_server_with_a_shorter_context_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 32768}')
    tasks = [needing("aime", max_model_len=36864), task("plain")]
    local = Contender(Model("m", str(tmp_path), "d"), ENGINE)
    running = Contender(Model("r", "m", "d", "http://127.0.0.1:1"), replace(ENGINE, numerics={"max_model_len": 4096}))
    for one, told in ((local, "m has 32,768"), (running, "the server of r has 4,096")):
        with pytest.raises(UsageError, match=f"aime needs a context of 36,864 tokens, {told}"):
            needs.refuse_short([one], tasks)
        needs.refuse_short([one], tasks[1:])


def test_sampling_is_the_makers_only_where_the_task_says_so(tmp_path):
    (tmp_path / "generation_config.json").write_text(
        json.dumps({"do_sample": True, "temperature": 0.6, "top_p": 0.95, "top_k": 20, "eos_token_id": [1]})
    )
    (tmp_path / "config.json").write_text("{}")
    model = Model("m", str(tmp_path), "d")
    plain = task("plain")
    asking = replace(plain, decoding=replace(plain.decoding, recommended=True, presence_penalty=1.5))
    same, drawn = prepare.drawing([plain, asking], model)
    assert same == plain
    found = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "presence_penalty": 1.5, "max_tokens": 10}
    # These fields are in the request, and so in its identity.
    assert sampling(drawn.decoding) == found
    (tmp_path / "generation_config.json").write_text("{}")
    with pytest.raises(UsageError, match="states no temperature"):
        prepare.drawing([asking], model)
    with pytest.raises(UsageError, match="is not seen"):
        prepare.drawing([asking], replace(model, endpoint="http://127.0.0.1:1"))
