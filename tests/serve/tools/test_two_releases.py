"""Two models under two releases of vLLM, on stand-in servers: refused until the difference is accepted."""

import json
import shlex
import sys

import pytest

from evalkit.config.run_config import Serving
from evalkit.serve import tools
from support.workplaces import FAKE_VLLM, fitted_out


@pytest.fixture
def workplace(tmp_path):
    """A comparison, and the environments of two releases as evalkit would have made them."""
    for release in ("0.31.0", "0.32.0"):
        recipe = tools.recipe("vllm", tools.computing_on(Serving()), release)
        folder = tmp_path / "cache" / "evalkit" / "tools" / recipe.name
        info = folder / "site" / f"vllm-{release}+cpu.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {release}+cpu\n")
        (folder / "bin").mkdir()
        path = f"{folder / 'site'}:{FAKE_VLLM}"
        start = f'#!/bin/sh\nPYTHONPATH="{path}" exec {shlex.quote(sys.executable)} "$@"\n'
        (folder / "bin" / "python").write_text(start)
        (folder / "bin" / "python").chmod(0o755)
        facts = {"tool": "vllm", "distribution": recipe.distribution, "release": release, "python": "3.11.7"}
        more = {"torch": "plain", "size_bytes": 1, "made": "2026-01-01T00:00:00+00:00"}
        (folder / "evalkit-environment.json").write_text(json.dumps({**facts, **more}))
    return fitted_out(tmp_path)


WORDS = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]


def test_two_releases_are_not_comparable_until_it_is_accepted(workplace):
    words = [*WORDS, "--vllm", "0.32.0", "--vllm", "cand=0.31.0", "--json"]
    done = workplace.here(*words, check=4)
    assert "cand is not comparable: vllm: base has 0.32.0+cpu, cand has 0.31.0+cpu" in done.stderr
    (row,) = json.loads(done.stdout)["tasks"]
    assert row["recovery"]["cand"]["differences"] == ["vllm"]
    done = workplace.here(*words, "--accept-difference", "vllm", check=0)
    (row,) = json.loads(done.stdout)["tasks"]
    assert row["recovery"]["cand"]["percent"] is not None
    (folder,) = workplace.runs()
    provenance = json.loads((folder / "run.json").read_text())["provenance"]
    assert [provenance["environments"][label]["release"] for label in ("base", "cand")] == ["0.32.0", "0.31.0"]
    assert provenance["environments"]["base"]["name"].startswith("vllm-0.32.0-")
    for label, release in (("base", "0.32.0"), ("cand", "0.31.0")):
        assert f"/vllm-{release}-" in provenance["commands"][label]
        assert f"-m vllm.entrypoints.cli.main serve {label} " in provenance["commands"][label]


def test_which_environment_serves_moves_no_answer(workplace):
    first = workplace.here(*WORDS, "--vllm", "0.32.0", "--json", check=0)
    (python,) = (workplace.folder / "cache/evalkit/tools").glob("vllm-0.32.0-*/bin/python")
    again = workplace.here(*WORDS, "--vllm-python", python, check=0)
    assert "served with" in first.stderr
    assert "nothing to do" in again.stdout
