"""Simulation study: does the 95 % interval of a recovery hold the true recovery 95 times in 100?

``python tests/calibration/calibrate.py`` (or ``nox -s calibrate``) draws data sets with a known recovery, asks
``evalkit.stats`` for the interval of each, and writes ``table.json`` and ``table.md`` beside this file.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from draws import BLOCK, SEED, joint
from measures import bootstrap_cells, cells, measure, measure_attempts, measure_average, measure_bootstrap
from tables import table

REPLICATES = 10_000
AVERAGES = ((0.02, "even"), (0.02, "all worse"), (0.05, "two to one"), (0.05, "all worse"), (0.1, "even"))
"""Discordance and direction."""
ATTEMPTS = ((0.3, 0.0), (0.6, 0.0), (0.6, 0.05), (0.9, 0.02))
"""Baseline and the share of it that the candidate loses."""
HERE = Path(__file__).parent


def job(task: tuple[str, tuple[object, ...], int]) -> tuple[str, dict[str, object] | None]:
    """One unit of work for a process."""
    name, arguments, replicates = task
    measures = {
        "cells": measure,
        "average": measure_average,
        "attempts": measure_attempts,
        "bootstrap": measure_bootstrap,
    }
    return name, measures[name](*arguments, replicates)


def jobs(replicates: int) -> list[tuple[str, tuple[object, ...], int]]:
    """All units of work."""
    return [
        *(("cells", (cell,), replicates) for cell in cells()),
        *(("average", pair, replicates) for pair in AVERAGES),
        *(("attempts", pair, replicates) for pair in ATTEMPTS),
        *(("bootstrap", (cell,), min(replicates, 2000)) for cell in bootstrap_cells() if joint(cell)),
    ]


def run(replicates: int, processes: int) -> dict[str, object]:
    """The whole study."""
    study: dict[str, object] = {
        "command": f"python tests/calibration/calibrate.py --replicates {replicates}",
        "seed": SEED,
        "block": BLOCK,
        "replicates": replicates,
        "numpy": np.__version__,
        **{name: [] for name in ("cells", "average", "attempts", "bootstrap")},
    }
    with ProcessPoolExecutor(processes) as pool:
        for name, row in pool.map(job, jobs(replicates)):
            if row is not None:
                study[name].append(row)
    return study


def as_json(study: dict[str, object]) -> str:
    """One row per line, so that a change of one row is a change of one line."""
    entries = [
        f"{json.dumps(key)}: " + (json.dumps(value) if not isinstance(value, list) else rows_as_json(value))
        for key, value in study.items()
    ]
    return "{\n" + ",\n".join(entries) + "\n}\n"


def rows_as_json(rows: list[object]) -> str:
    """A list with one entry per line."""
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"


def main() -> None:
    """Run the study and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of table.json and table.md")
    arguments = parser.parse_args()
    started = time.monotonic()
    study = run(arguments.replicates, arguments.processes)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "table.json").write_text(as_json(study), encoding="utf-8")
    (arguments.out / "table.md").write_text(table(study), encoding="utf-8")
    print(
        f"{sum(len(study[k]) for k in ('cells', 'average', 'attempts', 'bootstrap'))} rows, "
        f"{time.monotonic() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
