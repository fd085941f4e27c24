"""The main job on a GPU machine without a network, whole: models, rows, plan, two runs, and what each took.

``PYTHONPATH=tools python tests/bench/whole_run.py FOLDER [--rows 300]`` writes a 12.7 B model of Pixtral's
architecture with random weights and its W8A8 rounding (``random_pixtral.py``), rows of real size for the seven tasks
(``card_rows.py``), then lets ``evalkit plan`` and ``evalkit run`` compare the two: once with the throughput profile,
a noise floor and a policy, once with the published profile and fewer samples. A step that is done is not done again.
``FOLDER/measured.jsonl`` has a line for each step: its command, exit code, seconds, and the GPU memory in use before
and after.

It needs a vLLM in this interpreter, and a checkout of mistral-evals named by EVALKIT_MISTRAL_EVALS for the prompts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
POLICY = """\
[policy]
min_recovery = 99
max_failed = 0.01
[policy.tasks.humaneval]
tier = "advisory"
"""
DATA = ("mmmu", "vqav2", "docvqa", "chartqa", "mathvista", "mmlu", "humaneval")
FEW = 6
"""Samples of each task under the published profile, which serves eight requests at once."""


@dataclass(frozen=True)
class Steps:
    """A folder in which steps leave their results, and a record of what each took."""

    folder: Path

    def take(self, name: str, *command: str) -> int:
        """Run a command once; its exit code."""
        record = self.folder / "measured.jsonl"
        for line in record.read_text(encoding="utf-8").splitlines() if record.exists() else ():
            if json.loads(line)["step"] == name:
                return int(json.loads(line)["exit"])
        before, began = _memory(), time.monotonic()
        with (self.folder / f"{name}.log").open("ab") as log:
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        taken = {
            "step": name,
            "exit": code,
            "seconds": round(time.monotonic() - began, 1),
            "gpu_mib_before": before,
            "gpu_mib_after": _memory(),
            "command": list(command),
        }
        print(json.dumps(taken), flush=True)
        with record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(taken) + "\n")
        return code


def _memory() -> list[int]:
    """MiB in use on each GPU."""
    asked = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")
    return [int(line) for line in subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()]


def main() -> None:
    """Read the command line and take the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--unsafe-exec", action="store_true", help="where the machine has no sandbox")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    steps, folder, python = Steps(given.folder), given.folder, sys.executable
    baseline, candidate, rows = folder / "pixtral-random", folder / "pixtral-random.w8a8", folder / "rows"
    models = (python, str(HERE / "random_pixtral.py"), str(baseline), "--dtype", "float16", "--w8a8", str(candidate))
    if steps.take("models", *models):
        sys.exit(f"the models could not be made: see {folder / 'models.log'}")
    made = ("--rows", str(given.rows), "--problems", str(given.problems))
    if steps.take("rows", python, str(HERE / "card_rows.py"), str(rows), *made):
        sys.exit(f"the rows could not be made: see {folder / 'rows.log'}")
    policy = folder / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    pair = ("--baseline", f"random={baseline}", "--candidate", f"random.w8a8={candidate}")
    local = [word for task in DATA for word in ("--data", f"{task}={_place(rows, task)}")]
    where = ("--tasks-dir", str(rows / "tasks"), *local, "--config", str(policy), "--output", str(folder / "runs"))
    asked = (*pair, *where, "--suite", "pixtral-card")
    unsafe = ("--unsafe-exec",) if given.unsafe_exec else ()
    evalkit = (python, "-m", "evalkit")
    steps.take("plan", *evalkit, "plan", *asked)
    steps.take("throughput", *evalkit, "run", *asked, *unsafe, "--noise-floor", "100")
    steps.take("again", *evalkit, "run", *asked, *unsafe, "--noise-floor", "100")
    # What the plan says once it knows how quick these models are, to be set beside what the run took.
    steps.take("estimate", *evalkit, "plan", *asked, "--fresh")
    steps.take("published", *evalkit, "run", *asked, *unsafe, "--profile", "published", "--limit", str(FEW))


def _place(rows: Path, task: str) -> Path:
    return rows / {"mmlu": "mmlu", "humaneval": "humaneval.jsonl"}.get(task, f"{task}.parquet")


if __name__ == "__main__":
    main()
