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

from support.commands import evalkit
from support.workplaces import fitted_out, picture, write_parquet

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
    return workplace.here(*words, "--json", *more)


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


def shown(name):
    """The task of this name on the page."""
    files = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = (text for text in files if tomllib.loads(text)["name"] == name)
    return found


def test_other_columns_are_asked_as_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_parquet(
        tmp_path / "dots.parquet",
        [
            {
                "sheet": f"s{at}",
                "scan": {"bytes": picture(at), "path": None},
                "what_to_do": "How many dots?",
                "dots": at,
            }
            for at in range(1, 9)
        ],
    )
    guessed = evalkit("tasks", "new", "dots", "--from", "dots.parquet", "--output", "guessed.toml")
    columns = tomllib.loads((tmp_path / "guessed.toml").read_text())["columns"]
    assert (guessed.code, columns) == (0, {"image": "scan", "question": "what_to_do", "answer": "dots"})
    (tmp_path / "dots.toml").write_text(shown("dots"))
    done = evalkit("tasks", "check", "dots.toml", "--rows", "8", "--answer", "I count 7")
    assert done.code == 0, done.err
    assert "\ns7 (with " in done.out
    assert done.out.count('answer "I count 7": number 1') == 1


def test_the_page_shows_the_task_as_it_is():
    assert tomllib.loads(shown("receipts")) == tomllib.loads((EXAMPLE / "receipts.toml").read_text(encoding="utf-8"))
