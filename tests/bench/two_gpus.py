"""Measures two GPUs of one host: two models at once, two servers of one model, and a server killed in the middle.

::

    PYTHONPATH=tools:PACKAGES python tests/bench/two_gpus.py FOLDER

writes a model of Pixtral-12B's widths with few layers and random weights and its W8A8 rounding (``random_pixtral.py``),
rows of VQAv2's shape, and runs `evalkit run` four times, each with an output folder of its own:

- both models at the same time, one on each GPU;
- both models one after the other, on one GPU;
- the first model alone, on two servers that share one queue;
- the same with one of the two servers killed when a third has been answered.

``FOLDER/two_gpus.json`` and the last lines on the screen tell what each took, from the command's start to its end and
from a server being ready to the last answer, the ratios, how many answers differ between two runs of one model, and how
many answers each store has. It needs a vLLM in this interpreter and no network; on two H100 it is laid out for less
than nine minutes (``--budget-s`` leaves out what would begin later).
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from bench_pictures import picture

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
TASK = """\
name = "words"
title = "Words in pictures"
category = "Bench"
benchmark = "docvqa"
metrics = ["anls"]
headline = "anls"
dialect = "neuralmagic"
prompt = "Answer in a few words."
[dataset]
id = ""
split = "bench"
files = ["words.parquet"]
[decoding]
max_tokens = {tokens}
"""
QUESTIONS = 5
"""Of each picture, as in VQAv2."""
READY = re.compile(r"http://127\.0\.0\.1:(\d+)")


@dataclass
class Watched:
    """One `evalkit run`, with what it told and when."""

    name: str
    wall_s: float = 0.0
    exit: int = -1
    ready: dict[str, list[float]] = field(default_factory=dict)
    """Model to the moments at which a server of it was ready, from the command's start."""
    last: dict[str, float] = field(default_factory=dict)
    """Model to the moment of its last answer."""
    scored: dict[str, int] = field(default_factory=dict)
    ports: list[str] = field(default_factory=list)

    def take(self, event: dict[str, Any], now: float) -> None:
        model = str(event.get("model", ""))
        if event.get("event") == "ServerState" and event["state"] == "ready":
            self.ready.setdefault(model, []).append(now)
            self.ports += READY.findall(event["detail"])
        elif event.get("event") == "Progress" and event["scored"] > self.scored.get(model, 0):
            self.scored[model], self.last[model] = event["scored"], now

    def told(self) -> dict[str, Any]:
        """In seconds, as it is written down."""
        asked = {one: round(self.last[one] - first[0], 1) for one, first in self.ready.items() if one in self.last}
        starts = {one: round(first[0], 1) for one, first in self.ready.items()}
        return {
            "exit": self.exit,
            "wall_s": round(self.wall_s, 1),
            "ready_s": starts,
            "answering_s": asked,
            "answers": self.scored,
        }


