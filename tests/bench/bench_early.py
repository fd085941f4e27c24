"""What stopping early saves on a real pair of models, and whether it says what all answers say.

``nox -s bench -- early whole FOLDER`` draws pictures as the demonstration's VQAv2 has them, with questions that its
training never saw, and asks both models of the packed pair about all of them, served by a real vLLM (12 to 19 minutes
on two cores that had much else to do). ``... early once FOLDER`` asks the same pair with ``--stop-early``, nothing
known of either model. Both tell how long that took, and how much processor time, which other work beside it moves
less. ``... early replay FOLDER --least 97`` repeats the run that stops early in as many random orders as ``--orders``
says, each with servers that answer what the models answered in the whole run: the whole command, with nothing but the
models' arithmetic left out. What follows ``--`` goes to ``evalkit run``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.base.types import Answer
from evalkit.client import chat
from evalkit.client.pictures import EncodedPictures
from evalkit.demo import pair
from evalkit.demo.questions import vqa
from evalkit.demo.questions.scenes import split_of, stream
from evalkit.harnesses import harness
from evalkit.records.store import Store
from evalkit.runs import saved_run
from evalkit.testing import ModelServer, error
from evalkit.testing.replies import chat as said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.testing import Asked, Part, Reply

TASK, LEVEL = "demo-vqav2", 3
MODELS = ("demo-8m", "demo-8m.w8a8")
LOOK_EVERY_S = 1.0
SERVE = ("enforce-eager=true", "max-num-seqs=64", f"kv-cache-memory-bytes={2**29}", "dtype=float32")
"""As ``evalkit demo`` serves the pair."""
PICTURES_AN_ORDER = 10**7
"""Ids of an order's pictures begin at a multiple of it: what is drawn depends on the ids alone."""


def rows(pictures: int, questions: int) -> Iterator[dict[str, Any]]:
    """Rows in VQAv2's columns, of pictures that have so many held-out questions at least; always the same ones."""
    rng, number, page = stream("early", TASK), 0, 0
    while page < pictures:
        scene = vqa.scene(rng, LEVEL)
        asked = [one for one in scene.questions if split_of(one.key) == "heldout"][:questions]
        if len(asked) < questions:
            continue
        data = BytesIO()
        scene.images[0].save(data, format="JPEG", quality=95)
        for one in asked:
            picture = {"bytes": data.getvalue(), "path": None}
            yield {**one.row, "image": picture, "question_id": number, "image_id": page}
            number += 1
        page += 1


def in_order(path: Path, order: int) -> Path:
    """The same rows with other ids of their pictures, which is another random order of asking."""
    table, place = pq.read_table(path), path.with_name(f"order-{order}.parquet")
    ids = pa.array([order * PICTURES_AN_ORDER + one for one in table["image_id"].to_pylist()])
    pq.write_table(table.set_column(table.schema.get_field_index("image_id"), "image_id", ids), place)
    return place


def evalkit(data: Path, output: Path, *more: str) -> tuple[dict[str, Any], str]:
    """Run the command; its results, and what it took in words. A verdict against the candidate is no error."""
    words = ["run", "--task", TASK, "--data", f"{TASK}={data}", "-o", str(output), "--json", *more]
    began = time.monotonic()
    used: dict[tuple[int, float], float] = {}
    with (output.parent / "run.log").open("w") as log, TemporaryFile("w+") as out:
        with subprocess.Popen([sys.executable, "-m", "evalkit", *words], stdout=out, stderr=log) as running:
            while running.poll() is None:
                used |= processor_times(running.pid)
                time.sleep(LOOK_EVERY_S)
        taken = f"{time.monotonic() - began:.0f} s, {sum(used.values()):.0f} s of processor time"
        out.seek(0)
        said = out.read()
    if not said.startswith("{"):
        sys.exit((output.parent / "run.log").read_text()[-3000:])
    return json.loads(said), taken


def processor_times(pid: int) -> dict[tuple[int, float], float]:
    """Seconds of a process and of each below it, servers included; by number and beginning."""
    found = {}
    with suppress(psutil.Error):
        command = psutil.Process(pid)
        for one in (command, *command.children(recursive=True)):
            with suppress(psutil.Error):
                times = one.cpu_times()
                found[one.pid, one.create_time()] = times.user + times.system
    return found


