import json
import shlex
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import UsageError
from evalkit.base.types import Model
from evalkit.serve import Serving, command, dropped, gpus_used, not_passed_on, numerics, widest_window, window
from evalkit.serve.launch import QUIET_FLAGS, flags, shown, surroundings, variables

TINY = Model(label="tiny", source="org/tiny", digest="a" * 64)


@pytest.fixture(autouse=True)
def no_variables_of_the_machine(monkeypatch):
    for name in ("VLLM_CPU_KVCACHE_SPACE", "VLLM_NO_USAGE_STATS"):
        monkeypatch.delenv(name, raising=False)


PYTHONS = {}
"""Distribution -> an interpreter that has it, and nothing else."""


@pytest.fixture(scope="module", autouse=True)
def interpreters(tmp_path_factory):
    for name in ("vllm", "vllm-cpu"):
        place = tmp_path_factory.mktemp(name)
        folder = place / f"{name.replace('-', '_')}-0.32.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.32.0\n")
        PYTHONS[name] = str(place / "python")
        program = place / "python"
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{place}" exec "{sys.executable}" -S "$@"\n')
        program.chmod(0o755)


def gpu(distribution="vllm", **settings):
    return Serving(python=PYTHONS[distribution], device="gpu", **settings)


def test_the_published_profile_is_the_cards_command():
    assert shlex.join(command(gpu(profile="published"), TINY, 8123)) == (
        f"{PYTHONS['vllm']} -m vllm.entrypoints.cli.main serve org/tiny --served-model-name tiny --host 127.0.0.1 "
        "--port 8123 --generation-config vllm --disable-uvicorn-access-log --max-model-len 25000 --dtype float16 "
        """--limit-mm-per-prompt '{"image": 7}' --gpu-memory-utilization 0.9 --max-num-seqs 8"""
    )


def test_the_build_for_cpus_is_started_by_its_module_for_it_has_no_command():
    start = [PYTHONS["vllm-cpu"], "-m", "vllm.entrypoints.openai.api_server", "--model", "org/tiny"]
    assert command(gpu("vllm-cpu"), TINY, 1)[:5] == start
    assert command(gpu("vllm-cpu"), TINY, 1)[5:] == command(gpu(), TINY, 1)[5:]
    assert numerics(gpu("vllm-cpu")) == numerics(gpu())


def test_a_folder_that_looks_like_a_flag_is_no_flag():
    assert command(gpu(), Model("m", "-odd", "0" * 64), 1)[4] == "./-odd"


def test_throughput_is_the_default_and_differs_in_the_batch_alone():
    published, default = flags(gpu(profile="published")), flags(gpu())
    assert default == {name: value for name, value in published.items() if name != "max-num-seqs"}
    assert numerics(gpu(profile="published")) == numerics(gpu())


def test_on_a_cpu_the_share_of_gpu_memory_goes_and_the_cache_gets_a_size():
    cpu = Serving(device="cpu", profile="published")
    assert "gpu-memory-utilization" not in flags(cpu)
    assert flags(cpu)["dtype"] == "float16"
    assert 1 <= int(variables(cpu)["VLLM_CPU_KVCACHE_SPACE"]) <= 4
    assert "VLLM_CPU_KVCACHE_SPACE" not in variables(gpu())


@pytest.mark.parametrize(("flag", "value"), [("gpu-memory-utilization", 0.3), ("kv-cache-memory-bytes", 10**9)])
def test_on_a_cpu_a_size_that_the_user_chose_wins(flag, value):
    settings = Serving(device="cpu", args={flag: value})
    assert "VLLM_CPU_KVCACHE_SPACE" not in variables(settings)
    assert flags(settings)[flag] == value


