"""Simulation study: does the 95 % interval of a recovery hold the true recovery 95 times in 100?

``PYTHONPATH=tests python -m calibration.calibrate`` (or ``nox -s calibrate``) draws data sets with a known recovery,
asks ``evalkit.stats`` for the interval of each, and writes ``table.json`` beside this file and the
table that people read into ``docs/explanation/calibration.md``.

Every part of the study is kept in a file of its own under ``--cache`` as soon as it is done, so that a study that was
stopped goes on where it was; a row is done anew when the code that it depends on has changed (words and comments are no
code). ``--only PART`` does some parts and leaves the table for later.
"""

from __future__ import annotations

import argparse
import ast
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from calibration.draws import BLOCK, SEED, Cell, joint
from calibration.measures import bootstrap_cells, cells, measure, measure_bootstrap
from calibration.rules import (
    ATTEMPTS,
    AVERAGES,
    LOSSES,
    ROWS,
    SHARES,
    identical,
    measure_attempts,
    measure_average,
    measure_losses,
    measure_rows,
)
from calibration.tables import table
from evalkit import stats
from evalkit.comparison import losses, pairs, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

REPLICATES = 10_000
HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/explanation/calibration.md"
CACHE = HERE.parents[1] / "build/calibration"
PARTS = ("cells", "average", "attempts", "rows", "losses", "bootstrap")


class Job(NamedTuple):
    """One unit of work for a process: a row of one part."""

    part: str
    measure: Callable[..., dict[str, Any]]
    arguments: tuple[Any, ...]
    replicates: int

    def file(self, folder: Path) -> Path:
        """Where its row is kept."""
        depends = (self.part, self.arguments, self.replicates, code_digest(self.part), np.__version__)
        name = sha256(repr(depends).encode()).hexdigest()
        return folder / f"{self.part}-{name[:20]}.json"


def jobs(replicates: int) -> list[Job]:
    """All units of work, in the order of the tables."""
    fewer = min(replicates, 2000)
    return [
        *(Job("cells", measure, (cell,), min(replicates, most(cell))) for cell in cells() if joint(cell)),
        *(Job("average", measure_average, (kind, *pair), fewer) for kind in ("binary", "mixed") for pair in AVERAGES),
        *(Job("attempts", measure_attempts, (setting,), fewer) for setting in ATTEMPTS),
        *(Job("rows", measure_rows, setting, replicates) for setting in ROWS),
        *(Job("losses", measure_losses, (setting, share), fewer) for setting in LOSSES for share in SHARES),
        *(Job("bootstrap", measure_bootstrap, (cell,), fewer) for cell in bootstrap_cells() if joint(cell)),
    ]


def most(cell: Cell) -> int:
    """Data sets of a cell: those whose samples share clusters take longer to draw."""
    return REPLICATES if cell.clusters == "-" or cell.clusters.startswith("strata") else 2000


@cache
def code_digest(part: str) -> str:
    """Of everything that a part's rows depend on: the statistics, the study, and where they are asked the verdicts."""
    statistics, files = (
        ["clustered", "interval", "quantiles", "recovery", "totals"],
        [HERE / "draws.py", HERE / "measures.py"],
    )
    if part not in {"cells", "bootstrap"}:
        statistics += ["attempts", "several"]
        files.append(HERE / "rules.py")
    if part == "losses":
        statistics.append("power")
        files += [Path(module.__file__) for module in (losses, pairs, verdict)]
    files += [Path(stats.__file__).parent / f"{name}.py" for name in statistics]
    return sha256("".join(map(_code, files)).encode()).hexdigest()


def _code(file: Path) -> str:
    """A module without its words."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return ast.dump(tree)


def done(job: Job, file: Path) -> None:
    """Do one unit of work and keep its row, whole."""
    row = job.measure(*job.arguments, job.replicates)
    unfinished = file.with_suffix(".part")
    unfinished.write_text(json.dumps(row), encoding="utf-8")
    unfinished.replace(file)


def work(wanted: list[Job], processes: int, folder: Path) -> None:
    """Do what is not done yet, and say how far it is."""
    folder.mkdir(parents=True, exist_ok=True)
    left = [job for job in wanted if not job.file(folder).is_file()]
    print(f"{len(wanted) - len(left)} of {len(wanted)} rows are done already, in {folder}", flush=True)
    with ProcessPoolExecutor(processes) as pool:
        running = [pool.submit(done, job, job.file(folder)) for job in left]
        for count, future in enumerate(as_completed(running), 1):
            future.result()
            if count % 25 == 0 or count == len(left):
                print(f"{count} of {len(left)} rows", flush=True)


def study(replicates: int, folder: Path) -> dict[str, Any]:
    """The whole study, from the rows that are done."""
    found: dict[str, Any] = {
        "command": f"PYTHONPATH=tests python -m calibration.calibrate --replicates {replicates}",
        "seed": SEED,
        "block": BLOCK,
        "replicates": replicates,
        "numpy": np.__version__,
        "identical": identical(),
        **{part: [] for part in PARTS},
    }
    for job in jobs(replicates):
        found[job.part].append(json.loads(job.file(folder).read_text(encoding="utf-8")))
    return found


def as_json(study: dict[str, Any]) -> str:
    """One row per line, so that a change of one row is a change of one line."""
    entries = [
        f"{json.dumps(key)}: " + (json.dumps(value) if not isinstance(value, list) else rows_as_json(value))
        for key, value in study.items()
    ]
    return "{\n" + ",\n".join(entries) + "\n}\n"


def rows_as_json(rows: list[Any]) -> str:
    """A list with one entry per line."""
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"


def main() -> None:
    """Run the study, or parts of it, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of table.json")
    parser.add_argument("--page", type=Path, default=PAGE, help="the same numbers as a page to read")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder that keeps every row as soon as it is done")
    parser.add_argument("--only", choices=PARTS, action="append", help="do these parts, and write no table")
    arguments = parser.parse_args()
    started = time.monotonic()
    chosen = [job for job in jobs(arguments.replicates) if not arguments.only or job.part in arguments.only]
    work(chosen, arguments.processes, arguments.cache)
    if not arguments.only:
        found = study(arguments.replicates, arguments.cache)
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "table.json").write_text(as_json(found), encoding="utf-8")
        arguments.page.write_text(table(found), encoding="utf-8")
    print(f"{len(chosen)} rows, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
