"""A small comparison for the command line, with a stand-in for vLLM: rows, models, and the folder they are in."""

import atexit
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import constants
from PIL import Image

from support import commands

FAKE_VLLM = Path(__file__).parent / "fake_vllm"

DOCVQA = """
name = "pages"
title = "Pages"
category = "Vision"
benchmark = "docvqa"
metrics = ["anls"]
headline = "anls"
dialect = "neuralmagic"
prompt = "Answer in few words."
[dataset]
id = ""
split = "validation"
files = ["pages.parquet"]
[decoding]
max_tokens = 10
"""

CHARTQA = """
name = "charts"
title = "Charts"
category = "Vision"
benchmark = "chartqa"
metrics = ["anywhere_in_answer_relaxed_correctness", "explicit_prompt_relaxed_correctness"]
headline = "anywhere_in_answer_relaxed_correctness"
dialect = "neuralmagic"
prompt = "Think, then write Final Answer: and the answer."
[dataset]
id = ""
split = "test"
files = ["charts.parquet"]
[decoding]
max_tokens = 64
"""


def picture(number, kind="JPEG"):
    stream = io.BytesIO()
    Image.new("RGB", (40 + number % 7, 30), (number * 37 % 256, number * 11 % 256, 90)).save(stream, kind)
    return stream.getvalue()


def pages(count):
    """Rows in DocVQA's columns, two questions a page."""
    return [
        {
            "questionId": str(number),
            "question": f"What is number {number}?",
            "image": {"bytes": picture(number // 2), "path": None},
            "answers": [f"word{number}", "other"],
        }
        for number in range(count)
    ]


def charts(count):
    """Rows in ChartQA's columns."""
    return [
        {
            "image": {"bytes": picture(number, "PNG"), "path": None},
            "question": f"How many in chart {number}?",
            "answer": str(number % 10),
            "type": "human_test",
        }
        for number in range(count)
    ]


def write_parquet(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=16)


@dataclass
class Workplace:
    """A folder with two models, two tasks and their data, and evalkit as a command in it."""

    folder: Path
    env: dict

    def command(self, *words):
        return [sys.executable, "-m", "evalkit", *map(str, words)]

    def evalkit(self, *words, check=None, timeout=120, **env):
        """Run evalkit to its end; ``check`` is the exit code that it must have."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check is not None:
            assert done.returncode == check, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def here(self, *words, check=None, **env):
        """The same in this process, where nothing is imported anew: for what is not killed or beside others."""
        around = mock.patch.dict(os.environ, {**self.env, **env}, clear=True)
        # The hub's library reads its variables when it is imported.
        with around, mock.patch.object(constants, "HF_HUB_OFFLINE", new=True), chdir(self.folder):
            ended = commands.evalkit(*words)
        if check is not None:
            assert ended.code == check, f"{words}\n{ended.out}\n{ended.err}"
        return subprocess.CompletedProcess(words, ended.code, ended.out, ended.err)

    def comparison(self, *more):
        """The words of a run of both tasks on both models."""
        words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks"]
        return [*words, "--task", "pages", "--task", "charts", "--json", *more]

    def runs(self, output="runs"):
        return sorted(path for path in (self.folder / output).iterdir() if path.is_dir())

    def results(self, output="runs"):
        (folder,) = self.runs(output)
        return (folder / "results.json").read_text(encoding="utf-8")

    def journal(self, name="journal"):
        """Digests of the chat requests that the stand-in was sent."""
        path = self.folder / name
        return path.read_text().split() if path.exists() else []


def model_folder(path, weight):
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"architectures": ["LlavaForConditionalGeneration"]}))
    (path / "model.safetensors").write_bytes(weight)


@cache
def shared():
    """Where evalkit keeps what it asks torch of the processor and the names in lm-eval's files: once in a session."""
    folder = Path(tempfile.mkdtemp(prefix="evalkit-shared-"))
    atexit.register(shutil.rmtree, folder)
    for name in ("processors", "lm_eval"):
        (folder / name).mkdir()
    return folder


def fitted_out(folder):
    """A workplace in ``folder``: two models, two tasks and their rows."""
    model_folder(folder / "base", b"base")
    model_folder(folder / "cand", b"cand")
    tasks = folder / "tasks"
    tasks.mkdir()
    (tasks / "pages.toml").write_text(DOCVQA)
    (tasks / "charts.toml").write_text(CHARTQA)
    write_parquet(tasks / "pages.parquet", pages(40))
    write_parquet(tasks / "charts.parquet", charts(30))
    (folder / "cache/evalkit").mkdir(parents=True, exist_ok=True)
    for kept in shared().iterdir():
        (folder / "cache/evalkit" / kept.name).symlink_to(kept)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("EVALKIT_", "VLLM_"))}
    env |= {
        "PYTHONPATH": str(FAKE_VLLM),
        "HF_HUB_OFFLINE": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "COLUMNS": "120",
    }
    return Workplace(folder, env)