def test_the_users_variables_win(monkeypatch):
    assert variables(Serving(device="cpu", env={"VLLM_CPU_KVCACHE_SPACE": "9"}))["VLLM_CPU_KVCACHE_SPACE"] == "9"
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "7")
    assert "VLLM_CPU_KVCACHE_SPACE" not in variables(Serving(device="cpu"))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"max-model-len": 2048}, ["--max-model-len", "2048"]),
        ({"--max_model_len": "2048"}, ["--max-model-len", "2048"]),
        ({"enforce-eager": True}, ["--enforce-eager"]),
        ({"enforce-eager": "true"}, ["--enforce-eager"]),
        ({"enable-prefix-caching": False}, ["--no-enable-prefix-caching"]),
        ({"no-enable-prefix-caching": True}, ["--no-enable-prefix-caching"]),
        ({"limit-mm-per-prompt": {"image": 2}}, ["--limit-mm-per-prompt", '{"image": 2}']),
        ({"cudagraph-capture-sizes": [1, 2]}, ["--cudagraph-capture-sizes", "1", "2"]),
        ({"max-model-len": -1}, ["--max-model-len=-1"]),
        ({"chat-template": "a b.jinja"}, ["--chat-template", "a b.jinja"]),
    ],
)
def test_user_flags_become_words(args, words):
    line = command(gpu(args=args), TINY, 1)
    start = line.index(words[0])
    assert line[start : start + len(words)] == words
    assert sum(word.split("=")[0] == words[0].split("=")[0] for word in line) == 1


@pytest.mark.parametrize("nothing", [False, None])
def test_a_flag_of_the_profile_can_be_taken_away(nothing):
    line = command(gpu(args={"dtype": nothing}), TINY, 1)
    assert "--dtype" not in line
    assert "--no-dtype" not in line


@pytest.mark.parametrize(
    "name", ["port", "--served_model_name", "generation-config", "no-trust-remote-code", "config", "api-key"]
)
def test_flags_of_evalkits_own_are_refused_with_the_reason(name):
    with pytest.raises(UsageError, match="evalkit sets this flag itself") as caught:
        command(gpu(args={name: True}), TINY, 1)
    assert name in caught.value.message
    assert caught.value.fix


def test_code_of_the_models_repository_runs_only_when_asked_for():
    assert "--trust-remote-code" not in command(gpu(), TINY, 1)
    assert "--trust-remote-code" in command(gpu(trust_remote_code=True), TINY, 1)
    assert numerics(gpu(trust_remote_code=True))["trust-remote-code"] is True


def test_the_resolved_commit_is_what_is_served():
    commit = "0123456789abcdef0123456789abcdef01234567"
    line = command(gpu(), Model("m", "org/m", commit), 1)
    assert line[line.index("--revision") + 1] == commit
    assert "--revision" not in command(gpu(), TINY, 1)


def test_numerics_hold_what_moves_answers_and_nothing_else(monkeypatch):
    for name in ("VLLM_ATTENTION_BACKEND", "VLLM_LOGGING_LEVEL", "VLLM_API_KEY", "VLLM_CPU_OMP_THREADS_BIND"):
        monkeypatch.setenv(name, "x")
    found = numerics(
        gpu(
            args={"max-num-seqs": 3, "seed": 1, "tensor-parallel-size": 2, "enforce-eager": True, "download-dir": "/d"},
            env={"NVIDIA_TF32_OVERRIDE": "1", "HF_TOKEN": "hf_x", "MY_API_KEY": "k", "VLLM_MAX_TOKENS_PER_EXPERT": "8"},
        )
    )
    assert {name: value for name, value in found.items() if name.startswith("env:VLLM")} == {
        "env:VLLM_ATTENTION_BACKEND": "x",
        "env:VLLM_MAX_TOKENS_PER_EXPERT": "8",
    }
    assert {name: value for name, value in found.items() if not name.startswith("env:VLLM")} == {
        "dtype": "float16",
        "enforce-eager": True,
        "env:NVIDIA_TF32_OVERRIDE": "1",
        "generation-config": "vllm",
        "limit-mm-per-prompt": {"image": 7},
        "max-model-len": 25000,
        "seed": 1,
        "tensor-parallel-size": 2,
    }
    assert json.loads(json.dumps(found)) == found


@given(port=st.integers(1, 65535), batch=st.integers(1, 4096), share=st.floats(0.1, 1))
def test_port_batch_and_memory_never_enter_the_identity(port, batch, share):
    busy = gpu(port=port, args={"max-num-seqs": batch, "gpu-memory-utilization": share})
    assert numerics(busy) == numerics(gpu())


@given(name=st.from_regex(r"x[a-z]{3,9}(-[a-z]{2,9}){1,3}", fullmatch=True), value=st.integers(0, 9))
def test_a_flag_that_nobody_has_classified_counts(name, value):
    assert numerics(gpu(args={name: value}))[name] == value
    assert name not in QUIET_FLAGS


