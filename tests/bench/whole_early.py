"""Stopping early on a GPU machine without a network, with VQAv2's shape: models, rows, a first part, two early runs.

On a machine with one GPU, evalkit and a vLLM in this interpreter (``PYTHONPATH`` may name both)::

    PYTHONPATH=tools python tests/bench/whole_early.py FOLDER

writes a 12.7 B model of Pixtral's architecture with random weights and its W8A8 rounding (``random_pixtral.py``), and
20,000 pictures of 640 x 480 with five questions each (JPEG, coloured noise: quick to draw, and to a server as much work
as a photograph). Random weights score nothing on any question, so what counts as right is made from the baseline: it is
asked a first part of the questions, in the order in which looks come, and what it says becomes the reference of these
rows. **On these the baseline scores nearly 100 by construction, and a candidate's recovery is its agreement with it;
that says nothing of a real model.** Not quite 100, because an empty answer makes no reference, and because VQA takes
quotes off an answer before it is cleaned but off a reference afterwards, so that a few texts differ from themselves.
Rows that were not asked have a reference that nobody gives. Then two candidates are asked with ``--stop-early``: the
baseline's own weights served another time (as good as it, but for the noise of a batch), and the W8A8 rounding (noise,
far below). ``FOLDER/measured.jsonl`` has a line for each step, and what a look decided.

Needs 45 GB in FOLDER. A step that is done is not done again, so the same command continues. ``--candidate same`` or
``--candidate w8a8`` asks one of the two, ``--pair BASELINE CANDIDATE`` takes models that are there (the demonstration's
are small enough for two cores, with ``--pictures 1200 --first 400``). What else is given goes to ``evalkit run``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from itertools import chain
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from evalkit.base.types import Answer
from evalkit.harnesses import harness
from evalkit.records.store import Store
from evalkit.runs import saved_run

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TASK, QUESTIONS, AT_ONCE = "demo-vqav2", 5, 500
"""The built-in task of VQAv2's shape whose prompt is in the package; pictures in a row group."""
SIZE, PATCH = (640, 480), 16
UNKNOWN = "no reference"
ASKED = ("What colour is it?", "What is on the left?", "How many are there?", "What is it made of?", "Is it day?")


def picture(number: int) -> bytes:
    """Coloured noise of a photograph's size, which no other number has."""
    patches = (SIZE[0] // PATCH, SIZE[1] // PATCH)
    noise = Image.frombytes("RGB", patches, Random(number).randbytes(3 * patches[0] * patches[1]))
    data = BytesIO()
    noise.resize(SIZE).save(data, "JPEG")
    return data.getvalue()


def tables(pictures: int) -> Iterator[pa.Table]:
    """The rows, without references."""
    with ProcessPoolExecutor() as workers:
        for first in range(0, pictures, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, pictures))
            drawn = dict(zip(numbers, workers.map(picture, numbers, chunksize=20), strict=True))
            ids = [(number, QUESTIONS * number + place) for number in numbers for place in range(QUESTIONS)]
            columns: dict[str, list[Any]] = {
                "question_id": [own for _, own in ids],
                "image_id": [number for number, _ in ids],
                "image": [{"bytes": drawn[number], "path": None} for number, _ in ids],
                "question": [ASKED[own % QUESTIONS] for _, own in ids],
                "answers": [[{"answer": UNKNOWN}] * 10 for _ in ids],
            }
            yield pa.table(columns)


def referring(plain: Path, answers: dict[str, str]) -> Iterator[pa.Table]:
    """The same rows; ``answers`` has the reference of each question that was asked, by its id."""
    for batch in pq.ParquetFile(plain).iter_batches(AT_ONCE * QUESTIONS):
        table = pa.Table.from_batches([batch])
        found = [answers.get(str(own), UNKNOWN) for own in table["question_id"].to_pylist()]
        told = pa.array([[{"answer": one}] * 10 for one in found], table.schema.field("answers").type)
        yield table.set_column(table.schema.get_field_index("answers"), "answers", told)


def write(path: Path, made: Iterator[pa.Table]) -> None:
    """All rows in one file, beside its place until it is whole; one that is there is not written again."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    first = next(made)
    with pq.ParquetWriter(part, first.schema) as writer:
        for table in chain([first], made):
            writer.write_table(table, row_group_size=100)
    part.rename(path)


def said(runs: Path, data: Path) -> dict[str, str]:
    """Question id to what the baseline said, of the run that asked it alone."""
    with Store(runs, write=False) as store:
        plan = saved_run.plan(saved_run.find(store.run_ids()[-1], store))
        (part,) = plan.tasks
        questions = harness(part.task).questions(part.task, data, print)
        key, asked = plan.baseline.fingerprint(), questions.samples(part.planned)
        outcomes = ((sample.id, store.outcome(key(request))) for sample, request in asked)
        return {name: one.text or UNKNOWN for name, one in outcomes if isinstance(one, Answer)}


def step(folder: Path, name: str, words: list[str]) -> dict[str, Any]:
    """Run a command, and write down what it took; its results where it gives some."""
    began = time.monotonic()
    with (folder / f"{name}.log").open("w") as log:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    results = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    taken: dict[str, Any] = {"step": name, "exit": done.returncode, "seconds": round(time.monotonic() - began, 1)}
    for row in results.get("tasks", ()):
        taken |= {"asked": row["planned"], "of": row["available"]}
        taken["found"] = [one["sentence"] for one in row["recovery"].values()]
    print(json.dumps(taken), flush=True)
    with (folder / "measured.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(taken) + "\n")
    if not results and done.returncode:
        sys.exit(f"{name}: see {folder / name}.log")
    return results


def main() -> None:
    """Read the command line and take the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=6_250, help="questions that the baseline is asked: a sixteenth")
    parser.add_argument("--layers", type=int, default=40)
    parser.add_argument("--pair", nargs=2, metavar=("BASELINE", "CANDIDATE"), help="models that are there")
    parser.add_argument("--candidate", choices=["same", "w8a8"], action="append")
    parser.add_argument("--least", default="90", metavar="PERCENT", help="the minimum recovery")
    given, more = parser.parse_known_args()
    folder, python = given.folder, sys.executable
    plain, data = folder / "rows-asked-first.parquet", folder / "rows.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    baseline, rounded = folder / "pixtral-random", folder / "pixtral-random.w8a8"
    if given.pair:
        baseline, rounded = given.pair
    else:
        made = [str(HERE / "random_pixtral.py"), str(baseline), "--dtype", "float16", "--w8a8", str(rounded)]
        step(folder, "models", [python, *made, "--layers", str(given.layers)])
    asked = [python, "-m", "evalkit", "run", "--baseline", f"random={baseline}", "--task", TASK, "--json"]
    asked += ["-o", str(folder / "runs"), *more]
    write(plain, tables(given.pictures))
    if not data.exists():
        step(folder, "first part", [*asked, "--data", f"{TASK}={plain}", "--limit", str(given.first)])
        write(data, referring(plain, said(folder / "runs", plain)))
    asked += ["--data", f"{TASK}={data}", "--stop-early", "--min-recovery", given.least]
    others = {"same": ["--candidate", f"again={baseline}"], "w8a8": ["--candidate", f"random.w8a8={rounded}"]}
    for name in given.candidate or others:
        step(folder, name, [*asked, *others[name]])


if __name__ == "__main__":
    main()
