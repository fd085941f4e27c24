"""A run of the demonstration for a test: starting and killing it, and what it has left, read from its own files."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from support.earlierstores import reseal

BASELINE, QUANTIZED = "demo-8m", "demo-8m.w8a8"
PATIENCE_S = 1200
FOREIGN = "http://outside.invalid"
PLANTED = (
    '<script>window.planted=1</script><img src="x:" onerror="window.planted=2"><svg onload="window.planted=3"></svg>'
    f'<img src="{FOREIGN}/picture"><link rel="stylesheet" href="{FOREIGN}/style">'
    f'<iframe src="{FOREIGN}/frame"></iframe>'
    "<a id=bait href='javascript:window.planted=4'>x</a></pre></details></main>"
)
"""What a page of a run must not obey."""


@dataclass
class Place:
    """Where the demonstration is run, and how."""

    folder: Path
    words: list
    env: dict

    def start(self):
        return subprocess.Popen(
            self.words, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self):
        done = subprocess.run(
            self.words, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    def killed(self, after):
        """Start, wait until the baseline has given so many answers, kill evalkit alone; its events so far."""
        process = self.start()
        said = []
        try:
            for line in process.stderr:
                said += events(line)
                if sum(answered(said[-1:]).values()) and sum(answered(said).values()) >= after:
                    break
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, said[-5:]
        return said

    @property
    def run(self):
        (results,) = self.folder.glob("runs/*/results.json")
        return results.parent


@dataclass
class Told:
    """What the demonstration said the three times."""

    place: Place
    before: list
    """Events until it was killed."""
    first: subprocess.CompletedProcess
    second: subprocess.CompletedProcess


def with_flips(place, folder):
    """The finished run once more in ``folder``, with answers of the candidate to charts that changed on purpose.

    Which answers change by themselves, and whether any does, is the processor's affair; pages are read with these.
    Three become wrong that both models had right, one becomes right that both had wrong.
    """
    shutil.copytree(place.folder / "runs", folder / "runs")
    again = Place(folder, place.words, place.env)
    pairs = zip(*(Left(again.run).lines(label, "demo-chartqa") for label in (BASELINE, QUANTIZED)), strict=True)
    equal = [candidate for baseline, candidate in pairs if baseline["score"] == candidate["score"]]
    changed = [(line, "The bars say. Final Answer: nothing at all") for line in equal if line["score"] == 1][:3]
    changed += [(line, f"Final Answer: {line['references']}") for line in equal if line["score"] == 0][:1]
    assert len(changed) == 4, "the models are better or worse than they were: choose another task"
    with closing(sqlite3.connect(folder / "runs/store.sqlite3")) as store, store:
        for line, text in changed:
            wanted = (text, line["latency_s"], line["answer"])
            done = store.execute("UPDATE response SET text = ? WHERE latency_s = ? AND text = ?", wanted)
            assert done.rowcount == 1
        reseal(store)
    again.finish()
    return Left(again.run)


def events(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def answered(some):
    """Samples that a model has answered on each task, as the last event of it says."""
    return {(one["model"], one["task"]): one["scored"] + one["failed"] for one in some if one["event"] == "Progress"}


@dataclass
class Flip:
    """A sample that the two models did not answer equally well: its lines in the run's sample files."""

    task: str
    title: str
    baseline: dict
    candidate: dict

    @property
    def id(self):
        return self.baseline["id"]

    @property
    def direction(self):
        return "regressed" if self.candidate["score"] < self.baseline["score"] else "improved"

    @property
    def question(self):
        return [part["text"] for part in self.baseline["content"] if "text" in part]

    @property
    def references(self):
        found = self.baseline["references"]
        return [
            one["answer"] if isinstance(one, dict) else one for one in (found if isinstance(found, list) else [found])
        ]

    def says(self, word):
        """Whether ``word`` is in its question, references or answers, or in what was read of them."""
        parsed = [one["parsed"] for line in (self.baseline, self.candidate) for one in line["scores"].values()]
        texts = [*self.question, *self.references, self.baseline["answer"], self.candidate["answer"]]
        return any(word in text.lower() for text in [self.id, *texts, *filter(None, parsed)])

    @property
    def word(self):
        """A long word of what the candidate alone said."""
        alone = set(self.candidate["answer"].split()) - set(self.baseline["answer"].split())
        return max(alone or self.candidate["answer"].split(), key=len).lower()


@dataclass
class Left:
    """What a finished run has left: the source of everything that its pages must show."""

    folder: Path

    @cached_property
    def results(self):
        return json.loads((self.folder / "results.json").read_text(encoding="utf-8"))

    @property
    def tasks(self):
        return self.results["tasks"]

    def recovery(self, row):
        return row["recovery"][QUANTIZED]

    def lines(self, model, task):
        path = self.folder / "samples" / model / f"{task}.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def flips(self, row):
        """The flips of a task whose samples are asked once."""
        pairs = zip(self.lines(BASELINE, row["task"]), self.lines(QUANTIZED, row["task"]), strict=True)
        found = [Flip(row["task"], row["title"], base, cand) for base, cand in pairs]
        assert all(one.baseline["id"] == one.candidate["id"] for one in found)
        return [one for one in found if one.baseline["score"] != one.candidate["score"]]

    @cached_property
    def pictured(self):
        """The flips of the one task with pictures that has most of them."""
        vision = [self.flips(row) for row in self.tasks if row["category"] == "Vision"]
        most = max(vision, key=len)
        assert most, "no answer about a picture changed: more samples are needed"
        return most

    def with_plant(self, folder):
        """A copy of the run and its store in which the candidate's answer to a flip is an attack; and that flip."""
        shutil.copytree(self.folder.parent, folder, ignore=shutil.ignore_patterns("view.sqlite3"))
        flip = deepcopy(next(one for one in self.pictured if one.direction == "regressed"))
        said = flip.candidate["answer"]
        with closing(sqlite3.connect(folder / "store.sqlite3")) as store, store:
            wanted = (said + PLANTED, flip.candidate["latency_s"], said)
            changed = store.execute("UPDATE response SET text = ? WHERE latency_s = ? AND text = ?", wanted)
            assert changed.rowcount == 1
            reseal(store)
        copy = Left(folder / self.folder.name)
        path = copy.folder / "samples" / QUANTIZED / f"{flip.task}.jsonl"
        flip.candidate["answer"] += PLANTED
        lines = [flip.candidate if line["id"] == flip.id else line for line in self.lines(QUANTIZED, flip.task)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        words = [sys.executable, "-m", "evalkit", "report", copy.folder.name, "--format", "html"]
        subprocess.run([*words, "--runs", str(folder)], check=True, capture_output=True)
        return copy, flip