def test_the_spelling_of_a_flag_makes_no_difference():
    assert numerics(gpu(args={"max-model-len": 2048})) == numerics(gpu(args={"--max_model_len": "2048"}))


def test_secrets_reach_the_server_but_are_not_shown():
    settings = gpu(env={"HF_TOKEN": "hf_x", "VLLM_USE_V1": "1"})
    assert variables(settings)["HF_TOKEN"] == "hf_x"
    assert shown(settings)["HF_TOKEN"] == "***"
    assert shown(settings)["VLLM_USE_V1"] == "1"


@pytest.mark.parametrize(
    ("args", "size"), [({}, 256), ({"max-num-seqs": 8}, 16), ({"max-num-seqs": 200}, 256), ({"max-num-seqs": 1}, 2)]
)
def test_the_window_is_twice_the_batch_and_at_most_256(args, size):
    assert window(gpu(args=args)) == size


def test_the_published_window_is_16():
    assert window(gpu(profile="published")) == 16


def test_how_far_the_window_grows_is_asked_of_the_interpreter_of_our_own_servers_alone(tmp_path):
    assert (widest_window(gpu()), widest_window(Serving(device="cpu"))) == (1024, 256)
    nobody = Serving(python=str(tmp_path / "none"))
    assert (window(nobody), widest_window(nobody, ours=False)) == (256, 1024)
    assert widest_window(Serving(python=nobody.python, args={"max-num-seqs": 200}), ours=False) == 400
    with pytest.raises(UsageError):
        widest_window(nobody)


def test_gpus_of_one_server():
    assert gpus_used(gpu()) == 1
    assert gpus_used(gpu(args={"tensor_parallel_size": "2", "pipeline-parallel-size": 3})) == 6


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"text_config": {"max_position_embeddings": 2048, "rope_parameters": {"rope_type": "default"}}}, 2048),
        ({"text_config": {"max_position_embeddings": 131072}}, 25000),
        ({"text_config": {"max_position_embeddings": 4096, "rope_scaling": {"type": "yarn", "factor": 8}}}, 25000),
        ({"text_config": {"max_position_embeddings": "many"}}, 25000),
        ([], 25000),
    ],
)
def test_the_profiles_context_is_lowered_to_the_models(tmp_path, config, length):
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = Model("m", str(tmp_path), "b" * 64)
    assert flags(gpu(), model)["max-model-len"] == length
    assert numerics(gpu(), model)["max-model-len"] == length
    assert flags(gpu(args={"max-model-len": 30000}), model)["max-model-len"] == 30000


CONTRADICTING = {"VLLM_API_KEY": "anything", "VLLM_PORT": "9000", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_DP_RANK": "1"}


def test_variables_that_contradict_what_is_assumed_are_not_inherited(monkeypatch):
    for name, value in {**CONTRADICTING, "VLLM_ATTENTION_BACKEND": "x", "OTHER": "y"}.items():
        monkeypatch.setenv(name, value)
    found = surroundings(gpu())
    assert CONTRADICTING.keys().isdisjoint(found)
    assert (found["VLLM_ATTENTION_BACKEND"], found["OTHER"]) == ("x", "y")
    assert dropped({}) == sorted(CONTRADICTING)
    assert dropped({"VLLM_PORT": "1"}) == ["VLLM_API_KEY", "VLLM_DP_RANK", "VLLM_LOGGING_LEVEL"]
    told = not_passed_on(dropped({}))
    assert all(name in told for name in CONTRADICTING)
    assert "anything" not in told
    assert not any(name.removeprefix("env:") in CONTRADICTING for name in numerics(gpu()))


def test_a_user_s_own_variable_is_passed_on_or_refused_with_the_reason(monkeypatch):
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "ERROR")
    assert surroundings(gpu(env={"VLLM_LOGGING_LEVEL": "DEBUG"}))["VLLM_LOGGING_LEVEL"] == "DEBUG"
    for name in ("VLLM_API_KEY", "VLLM_MODEL_REDIRECT_PATH", "VLLM_USE_MODELSCOPE", "VLLM_DP_SIZE"):
        with pytest.raises(UsageError, match=f"serve.env.{name}") as caught:
            command(gpu(env={name: "x"}), TINY, 1)
        assert caught.value.fix
