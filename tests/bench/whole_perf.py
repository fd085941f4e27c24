"""``evalkit perf`` on a GPU machine without a network, whole: the models, and what each of them takes and costs.

On a machine with one GPU, evalkit and a vLLM in this interpreter (``PYTHONPATH`` may name both)::

    PYTHONPATH=tools python tests/bench/whole_perf.py FOLDER --price 3.29 --price-source "NAME, DATE"

writes a 12.7 B model of Pixtral's architecture in float16 with random weights, and the same in W8A8 and in FP8 (all
without calibration: their speed is a real one's, their answers are noise), then measures all three with the published
card's three uses. Nothing has to be installed for it: `vllm bench serve` sends the queries (``--engine guidellm`` where
GuideLLM can be had). A model that is there is not written again and a finished cell is not measured again, so the same
command continues what a limit of time has ended. ``FOLDER/runs/perf/ID`` holds the tables; carry it away whole.

What it needs, by figures of ``docs/explanation/gpu.md``: 60 GB in FOLDER; 60 to 170 s a start of a server, of which
there are two a model; the rest is queries. ``--only w8a8`` leaves FP8 out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
QUERIES = ("--queries", "20", "--queries-at-once", "96", "--concurrency", "64", "--warmups", "2")
"""A latency's interval is then that of 40 queries. What is told after these wins: --queries 50, --use chat."""


def main() -> None:
    """Read the command line, write the models that are missing, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["w8a8", "fp8"], help="one candidate instead of both")
    given, more = parser.parse_known_args()
    baseline = given.folder / "pixtral-random"
    chosen = [given.only] if given.only else ["w8a8", "fp8"]
    candidates = {name: given.folder / f"pixtral-random.{name}" for name in chosen}
    made = [word for name, place in candidates.items() for word in (f"--{name}", str(place))]
    given.folder.mkdir(parents=True, exist_ok=True)
    write = [sys.executable, str(HERE / "random_pixtral.py"), str(baseline), "--dtype", "float16", *made]
    subprocess.run(write, check=True)
    models = ["--baseline", f"random={baseline}"]
    models += [word for name, place in candidates.items() for word in ("--candidate", f"random.{name}={place}")]
    where = ["--engine", "vllm-bench", "--output", str(given.folder / "runs")]
    command = [sys.executable, "-m", "evalkit", "perf", *models, *where, *QUERIES, *more]
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
