"""What becomes of a candidate, whatever the worker does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from evalkit.base.types import Model
from evalkit.serve import environment
from support import checkpoints


def here(folder):
    """Names in the workplace but for those that a test has put there, and the kept log."""
    return {path.name for path in folder.iterdir()} - {"model", "calibration.parquet", "state"}


@pytest.mark.parametrize("scheme", ["w8a8", "w4a16", "fp8-dynamic"])
def test_a_candidate_with_its_record_and_the_next_command(quantize, workplace, scheme):
    ended = quantize(scheme=scheme)
    assert ended.code == 0, ended.err
    assert here(workplace) == {"made"}
    first, took, following = ended.out.splitlines()
    assert "4 linear layers of the language model quantized" in first
    assert took == "took 1 s, 0.1 GiB of memory"
    assert following == "next: evalkit run --baseline model --candidate made"
    assert "quantizing layer 2 of 2" in ended.err
    record = json.loads((workplace / "made" / environment.RECORD).read_text())
    assert record["scheme"] == scheme
    assert record["source"] == {"name": "model", "digest": environment.model("model", "model").digest}
    assert record["ignore"] == ["re:.*lm_head", "re:.*vision_tower.*", "re:.*multi_modal_projector.*"]
    assert ("calibration" in record) == (scheme != "fp8-dynamic")
    words = "" if scheme == "fp8-dynamic" else " --calibration calibration.parquet"
    assert record["command"] == f"evalkit quantize model --scheme {scheme} -o made{words}"


def test_the_record_is_no_part_of_the_models_identity(quantize, workplace):
    assert quantize().code == 0
    before = environment.model("made", "made").digest
    (workplace / "made" / environment.RECORD).unlink()
    assert environment.model("made", "made").digest == before


def test_the_record_as_json(quantize):
    ended = quantize("", "--json", "--samples", "2", "--seed", "7", "--ignore", "re:.*q_proj")
    assert ended.code == 0
    assert ended.json["folder"] == "made"
    assert ended.json["seed"] == 7
    assert ended.json["ignore"][-1] == "re:.*q_proj"
    said = ended.json["calibration"]
    assert (said["data"], said["rows"], said["tokens"], said["checked"]) == ("calibration.parquet", 2, 2048, [])
    assert said["revision"].startswith("sha256:")
    assert len(said["pictures"]) == 2
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert {"event": "Stage", "text": "writing the checkpoint"} in events


REJECTED = {
    "writes half": "cannot be read whole (model.safetensors)",
    "writes no weights": "cannot be read whole (no safetensors file)",
    "writes nothing": "nothing was written",
    "quantizes vision": "1 layer of the vision tower quantized",
    "quantizes nothing": "no layer of the language model is quantized",
    "makes another scheme": "its config says 'W8A8 float (float-quantized)', not W8A8 int",
    "says another scheme": "4 quantized layers of 4 not stored as I8",
    "grows": "not smaller than the source's",
    "changes the tokenizer": "its tokenizer is not the source's: it is another one",
    "loses the chat template": "its chat template is not the source's: it is missing",
}


@pytest.mark.parametrize("plays", REJECTED)
def test_a_candidate_that_is_not_what_was_asked_for_is_kept_apart(quantize, workplace, plays):
    ended = quantize(plays)
    assert ended.code == 4, ended.err
    assert "made is rejected" in ended.err
    assert REJECTED[plays] in ended.err
    assert here(workplace) == (set() if plays == "writes nothing" else {"made.rejected"})


DIED = {
    "dies": (5, "the worker ended with status 1 while it was quantizing layer 2 of 2"),
    "ends without a word": (5, "the worker ended with status 0 without a word that it was done"),
    "is killed": (5, "the worker was killed, as the system does when memory runs out"),
    "runs out of GPU memory": (5, "the worker ran out of memory"),
    "fills the disk": (5, "no room left while the worker was"),
    "refuses": (2, "not quantized: no module fits re:.*vision_tower.*"),
    "lacks the tool": (2, "has no llm-compressor"),
}


@pytest.mark.parametrize("plays", DIED)
def test_a_worker_that_ends_early_leaves_nothing_but_its_log(quantize, workplace, plays):
    code, words = DIED[plays]
    ended = quantize(plays)
    assert ended.code == code, ended.err
    assert words in ended.err
    assert here(workplace) == set()
    if plays == "dies":
        assert "Traceback: nothing to be done" in ended.err
        (log,) = (workplace / "state").rglob("quantize-made-*.log")
        assert str(log) in ended.err
        assert "nothing to be done" in log.read_text()


@pytest.mark.parametrize("name", ["made", "made.rejected"])
def test_what_stands_at_the_place_is_never_touched(quantize, workplace, name):
    (workplace / name).mkdir()
    (workplace / name / "mine").write_text("")
    ended = quantize()
    assert ended.code == 2
    assert "stands there" in ended.err
    assert here(workplace) == {name}
    assert [path.name for path in (workplace / name).iterdir()] == ["mine"]


def test_a_disk_without_room_is_told_before_anything_starts(quantize, workplace, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("evalkit.quantize.making.shutil.disk_usage", lambda _: usage)
    ended = quantize()
    assert ended.code == 5
    assert "1.00 kB are free, and the candidate needs" in ended.err
    assert here(workplace) == set()


def test_a_folder_that_cannot_be_written_is_told(quantize, workplace):
    ended = quantize("", "-o", "calibration.parquet/made")
    assert ended.code == 2
    assert "cannot be written" in ended.err


def test_an_interpreter_that_is_not_there(quantize, workplace):
    ended = quantize("", "--python", "no-such-python")
    assert ended.code == 2
    assert "no-such-python: cannot be started" in ended.err
    assert here(workplace) == set()


# --- what is refused before anything starts ---


def test_an_unknown_family_is_refused_with_what_is_missing(quantize, workplace):
    checkpoints.plain(workplace / "other", model_type="mamba")
    ended = quantize(source="other")
    assert ended.code == 2
    assert "its model type 'mamba' (Some) is in no family that evalkit can quantize: missing are the names" in ended.err
    assert "qwen2_5_vl" in ended.err


def test_a_quantized_model_is_refused(quantize, workplace):
    checkpoints.quantized(workplace / "other", workplace / "model", "W8A8")
    ended = quantize(source="other")
    assert ended.code == 2
    assert "it is quantized already" in ended.err


def test_sizes_that_are_no_multiples_of_the_group_are_refused_for_4_bits_alone(quantize, workplace):
    checkpoints.plain(workplace / "odd", text_config={"hidden_size": 64, "intermediate_size": 256})
    ended = quantize(scheme="w4a16", source="odd")
    assert ended.code == 2
    assert "w4a16 gives 128 input columns one scale, and hidden_size 64 is no multiple of that" in ended.err
    assert quantize(scheme="w8a8", source="odd").code == 0


def test_a_model_that_is_not_there(quantize):
    ended = quantize(source="./nowhere")
    assert ended.code == 2
    assert "no such folder" in ended.err


# --- stopped and killed ---


def started(workplace):
    """The command as a process of its own, once the worker is at work; with the pids of the worker and its child."""
    pids = workplace / "pids"
    program = (
        "import pathlib, sys; from evalkit.quantize import work; work.WORKER = pathlib.Path(sys.argv.pop(1));"
        "from evalkit.cli import main; main()"
    )
    words = ["quantize", "model", "--scheme", "w8a8", "-o", "made", "--calibration", "calibration.parquet"]
    fake = Path(checkpoints.__file__).with_name("fake_quantizer.py")
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(fake), *words, "--python", sys.executable],
        cwd=workplace,
        env={**os.environ, "FAKE_QUANTIZER": "waits", "FAKE_QUANTIZER_PIDS": str(pids)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (pids.exists() and pids.read_text().endswith("\n")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    return process, [int(pid) for pid in pids.read_text().split()]


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def soon(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(workplace, number):
    process, pids = started(workplace)
    process.send_signal(number)
    assert process.wait(30) == 130
    assert "nothing was left behind" in process.stderr.read()
    assert all(map(gone, pids))
    assert here(workplace) == {"pids"}


def test_a_kill_leaves_nothing(workplace):
    process, pids = started(workplace)
    process.kill()
    process.wait()
    soon(lambda: all(map(gone, pids)))
    soon(lambda: here(workplace) == {"pids"})


def test_what_a_killed_watcher_could_not_remove_the_next_one_does(quantize, workplace):
    process, pids = started(workplace)
    for other in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        other.kill()
    process.wait()
    soon(lambda: all(map(gone, pids)))
    assert any(name.startswith("evalkit-scratch-") for name in here(workplace))
    time.sleep(2.1)  # a younger folder may be somebody's who has not locked it yet
    assert quantize().code == 0
    assert here(workplace) == {"pids", "made"}


def test_a_stopped_one_can_be_made_anew(quantize, workplace):
    process, _ = started(workplace)
    process.terminate()
    process.wait(30)
    assert quantize().code == 0
    assert environment.checkpoint(Model("", "made", "")).layers == {"language_model": 4}
