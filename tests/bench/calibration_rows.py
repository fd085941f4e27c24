"""Writes calibration rows of flickr30k's size: ``python tests/bench/calibration_rows.py FILE.parquet [ROWS]``.

Pictures of 500 by 375 pixels, noise under a gradient, with five captions of a dozen words each. They stand for the
published data where time and memory are measured, and for nothing else.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

WIDTH, HEIGHT, ROWS = 500, 375, 512
WORDS = ("a", "man", "dog", "in", "red", "shirt", "walks", "past", "the", "old", "house", "with", "two", "children")


def rows(count: int) -> list[dict]:
    """Rows with ``image`` and ``caption``, the same ones every time."""
    rng = np.random.default_rng(0)
    slope = np.linspace(0, 200, WIDTH)[None, :, None]
    made = []
    for _ in range(count):
        pixels = (slope + rng.integers(0, 56, (HEIGHT, WIDTH, 3))).astype(np.uint8)
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=85)
        captions = [" ".join(rng.choice(WORDS, 12)) + "." for _ in range(5)]
        made.append({"image": {"bytes": data.getvalue(), "path": None}, "caption": captions})
    return made


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Write calibration rows of flickr30k's size.")
    parser.add_argument("file", type=Path)
    parser.add_argument("rows", type=int, nargs="?", default=ROWS)
    given = parser.parse_args()
    pq.write_table(pa.Table.from_pylist(rows(given.rows)), given.file, row_group_size=64)


if __name__ == "__main__":
    main()
