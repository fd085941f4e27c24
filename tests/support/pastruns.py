"""Finished runs as a run leaves them, written at once: models, tasks, answers."""

import json
from hashlib import sha256

from evalkit.base.identity import file_name


def sample(number, answer, score, **more):
    """One line of a sample file."""
    found = {
        "id": f"s{number}",
        "content": [{"text": f"Question {number}?"}],
        "references": [f"word{number}"],
        "cluster": None,
        "answer": answer,
        "score": score,
        "scores": {"anls": {"value": score, "parsed": answer, "note": None}},
        "finish_reason": "stop",
        "latency_s": 0.5,
        "tries": 1,
    }
    return {**found, **more}


def failed(number, kind, message="HTTP 500"):
    """One line of a sample without an answer."""
    line = sample(number, None, 0.0)
    for key in ("answer", "score", "scores", "finish_reason"):
        del line[key]
    return {**line, "failure": {"kind": kind, "message": message}}


def recovery(percent, interval=None, **more):
    return {"percent": percent, "interval": interval, "baseline": 0.8, "candidate": 0.79, **more}


def score(planned):
    """One model's result on one task, as format 1 has it."""
    counts = dict.fromkeys(("failed", "truncated", "empty", "unparsed"), 0)
    means = {"score": 0.8, "metrics": {"anls": 0.8}, "bounds": [0.8, 0.8], "failures": {}, "notes": {}}
    return {"planned": planned, "scored": planned, **counts, **means, "mean_completion_tokens": None}


def write_run(output, run="20260101-000000-aaaaaa", *, lines=None, recoveries=None, **changed):
    """A finished run; ``lines`` is {model label: {task: [line, ...]}}, the baseline first."""
    lines = lines or {"base": {"pages": []}, "cand": {"pages": []}}
    base, *candidates = lines
    tasks = list(lines[base])
    versions = changed.get("versions", {"vllm": "0.32.0", "transformers": "5.0"})
    engine = {"name": "vllm", "version": versions["vllm"], "accelerator": "cpu", "numerics": {"packages": versions}}
    results = {
        "smoke": changed.get("smoke", False),
        "baseline": base,
        "candidates": candidates,
        "models": {
            label: {"source": label, "digest": sha256(label.encode()).hexdigest(), "engine": engine} for label in lines
        },
        "tasks": [
            {
                "task": name,
                "title": name.title(),
                "category": "Vision",
                "metric": "anls",
                "dialect": "neuralmagic",
                "images": "reencode",
                "planned": len(lines[base][name]),
                "available": len(lines[base][name]),
                "revision": changed.get("revision", "a" * 40),
                "scores": {label: score(len(lines[label].get(name, []))) for label in lines},
                "recovery": {label: (recoveries or {}).get(name, recovery(98.75)) for label in candidates},
            }
            for name in tasks
        ],
        "averages": changed.get("averages", []),
    }
    facts = {
        "run": run,
        "began": f"{run[:4]}-{run[4:6]}-{run[6:8]}T02:00:00+00:00",
        "finished": changed.get("finished", True),
        "evalkit": changed.get("evalkit", "0.1.0"),
        "plan": {
            "tasks": [
                {"listing": "l", "planned": 1, "available": 1, "revision": "x", **part}
                for part in changed.get("plan_tasks", [])
            ],
            "models": [],
        },
        "provenance": {"config": {"output": output.name, "data": changed.get("data", {})}},
        "rows": changed.get("rows", {}),
    }
    folder = output / run
    for label, answers in lines.items():
        for name, found in answers.items():
            path = folder / "samples" / file_name(label) / f"{name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found)
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(facts))
    if changed.get("with_results", True):
        (folder / "results.json").write_text(json.dumps(results))
    return folder