def watch(name: str, words: list[str], folder: Path, each: Callable[[Watched], None] = lambda _: None) -> Watched:
    """Run evalkit to its end; ``each`` is called after every event."""
    found, began = Watched(name), time.monotonic()
    with (folder / f"{name}.log").open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", "evalkit", *words, "--json"]
        with subprocess.Popen(command, stdout=log, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr or ():
                log.write(line)
                if line.startswith("{"):
                    found.take(json.loads(line), time.monotonic() - began)
                    each(found)
    found.exit, found.wall_s = process.returncode, time.monotonic() - began
    print(json.dumps({name: found.told()}), flush=True)
    return found


class Killing:
    """Kills one server of two once a third of the answers is there."""

    def __init__(self, planned: int) -> None:
        self.planned, self.at_s = planned, 0.0

    def __call__(self, found: Watched) -> None:
        if self.at_s or len(found.ports) < 2 or sum(found.scored.values()) < self.planned / 3:
            return
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "--port" in words and words[words.index("--port") + 1] == found.ports[1]:
                process.send_signal(signal.SIGKILL)
                self.at_s = time.monotonic()
                return


def answers(output: Path) -> dict[str, str]:
    """What is in a run's store, by fingerprint."""
    with sqlite3.connect(f"file:{output / 'store.sqlite3'}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT fingerprint, text FROM response WHERE failure IS NULL").fetchall()
    return dict(rows)


def differing(one: dict[str, str], other: dict[str, str]) -> dict[str, float]:
    """Of what both answered: how many, and the share with another text."""
    both = one.keys() & other.keys()
    share = sum(one[key] != other[key] for key in both) / len(both) if both else float("nan")
    return {"both": len(both), "share": round(share, 4)}


def make_rows(folder: Path, pictures: int, tokens: int) -> None:
    """A task of its own with drawn pictures."""
    tasks = folder / "tasks"
    if (tasks / "words.parquet").exists():
        return
    tasks.mkdir(parents=True, exist_ok=True)
    (tasks / "words.toml").write_text(TASK.format(tokens=tokens), encoding="utf-8")
    rows = [
        {
            "questionId": f"{seed}-{number}",
            "question": f"What is word {number} of line {number + 3}?",
            "image": {"bytes": drawn, "path": None},
            "answers": [f"w{seed}"],
        }
        for seed in range(pictures)
        for drawn in [picture("vqav2", seed).data]
        for number in range(QUESTIONS)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tasks / "words.parquet", row_group_size=100)


def make_models(folder: Path, layers: int) -> list[str]:
    """The two models, unless they are there."""
    places = [folder / "random", folder / "random.w8a8"]
    words = [str(HERE / "random_pixtral.py"), str(places[0]), "--dtype", "float16", "--layers", str(layers)]
    subprocess.run([sys.executable, *words, "--w8a8", str(places[1])], check=True)
    return [f"{place.name}={place}" for place in places]


def main() -> None:
    """Read the command line, and take the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gpus", default="0,1")
    parser.add_argument("--pictures", type=int, default=600, help=f"each with {QUESTIONS} questions")
    parser.add_argument("--tokens", type=int, default=64, help="of an answer")
    parser.add_argument("--layers", type=int, default=8, help="of the language model")
    parser.add_argument("--models", nargs=2, metavar="LABEL=FOLDER", help="these, in place of random ones")
    parser.add_argument("--budget-s", type=float, default=500.0, help="no step begins later than this")
    parser.add_argument("--serve-arg", action="append", default=[], help="a flag for vLLM, such as enforce-eager=true")
    given = parser.parse_args()
    began, folder = time.monotonic(), given.folder
    folder.mkdir(parents=True, exist_ok=True)
    make_rows(folder, given.pictures, given.tokens)
    models = given.models or make_models(folder, given.layers)
    print(f"models and rows: {time.monotonic() - began:.1f} s", flush=True)
    (folder / "serve.toml").write_text('[serve]\ndevice = "gpu"\n', encoding="utf-8")
    steps = Steps(folder, given, models, began)
    steps.take()
    print(json.dumps(steps.told(), indent=1))


@dataclass
class Steps:
    """The four runs."""

    folder: Path
    given: argparse.Namespace
    models: list[str]
    began: float
    found: dict[str, Watched] = field(default_factory=dict)
    killed: bool = False

    def words(self, name: str, *models: str) -> list[str]:
        base, *candidates = models
        words = ["run", "--baseline", base, *(word for one in candidates for word in ("--candidate", one))]
        words += ["--tasks-dir", str(self.folder / "tasks"), "--task", "words", "-o", str(self.folder / name)]
        words += ["--config", str(self.folder / "serve.toml")]
        return [*words, *(word for one in self.given.serve_arg for word in ("--serve-arg", one))]

    def take(self) -> None:
        """One after the other; what each told is written down at once."""
        first, gpus = self.models[0], self.given.gpus
        alone, killing = gpus.split(",")[0], Killing(self.given.pictures * QUESTIONS)
        self.step("at-once", [*self.words("at-once", *self.models), "--gpus", gpus])
        self.step("in-turn", [*self.words("in-turn", *self.models), "--gpus", alone, "--one-after-another"])
        self.step("two-servers", [*self.words("two-servers", first), "--gpus", gpus])
        self.step("one-killed", [*self.words("one-killed", first), "--gpus", gpus], killing)
        self.killed = bool(killing.at_s)

    def step(self, name: str, words: list[str], each: Callable[[Watched], None] = lambda _: None) -> None:
        if time.monotonic() - self.began > self.given.budget_s:
            print(f"{name}: left out, {self.given.budget_s:g} s are over", flush=True)
            return
        self.found[name] = watch(name, words, self.folder, each)
        if self.found[name].exit:
            sys.exit(f"{name}: exit code {self.found[name].exit}, see {self.folder / f'{name}.log'}")
        (self.folder / "two_gpus.json").write_text(json.dumps(self.told(), indent=1), encoding="utf-8")

    def told(self) -> dict[str, Any]:
        """Everything that was measured."""
        runs = {name: one.told() for name, one in self.found.items()}
        label = self.models[0].partition("=")[0]
        stored = {name: answers(self.folder / name) for name in self.found}
        told: dict[str, Any] = {"runs": runs, "stored": {name: len(found) for name, found in stored.items()}}
        told["killed"] = self.killed
        if "in-turn" in runs:
            own = runs["in-turn"]["answering_s"][label]
            if "at-once" in runs:
                told["at once, whole command"] = round(runs["in-turn"]["wall_s"] / runs["at-once"]["wall_s"], 2)
                both = sum(runs["in-turn"]["answering_s"].values()) / max(runs["at-once"]["answering_s"].values())
                told["at once, answering"] = round(both, 2)
            if "two-servers" in runs:
                told["two servers, answering"] = round(own / runs["two-servers"]["answering_s"][label], 2)
            told["answers that differ from in-turn"] = {
                name: differing(stored["in-turn"], found) for name, found in stored.items() if name != "in-turn"
            }
        return told


if __name__ == "__main__":
    main()
