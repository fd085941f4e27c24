"""Weights of the next model are read into the page cache: the right files, bounded, at idle priority, and stopped."""

import os
import threading

import psutil
import pytest
from huggingface_hub import constants

from evalkit.base.types import Model
from evalkit.serve import ReadAhead, read_ahead

MIB = 2**20


@pytest.fixture
def folder(tmp_path):
    """A model of 12 MiB in two files, with what no start reads beside them."""
    for name, size in {"b.safetensors": 5, "a.safetensors": 7, "pytorch_model.bin": 9, "README.md": 1}.items():
        (tmp_path / name).write_bytes(bytes(size * MIB))
    return tmp_path


def read(models, **more):
    """Read to the end; the bytes that were read."""
    with ReadAhead(models, **more) as ahead:
        ahead.begin()
        ahead.wait()
        return ahead.done


def test_the_files_that_a_start_reads_are_read_whole(folder):
    assert [path.name for path in read_ahead.weights(folder)] == ["a.safetensors", "b.safetensors"]
    assert read([Model("cand", str(folder), "sha256:1")]) == 12 * MIB


def test_without_safetensors_the_older_files_are_read(folder):
    for path in folder.glob("*.safetensors"):
        path.unlink()
    assert read([Model("cand", str(folder), "sha256:1")]) == 9 * MIB


def test_a_model_of_the_hub_is_read_where_its_library_keeps_it(folder, tmp_path, monkeypatch):
    commit = "c" * 40
    snapshot = tmp_path / "hub/models--owner--name/snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(folder / "a.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert read([Model("cand", "owner/name", commit)]) == 7 * MIB
    assert read([Model("cand", "owner/other", commit)]) == 0


def test_no_more_is_read_than_is_allowed(folder):
    assert read([Model("cand", str(folder), "sha256:1")], most=10 * MIB) == 10 * MIB


def test_half_of_the_free_memory_is_the_bound(folder, monkeypatch):
    free = psutil.virtual_memory()._replace(available=6 * MIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert read([Model("cand", str(folder), "sha256:1")]) == 3 * MIB


def test_nothing_is_read_before_it_begins_or_after_it_was_left(folder):
    with ReadAhead([Model("cand", str(folder), "sha256:1")]) as ahead:
        pass
    ahead.begin()
    ahead.wait()
    assert ahead.done == 0


def test_a_file_that_cannot_be_read_costs_nobody_anything(folder):
    (folder / "a.safetensors").unlink()
    (folder / "a.safetensors").symlink_to(folder / "gone")
    assert read([Model("cand", str(folder), "sha256:1")]) == 5 * MIB


def test_it_reads_at_idle_priority_and_leaves_the_process_as_it_is(folder, monkeypatch):
    seen = {}
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def files(models):
        own = threading.get_native_id()
        seen.update(nice=os.getpriority(os.PRIO_PROCESS, own), io=psutil.Process(own).ionice().ioclass)
        return iter(())

    monkeypatch.setattr(read_ahead, "_files", files)
    read([Model("cand", str(folder), "sha256:1")])
    assert seen == {"nice": 19, "io": psutil.IOPRIO_CLASS_IDLE}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
