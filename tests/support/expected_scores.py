"""What the demonstration's models score, sample by sample, and how far another machine may be from it.

``PYTHONPATH=tests python -m support.expected_scores RUN`` writes ``tests/demo/expected.json``. RUN is the folder of a
finished ``evalkit demo`` without ``--limit``: its ``samples/`` and its ``results.json`` are read.

Answers at temperature 0 may differ between types of CPU, between dtypes (the table is of float32) and, as
batches differ, between runs; attempts at HumanEval are drawn anew in every run. A score of
the first n samples therefore has to be within ``SIGMAS`` standard errors of what these very samples scored when the
table was made; the standard error is that of the whole task, clustered, scaled to n.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean

from evalkit import stats
from evalkit.base.identity import file_name

TABLE = Path(__file__).parent.parent / "demo" / "expected.json"
SIGMAS = 4.0


@dataclass(frozen=True)
class Line:
    """One model's score on one task beside the expected one."""

    model: str
    task: str
    samples: int
    expected: float
    """Mean of the same samples in the table."""
    found: float
    noise: float
    """Standard error at so many samples."""
    same: int
    """Samples with the very score of the table."""

    @property
    def fits(self):
        return abs(self.found - self.expected) <= SIGMAS * self.noise

    def __str__(self):
        return (
            f"{self.model} {self.task}: {self.found:.4f} of {self.samples} samples, expected {self.expected:.4f} "
            f"+- {SIGMAS * self.noise:.4f}; {self.same} scored the same"
        )


def table(run: Path) -> dict:
    """The table of a finished run."""
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    if results["smoke"]:
        raise SystemExit(f"{run}: only a part was asked; run evalkit demo without --limit")
    return {
        "made_by": "PYTHONPATH=tests python -m support.expected_scores RUN",
        "models": {label: _model(one) for label, one in results["models"].items()},
        "tasks": {row["task"]: _task(run, row, list(results["models"])) for row in results["tasks"]},
    }


def _model(found: dict) -> dict:
    return {"digest": found["digest"], "engine": f"{found['engine']['name']} {found['engine']['version']}"}


def _task(run: Path, row: dict, labels: list[str]) -> dict:
    kept = {label: _lines(run, label, row["task"]) for label in labels}
    clusters = [line["cluster"] or line["id"] for line in kept[labels[0]]]
    scores = {label: [line["score"] for line in lines] for label, lines in kept.items()}
    return {
        "metric": row["metric"],
        "score": {label: row["scores"][label]["score"] for label in labels},
        "noise": {label: stats.mean(scores[label], clusters).standard_error for label in labels},
        "samples": [line["id"] for line in kept[labels[0]]],
        "scores": {label: [round(score, 6) for score in found] for label, found in scores.items()},
    }


def _lines(run: Path, label: str, task: str) -> list[dict]:
    file = run / "samples" / file_name(label) / f"{task}.jsonl"
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    if missing := [line["id"] for line in found if "score" not in line]:
        raise SystemExit(f"{file}: no answer to {', '.join(missing)}; run evalkit demo again")
    return found


def lines(run: Path, wanted: dict) -> list[Line]:
    """Every score of a finished run, of all samples or of some, beside those of a table."""
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    found = []
    for row in results["tasks"]:
        task = wanted["tasks"][row["task"]]
        for label in results["models"]:
            expected = dict(zip(task["samples"], task["scores"][label], strict=True))
            asked = {line["id"]: line["score"] for line in _lines(run, label, row["task"])}
            found.append(
                Line(
                    label,
                    row["task"],
                    len(asked),
                    fmean(expected[sample] for sample in asked),
                    row["scores"][label]["score"],
                    task["noise"][label] * sqrt(len(expected) / len(asked)),
                    sum(abs(score - expected[sample]) < 1e-5 for sample, score in asked.items()),
                )
            )
    return found


def text(made: dict) -> str:
    """The table as JSON, the long lists on one line each."""
    head = json.dumps({key: made[key] for key in ("made_by", "models")}, indent=1)[:-2]
    tasks = []
    for name, task in made["tasks"].items():
        parts = [f'   "{key}": {json.dumps(value)}' for key, value in task.items() if key != "scores"]
        scores = ",\n".join(f"    {json.dumps(label)}: {json.dumps(some)}" for label, some in task["scores"].items())
        tasks.append(f'  "{name}": {{\n' + ",\n".join([*parts, f'   "scores": {{\n{scores}\n   }}']) + "\n  }")
    return head + ',\n "tasks": {\n' + ",\n".join(tasks) + "\n }\n}\n"


if __name__ == "__main__":
    TABLE.write_text(text(table(Path(sys.argv[1]))), encoding="utf-8")
