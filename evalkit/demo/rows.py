"""Small data sets in the columns of the real ones: drawn pictures, questions about them, and their answers.

The questions are those that the demo's own training never sees. They are drawn by code, with a fixed seed, and
have nothing to do with the questions of the benchmarks whose columns they borrow.
"""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.demo.questions import heldout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL import Image

    from evalkit.base.types import Json
    from evalkit.demo.questions.heldout import HeldOut

TASKS: Final = ("mmmu", "vqav2", "docvqa", "chartqa", "mathvista")

_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TEXT, _TEXTS = pa.string(), pa.list_(pa.string())
_ANSWER = pa.struct([("answer", pa.string()), ("answer_confidence", pa.string()), ("answer_id", pa.int64())])
_SHAPES: Final = {
    "mmmu": pa.schema(
        [
            *[(name, _TEXT) for name in ("id", "question", "options", "question_type", "answer", "subfield")],
            *[(f"image_{number}", _PICTURE) for number in range(1, 8)],
        ]
    ),
    "vqav2": pa.schema(
        [
            ("question_id", pa.int64()),
            ("image_id", pa.int64()),
            ("image", _PICTURE),
            ("question", _TEXT),
            ("answers", pa.list_(_ANSWER)),
            ("multiple_choice_answer", _TEXT),
        ]
    ),
    "docvqa": pa.schema(
        [
            ("questionId", _TEXT),
            ("docId", pa.int64()),
            ("image", _PICTURE),
            ("question", _TEXT),
            ("question_types", _TEXTS),
            ("answers", _TEXTS),
        ]
    ),
    "chartqa": pa.schema([("image", _PICTURE), ("question", _TEXT), ("answer", _TEXT), ("type", _TEXT)]),
    "mathvista": pa.schema(
        [
            ("pid", _TEXT),
            ("decoded_image", _PICTURE),
            ("query", _TEXT),
            ("choices", _TEXTS),
            ("answer", _TEXT),
            ("question_type", _TEXT),
        ]
    ),
}


def write(folder: Path, samples: int | None = None) -> dict[str, Path]:
    """Write the rows of every vision task, or the first ``samples`` of each, as parquet; returns task to file.

    The same questions come out every time; the bytes of the pictures are those of the installed Pillow.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for task in TASKS:
        written[task] = folder / f"{task}.parquet"
        table = pa.Table.from_pylist(list(islice(rows(task), samples)), schema=_SHAPES[task])
        # Beside its place first: what is at the place is always whole.
        part = folder / f"{task}.parquet.part"
        pq.write_table(table, part, row_group_size=50)
        part.replace(written[task])
    return written


def rows(task: str) -> Iterator[dict[str, Json]]:
    """The rows of one task, questions about one picture side by side."""
    for number, asked in enumerate(heldout.vision(task)):
        yield {**asked.question.row, **_pictures(task, asked), **_names(task, number, asked.page)}


def _pictures(task: str, asked: HeldOut) -> dict[str, Json]:
    if task == "mmmu":
        return {f"image_{place}": _stored(image, "PNG") for place, image in enumerate(asked.scene.images, start=1)}
    column = "decoded_image" if task == "mathvista" else "image"
    # The photographs of VQAv2 are JPEG, and so is a part of MathVista: saving them again changes their pixels.
    form = "JPEG" if task == "vqav2" or (task == "mathvista" and asked.page % 2) else "PNG"
    return {column: _stored(asked.scene.images[0], form)}


def _names(task: str, number: int, page: int) -> dict[str, Json]:
    """The ids that the data set has; ChartQA has none."""
    if task == "mmmu":
        return {"id": f"demo_{number}"}
    if task == "vqav2":
        return {"question_id": number, "image_id": page}
    if task == "docvqa":
        return {"questionId": str(number), "docId": page}
    return {"pid": str(number)} if task == "mathvista" else {}


def _stored(image: Image.Image, form: str) -> dict[str, Json]:
    data = BytesIO()
    image.save(data, format=form, quality=95)
    return {"bytes": data.getvalue(), "path": None}
