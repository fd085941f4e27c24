"""Power and memory beside a measurement, as a stand-in for nvidia-smi tells them."""

import os
import time

import pytest

from evalkit.measuring.draw import Watching
from evalkit.serve.gpus import power


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """A function: what nvidia-smi prints."""

    def says(text):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return says


def test_the_gpus_of_a_server_are_taken_together(smi):
    smi("GPU-1, 350.5, 2000\nGPU-2, 100.0, 1000\nGPU-3, 9.0, 9")
    assert power(["GPU-1", "GPU-2"]) == (450.5, 3000)


@pytest.mark.parametrize("text", ["GPU-1, [N/A], 2000", "GPU-2, 100.0, 1000", "NVIDIA-SMI has failed"])
def test_what_is_not_told_of_all_is_not_told(smi, text):
    smi(text)
    assert power(["GPU-1"]) is None


def test_nobody_is_asked_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert power(["GPU-1"]) is None
    assert power([]) is None


def test_looks_count_while_queries_are_under_way(smi):
    smi("GPU-1, 350.5, 2000")
    began = time.time()
    with Watching(["GPU-1"], time.time) as watching:
        deadline = time.monotonic() + 30
        while watching.between(began, time.time()) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    found = watching.between(began, time.time())
    assert (found.mean_w, found.most_mib) == (350.5, 2000)
    assert found.looks >= 1
    assert watching.between(began - 20, began - 10) is None
