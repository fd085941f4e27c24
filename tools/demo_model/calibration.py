"""Writes what the demo's candidate is calibrated on: ``python -m demo_model.calibration FILE.parquet``.

They are chats about drawn pictures from the training side of the line, one a row, drawn with another seed than any
training. `evalkit quantize` does the rest (``nox -s demo-candidate``).
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.demo.questions.heldout import VISION
from evalkit.demo.questions.scenes import split_of, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from evalkit.demo.questions.scenes import Part

SAMPLES = 128
"""Scenes that are drawn; those without a question on the training side give no chat."""
_MOST = 2
"""Pictures of a chat."""


def turns(count: int) -> Iterator[tuple[list[dict[str, Any]], list[Any]]]:
    """Calibration chats with their answers, and each one's pictures, of ``count`` scenes."""
    rng = stream("calibration")
    tasks = list(VISION)
    for number in range(count):
        scene = VISION[tasks[number % len(tasks)]].scene(rng, rng.randint(0, 3))
        asked = [question for question in scene.questions if split_of(question.key) == "train"]
        if asked:
            question = rng.choice(asked)
            said = {"role": "assistant", "content": [{"type": "text", "text": question.answer}]}
            yield [{"role": "user", "content": [_chunk(part) for part in question.parts]}, said], list(scene.images)


def _chunk(part: Part) -> dict[str, str]:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}


def write(file: Path, count: int) -> int:
    """Write the chats of ``count`` scenes as rows with ``messages`` and ``image_1``, ``image_2``; returns how many."""
    made = []
    for messages, images in turns(count):
        pictures = {f"image_{place}": {"bytes": _png(one), "path": None} for place, one in enumerate(images, 1)}
        made.append({"messages": messages, **dict.fromkeys(f"image_{place + 1}" for place in range(_MOST)), **pictures})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(made), file, row_group_size=16)
    return len(made)


def _png(image: Image.Image) -> bytes:
    data = BytesIO()
    image.save(data, format="PNG")
    return data.getvalue()


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Write the calibration chats of the demo's candidate.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    given = parser.parse_args()
    write(given.file, given.samples)


if __name__ == "__main__":
    main()
