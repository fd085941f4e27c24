"""Draw thirty gauges and write a question about each into gauges.parquet, beside this file."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw


def photo(reading: int) -> dict[str, bytes | None]:
    """A gauge whose hand points at ``reading`` of 100, as Hugging Face's ``Image`` column stores a picture."""
    picture = Image.new("RGB", (120, 120), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((10, 10, 110, 110), outline="black", width=3)
    angle = math.radians(225 - 270 * reading / 100)
    draw.line((60, 60, 60 + 40 * math.cos(angle), 60 - 40 * math.sin(angle)), fill="red", width=4)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


def row(number: int) -> dict[str, object]:
    """In the columns that the benchmark in gauges.py reads."""
    reading = number * 3
    return {"gauge": f"g{number}", "photo": photo(reading), "ask": "What is shown?", "reading": str(reading)}


if __name__ == "__main__":
    place = Path(__file__).with_name("gauges.parquet")
    pq.write_table(pa.Table.from_pylist([row(number) for number in range(30)]), place, row_group_size=100)
    print(f"{place}: {pq.read_metadata(place).num_rows} rows")
