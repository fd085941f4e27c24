"""DocVQA-like: a small paper with a heading and labelled lines, several questions on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.demo.train.draw import INK, SIDE, canvas, write
from evalkit.demo.train.scenes import Question, Scene

if TYPE_CHECKING:
    import random

PROMPT = "Answer with words from the page."
KINDS = ("Receipt", "Invoice", "Memo", "Ticket", "Letter", "Order")
CITIES = ("Oslo", "Rome", "Lima", "Cairo", "Paris", "Delhi", "Tokyo", "Quito", "Bonn", "Perth", "Milan", "Dakar")
NAMES = ("Anna", "Boris", "Clara", "David", "Emma", "Felix", "Grace", "Hugo", "Irene", "Jonas", "Karl", "Laura")
ITEMS = ("lamp", "chair", "piano", "bread", "shoes", "clock", "tent", "bike", "radio", "spoon", "vase", "mirror")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LABELS = ("City", "Name", "Item", "Date", "Total", "Room")


def value(rng: random.Random, label: str) -> str:
    """What may stand after a label."""
    if label == "Date":
        return f"{rng.randint(1, 28)} {rng.choice(MONTHS)}"
    if label == "Total":
        return f"${rng.randint(10, 99)}"
    if label == "Room":
        return str(rng.randint(100, 999))
    return rng.choice({"City": CITIES, "Name": NAMES, "Item": ITEMS}[label])


def scene(rng: random.Random, level: int) -> Scene:
    """A heading and two to five lines (``level`` 0 to 2)."""
    image, pen = canvas(rng)
    kind = rng.choice(KINDS)
    labels = rng.sample(LABELS, rng.randint(2, 3 + level))
    fields = {label: value(rng, label) for label in labels}
    step = 21 if len(labels) > 3 else 25
    write(pen, (SIDE / 2, 12), kind.upper(), 16, anchor="mm")
    pen.line((6, 22, SIDE - 6, 22), fill=INK, width=2)
    left = rng.randint(3, 8)
    for place, (label, text) in enumerate(fields.items()):
        write(pen, (left, 35 + place * step + rng.uniform(-1, 1)), f"{label}: {text}", 17)
    content = repr((kind, tuple(fields.items())))
    asked = [("What kind of paper is this?", kind), *((f"What is the {label.lower()}?", text) for label, text in fields.items())]
    rng.shuffle(asked)
    return Scene((image,), tuple(_question(content, text, answer) for text, answer in asked))


def _question(content: str, text: str, answer: str) -> Question:
    row = {"question": text, "answers": sorted({answer, answer.lstrip("$")})}
    return Question(f"docvqa|{content}|{text}", (0, f"{text}\n{PROMPT}"), answer, row)
