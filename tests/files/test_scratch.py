"""Temporary folders: gone with whoever made them, at the latest when the next evalkit comes."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from evalkit.files import scratch
from evalkit.files.scratch import Scratch, sweep

MAKES = (
    "import time; from evalkit.files.scratch import Scratch\n"
    "one = Scratch(); print(one.name, flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "_YOUNG_S", 0.0)
    return tmp_path


def test_a_folder_goes_with_its_block(place):
    with Scratch() as name:
        (Path(name) / "file").write_text("x")
        sweep()
        assert (Path(name) / "file").exists()
    assert list(place.iterdir()) == []


def test_what_a_killed_evalkit_left_is_swept_and_what_a_living_one_uses_is_not(place):
    env = {**os.environ, "TMPDIR": str(place)}
    ones = [subprocess.Popen([sys.executable, "-c", MAKES], stdout=subprocess.PIPE, text=True, env=env) for _ in "ab"]
    try:
        dead, living = [Path(one.stdout.readline().strip()) for one in ones]
        ones[0].kill()
        ones[0].wait()
        assert dead.is_dir()
        time.sleep(0.01)
        sweep()
        assert not dead.exists()
        assert living.is_dir()
    finally:
        for one in ones:
            one.kill()
            one.communicate()


def test_nothing_else_is_touched(place):
    other = place / "evalkit-of-mine"
    other.mkdir()
    kept = place / "kept"
    kept.mkdir()
    (place / "evalkit-scratch-link").symlink_to(kept)
    sweep()
    assert other.is_dir()
    assert kept.is_dir()


def test_a_folder_beside_what_it_is_for_is_swept_there(tmp_path):
    place = tmp_path / "cache"
    place.mkdir()
    code = (
        "import os, sys; from pathlib import Path; from evalkit.files.scratch import Scratch\n"
        "one = Scratch(Path(sys.argv[1])); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, place], check=False)
    assert len(list(place.iterdir())) == 1
    sweep()
    assert len(list(place.iterdir())) == 1
    sweep(place)
    assert list(place.iterdir()) == []
