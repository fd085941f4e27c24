"""The example of a harness: questions that are made, asked and stored as every other."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from evalkit.tasks import extensions, registry
from evalkit.testing import check
from support.workplaces import fitted_out

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/harness"
COMPARISON = ("run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "own", "--task", "sums")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    found = fitted_out(tmp_path_factory.mktemp("example"))
    shutil.copytree(EXAMPLE, found.folder / "own", ignore=shutil.ignore_patterns("__pycache__"))
    return found


def test_its_questions_are_asked_and_scored_and_a_second_run_asks_nothing(workplace):
    words = (*COMPARISON, "--allow-task-code", "--limit", "50", "--json")
    says = workplace.folder / "says.txt"
    says.write_text("12", encoding="utf-8")
    (row,) = json.loads(workplace.evalkit(*words, "--serve-arg", f"part=says:{says}", check=0).stdout)["tasks"]
    assert (row["planned"], row["available"], row["drawn"]) == (50, 400, True)
    assert row["scores"]["base"]["metrics"] == {"number": 0.0}
    (sample, *_) = (
        json.loads(line)
        for path in sorted(workplace.folder.glob("runs/*/samples/base/*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    one, other = map(int, sample["id"].partition(": ")[2].split("+"))
    assert 0 <= one < 10**8
    assert 0 <= other < 10**8
    again = workplace.evalkit(*words[:-1], "--serve-arg", f"part=says:{says}", check=0)
    assert "nothing to do" in again.stdout


def test_more_digits_are_other_questions(workplace):
    text = (workplace.folder / "own/sums.toml").read_text(encoding="utf-8")
    (workplace.folder / "own/short.toml").write_text(
        text.replace('name = "sums"', 'name = "short"').replace("digits = 8", "digits = 1"), encoding="utf-8"
    )
    words = ("plan", *COMPARISON[1:], "--task", "short", "--allow-task-code", "--json")
    done = workplace.evalkit(*words, check=0)
    assert [task["task"] for task in json.loads(done.stdout)["tasks"]] == ["sums", "short"]


def test_the_page_shows_the_example_as_it_is():
    text = (ROOT / "docs/how-to/harness.md").read_text(encoding="utf-8")
    code = (EXAMPLE / "sums.py").read_text(encoding="utf-8")
    blocks = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 4
    assert all(block in code for block in blocks)
    (shown,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert tomllib.loads(shown) == tomllib.loads((EXAMPLE / "sums.toml").read_text(encoding="utf-8"))


def test_it_keeps_the_contract_of_harnesses():
    with extensions.allowing():
        (task,) = registry.find(["sums"], [EXAMPLE])
        check(task, limit=40)
