import pytest

from evalkit.serve import gpus


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function: what nvidia-smi prints -> such a machine."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(said, status=0):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\ncat <<'E'\n{said}\nE\nexit {status}\n")
        program.chmod(0o755)

    return make


TWO = (
    "0, GPU-11aa, NVIDIA H100 80GB HBM3, 81559, 1024, 80022, 570.86.15\n"
    "1, GPU-22bb, NVIDIA H100 80GB HBM3, 81559, 0, 81046, 570.86.15"
)


def test_a_machine_without_a_driver_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == ()


def test_gpus_are_read(machine):
    machine(TWO)
    first, second = gpus()
    assert (first.index, first.name, first.total_mib, first.used_mib, first.free_mib, first.driver) == (
        0,
        "NVIDIA H100 80GB HBM3",
        81559,
        1024,
        80022,
        "570.86.15",
    )
    assert second.uuid == "GPU-22bb"


@pytest.mark.parametrize(
    ("visible", "indices"), [("1", [1]), ("1,0", [1, 0]), ("GPU-22", [1]), ("", []), ("7", []), ("0,7,1", [0])]
)
def test_only_visible_gpus_count(machine, monkeypatch, visible, indices):
    machine(TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.index for gpu in gpus()] == indices


def test_a_driver_that_fails_counts_as_none(machine):
    machine("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", status=9)
    assert gpus() == ()


def test_a_gpu_without_figures_is_left_out(machine):
    machine("0, GPU-11aa, NVIDIA A100, [N/A], [N/A], [N/A], 570.1\n" + TWO.splitlines()[1])
    assert [gpu.index for gpu in gpus()] == [1]
