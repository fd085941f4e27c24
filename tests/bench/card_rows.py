"""Made-up rows for the seven tasks of a card: the real columns and sizes, so that a server has the real work to do.

``python tests/bench/card_rows.py FOLDER --rows 300 --answer-tokens 256`` writes one file or folder for each task, and
``FOLDER/tasks`` with the built-in tasks under their own names but shorter answers. The answers are meaningless.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from bench_mmlu import made_up
from PIL import Image, ImageDraw

from evalkit.demo import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SIZES = {
    "mmmu": (720, 540),
    "vqav2": (640, 480),
    "docvqa": (1700, 2200),
    "chartqa": (850, 600),
    "mathvista": (500, 400),
}
"""Width and height in pixels, typical of the real data sets."""
SHARED = {"vqav2": 5, "docvqa": 4}
"""Questions about one picture, where the real data set asks several."""
WORDS = 45
"""Words before each question of MMLU: with five shots a prompt then has about the real length."""


def picture(task: str, number: int) -> dict[str, Any]:
    """A picture of the task's size that no other number has: a page of words, or coloured noise with words on it."""
    rng, (width, height) = random.Random(f"{task} {number}"), SIZES[task]
    if task == "docvqa":
        image = Image.new("L", (width, height), 255)
        drawing = ImageDraw.Draw(image)
        for line in range(60, height - 60, 34):
            drawing.text((80, line), " ".join(f"w{rng.randrange(10**5)}" for _ in range(30)), fill=0)
    else:
        patches = (width // 16 + 1, height // 16 + 1)
        colours = Image.frombytes("RGB", patches, rng.randbytes(3 * patches[0] * patches[1]))
        image = colours.resize((width, height), Image.Resampling.BICUBIC)
        drawing = ImageDraw.Draw(image)
        for _ in range(40):
            place = (rng.randrange(width), rng.randrange(height))
            drawing.text(place, f"word {rng.randrange(10**6)}", fill=(0, 0, 0))
    data = BytesIO()
    image.save(data, format="JPEG" if task == "vqav2" else "PNG")
    return {"bytes": data.getvalue(), "path": None}


def _mmmu(number: int, image: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"made_up_{number}",
        "question": f"<image 1> Which of the options names picture {number}?",
        "options": "['red', 'green', 'blue', 'grey']",
        "question_type": "multiple-choice",
        "answer": "ABCD"[number % 4],
        **{f"image_{place}": image if place == 1 else None for place in range(1, 8)},
    }


def _vqav2(number: int, image: dict[str, Any]) -> dict[str, Any]:
    return {
        "question_id": number,
        "image": image,
        "question": f"What colour is thing {number}?",
        "answers": [{"answer": "red"}] * 10,
    }


def _docvqa(number: int, image: dict[str, Any]) -> dict[str, Any]:
    return {"questionId": str(number), "image": image, "question": f"What is word {number}?", "answers": [f"w{number}"]}


def _chartqa(number: int, image: dict[str, Any]) -> dict[str, Any]:
    return {"image": image, "question": f"How high is bar {number}?", "answer": [str(number)]}


def _mathvista(number: int, image: dict[str, Any]) -> dict[str, Any]:
    query = f"Hint: answer with a number. What is {number} + 1?"
    return {"pid": str(number), "decoded_image": image, "query": query, "choices": None, "answer": str(number + 1)}


ROWS: dict[str, Callable[[int, dict[str, Any]], dict[str, Any]]] = {
    "mmmu": _mmmu,
    "vqav2": _vqav2,
    "docvqa": _docvqa,
    "chartqa": _chartqa,
    "mathvista": _mathvista,
}


def write(folder: Path, rows: int, problems: int) -> dict[str, Path]:
    """Write the rows of all seven tasks; returns task to file or folder."""
    folder.mkdir(parents=True, exist_ok=True)
    places: dict[str, Path] = {}
    with ProcessPoolExecutor() as workers:
        for task, row in ROWS.items():
            share = SHARED.get(task, 1)
            images = list(workers.map(partial(picture, task), range(-(-rows // share))))
            places[task] = folder / f"{task}.parquet"
            _write(places[task], (row(number, images[number // share]) for number in range(rows)))
    places["mmlu"], places["humaneval"] = folder / "mmlu", folder / "humaneval.jsonl"
    shutil.rmtree(places["mmlu"], ignore_errors=True)
    made_up(places["mmlu"], rows, WORDS, 57)
    texts.write_humaneval(places["humaneval"], problems)
    return places


def _write(path: Path, made: Iterable[dict[str, Any]]) -> None:
    rows = list(made)
    pictures = {name: PICTURE for name in rows[0] if "image" in name}
    columns = {name: pa.array([row[name] for row in rows], pictures.get(name)) for name in rows[0] if name != "choices"}
    if "choices" in rows[0]:
        columns["choices"] = pa.array([row["choices"] for row in rows], pa.list_(pa.string()))
    pq.write_table(pa.table(columns), path, row_group_size=100)


def shorter_tasks(folder: Path, answer_tokens: int) -> Path:
    """The built-in tasks, asking for at most so many tokens of an answer."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(Path("tasks").glob("*.toml")):
        text = source.read_text(encoding="utf-8")
        fewer = re.sub(r"max_tokens = (\d+)", lambda said: f"max_tokens = {min(int(said[1]), answer_tokens)}", text)
        (folder / source.name).write_text(fewer, encoding="utf-8")
    return folder


def main() -> None:
    """Read the command line and write everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=300, help="of each task but HumanEval")
    parser.add_argument("--problems", type=int, default=40, help="of HumanEval")
    parser.add_argument("--answer-tokens", type=int, default=256)
    given = parser.parse_args()
    for task, place in write(given.folder, given.rows, given.problems).items():
        print(f"--data {task}={place}")
    print(f"--tasks-dir {shorter_tasks(given.folder / 'tasks', given.answer_tokens)}")


if __name__ == "__main__":
    main()
