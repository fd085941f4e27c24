"""Measures a finished run that has nothing to do: the same command once more, and ``evalkit report``.

::

    python tests/bench/bench_finished.py --shape vqav2 --samples 214354

Rows, questions and answers are made up in the shape of VQAv2 (five questions a picture, the words of ten people each,
one word back) or of DocVQA (four questions a page, some words back). The pictures are of a few hundred bytes: reading
and digesting real ones comes on top. The answers are put into the store; the few failures are asked by the first run.
The baseline of every figure is what cannot be left out: in a process of its own each stored answer is read once, with
its sample, and scored once. CPU seconds are user and system, memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from evalkit import harnesses
from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.config.model_choice import ModelChoice
from evalkit.config.run_config import ClientSettings, Config
from evalkit.records.store import Store
from evalkit.runs import prepare
from evalkit.testing import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TASK = """\
name = "{shape}-shaped"
title = "Made-up {shape}"
category = "Vision"
benchmark = "{shape}"
metrics = ["{metric}"]
headline = "{metric}"
prompt = "Answer the question using a single word or phrase."
[dataset]
id = ""
split = "validation"
files = ["rows.parquet"]
[decoding]
max_tokens = 10
"""
METRICS = {"vqav2": "vqa_match", "docvqa": "anls"}
SHARED = {"vqav2": 5, "docvqa": 4}
"""Questions about one picture."""
PLAIN = ["yes"] * 6 + ["no"] * 5 + [str(number) for number in range(1, 6)] + ["red", "white", "blue", "left", "a dog"]
"""What people answer most."""
RARE = [
    f"{one} {other}" for one in ("wooden", "little", "old", "the man's") for other in ("table", "boat", "hat", "sign")
]
PAGES = [
    "invoice",
    "total",
    "amount",
    "due",
    "date",
    "of",
    "the",
    "meeting",
    "chairman",
    "Dr.",
    "Smith",
    "New",
    "York",
    "1,250.00",
    "page",
    "12",
    "section",
    "B",
    "percent",
]
LABELS = ("base", "cand")


def picture(number: int) -> bytes:
    """A JPEG that no other number has."""
    stream = io.BytesIO()
    colours = Image.frombytes("RGB", (4, 4), random.Random(number).randbytes(48))
    colours.resize((32, 24)).save(stream, "JPEG")
    return stream.getvalue()


def people(draw: random.Random) -> list[str]:
    """What ten people said: mostly the same."""
    first = draw.choice(PLAIN if draw.random() < 0.8 else RARE)
    return [first if draw.random() < 0.7 else draw.choice(PLAIN + RARE) for _ in range(10)]


def words(draw: random.Random) -> str:
    """Words of a page."""
    return " ".join(draw.choice(PAGES) for _ in range(draw.randint(1, 6)))


def row(shape: str, number: int, draw: random.Random) -> dict[str, object]:
    """A row in the columns of the data set."""
    image = {"bytes": picture(number // SHARED[shape]), "path": None}
    question = f"What is the thing number {number} beside the {draw.choice(PAGES)}?"
    if shape == "docvqa":
        answers = [words(draw) for _ in range(draw.randint(1, 3))]
        return {"questionId": str(number), "question": question, "image": image, "answers": answers}
    given = [{"answer": one, "answer_confidence": "yes", "answer_id": at} for at, one in enumerate(people(draw), 1)]
    return {"question_id": number, "image_id": number // 5, "question": question, "image": image, "answers": given}


def write_rows(path: Path, shape: str, count: int) -> None:
    """The rows as a parquet file, some at a time."""
    draw, writer = random.Random(1), None
    for first in range(0, count, 5_000):
        rows = [row(shape, number, draw) for number in range(first, min(first + 5_000, count))]
        table = pa.Table.from_pylist(rows, None if writer is None else writer.schema)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=1_000)
    writer.close()


def outcome(draw: random.Random, references: list) -> Answer | Failure:
    """Three in ten other than the first reference, three in a thousand failed."""
    if draw.random() < 0.003:
        return Failure(FailureKind.DEADLINE, "no complete response within 600 s", 600.0, 4)
    first = references[0]["answer"] if isinstance(references[0], dict) else references[0]
    text = first if draw.random() < 0.7 else words(draw) if draw.random() < 0.5 else draw.choice(PLAIN)
    return Answer(text, "length" if draw.random() < 0.02 else "stop", 800, 1 + len(text) // 4, draw.uniform(0.2, 3.0))


def config(folder: Path, urls: dict[str, str]) -> Config:
    """The run."""
    return Config(
        ModelChoice("base", "base"),
        (ModelChoice("cand", "cand"),),
        tasks=(str(folder / "task.toml"),),
        endpoints=urls,
        endpoint_is=dict.fromkeys(LABELS, "1"),
        output=str(folder / "runs"),
        client=ClientSettings(),
    )


def fill(folder: Path, urls: dict[str, str]) -> None:
    """List the samples as the run does, and put an answer to each into the store."""
    given = config(folder, urls)
    with Store(Path(given.output)) as store:
        (source,) = prepare.sources(prepare.tasks(given), given, store, lambda _: None)
        for seed, choice in enumerate(given.models):
            one, draw = prepare.contender(choice, given, store, lambda _: None), random.Random(seed)
            key = one.fingerprint()
            for record, entry in zip(store.records(source.part.listing, key), source.entries, strict=True):
                store.put(key(entry.request), outcome(draw, record.sample.references), "made up")


def bare(folder: Path, urls: dict[str, str]) -> None:
    """Read each answer once with its sample, and score it once."""
    given, total = config(folder, urls), 0.0
    (task,) = prepare.tasks(given)
    harness = harnesses.harness(task)
    with Store(Path(given.output)) as store:
        (listing,) = store._connection.execute("SELECT DISTINCT listing FROM listing").fetchone()
        for choice in given.models:
            one = prepare.contender(choice, given, store, lambda _: None)
            for record in store.records(listing, one.fingerprint()):
                if isinstance(record.outcome, Answer):
                    total += harness.score(task, record.sample, record.outcome)[task.headline].value
    print(total)


@dataclass(frozen=True)
class Took:
    """What a process took."""

    cpu_s: float
    peak_mb: float
    out: str


def took(command: Sequence[str], log: Path) -> Took:
    """Run a command to its end."""
    with log.open("w+", encoding="utf-8") as out, log.with_suffix(".err").open("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors)
        peak = _peak_mb(process)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in {0, 4}:
            errors.seek(0)
            sys.exit(f"{command}: {process.returncode}\n{errors.read()[-2000:]}")
        out.seek(0)
        return Took(used.ru_utime + used.ru_stime, peak, out.read())


def _peak_mb(process: subprocess.Popen) -> float:
    """The most memory of a process, looked at until it has ended: what the system adds up counts its parent in."""
    found, status = 0.0, Path(f"/proc/{process.pid}/status")
    while "\nState:\tZ" not in (text := status.read_text(encoding="utf-8")):
        peak = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
        found = max(found, int(peak[1]) / 1000 if peak else 0.0)
        time.sleep(0.1)
    return found


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Label to the address of a server that says its name, and is asked nothing else."""
    with ExitStack() as stack:
        yield {label: stack.enter_context(ModelServer(label)).url for label in LABELS}


