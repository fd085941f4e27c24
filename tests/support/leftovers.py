"""A test ends without a process that it started."""

import time
from uuid import uuid4

import psutil
import pytest


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
    return all("evalkit.processes.watcher" in " ".join(_words(process)) for process in processes)


def _words(process):
    try:
        return process.cmdline() or ["evalkit.processes.watcher"]
    except psutil.Error:
        return ["evalkit.processes.watcher"]


def _belongs(process, run):
    try:
        return process.environ().get("TEST_RUN") == run and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
