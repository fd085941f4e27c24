"""The example of a picture task: rows made by its script, asked of a stand-in server, as its page says."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from support.workplaces import fitted_out

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/picture-task"
PAGE = ROOT / "docs/how-to/picture-task.md"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    found = fitted_out(tmp_path_factory.mktemp("example"))
    shutil.copytree(EXAMPLE, found.folder / "receipts", ignore=shutil.ignore_patterns("*.parquet"))
    made = subprocess.run(
        [sys.executable, "make_rows.py"], cwd=found.folder / "receipts", capture_output=True, text=True, check=True
    )
    assert made.stdout.strip().endswith("receipts.parquet: 80 rows")
    return found


def run(workplace, *more):
    words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "receipts", "--task", "receipts"]
    return workplace.evalkit(*words, "--json", *more)


def test_the_rows_are_the_same_wherever_they_are_made(workplace):
    rows = pq.read_table(workplace.folder / "receipts/receipts.parquet").to_pylist()
    assert len({row["questionId"] for row in rows}) == 80
    assert len({row["image"]["bytes"] for row in rows}) == 40
    assert (rows[0]["question"], rows[0]["answers"]) == ("What is the total?", ["39.33"])


def test_it_is_asked_and_scored(workplace):
    done = run(workplace)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["tasks"]
    assert (row["task"], row["planned"], row["recovery"]["cand"]["clusters"]) == ("receipts", 80, 40)
    assert set(row["scores"]["base"]["metrics"]) == {"anls", "anls@official"}


def test_the_page_shows_the_task_as_it_is():
    (shown,) = (
        text
        for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        if tomllib.loads(text)["name"] == "receipts"
    )
    assert tomllib.loads(shown) == tomllib.loads((EXAMPLE / "receipts.toml").read_text(encoding="utf-8"))
