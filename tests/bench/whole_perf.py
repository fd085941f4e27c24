"""``evalkit perf`` on a GPU machine without a network, whole: the models, and what each of them takes and costs.

On a machine with one GPU, evalkit and a vLLM in this interpreter (``PYTHONPATH`` may name both)::

    PYTHONPATH=tools python tests/bench/whole_perf.py FOLDER --price 3.29 --price-source "NAME, DATE"

writes a 12.7 B model of Pixtral's architecture in float16 with random weights, and the same in W8A8 and in FP8 (all
without calibration: their speed is a real one's, their answers are noise), then measures all three with the published
card's three uses. Nothing has to be installed for it: `vllm bench serve` sends the queries (``--engine guidellm`` where
GuideLLM can be had). A model that is there is not written again and a finished cell is not measured again, so the same
command continues what a limit of time has ended. ``FOLDER/runs/perf/ID`` holds the tables; carry it away whole.

What it needs, by figures of ``docs/explanation/perf.md``: 60 GB in FOLDER, 3 minutes to write the models, 60 to 170
s a start of a server, of which there are two a model, and 12 s a cell beside its queries; 36 cells, about 24
minutes in all. ``--only w8a8`` leaves FP8 out (17 minutes). Where one command may not take so long, ``--seconds
560`` ends it in time, and the same command continues: a start costs again what it cost, the cell that was under way
is measured anew. ``--keep OUT`` copies what is measured so far into OUT at every end.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
MEASURED = (
    *("--engine", "vllm-bench", "--queries", "6", "--queries-at-once", "64", "--concurrency", "64", "--warmups", "1"),
    # No more under way than are sent, and no longer prompts: a server that need not be ready for more starts sooner.
    *("--serve-arg", "max-num-seqs=64", "--serve-arg", "max-model-len=8192"),
)
"""A latency is then the median of 12 queries. What is told after these wins: --queries 50, --use chat."""


def main() -> None:
    """Read the command line, write the models that are missing, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["w8a8", "fp8"], help="one candidate instead of both")
    parser.add_argument("--seconds", type=float, help="end after so long, in order")
    parser.add_argument("--keep", type=Path, help="copy the performance runs into this folder at the end")
    given, more = parser.parse_known_args()
    began = time.monotonic()
    baseline = given.folder / "pixtral-random"
    chosen = [given.only] if given.only else ["w8a8", "fp8"]
    candidates = {name: given.folder / f"pixtral-random.{name}" for name in chosen}
    made = [word for name, place in candidates.items() for word in (f"--{name}", str(place))]
    given.folder.mkdir(parents=True, exist_ok=True)
    write = [sys.executable, str(HERE / "random_pixtral.py"), str(baseline), "--dtype", "float16", *made]
    subprocess.run(write, check=True)
    print(f"models: {time.monotonic() - began:.0f} s", flush=True)
    models = ["--baseline", f"random={baseline}"]
    models += [word for name, place in candidates.items() for word in ("--candidate", f"random.{name}={place}")]
    runs = given.folder / "runs"
    command = [sys.executable, "-m", "evalkit", "perf", *models, "--output", str(runs), *MEASURED, *more]
    status = ended(command, given.seconds and given.seconds - (time.monotonic() - began))
    if given.keep:
        shutil.copytree(runs / "perf", given.keep / "perf", dirs_exist_ok=True)
    sys.exit(status)


def ended(command: list[str], seconds: float | None) -> int:
    """The exit code of a command that is stopped as Ctrl-C would when so much time has passed."""
    with subprocess.Popen(command) as running:
        try:
            return running.wait(seconds)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGTERM)
            return running.wait()


if __name__ == "__main__":
    main()
