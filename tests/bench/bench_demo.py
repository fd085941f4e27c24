"""How long ``evalkit demo`` takes on this machine: ``nox -s bench -- demo``, alone on it.

Options that this does not know go to ``evalkit demo``, such as ``--limit 20`` or ``--serve-arg dtype=bfloat16``. With
``--first`` nothing is compiled yet: neither the serving interpreter's packages nor what vLLM remembers of its models.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

STEPS = ("starting", "ready", "stopping", "stopped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", action="store_true", help="as on a first start")
    known, words = parser.parse_known_args()
    with TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPYCACHE", "VLLM_"))}
        if known.first:
            env |= {"PYTHONPYCACHEPREFIX": f"{folder}/bytecode", "XDG_CACHE_HOME": f"{folder}/cache"}
        began = time.monotonic()
        command = [sys.executable, "-m", "evalkit", "demo", "--json", "--output", f"{folder}/runs", *words]
        # Beside the reading of events nothing is done here: the two cores belong to what is measured.
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as demo:
            told = [(time.monotonic() - began, json.loads(line)) for line in demo.stderr if line.startswith("{")]
        taken = time.monotonic() - began
        if demo.returncode:
            sys.exit(f"evalkit demo ended with {demo.returncode}: {[event for _, event in told[-3:]]}")
        show(taken, told, Path(folder))


def show(taken: float, told: list[tuple[float, dict]], folder: Path) -> None:
    """One line for each part of the whole."""
    (record,) = folder.glob("runs/*/run.json")
    where = json.loads(record.read_text(encoding="utf-8"))["provenance"]
    (planned,) = [event["planned"] for _, event in told if event["event"] == "Outset"]
    print(
        f"{where['cpu']}, {os.cpu_count()} cores: {where['serving'].get('processor')}, {where['serving'].get('dtype')}"
    )
    steps = [(at, event) for at, event in told if event["event"] == "ServerState" and event["state"] in STEPS]
    for (at, before), (until, after) in pairwise(steps):
        if (before["state"], after["state"]) in {("starting", "ready"), ("ready", "stopping")}:
            word = "start" if before["state"] == "starting" else "answers"
            print(f"{before['model']:<14} {word:<8} {until - at:6.1f} s")
    print(f"{'all':<14} {planned:<8,} {taken:6.1f} s")


if __name__ == "__main__":
    main()
