"""Draw forty receipts and write two questions about each into receipts.parquet, beside this file."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

GOODS = ("apples", "bread", "coffee", "honey", "milk", "pears", "soap", "tea")


def receipt(draw: random.Random) -> tuple[bytes, dict[str, int]]:
    """A picture of a receipt as PNG bytes, and the prices on it in cents."""
    prices = {name: draw.randrange(50, 2000) for name in draw.sample(GOODS, 4)}
    picture = Image.new("RGB", (320, 200), "white")
    pen = ImageDraw.Draw(picture)
    for line, (name, cents) in enumerate([*prices.items(), ("total", sum(prices.values()))]):
        pen.text((20, 20 + 30 * line), name.upper(), fill="black", font_size=20)
        pen.text((220, 20 + 30 * line), money(cents), fill="black", font_size=20)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue(), prices


def money(cents: int) -> str:
    """12345 is 123.45."""
    return f"{cents / 100:.2f}"


def rows(count: int) -> list[dict[str, object]]:
    """Two questions about each of ``count`` receipts, in the columns that the benchmark docvqa reads."""
    draw, found = random.Random(1), []
    for number in range(count):
        picture, prices = receipt(draw)
        dearest = max(prices, key=lambda name: prices[name])
        total = money(sum(prices.values()))
        for key, question, answer in (
            ("total", "What is the total?", total),
            ("dearest", "Which of the goods costs most?", dearest),
        ):
            found.append(
                {
                    "questionId": f"{number}-{key}",
                    "image": {"bytes": picture, "path": None},
                    "question": question,
                    "answers": [answer],
                }
            )
    return found


if __name__ == "__main__":
    place = Path(__file__).with_name("receipts.parquet")
    pq.write_table(pa.Table.from_pylist(rows(40)), place, row_group_size=100)
    print(f"{place}: {pq.read_metadata(place).num_rows} rows")
