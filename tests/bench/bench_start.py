"""Measures starts: what a command costs before and after its work, and what a second start of vLLM costs.

::

    nox -s bench -- start
    nox -s bench -- start --server --model FOLDER      # without --model the demonstration's baseline

The sample is a question of text; its servers are there already and answer at once, so what is left is evalkit's own
imports, listing, store and report. Measured with its bytecode kept, as after any earlier start, and with none, as in an
image whose packages were never compiled (``PYTHONDONTWRITEBYTECODE``). Beside them ``--help``, and a Python that
imports nothing. CPU seconds are user and system, of the command and what it starts.

With ``--server`` vLLM is started with a model: with no compile cache and no weights in the page cache, as at first;
then with the compile cache that this has left; then with the weights read ahead, as a run does while another model
answers. Before each start the files of the model are given up to the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from evalkit import serve
from evalkit.base.types import Model
from evalkit.config.run_config import Serving
from evalkit.demo import pair
from evalkit.testing import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LABELS = ("base", "cand")
TASK = """\
name = "one"
title = "One question"
benchmark = "qa"
prompt = "Answer with a number."
category = "Text"
metrics = ["exact_match"]
headline = "exact_match"
[dataset]
id = ""
split = "test"
files = ["rows.jsonl"]
[columns]
question = "question"
answer = "answer"
[decoding]
max_tokens = 10
"""


def cpu_s(command: Sequence[str], env: Mapping[str, str], folder: Path) -> float:
    """CPU seconds of a command and what it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}: {done.returncode}\n{done.stderr[-2000:]}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime


def commands(urls: Mapping[str, str]) -> dict[str, list[str]]:
    """What is measured, by what it is called."""
    evalkit = [sys.executable, "-m", "evalkit"]
    run = [*evalkit, "run", "--baseline", "base", "--candidate", "cand", "--task", "task.toml"]
    for label, url in urls.items():
        run += ["--endpoint", f"{label}={url}"]
    return {
        "a Python that imports nothing": [sys.executable, "-c", ""],
        "`evalkit --help`": [*evalkit, "--help"],
        "a run with one sample": run,
    }


def lines(times: int) -> Iterator[str]:
    """A row of the table for each command."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        (folder / "task.toml").write_text(TASK)
        (folder / "rows.jsonl").write_text(json.dumps({"id": "q0", "question": "How many?", "answer": "4"}) + "\n")
        urls = {label: stack.enter_context(ModelServer(label)).url for label in LABELS}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        none = {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(folder / "empty")}
        for name, command in commands(urls).items():
            cpu_s(command, kept, folder)  # what is not compiled yet is compiled here, and files are read once
            found = [median(cpu_s(command, env, folder) for _ in range(times)) for env in (kept, none)]
            yield f"| {name} | {found[0]:.2f} | {found[1]:.2f} |"


def forget(folder: Path) -> None:
    """Give up what the page cache holds of a model's weights."""
    for path in serve.weights(folder):
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def started(model: Model, args: dict[str, Any], cache: Path, log: Path) -> str:
    """Seconds until a server is ready, and those of its steps."""
    told: list[tuple[str, float]] = []
    serving = Serving(args=args, env={"VLLM_CACHE_ROOT": str(cache)})
    began = time.monotonic()
    with serve.Server(serving, model, log, lambda state, _: told.append((state, time.monotonic() - began))):
        taken = time.monotonic() - began
        steps = [f"{state} {until - at:.1f}" for (state, at), (_, until) in pairwise(told)]
    return f"{taken:.1f} | {', '.join(steps)}"


def server_lines(folder: Path, args: dict[str, Any]) -> Iterator[str]:
    """A row of the table for each kind of start."""
    model = Model("bench", str(folder), "bench")
    with tempfile.TemporaryDirectory() as scratch:
        cache, log = Path(scratch, "vllm"), Path(scratch, "server.log")
        forget(folder)
        yield f"| nothing kept | {started(model, args, cache, log)} |"
        forget(folder)
        yield f"| vLLM's compile cache kept | {started(model, args, cache, log)} |"
        forget(folder)
        with serve.ReadAhead([model]) as ahead:
            ahead.begin()
            ahead.wait()
        yield f"| and {ahead.done / 1e9:.2f} GB of weights read ahead | {started(model, args, cache, log)} |"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="how often each is measured; told is the median")
    parser.add_argument("--server", action="store_true", help="starts of vLLM in place of commands")
    parser.add_argument("--model", type=Path, default=pair.trained()[0], help="folder of what --server serves")
    parser.add_argument("--serve-arg", action="append", default=[], metavar="FLAG=VALUE", help="a flag for vLLM")
    given = parser.parse_args()
    if given.server:
        args = dict(word.partition("=")[::2] for word in given.serve_arg)
        print("| start | ready after s | steps, s |\n|---|---|---|")
        for line in server_lines(given.model, args):
            print(line, flush=True)
        return
    print("| | bytecode kept: CPU s | none: CPU s |\n|---|---|---|")
    for line in lines(given.times):
        print(line, flush=True)


if __name__ == "__main__":
    main()
