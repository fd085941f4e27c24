"""A benchmark or harness of the user's own that breaks: its line is named, and nobody looks for a fault of evalkit."""

import zipfile
from pathlib import Path

import pytest

from evalkit.base.errors import ExitCode
from evalkit.testing import ModelServer
from support import tinywheels
from support.commands import evalkit, write_lines

TASK = """
name = "words"
title = "Words"
category = "Text"
benchmark = "words"
metrics = ["exact_match"]
headline = "exact_match"
prompt = "Answer."
[dataset]
id = ""
split = "test"
files = ["words.jsonl"]
[decoding]
max_tokens = 8
"""
BENCHMARK = """
from evalkit.base.types import Sample, Text
from evalkit.tasks.benchmarks import Benchmark

def sample(cells, prompt, position):
    right = 10 // cells["number"]
    return Sample(str(position), (Text(prompt),), references=[str(right)])

BENCHMARKS = {"words": Benchmark(columns=("number",), image_columns=(), sample=sample)}
"""
HARNESS = """
from evalkit.harnesses.chat import Chat

class Words(Chat):
    def questions(self, task, data, tell, models=()):
        return task.settings["absent"]

WORDS = Words()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "words.toml").write_text(TASK)
    write_lines(tmp_path / "mine" / "words.jsonl", [{"number": number} for number in (5, 2, 0, 1)])
    return tmp_path


def planned(*more):
    with ModelServer("base") as base, ModelServer("cand") as cand:
        told = ("--endpoint", f"base={base.url}", "--endpoint", f"cand={cand.url}", "--tasks-dir", "mine", *more)
        return evalkit("plan", "--baseline", "base", "--candidate", "cand", "--task", "words", *told)


def test_a_benchmark_that_raises_is_named_with_its_line_and_the_row(folder):
    (folder / "mine" / "words.py").write_text(BENCHMARK)
    done = planned("--allow-task-code")
    line = done.err.splitlines()[-1]
    assert done.code == ExitCode.USAGE
    assert line.startswith(
        "error: mine/words.py:6: code of your own raises ZeroDivisionError: integer division or modulo by zero "
        "at row 2 of words, counted from 0; correct it there; its traceback is in "
    )
    assert "words.py" in Path(line.rpartition(" is in ")[2]).read_text()


def test_a_harness_of_a_package_that_raises_is_named_with_its_line(folder, monkeypatch):
    # Another name: who offers one is looked up once in a process.
    task = folder / "mine" / "words.toml"
    task.write_text(TASK.replace('benchmark = "words"', 'benchmark = "made_words"'))
    points = {"evalkit.harnesses": {"made_words": "acme_words:WORDS"}}
    tinywheels.wheel(folder / "wheels", "acme_words", "2", {"acme_words.py": HARNESS}, points=points)
    zipfile.ZipFile(folder / "wheels" / "acme_words-2-py3-none-any.whl").extractall(folder / "site")
    monkeypatch.syspath_prepend(folder / "site")
    done = planned()
    assert done.code == ExitCode.USAGE
    assert "error: site/acme_words.py:6: code of your own raises KeyError: 'absent'; correct it there" in done.err
    assert "fault of evalkit" not in done.err
