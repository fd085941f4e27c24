"""Write two hundred conversions of units into conversions.jsonl, beside this file."""

from __future__ import annotations

import json
import random
from pathlib import Path

UNITS = (
    ("length", "kilometres", "metres", 1000.0),
    ("length", "inches", "centimetres", 2.54),
    ("mass", "kilograms", "grams", 1000.0),
    ("mass", "pounds", "grams", 453.59237),
    ("time", "hours", "seconds", 3600.0),
)


def rows(count: int) -> list[dict[str, object]]:
    """Questions with an id, the subject that each belongs to, and the number that is right."""
    draw = random.Random(1)
    found = []
    for number in range(count):
        subject, given, wanted, factor = UNITS[number % len(UNITS)]
        amount = draw.randrange(1, 1000) / 10
        question = f"How many {wanted} are {amount:g} {given}?"
        found.append({"id": f"c{number:03d}", "subject": subject, "question": question, "number": amount * factor})
    return found


if __name__ == "__main__":
    place = Path(__file__).with_name("conversions.jsonl")
    place.write_text("".join(json.dumps(row) + "\n" for row in rows(200)), encoding="utf-8")
    print(f"{place}: 200 rows")