def served(*more: str) -> list[str]:
    """The packed pair, on a vLLM of this interpreter."""
    folders = zip(("--baseline", "--candidate"), MODELS, pair.trained(), strict=True)
    words = [word for option, label, folder in folders for word in (option, f"{label}={folder}")]
    return [*words, *(word for one in SERVE for word in ("--serve-arg", one)), *more]


def told(results: dict[str, Any], taken: str) -> str:
    """One line: what was asked, and what was found."""
    (row,) = results["tasks"]
    (found,) = row["recovery"].values()
    low, high = found["interval"]
    return (
        f"{row['planned']:,} of {row['available']:,} questions, {taken}: {found['percent']:.1f} % "
        f"[{low:.1f}, {high:.1f}] {found['verdict']}"
    )


def whole(folder: Path, given: argparse.Namespace) -> None:
    """Draw the rows and ask everything; what is there already is not asked again."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "rows.parquet"
    if not data.exists():
        pq.write_table(pa.Table.from_pylist(list(rows(given.pictures, given.questions))), data, row_group_size=50)
    print(told(*evalkit(data, folder / "whole", *served("--min-recovery", given.least, *given.more))))


def once(folder: Path, given: argparse.Namespace) -> None:
    """The same pair with nothing in the store, stopping early."""
    shutil.rmtree(folder / "once", ignore_errors=True)
    words = served("--min-recovery", given.least, "--stop-early", *given.more)
    print(told(*evalkit(folder / "rows.parquet", folder / "once", *words)))


def replay(folder: Path, given: argparse.Namespace) -> None:
    """Many orders, answered by what the models answered."""
    everything, _ = evalkit(folder / "rows.parquet", folder / "whole", *served("--min-recovery", given.least))
    (row,) = everything["tasks"]
    (full,) = row["recovery"].values()
    print(f"all {row['available']:,} questions of each model: {full['percent']:.2f} % {full['verdict']}")
    answers = remembered(folder)
    for order in range(1, given.orders + 1):
        data, output = in_order(folder / "rows.parquet", order), folder / "replayed"
        shutil.rmtree(output, ignore_errors=True)
        with ModelServer(MODELS[0], answering(answers)) as first, ModelServer(MODELS[1], answering(answers)) as second:
            words = ["--baseline", MODELS[0], "--candidate", MODELS[1], "--min-recovery", given.least, "--stop-early"]
            words += [word for one in (first, second) for word in ("--endpoint", f"{one.model}={one.url}")]
            results, taken = evalkit(data, output, *words)
            print(f"order {order}: asked {first.asked.total():,} and {second.asked.total():,}; {told(results, taken)}")
        data.unlink()


def remembered(folder: Path) -> dict[str, str]:
    """Digest of a request's body to what the model said, of all answers of the whole run."""
    found, pictures = {}, EncodedPictures()
    with Store(folder / "whole", write=False) as store:
        plan = saved_run.plan(saved_run.find(store.run_ids()[-1], store))
        (part,) = plan.tasks
        questions = harness(part.task).questions(part.task, folder / "rows.parquet", print)
        for sample, request in questions.samples(None):
            for one in plan.contenders:
                outcome = store.outcome(one.fingerprint()(request))
                if isinstance(outcome, Answer):
                    body = chat.payload(sample, part.task, one.model.label, pictures)
                    found[sha256(body).hexdigest()] = outcome.text
    return found


def answering(answers: dict[str, str]) -> Part:
    """A server's part: the answer that this request had."""

    def part(asked: Asked) -> Reply:
        known = asked.digest in answers
        return said(asked, answers[asked.digest]) if known else error(400, "no answer is known to this request")

    return part


def main() -> None:
    """Read the command line and do one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["whole", "once", "replay"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=1_200)
    parser.add_argument("--questions", type=int, default=2, help="about each picture")
    parser.add_argument("--least", default="97", metavar="PERCENT", help="the minimum recovery")
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("more", nargs="*")
    given = parser.parse_args()
    {"whole": whole, "once": once, "replay": replay}[given.what](given.folder, given)


if __name__ == "__main__":
    main()
