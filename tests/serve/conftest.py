import json
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from evalkit.base.types import Model
from evalkit.serve import Serving

FAKE = Path(__file__).with_name("fake_vllm.py")


@pytest.fixture
def model():
    return Model(label="tiny", source="org/tiny", digest="0" * 64)


@pytest.fixture
def serving():
    """A function: what the fake server plays -> settings that start it."""

    def make(*, port=0, stall_s=20.0, start_timeout_s=30.0, stop_patience_s=2.0, **play):
        return Serving(
            command=(sys.executable, str(FAKE)),
            device="cpu",
            env={"FAKE": json.dumps(play)},
            port=port,
            stall_s=stall_s,
            start_timeout_s=start_timeout_s,
            stop_patience_s=stop_patience_s,
        )

    return make


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch):
    """Every test ends without a process that it started, whatever it asserts."""
    run = uuid4().hex
    monkeypatch.setenv("TEST_RUN", run)
    yield
    deadline = time.monotonic() + 10
    # Who watched a server that was ended in a hurry goes a moment after it.
    while (left := [process for process in psutil.process_iter() if _belongs(process, run)]) and _watchers_alone(left):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    for process in left:
        process.kill()
    assert not left


def _watchers_alone(processes):
    return all("evalkit.serve.watcher" in " ".join(_words(process)) for process in processes)


def _words(process):
    try:
        return process.cmdline() or ["evalkit.serve.watcher"]
    except psutil.Error:
        return ["evalkit.serve.watcher"]


def _belongs(process, run):
    try:
        return process.environ().get("TEST_RUN") == run and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
