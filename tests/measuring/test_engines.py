"""Both engines at their border: what they are told, and what is made of what they leave, whole or not."""

import json
import subprocess
import sys

import pytest

from evalkit.base.errors import InfrastructureError
from evalkit.measuring.engine import Load, Target
from evalkit.measuring.guidellm import GuideLLM
from evalkit.measuring.vllm_bench import VllmBench
from evalkit.perf.cells import CellKey, settled
from evalkit.perf.uses import Use
from evalkit.perf.validity import faults, tokens_tell
from support.perfruns import FAKE_GUIDELLM
from support.workplaces import FAKE_VLLM

USE = Use("glance", "Glance", 4, 16, 64, 48)
TARGET = Target("http://127.0.0.1:9", "base", "/models/base")


def measured(engine, tmp_path, use=USE, queries=6, concurrency=1, **env):
    """The cell that an engine's command makes, run as it is."""
    stream = "single-stream" if concurrency == 1 else "multi-stream"
    key = CellKey("base", use.name, stream, 1)
    load = Load(use, stream, queries, concurrency, key.seed)
    words = engine.command(TARGET, load, tmp_path)
    variables = {**engine.variables(TARGET), "PYTHONPATH": str(FAKE_VLLM), **env}
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
    reading = engine.read(tmp_path)
    if done.returncode or reading is None:
        return None
    return settled(key, reading, began="", asked=queries, concurrency=concurrency, wall_s=1.0)


def guidellm(tmp_path, concurrency=1, use=USE, **play):
    return measured(
        GuideLLM(str(FAKE_GUIDELLM), "0.8.1"), tmp_path, use, concurrency=concurrency, FAKE_GUIDELLM=json.dumps(play)
    )


def bench(tmp_path, concurrency=1, use=USE, **play):
    engine = VllmBench(sys.executable, "vllm 0.0.1")
    return measured(engine, tmp_path, use, concurrency=concurrency, FAKE_VLLM_BENCH=json.dumps(play))


def reason(cell):
    return faults([cell], {USE.name: USE}).get(cell.key)


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("play", [guidellm, bench])
def test_a_whole_measurement_counts(play, tmp_path, concurrency):
    cell = play(tmp_path, concurrency, latency_s=0.5)
    assert reason(cell) is None
    assert len(cell.latencies_s) == 6
    assert set(cell.output_tokens) == {16}
    wanted = 0.5 if concurrency == 1 else concurrency / 0.5
    assert cell.value == pytest.approx(wanted, rel=0.01)
    assert cell.engine_rate == pytest.approx(cell.rate, rel=0.01)
    assert tokens_tell(cell)


@pytest.mark.parametrize(
    ("play", "said"),
    [
        ({"fail": 6}, "6 of 6 queries failed: Client error '400 Bad Request'"),
        ({"fail": 1}, "1 of 6 queries failed"),
        ({"lose": 1}, "5 of 6 queries were answered, and the engine says nothing of the others"),
        ({"tokens": 15}, "answers had 15 tokens, not 16"),
        ({"delay_s": 0.2}, "the engine left the server waiting for"),
        ({"blind": True}, "a query had pictures of 0 pixels, not 3,072"),
        ({"cached": 200}, "200 tokens of a prompt were served from the server's cache"),
        (
            {"warns": ["p95 of root_dispatch_delay was 0.4s"]},
            "the engine warns of its own figures: p95 of root_dispatch",
        ),
    ],
)
def test_what_speaks_against_a_report_of_guidellm_that_looks_fine(play, said, tmp_path):
    assert said in reason(guidellm(tmp_path, **play))


@pytest.mark.parametrize("play", [{"exit": 1}, {"garbage": True}])
def test_guidellm_that_left_nothing(play, tmp_path):
    assert guidellm(tmp_path, **play) is None


def test_it_is_told_which_delay_of_its_own_is_too_much(tmp_path):
    load = Load(USE, "single-stream", 6, 1, 7, most_idle=0.25)
    GuideLLM("python", "").command(TARGET, load, tmp_path)
    rules = json.loads((tmp_path / "run.json").read_text())["spec"]["metrics"]["warnings"]
    assert [(one["code"], one["threshold"]) for one in rules] == [("generation_delay", 0.25)]


@pytest.mark.parametrize(
    ("play", "said"),
    [
        ({"version": 3}, "its report is of version 3, and evalkit reads version 2"),
        ({"without": "request_latency"}, "its report lacks what evalkit reads"),
    ],
)
def test_a_report_of_another_form_is_not_guessed_at(play, said, tmp_path):
    with pytest.raises(InfrastructureError, match=said) as caught:
        guidellm(tmp_path, **play)
    assert "--engine vllm-bench" in caught.value.fix


def test_tokens_in_one_burst_tell_nothing(tmp_path):
    assert not tokens_tell(guidellm(tmp_path, gap_ms=0.005))


def test_failed_queries_of_vllm_bench(tmp_path):
    assert reason(bench(tmp_path, fail=2)) == "2 of 6 queries failed: ValueError: the server said no"


def test_releases_before_0_32_do_not_list_latencies(tmp_path):
    assert bench(tmp_path, latencies=False, latency_s=0.4).value == pytest.approx(0.4)


def test_a_result_of_vllm_bench_that_lacks_something(tmp_path):
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(InfrastructureError, match="its result lacks what evalkit reads"):
        VllmBench(sys.executable, "vllm 0.0.1").read(tmp_path)


def test_a_picture_alone_has_no_text(tmp_path):
    picture = Use("glance", "Glance", 0, 16, 64, 48)
    guidellm(tmp_path, use=picture)
    spec = json.loads((tmp_path / "run.json").read_text())["spec"]
    assert spec["data"] == [{"kind": "synthetic_image", "width": 64, "height": 48, "output_tokens": 16}]
    # The other engine refuses queries without a token of text.
    words = VllmBench("python", "").command(TARGET, Load(picture, "single-stream", 6, 1, 7), tmp_path)
    assert words[words.index("--random-prefix-len") + 1] == "1"


def test_text_alone_has_no_picture(tmp_path):
    text = Use("talk", "Talk", 32, 16)
    guidellm(tmp_path, use=text)
    spec = json.loads((tmp_path / "run.json").read_text())["spec"]
    assert spec["data"] == [{"kind": "synthetic_text", "prompt_tokens": 32, "output_tokens": 16}]
    assert spec["data_loader"]["samples"] >= spec["constraints"][0]["count"]
    words = VllmBench("python", "").command(TARGET, Load(text, "multi-stream", 6, 3, 7), tmp_path)
    assert "--random-mm-bucket-config" not in words
    assert words[words.index("--max-concurrency") + 1] == "3"


def test_no_proxy_stands_before_a_server_and_no_hub_is_asked_for_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    local = Target("http://127.0.0.1:9", "base", str(tmp_path))
    found = VllmBench("python", "").variables(local)
    assert "127.0.0.1" in found["NO_PROXY"]
    assert found["HF_HUB_OFFLINE"] == "1"
    assert "VLLM_API_KEY" not in found


def test_how_far_they_are_is_read_from_what_they_write():
    said = "Benchmark 1 (synchronous): active | elapsed=10.3s | successful=7 errored=1 incomplete=0 | requests/s=2"
    assert GuideLLM("python", "").done(said) == 8
    assert (
        VllmBench("python", "").done("  0%|    | 0/6 [00:00<?, ?it/s]\n 50%|###   | 3/6 [00:04<00:04,  1.4s/it]") == 3
    )
    assert VllmBench("python", "").done("Starting") is None
