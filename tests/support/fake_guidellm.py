#!/usr/bin/env python3
"""Plays GuideLLM in tests: a program with its command line, that writes its report. $FAKE_GUIDELLM tells what it does.

A JSON object: ``latency_s`` (by the model's name, or one for all), ``drift`` (a factor for every further start),
``fail`` (queries that fail), ``lose`` (queries that it forgets), ``tokens`` (of an answer), ``prompt`` (tokens by
the model's name), ``gap_ms``, ``delay_s`` (its own, before every query), ``exit``, ``version``, ``garbage``,
``hang``, ``blind`` (no pictures are sent), ``cached`` (tokens of a prompt), ``warns`` (what it says against its
figures), ``leaves`` (a worker that ignores SIGTERM lives on after it), ``without`` (a key that its report lacks).
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

PLAY = json.loads(os.environ.get("FAKE_GUIDELLM", "{}"))


def of(name, model, default):
    found = PLAY.get(name, default)
    return found.get(model, default) if isinstance(found, dict) else found


def started(journal, model):
    """How many servers of the model have answered before, by their addresses."""
    path = os.environ.get("FAKE_JOURNAL")
    if not path:
        return 0
    seen = []
    path = Path(path)
    if path.exists():
        seen = [json.loads(line) for line in path.read_text().splitlines()]
    with path.open("a") as file:
        file.write(json.dumps(journal) + "\n")
    ours = list(dict.fromkeys(one["target"] for one in [*seen, journal] if one["model"] == model))
    return len(ours) - 1


def query(at, begin, latency, spec, failed):
    model, data = spec["backend"]["model"], spec["data"]
    prompt = sum(one.get("prompt_tokens", 0) for one in data) + of("prompt", model, 0) + 200
    pixels = next((one["width"] * one["height"] for one in data if "width" in one), None)
    if PLAY.get("blind"):
        pixels = None
    found = {
        "info": {"timings": {"request_start": begin}, "error": "Client error '400 Bad Request'" if failed else None},
        "request_latency": latency,
        "prompt_tokens": prompt,
        "input_metrics": {"text_tokens": prompt, "image_pixels": pixels, "cached_tokens": PLAY.get("cached")},
        "output_tokens": PLAY.get("tokens", data[-1]["output_tokens"]),
        "time_to_first_token_ms": 1000 * latency / 4,
        "inter_token_latency_ms": PLAY.get("gap_ms", 5.0),
    }
    found.pop(PLAY.get("without"), None)
    return found


def report(spec, latency):
    count = spec["constraints"][0]["count"]
    many = spec["profile"].get("max_concurrency", 1)
    # As if they had been sent while it ran: somebody looks at the power meanwhile.
    began = time.time() - 1
    ok, bad = [], []
    for at in range(count - PLAY.get("lose", 0)):
        begin = began + (at // many) * (latency + PLAY.get("delay_s", 0))
        failed = at < PLAY.get("fail", 0)
        # No two queries take equally long.
        (bad if failed else ok).append(query(at, begin, latency * (1 + at % 5 / 1000), spec, failed))
    rate = len(ok) / (latency * max(1, count / many))
    return {
        "metadata": {"version": PLAY.get("version", 2), "guidellm_version": "0.8.1"},
        "benchmarks": [
            {
                "requests": {"successful": ok, "errored": bad, "incomplete": None, "total": None},
                "metrics": {"requests_per_second": {"successful": {"mean": rate}}},
                "warnings": [{"code": "root_late", "message": text} for text in PLAY.get("warns", [])],
            }
        ],
    }


def main():
    if sys.argv[1] == "-c":
        print("0.8.1")
        return
    assert sys.argv[1:4] == ["-m", "guidellm", "run"], sys.argv
    spec = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())["spec"]
    model = spec["backend"]["model"]
    journal = {"model": model, "target": spec["backend"]["target"], "seed": spec["seed"]["value"], "spec": spec}
    at = started({**journal, "pid": os.getpid()}, model)
    print("Benchmark 1 (synchronous): active | elapsed=1.0s | successful=2 errored=1 incomplete=0", flush=True)
    if PLAY.get("leaves"):
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", code])
    if PLAY.get("hang") or model in PLAY.get("hang_on", []):
        time.sleep(600)
    if "exit" in PLAY:
        sys.exit("RuntimeError: Backend validation request failed")
    latency = of("latency_s", model, 0.5) * PLAY.get("drift", 1.0) ** at
    Path(spec["outputs"][0]["path"]).write_text("{" if PLAY.get("garbage") else json.dumps(report(spec, latency)))


main()