def measure(folder: Path, shape: str, count: int) -> None:
    """One line of the table for each command."""
    if not (folder / "rows.parquet").exists():
        write_rows(folder / "rows.parquet", shape, count)
        (folder / "task.toml").write_text(TASK.format(shape=shape, metric=METRICS[shape]))
    evalkit, own = (sys.executable, "-m", "evalkit"), (sys.executable, __file__, "--keep", str(folder))
    with servers() as urls:
        told = ("--urls", json.dumps(urls))
        if not (folder / "runs").exists():
            took([*own, "--step", "fill", *told], folder / "fill.log")
        command = [*evalkit, "run", "--baseline", "base", "--candidate", "cand", "--task", str(folder / "task.toml")]
        for label, url in urls.items():
            command += ["--endpoint", f"{label}={url}", "--endpoint-is", f"{label}=1"]
        command += ["-o", str(folder / "runs")]
        floor = took([*own, "--step", "bare", *told], folder / "bare.log")
        # The failures would be asked again: the first time they are, by servers that answer.
        first = took(command, folder / "first.log")
        again = took(command, folder / "again.log")
        if "nothing to do" not in again.out:
            sys.exit(f"there was something to do:\n{again.out}")
        rendered = took([*evalkit, "report", "latest", "--runs", str(folder / "runs")], folder / "report.log")
    for name, one in (
        ("each answer read and scored once", floor),
        ("the first run, nearly all in the store", first),
        ("a finished run with nothing to do", again),
        ("`evalkit report`", rendered),
    ):
        times = one.cpu_s / floor.cpu_s
        print(f"| {shape} | {count:,} x 2 | {name} | {one.cpu_s:.1f} | {times:.1f} | {one.peak_mb:.0f} |")


def main() -> None:
    """Make the rows and the store, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=METRICS, action="append", help="repeat it; both without")
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, help="make the run in this folder, or use the one that is there")
    parser.add_argument("--step", choices=("fill", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--urls", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        (fill if given.step == "fill" else bare)(given.keep, given.urls)
        return
    print("| shape | samples | what | CPU s | times the first line | peak MB |\n|---|---|---|---|---|---|")
    for shape in given.shape or METRICS:
        with tempfile.TemporaryDirectory() as scratch:
            folder = (given.keep or Path(scratch)) / shape
            folder.mkdir(parents=True, exist_ok=True)
            measure(folder, shape, given.samples)


if __name__ == "__main__":
    main()
