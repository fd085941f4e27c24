"""A performance run in a test: two models on stand-ins for vLLM, and a stand-in for GuideLLM."""

import json
from dataclasses import dataclass
from pathlib import Path

from support.workplaces import Workplace

FAKE_GUIDELLM = Path(__file__).parent / "fake_guidellm.py"
USE = """
name = "glance"
title = "Glance"
width = 64
height = 48
prompt_tokens = 4
output_tokens = 16
"""
QUICK = ("--queries", 6, "--queries-at-once", 8, "--concurrency", 4, "--warmups", 1)


@dataclass
class PerfPlace:
    """A workplace in which ``evalkit perf`` measures one small use."""

    workplace: Workplace

    def __post_init__(self):
        (self.folder / "glance.toml").write_text(USE)

    @property
    def folder(self):
        return self.workplace.folder

    def words(self, *more, engine=("--engine-python", FAKE_GUIDELLM)):
        models = ("--baseline", "base", "--candidate", "cand")
        return ["perf", *models, "--use", "glance.toml", *QUICK, *engine, *map(str, more)]

    def perf(self, *more, check=0, engine=("--engine-python", FAKE_GUIDELLM), **play):
        """Measure, in this process; keyword arguments tell the stand-in what to do."""
        env = {"FAKE_GUIDELLM": json.dumps(play), "FAKE_JOURNAL": str(self.folder / "sent.jsonl")}
        return self.workplace.here(*self.words(*more, engine=engine), check=check, **env)

    @property
    def sent(self):
        """What the stand-in was told to send, in order."""
        path = self.folder / "sent.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def runs(self):
        return sorted((self.folder / "runs/perf").glob("*"))

    @property
    def result(self):
        return json.loads((self.runs[-1] / "perf.json").read_text())

    def row(self, model, stream="single-stream"):
        (found,) = [one for one in self.result["rows"] if (one["model"], one["stream"]) == (model, stream)]
        return found
