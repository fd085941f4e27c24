"""Reports for tests of the renderings: small ones by their outcomes, and one that has everything a report can have."""

import dataclasses
import json

from evalkit import cards, report
from evalkit.base import codec
from evalkit.base.task_parts import PublishedPrompt
from evalkit.base.types import Answer, Dataset, Decoding, Engine, Failure, FailureKind, Model, Sample, Task, Text
from evalkit.comparison.score import Tally
from evalkit.config.policy import Policy, Rule
from evalkit.harnesses import harness
from evalkit.records.checkpoint import Checkpoint
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.provenance import Provenance
from evalkit.records.terms import Terms

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)> [x](javascript:alert(1)) \u202e|`*_\x00\x1b\ud800'
COMMIT = "0123456789abcdef0123456789abcdef01234567"
RIGHT, MIXED = [True] * 4, [True, True, True, False]
ENGINE = Engine("vllm", "0.32.0", "NVIDIA H100 80GB HBM3 x1", {"dtype": "float16", "packages": {"torch": "2.13.0"}})


def task(name="docvqa", title="DocVQA (val)", category="Vision", **more):
    given = {
        "benchmark": "docvqa",
        "dataset": Dataset("lmms-lab/DocVQA", "validation", "DocVQA"),
        "decoding": Decoding(10),
        "metrics": ("anls", "anls@official"),
        "headline": "anls",
        "prompt": PublishedPrompt("owner/name", COMMIT, "file.py", "PROMPT", "d" * 64),
    }
    return Task(name=name, title=title, category=category, **{**given, **more})


def kept(*names, **more):
    """A task as ``run.json`` has it."""
    return json.loads(json.dumps(dataclasses.asdict(task(*names, **more))))


def contender(label, digest=COMMIT, source=None):
    return Contender(Model(label, source or label, digest), ENGINE)


def tally(part, label, outcomes):
    total = Tally(part.task, label, harness(part.task))
    several = part.task.decoding.n
    for number, outcome in enumerate(outcomes):
        name = str(number) if several == 1 else f"{number // several}#{number % several}"
        sample = Sample(name, (Text("q"),), ["right"])
        judged = {"base": "pass" if outcome else "fail"} if part.checker else None
        answer = Answer("right" if outcome else "#####", "stop", 1, 3, 0.1, judgement=judged)
        total.add(sample, Failure(FailureKind.DEADLINE, "slow") if outcome is None else answer)
    return total


def built(outcomes, *, tasks=None, terms=None, smoke=False, **more):
    """A report; ``outcomes[label][task]`` are lists of True, False or None, the baseline first."""
    labels = list(outcomes)
    parts = tuple(
        PlannedTask(
            one, "listing", len(rows), len(rows) * (2 if smoke else 1), COMMIT, "judge" if one.decoding.n > 1 else ""
        )
        for one, rows in zip(tasks or [task()], outcomes[labels[0]], strict=True)
    )
    base, *others = [contender(label) for label in labels]
    tallies = {
        (label, part.task.name): tally(part, label, rows)
        for label, found in outcomes.items()
        for part, rows in zip(parts, found, strict=True)
    }
    return report.build(Plan(base, tuple(others), parts, smoke), tallies, harness, terms, **more)


def judged(percent=99.0, **more):
    """Terms with a threshold."""
    return Terms(policy=Policy(min_recovery=percent, **more))


TOLD = {
    "evalkit": "0.1.0",
    "config": {
        "baseline": {"label": "org/base", "source": "org/base"},
        "candidates": [
            {"label": "org/a", "source": "org/a"},
            {"label": "b", "source": "/home/somebody/models/b-w4"},
        ],
        "suite": None,
        "tasks": ["docvqa", "chartqa"],
        "tasks_dir": [],
        "endpoints": {},
        "data": {"docvqa": "/home/somebody/pages.parquet"},
        "limit": None,
        "images": None,
        "dialect": None,
        "noise_floor": 2,
        "accept_differences": ["chat_template"],
        "policy": {"min_recovery": 99.0, "max_failed": 0.5, "tasks": {}, "averages": {}},
        "serve": {"profile": "published", "args": {"max-model-len": 4096}, "trust_remote_code": False},
    },
    "commands": {
        "org/base": "/home/somebody/.venv/bin/python -m vllm.entrypoints.openai.api_server --model org/base",
        "b": "/home/somebody/.venv/bin/python -m vllm.entrypoints.openai.api_server --model /home/somebody/models/b-w4",
    },
}
"""What a run was told and did, as its record has it."""
PROVENANCE = codec.kept(Provenance, TOLD)


def everything():
    """What a report with everything is built of: plan, tallies, terms, notices, provenance."""
    parts = (
        PlannedTask(task(), "l1", 40, 40, COMMIT),
        PlannedTask(task("chartqa", "ChartQA (test, CoT)"), "l2", 40, 80, COMMIT),
        PlannedTask(
            task(
                "humaneval",
                "HumanEval pass@1",
                "Text",
                benchmark="humaneval",
                decoding=Decoding(10, temperature=0.2, n=2),
                metrics=("pass@1", "pass@1+"),
                headline="pass@1",
                prompt="",
                settings={"stop": ["a"]},
            ),
            "l3",
            40,
            40,
            "v0.1",
            "judge",
        ),
    )
    base = contender("org/base")
    others = (contender("org/a"), contender("b", "sha256:" + "e" * 64, "/home/somebody/models/b-w4"))
    again = dataclasses.replace(contender("org/base (again)"), attempt=1)
    short = tuple(dataclasses.replace(part, listing="short", planned=4) for part in parts)
    plan = Plan(base, others, parts, smoke=True, repeat=again, repeated=short)
    most = [number % 5 != 0 for number in range(40)]
    outcomes = {
        "org/base": [True] * 40,
        "org/a": most,
        "b": [None if number == 7 else right for number, right in enumerate(most)],
        "org/base (again)": [True, True, False, True],
    }
    tallies = {(label, part.task.name): tally(part, label, rows) for label, rows in outcomes.items() for part in parts}
    return plan, tallies, terms_with_everything(), ("a notice: <b>", "another"), PROVENANCE


def terms_with_everything():
    files = {"chat_template": "t", "tokenizer": "k", "generation_config": None}
    row = {"category": "Vision", "metric": "anls", "baseline": "89.47", "candidate": "89.35", "recovery": "99.87%"}
    table = {
        "name": "card",
        "baseline": "org/base",
        "candidate": "org/a",
        "source": "a card",
        "rows": [{**row, "title": "DocVQA", "task": "docvqa"}, {**row, "title": "ChartQA", "task": "chartqa", "n": 9}],
        "averages": [{"title": "Average Score", "category": "Vision", "baseline": "80.0", "candidate": "79.0"}],
        "costs": [
            {
                "stream": "single-stream",
                "hardware": "A6000x1",
                "model": "org/a",
                "measured": ["5.7"],
                "queries_per_dollar": ["796"],
            }
        ],
    }
    return Terms(
        policy=Policy(99.0, 0.5, {"chartqa": Rule(90.0, "advisory")}, {"Vision": Rule(None, "critical")}),
        accepted=("chat_template",),
        averaged=("Vision",),
        published=(cards.published(table, "t.toml"),),
        checkpoints={
            "org/base": Checkpoint("not quantized", False, 100, {"BF16": 100}, {}, (), "bfloat16", files),
            "org/a": Checkpoint(
                "W8A8", True, 160, {"I8": 150, "BF16": 10}, {"language_model": 14}, ("re:x",), "bfloat16", files
            ),
        },
        exams={"org/a": {"humaneval": {"attempts": 2, "way": ["x", None, 1.5]}}},
        checks={"humaneval": {"sandbox": "bwrap", "limits": {"cpu_s": 3}}},
    )


def whole():
    """A report with everything."""
    plan, tallies, terms, notices, provenance = everything()
    found = report.build(plan, tallies, harness, terms, notices=notices, provenance=provenance)
    parts = found.rows[0].judgements
    groups = {label: {"a subject": one.comparison} for label, one in parts.items()}
    return dataclasses.replace(found, rows=(dataclasses.replace(found.rows[0], groups=groups), *found.rows[1:]))
