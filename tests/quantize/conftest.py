"""`evalkit quantize` with the stand-in worker."""

import sys
from pathlib import Path

import pytest

from evalkit.quantize import work
from support import checkpoints
from support.calibrations import parquet, picture
from support.commands import evalkit

FAKE = Path(checkpoints.__file__).with_name("fake_quantizer.py")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with a model and calibration data, in which the worker is the stand-in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(work, "WORKER", FAKE)
    checkpoints.plain(tmp_path / "model")
    rows = [{"image": picture((at, 0, 0)), "caption": [f"picture {at}"]} for at in range(3)]
    parquet(tmp_path / "calibration.parquet", rows)
    return tmp_path


@pytest.fixture
def quantize(workplace, monkeypatch):
    """A function: what the worker plays, and further words of the command -> how it ended."""

    def run(plays="", *words, scheme="w8a8", source="model", calibration="calibration.parquet"):
        monkeypatch.setenv("FAKE_QUANTIZER", plays)
        data = ["--calibration", calibration] if calibration and scheme != "fp8-dynamic" else []
        usual = {"-o": "made", "--python": sys.executable}
        more = [word for option, value in usual.items() if option not in words for word in (option, value)]
        return evalkit("quantize", source, "--scheme", scheme, *more, *data, *words)

    return run
