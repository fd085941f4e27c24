"""Measures the viewer's pages over a run of 200,000 made-up samples and two models.

::

    python tests/bench/bench_view.py --samples 200000

The run is made as any run is: samples listed in a store, answers put under their fingerprints, the report and the
sample files written from it. The viewer is a process of its own, asked over its socket. Before the first request of
each page the system's cache of the run's files is given up, so that "first" reads from the disk; "again" is the
median of five requests that follow.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import psutil
import requests

from evalkit.base import codec
from evalkit.base.types import Answer, Dataset, Decoding, Engine, Failure, FailureKind, Image, Model, Sample, Task, Text
from evalkit.files import private
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.run_record import KeptPlan
from evalkit.records.store import RunRow, Store
from support.published import publish_run

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = "20260101-000000-aaaaaa"
TASK = Task(
    name="pages",
    benchmark="docvqa",
    dataset=Dataset("", "validation"),
    decoding=Decoding(100),
    metrics=("anls",),
    headline="anls",
    category="Vision",
    title="Pages",
)
SENTENCE = "we see that the value of a bar in the chart is higher because there is a line in this table and answer year"
COMMON = SENTENCE.split()
RARE = [f"w{number:05d}" for number in range(20_000)]
KINDS = (FailureKind.DEADLINE, FailureKind.SERVER_ERROR, FailureKind.REFUSED)


def words(draw: random.Random, count: int) -> str:
    """A text: half of its words are in nearly every text, each of the others in few."""
    return " ".join(draw.choice(COMMON if draw.random() < 0.6 else RARE) for _ in range(count))


def samples(count: int) -> Iterator[Sample]:
    """Two questions about each picture."""
    draw = random.Random(1)
    for number in range(count):
        picture = sha256(str(number // 2).encode()).hexdigest()
        question = f"{words(draw, 12)}?\nAnswer the question using a single word or phrase."
        yield Sample(f"q{number}", (Image(b"", picture), Text(question)), [words(draw, 1)] * 3, picture)


def outcome(draw: random.Random, references: list[str]) -> Answer | Failure:
    """Three in ten wrong, one in ten cut off, three in a thousand failed."""
    if draw.random() < 0.003:
        return Failure(draw.choice(KINDS), "HTTP 500: the engine died", 1.5, 4)
    text = references[0] if draw.random() < 0.7 else words(draw, draw.randint(1, 120))
    return Answer(text, draw.choice(["stop"] * 9 + ["length"]), 800, 60, 1.5)


def make(output: Path, count: int) -> None:
    """A finished run with its store, its report and its sample files."""
    models = [Contender(Model(name, name, name), Engine("vllm", "0.32.0", "cpu")) for name in ("base", "cand")]
    with Store(output) as store:
        # The words of a request make its digest; here the number does.
        listing, _ = store.write_listing(((one, one.id) for one in samples(count)), note="pages")
        for seed, one in enumerate(models):
            draw, fingerprint = random.Random(seed), one.fingerprint()
            for sample in samples(count):
                store.put(fingerprint(sample.id), outcome(draw, sample.references), RUN)
        part = PlannedTask(TASK, listing, count, count, "sha256:" + "a" * 64)
        plan = Plan(models[0], (models[1],), (part,))
        body = {"began": "2026-01-01T00:00:00+00:00", "plan": codec.written(KeptPlan.of(plan))}
        store.keep_run(RunRow(RUN, plan.key, finished=True, body=body))
        publish_run(output, RUN, plan, store)
    private.write(output / RUN / "run.json", json.dumps({**body, "run": RUN, "finished": True}))


def forget(output: Path) -> None:
    """Have the system give up what it holds of the files in memory."""
    os.sync()
    for path in output.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def viewer(output: Path) -> Iterator[tuple[requests.Session, str, psutil.Process]]:
    """A viewer in a process of its own, entered."""
    words = [sys.executable, "-m", "evalkit", "view", "-o", str(output)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            session = requests.Session()
            session.get(address).raise_for_status()
            yield session, address.split("/?")[0], psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(20)


def asked(session: requests.Session, address: str, status: int = 200) -> float:
    """Milliseconds that a page took."""
    began = time.perf_counter()
    reply = session.get(address, allow_redirects=False)
    took = (time.perf_counter() - began) * 1e3
    if reply.status_code != status:
        sys.exit(f"{address}: {reply.status_code}, {status} was expected\n{reply.text[:500]}")
    return took


def measure_reading(output: Path) -> None:
    """The first visit ever: the samples are read in the background, and the page says how far."""
    with viewer(output) as (session, base, process):
        began, took = time.perf_counter(), []
        while session.get(f"{base}/runs/{RUN}/samples").status_code == 202:
            time.sleep(1)
            began_page = time.perf_counter()
            session.get(f"{base}/runs/{RUN}/samples")
            took.append((time.perf_counter() - began_page) * 1e3)
        whole, memory = time.perf_counter() - began, process.memory_info().rss / 1e6
    size = (output / RUN / "view.sqlite3").stat().st_size / 1e6
    print(f"The samples are read once: {whole:.0f} s, {memory:.0f} MB of memory, an index of {size:.0f} MB.")
    if took:
        print(f"Meanwhile a page that says how far takes {median(took):.0f} ms, {max(took):.0f} ms at most.")
    print()


def pages(count: int) -> dict[str, str]:
    """What is measured, with its address."""
    run, last = f"/runs/{RUN}", -(-count // 50)
    return {
        "the run": run,
        "first page": f"{run}/samples",
        "deep page": f"{run}/samples?page={last // 2}",
        "last page": f"{run}/samples?page={last}",
        "regressed": f"{run}/samples?flip=regressed",
        "failed by deadline": f"{run}/samples?failure=deadline",
        "truncated, last page": f"{run}/samples?outcome=truncated&page=999999",
        "common word": f"{run}/samples?text=the",
        "common word, deep page": f"{run}/samples?text=chart&page={last // 2}",
        "three common words": f"{run}/samples?text=answer+value+higher",
        "beginning of 1,000 words": f"{run}/samples?text=w001",
        "rare word": f"{run}/samples?text=w00123",
        "word that is nowhere": f"{run}/samples?text=nowhere",
        "an id": f"{run}/samples?text=q{count // 2}",
        "common word, task, regressed, wrong": f"{run}/samples?text=because&task=pages&flip=regressed&outcome=wrong",
        "a sample": f"{run}/samples/{count // 3}",
        "a sample among those of a search": f"{run}/samples/{count // 3}?text=line&flip=unchanged",
        "list of runs": "/",
        "history": "/history",
    }


def measure_pages(output: Path, count: int) -> None:
    """Every page first and again, as a Markdown table."""
    print("| page | first ms | again ms |\n|---|---|---|")
    with viewer(output) as (session, base, _):
        for name, path in pages(count).items():
            address = base + path
            forget(output)
            first = asked(session, address)
            print(f"| {name} | {first:.0f} | {median(asked(session, address) for _ in range(5)):.0f} |", flush=True)


def main() -> None:
    """Make the run, and ask for every page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--keep", type=Path, help="make the run in this folder, or use the one that is there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        output = given.keep or Path(scratch)
        if not (output / RUN / "run.json").is_file():
            began = time.perf_counter()
            make(output, given.samples)
            print(f"{given.samples:,} samples and two models, made in {time.perf_counter() - began:.0f} s.")
        (output / RUN / "view.sqlite3").unlink(missing_ok=True)
        measure_reading(output)
        measure_pages(output, given.samples)


if __name__ == "__main__":
    main()
