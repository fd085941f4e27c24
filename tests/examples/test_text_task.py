"""The example of a text task: a benchmark and a metric of its own, in Python beside the task file."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from evalkit.tasks import extensions, registry
from evalkit.testing import check
from support.workplaces import fitted_out

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/text-task"
PAGES = ("text-task.md", "metric.md")
COMPARISON = ("run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "own", "--task", "conversions")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    found = fitted_out(tmp_path_factory.mktemp("example"))
    shutil.copytree(EXAMPLE, found.folder / "own", ignore=shutil.ignore_patterns("*.jsonl", "__pycache__"))
    subprocess.run([sys.executable, "make_rows.py"], cwd=found.folder / "own", capture_output=True, check=True)
    return found


def rows(workplace):
    lines = (workplace.folder / "own/conversions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_code_beside_a_task_waits_for_permission(workplace):
    refused = workplace.evalkit(*COMPARISON, check=2)
    assert "conversions.py" in refused.stderr
    assert "--allow-task-code" in refused.stderr
    assert not (workplace.folder / "runs").exists()


def test_it_is_asked_and_scored_by_its_own_rules(workplace):
    """A server that says the same to everything is within one per cent of a few, and exact in one."""
    amount = rows(workplace)[0]["number"]
    (workplace.folder / "says.txt").write_text(f"That is {amount * 1.005:.4f}", encoding="utf-8")
    near = sum(abs(amount * 1.005 - row["number"]) <= 0.01 * row["number"] for row in rows(workplace))
    assert near >= 1
    done = workplace.evalkit(
        *COMPARISON, "--allow-task-code", "--json", "--serve-arg", f"part=says:{workplace.folder / 'says.txt'}", check=0
    )
    (row,) = json.loads(done.stdout)["tasks"]
    assert row["planned"] == 200
    assert row["scores"]["base"]["metrics"]["within_one_percent"] == pytest.approx(near / 200)
    assert row["scores"]["base"]["unparsed"] == 0
    # Subjects are strata: they are all there, so they make no clusters of samples that belong together.
    assert row["recovery"]["cand"]["clusters"] == 200


def test_the_pages_show_the_code_as_it_is():
    code = (EXAMPLE / "conversions.py").read_text(encoding="utf-8")
    for page in PAGES:
        text = (ROOT / "docs/how-to" / page).read_text(encoding="utf-8")
        blocks = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
        assert blocks
        for block in blocks:
            assert block in code, block
        for shown in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
            assert tomllib.loads(shown) == tomllib.loads((EXAMPLE / "conversions.toml").read_text(encoding="utf-8"))


def test_it_keeps_the_contract_of_harnesses(workplace):
    with extensions.allowing():
        (task,) = registry.find(["conversions"], [workplace.folder / "own"])
        check(task)
